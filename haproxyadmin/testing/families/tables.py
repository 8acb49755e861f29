# SPDX-License-Identifier: Apache-2.0
"""The stick tables of the fake."""
import collections
import operator
import re
import socket
import struct

from haproxyadmin.protocol import versions
from haproxyadmin.testing.configuration import ConfigurationError
from haproxyadmin.testing.families.family import OK, Family, command, message
from haproxyadmin.testing.texts import raw, text

# What a table may store: its type, and the first version that has it; in the order in which HAProxy
# shows them.
DATA = collections.OrderedDict((name, (kind, since)) for name, kind, since in [
    ('server_id', 'signed', (1, 5)), ('gpt0', 'number', (1, 6)), ('gpc0', 'number', (1, 5)),
    ('gpc0_rate', 'rate', (1, 5)), ('conn_cnt', 'number', (1, 5)), ('conn_rate', 'rate', (1, 5)),
    ('conn_cur', 'number', (1, 5)), ('sess_cnt', 'number', (1, 5)), ('sess_rate', 'rate', (1, 5)),
    ('http_req_cnt', 'number', (1, 5)), ('http_req_rate', 'rate', (1, 5)),
    ('http_err_cnt', 'number', (1, 5)), ('http_err_rate', 'rate', (1, 5)),
    ('bytes_in_cnt', 'large', (1, 5)), ('bytes_in_rate', 'rate', (1, 5)),
    ('bytes_out_cnt', 'large', (1, 5)), ('bytes_out_rate', 'rate', (1, 5)),
    ('gpc1', 'number', (1, 9)), ('gpc1_rate', 'rate', (1, 9)), ('server_key', 'name', (2, 0)),
    ('http_fail_cnt', 'number', (2, 4)), ('http_fail_rate', 'rate', (2, 4)),
    ('gpt', 'numbers', (2, 5)), ('gpc', 'numbers', (2, 5)), ('gpc_rate', 'rates', (2, 5)),
    ('glitch_cnt', 'number', (3, 0)), ('glitch_rate', 'rate', (3, 0))])
_SIZES = {'': 1, 'k': 1 << 10, 'm': 1 << 20, 'g': 1 << 30}
_UNITS = {'us': 0.001, '': 1, 'ms': 1, 's': 1000, 'm': 60000, 'h': 3600000, 'd': 86400000}
_COMPARE = {'eq': operator.eq, 'ne': operator.ne, 'le': operator.le, 'ge': operator.ge,
            'lt': operator.lt, 'gt': operator.gt}
_ESCAPES = {'\t': '\\t', '\n': '\\n', '\r': '\\r', '\x1b': '\\e', '\\': '\\\\', ' ': '\\ ',
            '=': '\\='}
_MOST_CONDITIONS = 4
_NO_OPERATOR = 'Require and operator among "eq", "ne", "le", "ge", "lt", "gt"'
_NO_CONDITIONS = 'content-based lookup is only supported with the "show" and "clear" actions'
_NAMES = ('server_key',)
_ARRAYS = ('numbers', 'rates')
_FAMILIES = {'ip': socket.AF_INET, 'ipv6': socket.AF_INET6}
_MAPPED = b'\0' * 10 + b'\xff\xff'
# What up to 2.5 becomes of what is no IPv6 address: what is on the stack.
ANY_ADDRESS = 'ffff:ffff:ffff:ffff:6188:b448:c355:0'
_WITHOUT_VALUE = ('recv-only',)
# How many bytes of a key are kept; the end of a text needs one that only "len" adds.
_WIDTHS = {'ip': lambda length: 4, 'ipv6': lambda length: 16, 'integer': lambda length: 4,
           'string': lambda length: length or 31, 'binary': lambda length: length or 32}
# How the types are called in configurations.
_KINDS = {'ipv4': 'ip', 'ip': 'ip', 'ipv6': 'ipv6', 'integer': 'integer', 'string': 'string',
          'binary': 'binary'}


