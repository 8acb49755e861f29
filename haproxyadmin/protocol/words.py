# SPDX-License-Identifier: Apache-2.0
"""Check what a caller passes, and make words of a command line of it.

Text from a caller reaches HAProxy as one word, whatever it contains, or not at all: what HAProxy
(or the running version) cannot accept is a :class:`ValueError`.
"""
import binascii
import collections
import os

from haproxyadmin.imports import Pattern, ensure_str, integer_types, socket_part, text_type
from haproxyadmin.protocol import versions

# HAProxy's buffer minus its reserve, including the newline; longer lines wedge 2.0 to 2.6.
MAX_LINE = 15360
# A payload with its command and the empty line at its end. More than 16383 crash 2.2 to 2.8; from
# 3.4 on HAProxy reads 131072, but answers nothing to exactly these numbers.
MAX_PAYLOAD = 16000
MAX_LARGE_PAYLOAD = 131071
_UNANSWERED_PAYLOAD = 16384
# More words crash 1.5.19 and 1.6.9; later versions ignore them.
MAX_WORDS = 64
MAX_INT = 2147483647
MAX_UNSIGNED = 2 ** 32 - 1
MAX_SIGNED = 2 ** 63 - 1
MAX_WEIGHT = 256
MAX_PERCENT = 100 * MAX_WEIGHT
MAX_PORT = 65535
# Of AES-128 and AES-256; HAProxy refuses one that is not as long as the others of its file.
TICKET_KEY_SIZES = (48, 80)
_TICKET_KEY = 'a key of TLS tickets must be 48 or 80 bytes, or their base64'
_BASE64 = Pattern(br'[A-Za-z0-9+/]+={0,2}\Z')
_DIGITS = Pattern(r'[0-9]+\Z')
_PERCENT = Pattern(r'([0-9]+)%\Z')
# `set-proxy-v2-tlv-fmt(0xE1)` is one, too.
_KEYWORD = Pattern(r'[a-z][a-z0-9-]*(\([A-Za-z0-9]+\))?\Z')
# Keywords of a server whose value is a number, and the highest one.
_NUMERIC = dict.fromkeys(['error-limit', 'fall', 'id', 'maxconn', 'maxqueue', 'minconn', 'rise',
                          'shard'], MAX_INT)
_NUMERIC.update(dict.fromkeys(['agent-port', 'port'], MAX_PORT))
# Options of a certificate in a list that have no value, and those that describe the certificate:
# from 3.0 on HAProxy changes that even if it refuses to add it.
_WITHOUT_VALUE = frozenset(['allow-0rtt', 'no-alpn', 'no-ca-names'])
_OF_CERTIFICATE = frozenset([
    'acme', 'alias', 'bits', 'crt', 'domains', 'generate-dummy', 'ips', 'issuer', 'jwt', 'key',
    'keytype', 'ocsp', 'sctl'])
_NO_OPTION = Pattern(br'[\]\[\x00-\x08\x0a-\x1f\x7f"\'\\#<;]')
# What HAProxy takes apart a line at.
_OF_LINE = Pattern(br'[\]\[\s]')
# All other names have no effect; a name with other letters is sent as xn--...
_SNI = Pattern(r'!?(\*|(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)\Z')
# The highest numbers of those data of stick tables that do not have 32 bits without a sign.
_HIGHEST = {'bytes_in_cnt': MAX_SIGNED, 'bytes_out_cnt': MAX_SIGNED, 'server_id': MAX_INT}
_DATA_NAME = Pattern(r'([a-z][a-z0-9_]{0,63})(?:\(-?[0-9]{1,20}\))?\Z')
_KEY_FAMILIES = {'ip': ('AF_INET', 'IPv4'), 'ipv6': ('AF_INET6', 'IPv6')}
# How conditions are written, and HAProxy's word for each.
OPERATORS = {'==': 'eq', '!=': 'ne', '<=': 'le', '>=': 'ge', '<': 'lt', '>': 'gt'}
_LOCAL = Pattern(r'(unix@|abns@|abnsz@|/).')
_FAMILY = Pattern(r'\A(ipv4|ipv6)@')
_REFERENCE = Pattern(r'#?(0x[0-9a-fA-F]+)\Z')
_SPECIAL = Pattern(br'([ \t;\\<])')
_SPECIAL_BEFORE = Pattern(br'([ \t\v\f;\\<])')
# Compared by name: importing their modules would take longer than importing this one.
_TEXT_FORMS = frozenset([
    ('ipaddress', 'IPv4Address'), ('ipaddress', 'IPv6Address'), ('ipaddress', 'IPv4Network'),
    ('ipaddress', 'IPv6Network'), ('uuid', 'UUID')])
