# SPDX-License-Identifier: Apache-2.0
"""The replies to ``show table``: which stick tables there are, and the entries of one."""
import collections
import itertools

from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.imports import Pattern, imap, izip
from haproxyadmin.parsers.lines import refusal_of
from haproxyadmin.protocol.replies import Malformed
from haproxyadmin.protocol.words import to_bytes, to_native

# What is said of a table, see parse_header().
TableHeader = collections.namedtuple('TableHeader', 'name type size used')


class TableEntry(collections.namedtuple(
        'TableEntry', 'key process_nb socket_file use expiry data')):
    """An entry of a stick table in one process.

    ``key`` is an integer in a table of type integer, otherwise text, that of a binary one in
    hexadecimal digits. ``process_nb`` and ``socket_file`` say which process has it. ``use`` is how
    many connections and requests HAProxy tracks with it; ``expiry`` the time that is left, in
    milliseconds, 0 if it never expires. ``data`` is a dict of numbers by HAProxy's names: a rate
    with its period in milliseconds, ``http_req_rate(10000)``, an array as ``gpc0``, ``gpc1`` and so
    on. ``server_key`` is a text or None.
    """

    __slots__ = ()


# Types of tables.
ADDRESS, ADDRESS6, INTEGER, STRING, BINARY = 'ip', 'ipv6', 'integer', 'string', 'binary'
# The only data that are texts; 2.0 to 2.3 have the older name.
SERVER_KEYS = ('server_key', 'server_name')
# The only data that may be negative, and those of 64 bits; all others have 32 bits.
_SIGNED, WIDE = 'server_id', ('bytes_in_cnt', 'bytes_out_cnt')
# What every row begins with, and what some versions print next: to which peers the entry is sent.
_FIRST, _SHARD = ['use', 'exp'], 'shard'
# No row is longer; HAProxy's buffers, 16 KiB by default, contain whole rows.
_MAX_ROW = 4 * 1024 * 1024
# What HAProxy prints for an empty server key.
_NOTHING = '-'

_HEADER = Pattern(r'# table: (.+), type: (\w+), size:([0-9]+), used:([0-9]+)(,.*)?\Z')
_DENIED = '# contents not dumped due to insufficient privileges'
# A text ends at the first blank that is not escaped.
_TEXT = r'([^ \\\n]*(?:\\.[^ \\\n]*)*)'
_NUMBER = r'(-?[0-9]{1,20})'
_FIELDS = r'( [a-z0-9_]+(?:\(-?[0-9]+\))?)=' + _TEXT
_FIELD = Pattern(_FIELDS)
_ROW = Pattern(r'0x[0-9a-f]+: key={0}(?:{1})+\Z'.format(_TEXT, _FIELDS))
_IS_NUMBER = Pattern(_NUMBER + r'\Z')
_ESCAPED = Pattern(br'\\(?:x([0-9A-F]{2})|(.))')
_CONTROL = {b't': b'\t', b'n': b'\n', b'r': b'\r', b'e': b'\x1b'}


def parse_header(line):
    """Return what a reply says of a stick table::

        # table: st_src, type: ip, size:10240, used:1

    :rtype: TableHeader
    """
    match = _HEADER.match(line)
    if not match:
        raise refusal_of([line])
    name, kind, size, used, _ = match.groups()
    return TableHeader(name, kind, int(size), int(used))


def parse_tables(lines):
    """Return the stick tables that ``show table`` lists, one on each line.

    :rtype: list of TableHeader
    """
    return [parse_header(line) for line in lines]


