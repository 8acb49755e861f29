# SPDX-License-Identifier: Apache-2.0
"""What the fake has to know of certificates, keys and revocation lists.

They are read as far as HAProxy shows them; signatures are not checked.
"""
import binascii
import datetime
import hashlib
import re

from haproxyadmin.parsers.der import (BITS, FIRST, INTEGER, OCTETS, SEQUENCE, enter, hex_of,
                                      read_part, read_parts, serial_of)
from haproxyadmin.testing.texts import text

_BLOCK = re.compile(r'-----BEGIN ([A-Z0-9 .]+)-----([^-]*)-----END \1-----')
CERTIFICATES = ('CERTIFICATE', 'X509 CERTIFICATE', 'TRUSTED CERTIFICATE')
KEYS = ('PRIVATE KEY', 'RSA PRIVATE KEY', 'EC PRIVATE KEY', 'DSA PRIVATE KEY')
LISTS = ('X509 CRL',)
_OID, _SHORT_TIME, _FOURTH, _NAME_OF_HOST = 0x06, 0x17, 0xa3, 0x82
_NAMES = {'2.5.4.3': 'CN', '2.5.4.6': 'C', '2.5.4.7': 'L', '2.5.4.8': 'ST', '2.5.4.10': 'O',
          '2.5.4.11': 'OU', '1.2.840.113549.1.9.1': 'emailAddress',
          '0.9.2342.19200300.100.1.25': 'DC'}
_ALTERNATIVE_NAMES = '2.5.29.17'
_RSA, _EC = '1.2.840.113549.1.1.1', '1.2.840.10045.2.1'
_CURVES = {'1.2.840.10045.3.1.7': 256, '1.3.132.0.34': 384, '1.3.132.0.35': 521}
_SIGNATURES = {'1.2.840.10045.4.3.2': 'ecdsa-with-SHA256',
               '1.2.840.10045.4.3.3': 'ecdsa-with-SHA384',
               '1.2.840.113549.1.1.11': 'sha256WithRSAEncryption',
               '1.2.840.113549.1.1.12': 'sha384WithRSAEncryption'}
_MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split()
# A key that cannot be read fits every certificate.
ANY_KEY = b'?'


class Unreadable(ValueError):
    """OpenSSL cannot read it; the message is what OpenSSL says."""


def blocks(pem, labels):
    """Return the bytes of the blocks of these kinds in a text of PEM.

    :raises Unreadable: if one of them is not base64.
    """
    found = []
    for label, body in _BLOCK.findall(pem):
        if label in labels:
            try:
                found.append(binascii.a2b_base64(re.sub(r'\s', '', body).encode('ascii')))
            except (ValueError, binascii.Error):  # the latter is a ValueError on Python 3 only
                raise Unreadable('bad base64 decode')
    return found


def certificates(pem):
    """Return the :class:`Certificate` objects in a text of PEM."""
    return [Certificate(der) for der in blocks(pem, CERTIFICATES)]


def key_in(pem):
    """Return the public part of the first private key in a text of PEM, None if there is none."""
    found = blocks(pem, KEYS)
    return _public_part(found[0]) if found else None


def revocation_lists(pem):
    """Return the :class:`RevocationList` objects in a text of PEM."""
    return [RevocationList(der) for der in blocks(pem, LISTS)]