_TEXT = (bytes, text_type)

# The version of an ACL or map that HAProxy has prepared, and does not use yet; it stands wherever
# an id or file may stand. ident: see check_identifier(). number: of the version.
Prepared = collections.namedtuple('Prepared', 'ident number')

_FORBIDDEN = Pattern(br'[\n\r\0]')
_FORBIDDEN_NAMES = {b'\n': 'a newline', b'\r': 'a carriage return', b'\0': 'a NUL character'}


def to_bytes(text):
    """Return text as it is sent: encoded as UTF-8, bytes unchanged."""
    if isinstance(text, text_type):
        # Python 2 has no such error handler, and never needs it here.
        return text.encode('utf-8', 'surrogateescape')
    if isinstance(text, bytes):
        return text
    raise ValueError('expected text, got {0!r}'.format(text))


def to_native(text):
    """Return text or bytes as the ``str`` of this Python; anything else unchanged."""
    if isinstance(text, (text_type, bytes)):
        return ensure_str(text, 'utf-8', 'surrogateescape')
    return text


# Python 2 has no such function: file names are bytes there.
_fsdecode = getattr(os, 'fsdecode', to_native)


def text_of_path(path):
    """Return the text or bytes of a :mod:`pathlib` path; anything else unchanged."""
    # Looked up in the type: the class itself is not a path.
    return path.__fspath__() if hasattr(type(path), '__fspath__') else path


def decode_path(path):
    """Return the name of a file on this machine as a ``str``.

    :param path: text, bytes or a :mod:`pathlib` path; anything else is returned unchanged.
    """
    path = text_of_path(path)
    # File names are not always UTF-8, for instance not in an ASCII locale.
    return _fsdecode(path) if isinstance(path, bytes) else to_native(path)


def check_text(text):
    """Return text as HAProxy is to store it.

    :param text: what a caller passed; an integer is written in decimal, any other number, UUID or
        address as its ``str()``.
    :type text: str, bytes, number, UUID, or an address or network of :mod:`ipaddress`
    :rtype: bytes
    :raises ValueError: if no version accepts it.
    """
    raw_text = (to_bytes(text) if isinstance(text, _TEXT)
                else _encode_number(text) or encode_address(text))
    if not raw_text:
        raise ValueError('text must not be empty')
    if len(raw_text) >= MAX_LINE:
        raise ValueError('text of {0} bytes is too long: a command has at most {1} bytes'.format(
            len(raw_text), MAX_LINE - 1))
    forbidden = _FORBIDDEN.search(raw_text)
    if forbidden:
        raise ValueError('text must not contain {0}: {1!r}'.format(
            _FORBIDDEN_NAMES[forbidden.group()], text))
    return raw_text


def escape_word(text, version):
    """Escape text so that HAProxy reads it as one word.

    :param text: see :func:`check_text`.
    :param version: version of the HAProxy that it is sent to.
    :type version: tuple of int
    :rtype: bytes
    :raises ValueError: if that version has no escape for a character in it.
    """
    raw_text = check_text(text)
    if not _SPECIAL_BEFORE.search(raw_text):
        # Most text; comparing the version may cost a command.
        return raw_text
    _check_sendable(raw_text, text, version)
    special = _SPECIAL if versions.has(version, versions.SPLITS_AT_BLANKS) else _SPECIAL_BEFORE
    return special.sub(br'\\\1', raw_text)


def escape_name(name, version):
    """Escape the name of a frontend, backend or server.

    :raises ValueError: for a name that HAProxy would read as an id: ``#3``, and ``#x`` as ``#0``.
    """
    if check_text(name).startswith(b'#'):
        raise ValueError('HAProxy would read {0!r} as an id, not as a name'.format(name))
    return escape_word(name, version)


def encode_address(value):
    """Return an address as bytes.

    :param value: text, or an address or network of :mod:`ipaddress`.
    :raises ValueError: for anything else, numbers included: HAProxy reads ``1.5`` as ``1.0.0.5``.
    """
    if isinstance(value, _TEXT):
        return to_bytes(value)
    forms = [(kind.__module__, kind.__name__) for kind in type(value).__mro__]
    return to_bytes(value if _TEXT_FORMS.isdisjoint(forms) else str(value))