class Refused(Exception):
    """A command is refused; the message is the reply."""


class Table(object):
    """A stick table.

    Time stands still for it: an entry stays until it is removed, and its rates do not fall.

    :ivar name: its name: that of its proxy, or ``section/name`` of one in a peers section.
    :ivar kind: the type of its keys: ``'ip'``, ``'ipv6'``, ``'integer'``, ``'string'`` or
        ``'binary'``.
    :ivar width: how many bytes of a key it keeps.
    :ivar size: how many entries it can have.
    :ivar purges: True if the oldest entries have to go when it is full.
    :ivar expire: after how many milliseconds an entry would expire; 0 if never.
    :ivar stored: what it stores: a dict from a data type and the place in an array to the name that
        is shown, as from ``('http_req_rate', 0)`` to ``'http_req_rate(10000)'``.
    :ivar entries: for each key, as HAProxy shows it but without escapes, a dict of the data by the
        name that is shown. Tests may change it, and leave out data that are 0.
    :ivar uses: how many sessions use an entry, by key.
    :ivar leaves: keys of entries that a command for all entries leaves, as a real one does with an
        entry that precedes one in use.
    """

    def __init__(self, name, kind, width, size, purges, expire, stored):
        self.name = name
        self.kind = kind
        self.width = width
        self.size = size
        self.purges = purges
        self.expire = expire
        self.stored = stored
        self.entries = collections.OrderedDict()
        self.uses = {}
        self.leaves = []
        self._pointers = {}

    @property
    def fields(self):
        """The names of the data as they are shown, in order."""
        return list(self.stored.values())

    def add(self, key, **data):
        """Store an entry as traffic does, and return its data; None if the table is full.

        :param data: by data type: ``http_req_rate=5``.
        """
        entry = self.touch(key)
        if entry is not None:
            entry.update((self.stored[name, 0], number) for name, number in data.items())
        return entry

    def touch(self, key):
        """Make an entry the newest one, store it if it is not there, and return its data.

        It returns None if the table is full.
        """
        entry = self.entries.pop(key, None)
        if entry is None:
            if len(self.entries) >= self.size and not self._make_room():
                return None
            entry = {}
        for name, field in self.stored.items():
            entry.setdefault(field, '-' if name[0] in _NAMES else 0)
        self.entries[key] = entry
        return entry

    def _make_room(self):
        unused = [key for key in self.entries if not self.uses.get(key)] if self.purges else []
        for key in unused[:(self.size >> 8) + 1]:
            self.remove(key)
        return bool(unused)

    def remove(self, key):
        """Remove an entry if it is there; return False if it is in use."""
        if self.uses.get(key):
            return False
        self.entries.pop(key, None)
        self._pointers.pop(key, None)
        return True

    def keys(self):
        """Return the keys in the order of their bytes, in which HAProxy up to 2.9 shows them.

        The order of later ones depends on a hash.
        """
        return sorted(self.entries, key=self._bytes)

    def _bytes(self, key):
        if self.kind == 'integer':
            return struct.pack('<I', int(key))
        if self.kind in ('ip', 'ipv6'):
            return socket.inet_pton(_FAMILIES[self.kind], key)
        return raw(key)

    def pointer(self, key):
        """Return the address of an entry, which is its own as long as it is there."""
        if key not in self._pointers:
            Table._last_pointer += 0x40
            self._pointers[key] = Table._last_pointer
        return self._pointers[key]

    _last_pointer = 0x55d0a1b2c000

    def at(self, pointer):
        """Return the key of the entry at an address, or None."""
        return next((key for key in self.entries if self.pointer(key) == pointer), None)

    def get(self, key, place):
        """Return the number of a data type and place in an entry, as a condition sees it."""
        number = self.entries[key].get(self.stored.get(place), 0)
        if place[0] in _NAMES:
            return 0
        return _signed(number, 64) if DATA[place[0]][0] == 'large' else number