class _Der(object):
    """Something in DER that begins with what is signed."""

    def __init__(self, der):
        self.der = der
        self.fingerprint = hashlib.sha1(der).hexdigest().upper()  # nosec B324
        self._data = bytearray(der)
        try:
            whole = read_part(self._data, 0, len(der), SEQUENCE)
            signed = read_part(self._data, whole.start, whole.end, SEQUENCE)
            self._read(read_parts(self._data, signed), signed)
        except (ValueError, IndexError, KeyError):
            raise Unreadable('wrong tag')

    def _read(self, parts, signed):
        raise NotImplementedError

    # Two with the same bytes are one.
    def __eq__(self, other):
        return self.der == getattr(other, 'der', None)

    def __ne__(self, other):
        return not self == other

    def __hash__(self):
        return hash(self.der)

    def _bytes(self, part):
        return bytes(self._data[part.start:part.end])

    def _one_line(self, part):
        """Return a name as OpenSSL writes it in one line."""
        line = ''
        for group in read_parts(self._data, part):
            for pair in read_parts(self._data, group):
                kind, value = read_parts(self._data, pair)
                oid = _oid(self._data, kind)
                line += '/{0}={1}'.format(_NAMES.get(oid, oid), text(self._bytes(value)))
        return line

    def _time(self, part):
        """Return a time as OpenSSL writes it."""
        digits = text(self._bytes(part))
        if part.tag == _SHORT_TIME:
            digits = ('19' if digits >= '50' else '20') + digits
        moment = datetime.datetime.strptime(digits[:14], '%Y%m%d%H%M%S')
        return '{0} {1.day:2d} {1:%H:%M:%S} {1.year} GMT'.format(_MONTHS[moment.month - 1], moment)


class Certificate(_Der):
    """A certificate.

    :ivar der: its bytes; :ivar fingerprint: of them, with SHA-1.
    :ivar serial: in hexadecimal digits.
    :ivar key: its public key, the bytes after the algorithm.
    :ivar subject: in one line; so is ``issuer``.
    """

    def _read(self, parts, signed):
        if parts[0].tag == FIRST:
            del parts[0]
        number, _, issuer, validity, subject, key = parts[:6]
        if number.tag != INTEGER:
            raise Unreadable('wrong tag')
        self.serial = serial_of(self._data, number)
        self._number = self._bytes(number)
        self.issuer, self.subject = self._one_line(issuer), self._one_line(subject)
        self._names = [self.der[parts[place - 1].end:parts[place].end] for place in (2, 4)]
        self.not_before, self.not_after = map(self._time, read_parts(self._data, validity))
        algorithm, bits = read_parts(self._data, key)
        self.key = self._bytes(bits)[1:]
        self.algorithm = self._algorithm(algorithm)
        self.names = self._read_names([part for part in parts[6:] if part.tag == _FOURTH])

    def _algorithm(self, algorithm):
        kinds = read_parts(self._data, algorithm)
        oid = _oid(self._data, kinds[0])
        if oid == _RSA:
            return 'RSA{0}'.format(_bits_of(self.key))
        if oid == _EC:
            return 'EC{0}'.format(_CURVES.get(_oid(self._data, kinds[1]), ''))
        return 'DSA'

    def _read_names(self, extensions):
        """Return the alternative names as HAProxy writes them: nothing for others than hosts."""
        for extension in read_parts(self._data, enter(self._data, extensions[0], SEQUENCE)) if (
                extensions) else ():
            fields = read_parts(self._data, extension)
            if _oid(self._data, fields[0]) == _ALTERNATIVE_NAMES:
                names = enter(self._data, fields[-1], SEQUENCE)
                return ', '.join(
                    'DNS:' + text(self._bytes(name)) if name.tag == _NAME_OF_HOST else ''
                    for name in read_parts(self._data, names))
        return ''

    def is_issued_by(self, other):
        """Return whether another certificate may be that of its authority."""
        return self._names[0] == other._names[1]

    def id_for_ocsp(self, issuer):
        """Return by which bytes OCSP knows it, if another certificate is that of its authority."""
        hashes = [hashlib.sha1(content).digest()  # nosec B324
                  for content in (issuer._names[1], issuer.key)]
        content = (binascii.a2b_hex('300906052b0e03021a0500') + b''.join(
            b'\x04\x14' + one for one in hashes)
            + bytes(bytearray([INTEGER, len(self._number)])) + self._number)
        return bytes(bytearray([SEQUENCE, len(content)])) + content

    def details(self):
        """Return the lines by which HAProxy shows it."""
        return ('Serial: {0.serial}\nnotBefore: {0.not_before}\nnotAfter: {0.not_after}\n'
                'Subject Alternative Name: {0.names}\nAlgorithm: {0.algorithm}\n'
                'SHA1 FingerPrint: {0.fingerprint}\nSubject: {0.subject}\n'
                'Issuer: {0.issuer}\n'.format(self))