def _encode_number(value):
    """Return a number as bytes, an enumeration's by its value; None for anything else."""
    if is_integer(value):
        return format_integer(value)
    if isinstance(value, float):
        return to_bytes(str(float(value)))
    if isinstance(value, bool):
        return None
    # Imported only where it is needed: most programs never pass such a number.
    import numbers
    return to_bytes(str(value)) if isinstance(value, numbers.Number) else None


def _check_sendable(raw_text, text, version):
    for character, name, ranges in versions.UNSENDABLE:
        if character in raw_text and versions.is_among(version, ranges):
            raise versions.NotForVersion(
                'HAProxy {0} cannot accept text that contains {1}: {2!r}'.format(
                    versions.format_version(version), name, text))


def is_integer(value):
    """Return True for an integer, False for a bool."""
    return isinstance(value, integer_types) and not isinstance(value, bool)


def format_integer(value):
    """Return an integer in decimal, an enumeration's by its value."""
    return str(int(value)).encode('ascii')


def describe(value):
    """Return the ``repr()`` of a value for a message."""
    try:
        return repr(value)
    except ValueError:  # Python refuses to print integers of thousands of digits
        return 'a number of thousands of digits'


def check_number(value, name, highest=MAX_INT):
    """Return a number as HAProxy reads it.

    :param value: an integer.
    :param name: what it is, for the message.
    :param highest: the highest value that HAProxy does not wrap around.
    :rtype: bytes
    :raises ValueError: if it is not an integer from 0 to ``highest``.
    """
    if not is_integer(value) or not 0 <= value <= highest:
        raise ValueError('{0} must be an integer from 0 to {1}, got {2}'.format(
            name, highest, describe(value)))
    return format_integer(value)


def parse_digits(value):
    """Return the integer of text that consists of digits; anything else unchanged."""
    text = to_native(value)
    return _parse_integer(text) if isinstance(text, str) and _DIGITS.match(text) else value


def _parse_integer(text):
    """Return the integer of digits; after a hundred of them it is too large anyway."""
    return int(text.lstrip('0')[:100] or 0)


def check_row_id(value):
    """Return the id of a proxy or server as an integer; -1 stands for all of them.

    :param value: an integer or its digits.
    :raises ValueError: for anything else.
    """
    number = -1 if to_native(value) == '-1' else parse_digits(value)
    if not is_integer(number) or not -1 <= number <= MAX_INT:
        raise ValueError('id must be -1 or an integer from 0 to {0}, got {1}'.format(
            MAX_INT, describe(value)))
    return int(number)


def check_port(value):
    """Return a port: 0 to 65535, an integer or its digits; HAProxy reads 70000 as 4464."""
    return check_number(parse_digits(value), 'port', MAX_PORT)


def check_weight(value):
    """Return a weight: 0 to 256, or a percentage of the configured weight.

    :raises ValueError: for anything else.
    """
    text = to_native(value)
    percent = isinstance(text, str) and _PERCENT.match(text)
    if not percent:
        try:
            return check_number(value, 'weight', MAX_WEIGHT)
        except ValueError:
            raise ValueError("weight must be an integer from 0 to {0} or 'N%', got {1}".format(
                MAX_WEIGHT, describe(value)))
    return check_number(_parse_integer(percent.group(1)), 'a weight in percent', MAX_PERCENT) + b'%'


def check_server_address(value):
    """Return the address and port of a server that is added.

    :param value: ``'10.0.0.1:80'``, ``'[::1]:80'``, or an address with a prefix such as
        ``'unix@/run/app.sock'``.
    :rtype: bytes
    :raises ValueError: for anything else: HAProxy accepts a name and never resolves it, and takes a
        missing port for 0 and a missing address for all addresses of the machine.
    """
    text = to_native(check_text(value))
    if _LOCAL.match(text):
        return to_bytes(text)
    host, _, port = _FAMILY.sub('', text).rpartition(':')
    if not _DIGITS.match(port) or not 0 < _parse_integer(port) <= MAX_PORT or not _is_ip(
            host[1:-1] if host.startswith('[') and host.endswith(']') else host):
        raise ValueError('the address of a server must be an IP address and a port from 1 to {0}, '
                         "such as '10.0.0.1:80' or '[::1]:80', or 'unix@PATH'; got {1!r}".format(
                             MAX_PORT, value))
    return to_bytes(text)