class Tables(Family):
    """The commands for stick tables.

    ``process.tables['web']`` is the :class:`Table` of that name.

    :ivar tables: all tables by name, in the order in which HAProxy shows them.
    """

    name = 'tables'

    def __init__(self, process, configuration):
        super(Tables, self).__init__(process, configuration)
        found = []
        for section in configuration.sections:
            for line in section.lines:
                if line.words[0] == 'stick-table':
                    found.append(self._read(section.name, line.number, line.words[1:]))
                elif section.kind == 'peers' and line.words[0] == 'table' and self.has(2, 0):
                    found.append(self._read('/'.join([section.name] + line.words[1:2]),
                                            line.number, line.words[2:]))
        if self.has(2, 0):
            found.reverse()
        self.tables = collections.OrderedDict((table.name, table) for table in found)

    def __getitem__(self, name):
        return self.tables[name]

    # What the configuration says

    def _read(self, name, number, words):
        options = {'type': 'ip', 'size': '0', 'expire': '0'}
        stored = []
        words = list(words)
        while words:
            word = words.pop(0)
            if word == 'nopurge':
                options[word] = True
            elif word == 'store':
                stored.extend(re.findall(r'[^,(]+(?:\([^)]*\))?', words.pop(0) if words else ''))
            elif word in _WITHOUT_VALUE:
                continue
            elif words:
                options[word] = words.pop(0)
        try:
            kind = _KINDS.get(options['type'])
            if kind is None:
                raise ValueError('type {0}'.format(options['type']))
            width = _WIDTHS[kind](int(options.get('len', 0)))
            size = _amount(options['size'].lower(), _SIZES)
            return Table(name, kind, width, size, 'nopurge' not in options,
                         _amount(options['expire'], _UNITS), self._stored(stored))
        except ValueError as error:
            raise ConfigurationError('line {0}: HAProxy {1} does not know, for a stick table: '
                                     '{2}'.format(number, self.process.version, error))

    def _stored(self, declared):
        """Return what is stored: by data type and place in an array, the name that is shown."""
        arguments = {}
        for each in declared:
            name, _, argument = each.strip().rstrip(')').partition('(')
            name = self._known(name)
            if name is None:
                raise ValueError('store {0}'.format(each))
            arguments[name] = argument
        stored = collections.OrderedDict()
        for name, (kind, _) in DATA.items():
            if name not in arguments:
                continue
            count, _, period = arguments[name].rpartition(',') if kind == 'rates' else (
                (arguments[name], '', '') if kind == 'numbers' else ('1', '', arguments[name]))
            for place in range(int(count)):
                shown = self._shown(name)
                if kind in _ARRAYS:
                    first, line, rest = name.partition('_')
                    shown = first + str(place) + line + rest
                if kind in ('rate', 'rates'):
                    shown += '({0})'.format(_amount(period, _UNITS))
                stored[name, place] = shown
        return stored

    def _known(self, name):
        """Return a data type that the version has, by its name in commands; None without one."""
        if name == 'server_name' and self.has(2, 0):
            return 'server_key'
        if name == 'server_key' and not self.has(2, 4):
            return None
        return name if name in DATA and self.has(*DATA[name][1]) else None

    def _shown(self, name):
        return 'server_name' if name == 'server_key' and not self.has(2, 4) else name

    # What it says about a table

    def head(self, table):
        """Return the line about a table."""
        return '# table: {0}, type: {1}, size:{2}, used:{3}\n'.format(
            table.name, table.kind, table.size, len(table.entries))

    def row(self, table, key, more_uses=0):
        """Return the line about an entry."""
        uses = table.uses.get(key, 0) + more_uses
        entry = table.entries[key]
        return '0x{0:x}: key={1} use={2} exp={3}{4}{5}\n'.format(
            table.pointer(key), _escaped(key) if table.kind == 'string' else key, uses,
            table.expire, ' shard=0' if self.has(2, 8) else '',
            ''.join(' {0}={1}'.format(field, self._printed(place[0], entry.get(field, 0)))
                    for place, field in table.stored.items()))

    def _printed(self, name, number):
        """Return a number as it is shown: up to 2.2, a large one becomes a negative one."""
        bits = {'large': 64, 'rate': 32}.get(DATA[name][0])
        return _signed(number, bits) if bits and not self.has(2, 4) else number

    # The commands

    @command('show table')
    def show(self, call):
        """Show all tables, or entries of one."""
        if not call.rest:
            return ''.join(self.head(table) for table in self.tables.values()) + '\n'
        return self._run('show', call)

    @command('set table')
    def set(self, call):
        """Store data in an entry; without a key, remove all entries."""
        return self._run('set', call)

    @command('clear table')
    def clear(self, call):
        """Remove entries of a table."""
        return self._run('clear', call)

    def _run(self, action, call):
        try:
            return self._answer(action, call.rest, call.connection)
        except Refused as refused:
            return message(str(refused))

    def _answer(self, action, words, connection):
        if not words:
            raise Refused(self._usage(action))
        if words[0] not in self.tables:
            raise Refused('No such table')
        table, words = self.tables[words[0]], words[1:]
        if action != 'show' and self.has(3, 2) and not connection.may('operator'):
            raise Refused('Permission denied')
        if words[:1] == ['key']:
            return self._of_key(action, table, words[1:], connection)
        if words[:1] == ['ptr'] and self.has(3, 0):
            return self._of_pointer(action, table, words[1:], connection)
        conditions = []
        if words and words[0].startswith('data.'):
            if action == 'set':
                # Up to 1.8 the end of the line is missing.
                return message(_NO_CONDITIONS) if self.has(2, 0) else _NO_CONDITIONS + '\n'
            conditions = self._conditions(table, words)
        elif words:
            raise Refused(self._usage(action))
        return self._of_all(action, table, conditions, connection)

    def _usage(self, action):
        pointer = self.has(3, 0)
        if action == 'show':
            return ('Optional argument only supports "data.<store_data_type>" <operator> <value> '
                    + ('or key <key> or ptr <ptr>' if pointer else 'and key <key>'))
        if action == 'clear':
            return ('Required arguments: <table> "data.<store_data_type>" <operator> <value> '
                    'or <table> key <key>' + (' or <table> ptr <ptr>' if pointer else ''))
        if not self.has(1, 7):
            return 'Unknown action'
        rest = ' [data.<store_data_type> <value>]*'
        return ('Required arguments: <table> key <key>' + rest
                + (' or <table> ptr <ptr>' + rest if pointer else ''))

    # Many entries

    def _of_all(self, action, table, conditions, connection):
        """Show the entries that meet conditions, or remove them, also with `set`."""
        is_allowed = connection.may('operator')
        if action == 'show' and not is_allowed:
            return self.head(table) + '# contents not dumped due to insufficient privileges\n\n'
        keys = table.keys() if is_allowed else []
        found = [key for key in keys if all(
            place in table.stored and _COMPARE[word](table.get(key, place), number)
            for place, word, number in conditions)]
        if action == 'show':
            return self.head(table) + ''.join(self.row(table, key) for key in found) + '\n'
        precede = dict(zip(keys, keys[1:])) if not self.has(3, 0) else {}
        for key in found:
            if key not in table.leaves and not table.uses.get(precede.get(key)):
                table.remove(key)
        return OK

    def _conditions(self, table, words):
        """Return conditions as triples of a place, an operator and a number."""
        is_one = not self.has(2, 2)
        conditions = []
        while words and len(conditions) < (1 if is_one else _MOST_CONDITIONS):
            head = '' if is_one else 'Filter entry #{0}: '.format(len(conditions) + 1)
            triple, words = (words + ['', ''])[:3], words[3:]
            # Some take a table for a proxy, and find nothing in it.
            place = self._place(table, triple[0][len('data.'):], head,
                                is_broken=self._is_among(versions.BROKEN_CONDITIONS))
            if triple[1] not in _COMPARE:
                raise Refused(head + _NO_OPERATOR)
            number = _number(triple[2])
            if number is None:
                raise Refused(head + 'Require a valid integer value to compare against')
            conditions.append((place, triple[1], number))
            last = triple[2]
        if words and not is_one:
            raise Refused("Detected extra data in filter, {0}th word of input, after '{1}'".format(
                4 + 3 * _MOST_CONDITIONS, last))
        return conditions

    def _is_among(self, ranges):
        """Return whether its release has a fault of HAProxy."""
        return versions.is_among(versions.parse_version(self.process.info['Version']), ranges)

    def _place(self, table, name, head='', is_broken=False):
        """Return a data type and the place in an array that a word of a command is for."""
        place = 0
        match = re.match(r'(gpt|gpc|gpc_rate)\[(\d+)\]\Z', name)
        if match and self.has(3, 2):
            name, place = match.group(1), int(match.group(2))
        name = self._known(name)
        if name is None:
            raise Refused(head + 'Unknown data type')
        if is_broken or (name, 0) not in table.stored:
            raise Refused(head + 'Data type not stored in this table')
        return name, place

    # One entry

    def _of_key(self, action, table, words, connection):
        if not words:
            raise Refused('Key value expected')
        if self.has(3, 0):
            key = read_key(table, words[0])
        elif table.kind == 'binary':
            raise Refused(self._unsupported(action))
        else:
            key = read_old_key(table, words[0], is_checked=self.has(2, 6))
            if not connection.may('operator'):
                raise Refused('Permission denied')
        if action == 'set' and table.touch(key) is None:
            raise Refused('Unable to allocate a new entry')
        return self._of_entry(action, table, key if key in table.entries else None, words[1:],
                              connection)

    def _unsupported(self, action):
        doing = {'show': 'Showing keys from', 'clear': 'Removing keys from',
                 'set': 'Inserting keys into'}[action]
        if not self.has(1, 7):
            if action == 'set':
                return 'Unknown action'
            if action == 'clear':
                doing += ' ip'
        return doing + (' tables of type other than ip, ipv6, string and integer is not supported')

    def _of_pointer(self, action, table, words, connection):
        if not words or not words[0].startswith('0x'):
            raise Refused('Pointer expected (0xffff notation)')
        if not re.match(r'0x[0-9a-fA-F]*\Z', words[0]):
            raise Refused('Malformed ptr.')
        key = table.at(int(words[0][2:] or '0', 16))
        if key is None:
            raise Refused('No entry can be found matching ptr.')
        return self._of_entry(action, table, key, words[1:], connection)

    def _of_entry(self, action, table, key, words, connection):
        try:
            if table.kind == 'binary':
                raise Refused(self._unsupported(action))
            if not connection.may('operator'):
                raise Refused('Permission denied')
        except Refused:
            if key is not None and self._is_among(versions.LEAKING_KEYS):
                # That use of the entry never ends.
                table.uses[key] = table.uses.get(key, 0) + 1
            raise
        # 1.6 forgets to end its reply.
        end = '' if self.has(1, 6) and not self.has(1, 7) else '\n'
        if key is None:
            return end
        if action == 'show':
            return self.head(table) + self.row(table, key, 0 if self.has(1, 8) else -1) + end
        if action == 'clear':
            if not table.remove(key):
                raise Refused('Entry currently in use, cannot remove')
            return end
        self._store(table, table.touch(key), words)
        return end

    def _store(self, table, entry, words):
        for at in range(0, len(words), 2):
            if not words[at].startswith('data.'):
                raise Refused('"data.<type>" followed by a value expected')
            place = self._place(table, words[at][len('data.'):])
            number = _number(words[at + 1]) if words[at + 1:] else None
            if number is None:
                raise Refused('Require a valid integer value to store')
            if place not in table.stored:
                raise Refused('index out of range in this data array')
            if place[0] not in _NAMES:
                entry[table.stored[place]] = _stored(place[0], number)


