# SPDX-License-Identifier: Apache-2.0
"""Texts of PEM: what is in them is checked, and cleaned of what HAProxy could misread.

No message contains what was passed, which may be a private key.
"""
import binascii
import collections
import hashlib

from haproxyadmin.imports import Pattern
from haproxyadmin.parsers.der import (BITS, FIRST, INTEGER, SEQUENCE, enter, is_sequence, read_part,
                                      read_parts, serial_of)
from haproxyadmin.parsers.values import TEXT
from haproxyadmin.protocol.words import to_bytes

CERTIFICATE = b'CERTIFICATE'
REVOCATIONS = b'X509 CRL'
_KEYS = (b'PRIVATE KEY', b'RSA PRIVATE KEY', b'EC PRIVATE KEY', b'DSA PRIVATE KEY')
_ENCRYPTED = b'ENCRYPTED PRIVATE KEY'
# What HAProxy uses besides certificates and keys.
_PARAMETERS = (b'DH PARAMETERS',)
_TRUSTED = b'TRUSTED CERTIFICATE'
_SAME = {b'X509 CERTIFICATE': CERTIFICATE}
_USED = _KEYS + _PARAMETERS + (CERTIFICATE, REVOCATIONS)

_BEGIN = Pattern(br'-----BEGIN ([A-Z0-9][A-Z0-9 .]*)-----')
_BASE64 = Pattern(br'[A-Za-z0-9+/\s]+=?\s*=?\s*\Z')
_BLANKS = Pattern(br'\s+')
_WIDTH = 64

# What is in a certificate: serial in hexadecimal digits; issuer, subject and key are DER.
_Identity = collections.namedtuple('_Identity', 'serial issuer subject key')


class Bundle(collections.namedtuple('Bundle', 'content fingerprint chain certificates')):
    """A certificate with its key.

    ``content`` is the text that is sent, ``fingerprint`` that of the first certificate, as HAProxy
    shows it, ``chain`` the number of certificates that follow it, and ``certificates`` the DER of
    all.
    """

    __slots__ = ()

    def __repr__(self):
        return 'Bundle({0!r}, chain={1})'.format(self.fingerprint, self.chain)


class _Block(collections.namedtuple('_Block', 'label der')):
    """A block of a text of PEM: what kind it is, and its bytes, which are empty if not used."""

    __slots__ = ()

    def __repr__(self):
        return '_Block({0!r})'.format(self.label)

    @property
    def text(self):
        """The text of it, without a newline at the end."""
        encoded = binascii.b2a_base64(self.der).replace(b'\n', b'')
        lines = [encoded[place:place + _WIDTH] for place in range(0, len(encoded), _WIDTH)]
        return b'\n'.join([b'-----BEGIN ' + self.label + b'-----'] + lines
                          + [b'-----END ' + self.label + b'-----'])


def check_no_pem(name):
    """Check that a name is not what belongs into another argument.

    :raises ValueError: if it is a text of PEM; the message does not contain it.
    """
    if '-----BEGIN' in repr(name):
        raise ValueError('expected a name, got a text of PEM')


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
    return Bundle(_join(kept), fingerprint(certificates[0].der), len(certificates) - 1,
                  [block.der for block in certificates])


def check_ocsp(bundle, response):
    """Check that an OCSP response is about a certificate, whose issuer is in its chain.

    :type bundle: Bundle
    :type response: haproxyadmin.parsers.ocsp.ResponseId
    :raises ValueError: if not: HAProxy would not find the issuer, or would not send the response.
    """
    leaf, issuers = _identify(bundle.certificates[0]), map(_identify, bundle.certificates[1:])
    if response.serial != leaf.serial:
        raise ValueError('the OCSP response is for the serial number {0}, the certificate has '
                         '{1}'.format(response.serial, leaf.serial))
    if not any(issuer.subject == leaf.issuer
               and _sha1(issuer.subject) == response.issuer_name_hash
               and _sha1(issuer.key) == response.issuer_key_hash for issuer in issuers):
        raise ValueError('the PEM does not contain the certificate of the issuer, or the OCSP '
                         'response is of another one')


def _identify(der):
    """Return what is in a certificate::

        SEQUENCE of a SEQUENCE of [0] version, serial number, algorithm, issuer, validity, subject,
        and a SEQUENCE of algorithm and BIT STRING, the key
    """
    data = bytearray(der)
    certificate = enter(data, read_part(data, 0, len(data), SEQUENCE), SEQUENCE)
    parts = read_parts(data, certificate)
    if parts[0].tag == FIRST:
        del parts[0]
    starts = [place.end for place in parts]
    if len(parts) < 6 or parts[0].tag != INTEGER:
        raise ValueError('the PEM contains something else than a certificate')
    key = read_parts(data, parts[5])[-1]
    if key.tag != BITS:
        raise ValueError('the PEM contains a certificate without a key')
    issuer, subject = [der[starts[number - 1]:starts[number]] for number in (2, 4)]
    # The first byte of the key says how many bits are missing.
    return _Identity(serial_of(data, parts[0]), issuer, subject, der[key.start + 1:key.end])


def parse_blocks(pem, label):
    """Return the blocks of one kind, each as its text and its bytes.

    :param label: ``CERTIFICATE`` or ``REVOCATIONS``.
    :rtype: list of tuple
    :raises ValueError: if there is none, or one in another format.
    """
    blocks = _parse(pem)
    found = [(block.text, block.der) for block in blocks if block.label == label]
    if label == CERTIFICATE and any(block.label == _TRUSTED for block in blocks):
        raise ValueError("a 'TRUSTED CERTIFICATE' is OpenSSL's own format; 'openssl x509' converts "
                         'it')
    if not found:
        raise ValueError('the PEM contains no {0}'.format(
            'certificate' if label == CERTIFICATE else 'revocation list (X509 CRL)'))
    return found


def fingerprint(der):
    """Return the SHA-1 fingerprint of a certificate, as HAProxy shows it."""
    return _sha1(der)


def _sha1(content):
    # HAProxy and OCSP use no other; nothing depends on its strength.
    return hashlib.sha1(content).hexdigest().upper()  # nosec B324


def _join(blocks):
    return b'\n'.join(block.text for block in blocks)


def _parse(pem):
    if not isinstance(pem, TEXT):
        raise ValueError('expected the text of a PEM file, got an object of type {0}'.format(
            type(pem).__name__))
    try:
        text = to_bytes(pem)
    except UnicodeError:
        text = None
    if text is None:
        # Outside of the handler: that exception contains the whole text.
        raise ValueError('the PEM contains what is no text')
    blocks, place = [], 0
    while True:
        begin = _BEGIN.search(text, place)
        if begin is None:
            break
        label = begin.group(1)
        place = text.find(b'-----END ' + label + b'-----', begin.end())
        if place < 0:
            raise ValueError('block {0} of the PEM has no end'.format(len(blocks) + 1))
        label = _SAME.get(label, label)
        # Others may be no DER at all, such as "EC PARAMETERS".
        blocks.append(_Block(label, _decode(text[begin.end():place], len(blocks) + 1)
                             if label in _USED else b''))
    if not blocks:
        raise ValueError(
            "this is DER, not PEM; 'openssl' converts it with -inform der" if is_sequence(text) else
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
    except (ValueError, binascii.Error):  # which is a ValueError on Python 3 only
        raise ValueError('block {0} of the PEM is not base64'.format(number))
    if not is_sequence(der):
        raise ValueError('block {0} of the PEM is cut short, or is no DER'.format(number))
    return der
