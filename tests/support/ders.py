# SPDX-License-Identifier: Apache-2.0
"""Small certificates, keys and revocation lists in DER, made without ``openssl``.

Nobody can use them; the fake of :mod:`haproxyadmin.testing` can read them. Keys with the same number
fit.
"""
import base64
import binascii
import hashlib

from haproxyadmin.testing.families import x509
from tests.support.certificates import remember

INTEGER, BITS, OCTETS, NULL, OID, UTF8, UTC_TIME, SEQUENCE, SET = (
    0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x17, 0x30, 0x31)
_RSA = b'\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01'
_ECDSA = b'\x2a\x86\x48\xce\x3d\x04\x03\x02'
_NAMES = {'CN': 3, 'C': 6, 'O': 10}
START, END = b'261124190831Z', b'271124190831Z'
# When a revocation list is made, and when the next one is.
LAST, NEXT = b'261124190834Z', b'271124190834Z'


def element(tag, *contents):
    """Return an element of DER."""
    content = b''.join(contents)
    length = len(content)
    digits = [length] if length < 0x80 else [0x82, length >> 8, length & 0xff]
    return bytes(bytearray([tag] + digits)) + content


def _integer(number, size=None):
    digits = '{0:x}'.format(number)
    if size:
        digits = digits.zfill(2 * size)
    digits = '0' * (len(digits) % 2) + digits
    data = binascii.a2b_hex(digits)
    return element(INTEGER, b'\0' * (bytearray(data)[0] > 0x7f), data)


def _name(text):
    """Return the DER of a name such as ``/C=FR/CN=Example CA``."""
    return element(SEQUENCE, *[element(SET, element(
        SEQUENCE, element(OID, bytes(bytearray([0x55, 4, _NAMES[word.split('=')[0]]]))),
        element(UTF8, word.split('=')[1].encode('ascii')))) for word in text.split('/')[1:]])


def _numbers_of_key(number):
    """Return modulus and exponent."""
    parts = [hashlib.sha256('{0}/{1}'.format(number, part).encode('ascii')).digest()
             for part in range(8)]
    parts[0] = b'\xc0' + parts[0][1:]
    return element(INTEGER, b'\0', *parts) + element(INTEGER, b'\1\0\1')


def certificate(serial, subject='/CN=www.example.com', issuer='/CN=Example CA', names=(), key=None,
                size=0):
    """Return a certificate.

    :param serial: its serial number; :param key: the number of its key, by default the same.
    :param names: its alternative names; :param size: so many bytes more.
    """
    algorithm = element(SEQUENCE, element(OID, _RSA), element(NULL))
    public = element(SEQUENCE, algorithm, element(BITS, b'\0', element(
        SEQUENCE, _numbers_of_key(serial if key is None else key))))
    listed = element(SEQUENCE, *[element(0x82, name.encode('ascii')) for name in names])
    more = [element(SEQUENCE, element(OID, b'\x55\x1d\x11'), element(OCTETS, listed))] if names else []
    more += [element(SEQUENCE, element(OID, b'\x2a\x03'), element(OCTETS, b'x' * size))] if size else []
    extensions = element(0xa3, element(SEQUENCE, *more)) if more else b''
    return element(SEQUENCE, element(
        SEQUENCE, element(0xa0, element(INTEGER, b'\2')), _integer(serial), algorithm, _name(issuer),
        element(SEQUENCE, element(UTC_TIME, START), element(UTC_TIME, END)), _name(subject), public,
        extensions), algorithm, element(BITS, b'\0sig'))


def private_key(number):
    """Return a private key of RSA that is none: only its public part is there."""
    return element(SEQUENCE, element(INTEGER, b'\0'), _numbers_of_key(number),
                   element(INTEGER, hashlib.sha512(str(number).encode('ascii')).digest()))


def revocation_list(*serials):
    """Return a revocation list."""
    entries = [element(SEQUENCE, _integer(serial), element(UTC_TIME, START)) for serial in serials]
    algorithm = element(SEQUENCE, element(OID, _ECDSA))
    return element(SEQUENCE, element(
        SEQUENCE, element(INTEGER, b'\1'), algorithm, _name('/CN=CA'), element(UTC_TIME, LAST),
        element(UTC_TIME, NEXT), *([element(SEQUENCE, *entries)] if entries else [])),
        algorithm, element(BITS, b'\0sig'))


def pem(label, *ders):
    """Return a text of PEM; a private key in it must not get into a log."""
    made = ''.join('-----BEGIN {0}-----\n{1}\n-----END {0}-----\n'.format(
        label, '\n'.join(_lines(der))) for der in ders)
    remember(made)
    return made


def _lines(der):
    encoded = base64.b64encode(der).decode('ascii')
    return [encoded[place:place + 64] for place in range(0, len(encoded), 64)]


def key_for(text):
    """Return a key, as PEM, that fits a certificate: its public part."""
    one = x509.certificates(text)[0]
    if one.algorithm.startswith('RSA'):
        data = bytearray(one.key)
        start = 4 if data[1] == 0x82 else 2
        return pem('RSA PRIVATE KEY', element(SEQUENCE, element(INTEGER, b'\0'), one.key[start:]))
    return pem('EC PRIVATE KEY', element(
        SEQUENCE, element(INTEGER, b'\1'), element(OCTETS, b'none'),
        element(0xa1, element(BITS, b'\0', one.key))))