def read_old_key(table, word, is_checked=True):
    """Return the key that a word is for HAProxy up to 2.9.

    :param is_checked: refuse what is no IPv6 address.
    """
    if table.kind == 'ip':
        number = 0
        for at, digits in enumerate(re.match(r'(\d*(?:\.\d*){0,3})', word).group(1).split('.')):
            number += int(digits[-3:] or 0) << 24 - 8 * at
        return socket.inet_ntop(socket.AF_INET, struct.pack('>I', number & 0xffffffff))
    if table.kind == 'ipv6':
        packed = _packed(socket.AF_INET6, word)
        if packed is None and is_checked:
            raise Refused('Invalid key')
        return socket.inet_ntop(socket.AF_INET6, packed) if packed else ANY_ADDRESS
    if table.kind == 'integer':
        match = re.match(r'\s*([+-]?\d+)', word)
        number = int(match.group(1)) if match else None
        if number is None or not 0 <= number <= 0xffffffff:
            raise Refused('Invalid key')
        return str(number)
    return _cut(table, word)


def read_key(table, word):
    """Return the key that a word is for HAProxy from 3.0 on."""
    if table.kind in ('ip', 'ipv6'):
        packed = _packed_address(word)
        if packed is not None and len(packed) == 4 and table.kind == 'ipv6':
            packed = _MAPPED + packed
        elif packed is not None and len(packed) == 16 and table.kind == 'ip':
            packed = (packed[12:] if packed[:12] in (_MAPPED, b'\0' * 12) else
                      packed[2:6] if packed[:2] == b'\x20\x02' else None)
        if packed is None:
            raise Refused('Invalid key')
        return socket.inet_ntop(_FAMILIES[table.kind], packed)
    if table.kind == 'integer':
        match = re.match(r'[+-]?\d*', word)
        digits = match.group()
        number = int(digits) if digits.strip('+-') else 0
        return str(min(max(number, -1 << 63), (1 << 63) - 1) & 0xffffffff)
    if table.kind == 'binary':
        return ''.join('{0:02X}'.format(byte) for byte in bytearray(
            raw(word)[:table.width].ljust(table.width, b'\0')))
    return _cut(table, word)


