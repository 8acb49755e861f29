# SPDX-License-Identifier: Apache-2.0
"""Texts of PEM: what is in them is checked, and cleaned of what HAProxy could misread.

No message contains what was passed, which may be a private key.
"""
import binascii
import collections
import hashlib

from haproxyadmin.imports import Pattern
from haproxyadmin.parsers.values import TEXT
from haproxyadmin.protocol.words import to_bytes

CERTIFICATE = b'CERTIFICATE'
REVOCATIONS = b'X509 CRL'
_KEYS = (b'PRIVATE KEY', b'RSA PRIVATE KEY', b'EC PRIVATE KEY', b'DSA PRIVATE KEY')
_ENCRYPTED = b'ENCRYPTED PRIVATE KEY'
_TRUSTED = b'TRUSTED CERTIFICATE'
# What HAProxy uses besides certificates and keys.
_PARAMETERS = (b'DH PARAMETERS',)
_SAME = {b'X509 CERTIFICATE': CERTIFICATE}

_BEGIN = Pattern(br'-----BEGIN ([A-Z0-9][A-Z0-9 .]*)-----')
_BASE64 = Pattern(br'[A-Za-z0-9+/\s]+=?\s*=?\s*\Z')
_BLANKS = Pattern(br'\s+')
_WIDTH = 64

# A certificate with its key. content: the text that is sent. fingerprint: of the first certificate,
# as HAProxy shows it. chain: how many certificates follow it.
Bundle = collections.namedtuple('Bundle', 'content fingerprint chain')


class _Block(collections.namedtuple('_Block', 'label der')):
    """A block of a text of PEM: what kind it is, and its bytes."""

    __slots__ = ()

    @property
    def text(self):
        """The text of it, without a newline at the end."""
        encoded = binascii.b2a_base64(self.der).replace(b'\n', b'')
        lines = [encoded[place:place + _WIDTH] for place in range(0, len(encoded), _WIDTH)]
        return b'\n'.join([b'-----BEGIN ' + self.label + b'-----'] + lines
                          + [b'-----END ' + self.label + b'-----'])


def parse_bundle(pem):
    """Check a certificate with its key, and perhaps its chain.

    :param pem: text or bytes.
    :rtype: Bundle
    :raises ValueError: if it is not one that HAProxy can use.
    """
    blocks = _parse(pem)
    certificates = [block for block in blocks if block.label == CERTIFICATE]
    keys = set(block.der for block in blocks if block.label in _KEYS)
    if any(block.label == _ENCRYPTED for block in blocks):
        raise ValueError('the private key is encrypted: HAProxy cannot ask for a passphrase')
    if any(block.label == _TRUSTED for block in blocks):
        raise ValueError("a TRUSTED CERTIFICATE cannot be checked; 'openssl x509' converts it")
    if not certificates:
        raise ValueError('the PEM contains no certificate')
    if not keys:
        raise ValueError('the PEM contains no private key; put it behind the certificates')
    if len(keys) > 1:
        raise ValueError('the PEM contains {0} private keys: HAProxy would use the first '
                         'one'.format(len(keys)))
    kept, first_key = [], True
    for block in blocks:
        is_key = block.label in _KEYS
        if block.label == CERTIFICATE or block.label in _PARAMETERS or (is_key and first_key):
            kept.append(block)
        first_key = first_key and not is_key
    return Bundle(_join(kept), fingerprint(certificates[0].der), len(certificates) - 1)


def parse_blocks(pem, label):
    """Return the blocks of one kind, each as its text and its bytes.

    :param label: ``CERTIFICATE`` or ``REVOCATIONS``.
    :rtype: list of tuple
    :raises ValueError: if there is none.
    """
    found = [(block.text, block.der) for block in _parse(pem) if block.label == label]
    if not found:
        raise ValueError('the PEM contains no {0}'.format(
            'certificate' if label == CERTIFICATE else 'revocation list (X509 CRL)'))
    return found


def fingerprint(der):
    """Return the SHA-1 fingerprint of a certificate, as HAProxy shows it."""
    # It proves nothing; HAProxy shows no other.
    return hashlib.sha1(der).hexdigest().upper()  # nosec B324


def _join(blocks):
    return b'\n'.join(block.text for block in blocks)


def _parse(pem):
    if not isinstance(pem, TEXT):
        raise ValueError('expected the text of a PEM file, got an object of type {0}'.format(
            type(pem).__name__))
    text = to_bytes(pem)
    blocks, place = [], 0
    while True:
        begin = _BEGIN.search(text, place)
        if begin is None:
            break
        label = begin.group(1)
        place = text.find(b'-----END ' + label + b'-----', begin.end())
        if place < 0:
            raise ValueError('block {0} of the PEM has no end'.format(len(blocks) + 1))
        blocks.append(_Block(_SAME.get(label, label),
                             _decode(text[begin.end():place], len(blocks) + 1)))
    if not blocks:
        raise ValueError(
            "this is DER, not PEM; 'openssl' converts it with -inform der" if _is_der(text) else
            "this is not PEM: there is no '-----BEGIN' in it (pass the content of a file, not its "
            'name)')
    return blocks


def _decode(body, number):
    """Return the bytes of a block.

    :param number: which block it is, for messages.
    """
    if b':' in body:
        # Headers, which say how the rest is encrypted.
        raise ValueError('block {0} of the PEM is encrypted'.format(number))
    if not _BASE64.match(body):
        raise ValueError('block {0} of the PEM is not base64'.format(number))
    try:
        der = binascii.a2b_base64(_BLANKS.sub(b'', body))
    except ValueError:  # binascii.Error is one
        raise ValueError('block {0} of the PEM is not base64'.format(number))
    if not _is_der(der):
        raise ValueError('block {0} of the PEM is cut short, or is no DER'.format(number))
    return der


def _is_der(content):
    """Return True if bytes are one sequence of DER: its length is the one that it declares."""
    data = bytearray(content[:6])
    if len(data) < 2 or data[0] != 0x30:
        return False
    if data[1] < 0x80:
        return len(content) == 2 + data[1]
    count = data[1] & 0x7f
    if not 1 <= count <= 4 or len(data) < 2 + count:
        return False
    declared = 0
    for byte in data[2:2 + count]:
        declared = declared << 8 | byte
    return len(content) == 2 + count + declared