def _is_ip(text, families=('AF_INET', 'AF_INET6')):
    return any(_pack(family, text) is not None for family in families)


def parse_network(text):
    """Return an address or network as HAProxy compares it, None for anything else.

    :return: how many bits an address has, how many of them count, and these as an integer.
    :rtype: tuple of int
    """
    if text[:1] not in '0123456789abcdefABCDEF:':
        return None
    address, slash, mask = text.partition('/')
    for family, bits in (('AF_INET', 32), ('AF_INET6', 128)):
        packed = _pack(family, address)
        if packed is None:
            continue
        length = _length_of(mask, bits) if slash else bits
        return None if length is None else (bits, length, packed >> (bits - length))
    return None


def _pack(family, text):
    """Return an address as an integer, None for anything else."""
    try:
        packed = socket_part('inet_pton')(socket_part(family), text)
    except (EnvironmentError, TypeError, ValueError):
        return None  # Python 2 raises a TypeError for a NUL
    return int(''.join('{0:02x}'.format(byte) for byte in bytearray(packed)), 16)


def _length_of(mask, bits):
    """Return the length of a prefix: ``'8'``, or in IPv4 ``'255.0.0.0'``; None for other masks."""
    if mask and not mask.strip('0123456789'):
        return int(mask) if len(mask) < 4 and int(mask) <= bits else None
    packed = _pack('AF_INET', mask) if bits == 32 else None
    if packed is None:
        return None
    length = bin(packed).count('1')
    return length if packed == ((1 << length) - 1) << (bits - length) else None


def check_keywords(keywords):
    """Return the keywords of a server as pairs of the word and its values.

    :param keywords: values by name, ``_`` for ``-``: text, a number, a list or tuple of several
        words, or True for a keyword alone. None and False leave it out.
    :type keywords: dict
    :return: list of ``(keyword, list of values)``, sorted; the values are not escaped.
    :raises ValueError: for what is not a keyword.
    """
    pairs = []
    for name in sorted(keywords):
        value, keyword = keywords[name], to_native(name).replace('_', '-')
        if not _KEYWORD.match(keyword):
            raise ValueError('not a keyword of a server: {0!r}'.format(name))
        if value is None or value is False:
            continue
        values = [] if value is True else list(value) if isinstance(value, (list, tuple)) else [
            value]
        if keyword in _NUMERIC and not values:
            # HAProxy would read it as 0.
            raise ValueError('{0} needs a number'.format(name))
        pairs.append((to_bytes(keyword), [_check_value(keyword, own) for own in values]))
    return pairs


def _check_value(keyword, value):
    """Return a value of a keyword of a server, not escaped.

    HAProxy reads a negative or too large number as another one, and ``1.5`` as 1.
    """
    if keyword in _NUMERIC:
        return check_number(parse_digits(value), keyword, _NUMERIC[keyword])
    return check_text(value)


def check_identifier(value, version):
    """Return the word that names an ACL or map: ``#N`` or a file.

    :param value: a non-negative integer, digits, ``#`` and digits, or a file as text or as a
        :mod:`pathlib` path; or a :class:`Prepared`, which gives two words.
    :rtype: bytes
    :raises ValueError: for anything else; to HAProxy, ``#`` alone means 0, and ``@`` a version.
    """
    if isinstance(value, Prepared):
        return b'@%d ' % value.number + check_identifier(value.ident, version)
    text = to_native(text_of_path(value))
    if isinstance(text, str):
        name = text[1:] if text.startswith('#') else text
        if not _DIGITS.match(name):
            if text.startswith(('#', '@')):
                raise ValueError('not an id or file of an ACL or map: {0!r}'.format(value))
            return escape_word(text, version)
        value = _parse_integer(name)
    if not is_integer(value):
        raise ValueError('expected an id or file of an ACL or map, got {0!r}'.format(value))
    return b'#' + check_number(value, 'id of an ACL or map')


def parse_reference(key):
    """Return a reference to an entry of an ACL or map, None if the text is not a reference.

    :param key: ``'0x1a78ab0'`` as listings print it, or a key.
    :rtype: str
    :raises ValueError: for a key that HAProxy would read as a broken reference.
    """
    text = to_native(key)
    if not isinstance(text, str):
        return None
    match = _REFERENCE.match(text)
    if match:
        return match.group(1)
    if text.startswith('#0x'):
        raise ValueError('HAProxy would read {0!r} as a broken reference'.format(key))
    return None