class RevocationList(_Der):
    """A certificate revocation list.

    :ivar revoked: pairs of serial number and date.
    """

    def _read(self, parts, signed):
        self.version = 1
        if parts[0].tag == INTEGER:
            self.version = self._data[parts[0].start] + 1
            del parts[0]
        algorithm, issuer, last = parts[:3]
        oid = _oid(self._data, enter(self._data, algorithm, _OID))
        self.algorithm = _SIGNATURES.get(oid, oid)
        self.issuer = self._one_line(issuer)
        self.last_update = self._time(last)
        self.next_update = self._time(parts[3])
        entries = read_parts(self._data, parts[4]) if (
            len(parts) > 4 and parts[4].tag == SEQUENCE) else []
        self.revoked = []
        for entry in entries:
            number, date = read_parts(self._data, entry)[:2]
            self.revoked.append((serial_of(self._data, number), self._time(date)))

    def details(self):
        """Return the lines by which HAProxy shows it."""
        rows = ''.join('    Serial Number: {0}\n        Revocation Date: {1}\n'.format(*entry)
                       for entry in self.revoked)
        return ('Version {0.version}\nSignature Algorithm: {0.algorithm}\nIssuer: {0.issuer}\n'
                'Last Update: {0.last_update}\nNext Update: {0.next_update}\n{1}'.format(
                    self, 'Revoked Certificates:\n' + rows if rows else
                    'No Revoked Certificates.\n'))


def _oid(data, part):
    """Return an object identifier in digits."""
    if part.tag != _OID:
        raise Unreadable('wrong tag')
    numbers, number = [], 0
    for byte in data[part.start:part.end]:
        number = number << 7 | byte & 0x7f
        if not byte & 0x80:
            numbers.append(number)
            number = 0
    first = min(numbers[0] // 40, 2)
    return '.'.join(map(str, [first, numbers[0] - 40 * first] + numbers[1:]))


def _bits_of(key):
    """Return how many bits the modulus of a public RSA key has."""
    data = bytearray(key)
    modulus = enter(data, read_part(data, 0, len(data), SEQUENCE), INTEGER)
    digits = bin(int(hex_of(data, modulus.start, modulus.end), 16))
    return len(digits) - len('0b')


def _public_part(der):
    """Return what of a private key is in its certificate, or :data:`ANY_KEY`."""
    data = bytearray(der)
    try:
        parts = read_parts(data, read_part(data, 0, len(data), SEQUENCE))
        if parts[1].tag == SEQUENCE:  # PKCS #8: version, algorithm, key
            start, end = parts[2].start, parts[2].end
            data = data[start:end]
            parts = read_parts(data, read_part(data, 0, len(data), SEQUENCE))
        if parts[1].tag == OCTETS:  # of an elliptic curve
            points = [enter(data, part, BITS) for part in parts[2:] if part.tag == FIRST + 1]
            return bytes(data[points[0].start + 1:points[0].end]) if points else ANY_KEY
        # RSA: version, modulus, exponent, ...
        content = bytes(data[parts[0].end:parts[2].end])
    except (ValueError, IndexError):
        return ANY_KEY
    length = len(content)
    if length < 0x80:
        head = [SEQUENCE, length]
    elif length < 0x100:
        head = [SEQUENCE, 0x81, length]
    else:
        head = [SEQUENCE, 0x82, length >> 8, length & 0xff]
    return bytes(bytearray(head)) + content