class EntryParser(object):
    """Parses the entries of a stick table while they arrive::

        # table: st_src, type: ip, size:10240, used:1
        0x559304cdecc8: key=127.0.0.1 use=0 exp=598995 gpc0=0 conn_cnt=4 conn_rate(10000)=4
        (empty line)

    All rows of a table have the same fields.

    :param process_nb: the number of the process.
    :param socket_file: its stats socket.
    """

    def __init__(self, process_nb, socket_file):
        self.header = None
        # How many entries have arrived.
        self.count = 0
        self._owner = process_nb, socket_file
        self._rest = b''
        # The names of the data, where they begin in a row, whether each field is a text, and what a
        # row looks like.
        self.names = self._start = self._are_texts = self._row = None

    def feed(self, received):
        """Return the entries in the next part of the reply.

        :type received: bytes
        :rtype: iterator of TableEntry
        """
        # What may be the empty line at the end stays for finish().
        end = max(0, len(received) - 1)
        whole, newline, rest = (self._rest + received[:end]).rpartition(b'\n')
        self._rest = rest + received[end:]
        if len(self._rest) > _MAX_ROW:
            raise Malformed('a row of a stick table does not end')
        return self._parse(to_native(whole + newline))

    def finish(self, received):
        """Return the entries in the last part of the reply.

        :rtype: iterator of TableEntry
        :raises haproxyadmin.protocol.replies.Malformed: if it is not complete.
        """
        text, self._rest = to_native(self._rest + received), b''
        if text == '\n':
            # No entry has the key, or all of them have arrived before.
            return iter(())
        if not text.endswith('\n\n'):
            raise Malformed('the entries were cut short; HAProxy waits no longer than its '
                            'stats timeout until they are read')
        return self._parse(text[:-1])

    def _parse(self, text):
        if self.header is None and text:
            line, _, text = text.partition('\n')
            self.header = parse_header(line)
        if not text:
            return iter(())
        if self._row is None:
            self._learn(text[:text.index('\n')])
        rows = self._row.findall('\n' + text)
        # Each match is a whole line.
        if len(rows) != text.count('\n'):
            wrong = next((line for line in text.split('\n')
                          if not self._row.match('\n' + line + '\n')), '')
            raise Malformed('not an entry of this stick table: {0!r}'.format(wrong[:80]))
        self.count += len(rows)
        return self._entries(rows, may_be_negative='=-' in text)

    def _learn(self, line):
        """Find out which fields the rows have."""
        if line.startswith(_DENIED):
            raise CommandFailed('Permission denied: HAProxy shows entries to operators only')
        # Without the key.
        fields = [(name[1:], value) for name, value in _FIELD.findall(line)][1:]
        names = [name for name, _ in fields]
        if not _ROW.match(line) or names[:2] != _FIRST or len(set(names)) < len(names):
            raise Malformed('not an entry of a stick table: {0!r}'.format(line[:80]))
        self._are_texts = [name in SERVER_KEYS or (
            name not in _FIRST and not _IS_NUMBER.match(value)) for name, value in fields]
        self._row = Pattern(r'\n0x[0-9a-f]+: key={0} {1}(?=\n)'.format(
            _NUMBER if self.header.type == INTEGER else _TEXT, ' '.join(
                '{0}={1}'.format(name.replace('(', r'\(').replace(')', r'\)'),
                                 _TEXT if is_text else _NUMBER)
                for name, is_text in zip(names, self._are_texts))))
        self._start = 3 if names[2:3] == [_SHARD] else 2
        self.names = names[self._start:]

    def _entries(self, rows, may_be_negative):
        """Return the entries of rows, column by column, which is faster."""
        columns = list(zip(*rows))
        keys = (imap(int, columns[0]) if self.header.type == INTEGER
                else imap(unescape, columns[0]) if '\\' in ''.join(columns[0]) else columns[0])
        fields = [imap(_value, column) if is_text else
                  _without_sign(name, column) if may_be_negative else imap(int, column)
                  for name, is_text, column in zip(self.names, self._are_texts[self._start:],
                                                   columns[self._start + 1:])]
        values = izip(*fields) if fields else itertools.repeat(())
        process_nb, socket_file = self._owner
        # Made one by one, while somebody iterates: objects that live longer keep the garbage
        # collector busy.
        return imap(tuple.__new__, itertools.repeat(TableEntry), izip(
            keys, itertools.repeat(process_nb), itertools.repeat(socket_file),
            imap(int, columns[1]), imap(int, columns[2]),
            imap(dict, imap(zip, itertools.repeat(self.names), values))))


def _without_sign(name, texts):
    """Return numbers; up to 2.4.1, those that are very large are printed as negative ones."""
    limit = 2 ** 64 if name in WIDE else 2 ** 32
    return [number if name == _SIGNED else number % limit for number in map(int, texts)]


def _value(text):
    """Return a text of the data, None for an empty one."""
    return None if text == _NOTHING else unescape(text)


def unescape(text):
    r"""Return a key as it is: ``two\ words``, ``a\=1`` and ``caf\xC3\xA9`` are escaped."""
    if '\\' not in text:
        return text
    return to_native(_ESCAPED.sub(_character, to_bytes(text)))


def _character(match):
    code, character = match.groups()
    if code is None:
        return _CONTROL.get(character, character)
    return bytes(bytearray([int(code, 16)]))