def join_words(*words):
    """Join words to a command line.

    :rtype: bytes
    :raises ValueError: if it is too long.
    """
    joined = b' '.join(words)
    if len(joined) + 1 > MAX_LINE:
        raise ValueError('a command of {0} bytes is too long: HAProxy reads {1}'.format(
            len(joined), MAX_LINE - 1))
    return joined


def check_payload(command, version):
    """Return a command with a payload, without its last newline, if HAProxy can read it.

    :type command: bytes
    :raises ValueError: if it is too long for the version.
    """
    command += b'\n'
    # The transport adds the last newline.
    size = len(command) + 1
    if size > MAX_PAYLOAD:
        if not versions.has(version, versions.LARGE_PAYLOAD):
            raise versions.NotForVersion('a payload and its command have at most {0} bytes before '
                                         'HAProxy {1}, got {2}'.format(
                                             MAX_PAYLOAD,
                                             versions.format_version(versions.LARGE_PAYLOAD.since),
                                             size))
        if size > MAX_LARGE_PAYLOAD:
            raise ValueError('a payload and its command have at most {0} bytes, got {1}'.format(
                MAX_LARGE_PAYLOAD, size))
        if size == _UNANSWERED_PAYLOAD:
            # A line that is in no block of PEM is ignored.
            command += b'#\n'
    return command


def check_ticket_key(key):
    """Return a key of TLS tickets in base64.

    :param key: 48 bytes (AES-128) or 80 bytes (AES-256), or their base64 as text or bytes, with or
        without line breaks.
    :rtype: bytes
    :raises ValueError: for anything else; the message does not contain it.
    """
    if isinstance(key, bytearray):
        key = bytes(key)
    if isinstance(key, bytes) and len(key) in TICKET_KEY_SIZES:
        return binascii.b2a_base64(key).strip()
    if not isinstance(key, _TEXT):
        raise ValueError('{0}, got {1}'.format(_TICKET_KEY, type(key).__name__))
    encoded = to_bytes(key)
    for blank in (b'\r', b'\n', b' '):
        encoded = encoded.replace(blank, b'')
    if not _BASE64.match(encoded):
        raise ValueError('{0}; this is neither'.format(_TICKET_KEY))
    size = len(encoded) // 4 * 3 - encoded.count(b'=')
    if size not in TICKET_KEY_SIZES or len(encoded) % 4:
        raise ValueError('{0}, got {1} characters of base64'.format(_TICKET_KEY, len(encoded)))
    return encoded


def escape_server(backend, name, version):
    """Return the word that names a server: ``BACKEND/SERVER``."""
    return escape_name(backend, version) + b'/' + escape_name(name, version)


def check_certificate(name):
    """Return the name of a certificate in a list, as a ``str``.

    :raises ValueError: for what cannot be one: HAProxy would read what follows a colon as a line.
    """
    text = to_native(check_text(text_of_path(name)))
    if ':' in text:
        raise ValueError('HAProxy cannot remove a certificate from a list whose name contains a '
                         'colon: {0!r}'.format(text))
    return text


def check_crt_list_entry(certificate, sni, options):
    """Return what is added to a list of certificates.

    :param certificate: the name of a certificate.
    :param sni: an iterable of SNI filters; None for no filter.
    :param options: a text, or None.
    :return: the name, the list of filters, and the options as a ``str`` or None.
    :rtype: tuple
    :raises ValueError: for what HAProxy would read differently.
    """
    name = check_certificate(certificate)
    # A text would be taken for filters of one letter.
    if sni is not None and (isinstance(sni, _TEXT) or not hasattr(sni, '__iter__')):
        raise ValueError("SNI filters are a list such as ['*.www.test'], got {0!r}".format(sni))
    filters = [_check_sni(one) for one in sni or ()]
    words = _check_options(options)
    if (filters or words) and _OF_LINE.search(to_bytes(name)):
        raise ValueError('with SNI filters or options, the name of a certificate must not contain '
                         'blanks or brackets: {0!r}'.format(name))
    joined = ' '.join(words) or None
    size = sum(len(to_bytes(text)) + 1 for text in [name] + words + filters)
    if size >= MAX_LINE:
        raise ValueError('an entry of {0} bytes is too long: a line has at most {1} bytes'.format(
            size, MAX_LINE - 1))
    return name, filters, joined