def _packed_address(word):
    """Return an IPv4 or IPv6 address packed; what follows four numbers does not matter."""
    match = re.match(r'(\d+)\.(\d+)\.(\d+)\.(\d+)(?![\d.])', word)
    if match and all(int(number) < 256 for number in match.groups()):
        return bytes(bytearray(map(int, match.groups())))
    return _packed(socket.AF_INET6, word)


def _packed(family, word):
    try:
        return socket.inet_pton(family, word)
    except (socket.error, ValueError):
        return None


def _cut(table, word):
    return text(raw(word)[:table.width])


def _escaped(key):
    """Return a key as HAProxy prints it."""
    printed = ''
    for byte in bytearray(raw(key)):
        character = chr(byte)
        printed += _ESCAPES.get(character) or (
            character if 0x20 < byte < 0x7f else '\\x{0:02X}'.format(byte))
    return printed


def _number(word):
    if not re.match(r'(?:-\d*|\d+)\Z', word):
        return None
    number = int(word) if word != '-' else 0
    return number if -1 << 63 <= number < 1 << 63 else None


def _amount(word, units):
    """Return a number of a configuration with its unit, as 10k or 5m."""
    match = re.match(r'(\d+)([a-z]*)\Z', word)
    if match is None or match.group(2) not in units:
        raise ValueError(repr(word))
    return int(int(match.group(1)) * units[match.group(2)])


def _signed(number, bits):
    return ((number + (1 << bits - 1)) & ((1 << bits) - 1)) - (1 << bits - 1)


def _stored(name, number):
    """Return what becomes of a number that is stored."""
    kind = DATA[name][0]
    if kind == 'signed':
        return _signed(number, 32)
    return number & (0xffffffffffffffff if kind == 'large' else 0xffffffff)