def _check_sni(value):
    text = to_native(check_text(value))
    if not _SNI.match(text):
        raise ValueError("an SNI filter is a name such as 'www.test', '*.www.test' or "
                         "'!old.www.test', got {0!r}".format(value))
    return text


def _check_options(options):
    """Return the words of the options of a certificate in a list."""
    if options is None:
        return []
    if not isinstance(options, _TEXT):
        raise ValueError('options must be text or None, got {0!r}'.format(options))
    raw_text = to_bytes(options)
    if _NO_OPTION.search(raw_text):
        raise ValueError('options must not contain brackets, quotes, backslashes, "#", "<", ";" or '
                         'control characters: {0!r}'.format(options))
    for keyword, value in pair_options(options):
        if not _KEYWORD.match(keyword):
            raise ValueError('not an option of a certificate in a list: {0!r}'.format(keyword))
        if keyword in _OF_CERTIFICATE:
            raise ValueError('{0} is about the certificate, and cannot be given for a list'.format(
                keyword))
        if value == '':
            raise ValueError('{0} needs a value'.format(keyword))
    return to_native(raw_text).split()


def pair_options(options):
    """Return the options of a certificate in a list, to compare them.

    :param options: a text, or None.
    :return: a sorted list of ``(keyword, value)``; a value is None for a keyword without one, and
        ``''`` if it is missing.
    :rtype: list of tuple
    """
    words, pairs = to_native(options or '').split(), []
    while words:
        keyword = words.pop(0)
        value = None if keyword in _WITHOUT_VALUE else words.pop(0) if words else ''
        pairs.append((keyword, value))
    return sorted(pairs, key=str)


def check_table_key(kind, key):
    """Return a key of a stick table as its type allows; HAProxy stores garbage for others.

    :param kind: the type of the table.
    :param key: text, a number, or an address of :mod:`ipaddress`.
    :rtype: bytes
    :raises ValueError: if it is not a key of that type, or HAProxy cannot find keys of that type.
    """
    if kind in _KEY_FAMILIES:
        family, name = _KEY_FAMILIES[kind]
        text = None if is_integer(key) else to_native(encode_address(key))
        if not isinstance(text, str) or not _is_ip(text, [family]):
            raise ValueError('a key of type {0} is an {1} address, got {2!r}'.format(
                kind, name, key))
        return to_bytes(text)
    if kind == 'integer':
        return check_number(parse_digits(key), 'a key of type integer', MAX_UNSIGNED)
    if kind == 'string':
        return check_text(key)
    raise ValueError('HAProxy cannot find an entry by a key of type {0}'.format(kind))


def check_table_data(data):
    """Return what is to be stored in an entry of a stick table, sorted by name.

    :param data: numbers by name.
    :type data: dict
    :return: list of ``(name, number)``.
    :raises ValueError: for a name that cannot be one, and for a number that HAProxy would wrap
        around.
    """
    return [(_check_data_name(name), int(check_number(data[name], name, _HIGHEST.get(
        name, MAX_UNSIGNED)))) for name in sorted(data)]


def check_conditions(where):
    """Return the conditions that entries of a stick table must meet.

    :param where: an iterable of ``(name, operator, number)``; None for no condition.
    :return: list of the same, without the period of a rate, the operators in HAProxy's words.
    :raises ValueError: for anything else.
    """
    conditions = []
    # A text would be taken for conditions of one letter.
    for condition in () if where is None else where if hasattr(
            where, '__iter__') and not isinstance(where, _TEXT) else [where]:
        if not isinstance(condition, (list, tuple)) or len(condition) != 3:
            raise ValueError(
                "a condition is a tuple such as ('gpc0', '>', 10), got {0!r}".format(condition))
        name, operator, number = condition
        operator = to_native(operator)
        if not isinstance(operator, str) or operator not in OPERATORS:
            raise ValueError('an operator is one of {0}, got {1!r}'.format(
                ' '.join(sorted(OPERATORS)), operator))
        name = _check_data_name(name)
        conditions.append((name, OPERATORS[operator],
                           int(check_number(number, name, MAX_SIGNED))))
    return conditions


def _check_data_name(name):
    """Return the name of data, without the period that HAProxy prints after that of a rate.

    HAProxy ignores what is stored as a server's key, and compares it as 0.
    """
    text = to_native(name)
    match = _DATA_NAME.match(text) if isinstance(text, str) else None
    if not match or match.group(1) in ('server_key', 'server_name'):
        raise ValueError('not the name of a number in a stick table: {0!r}'.format(name))
    return match.group(1)
