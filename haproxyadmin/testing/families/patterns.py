# SPDX-License-Identifier: Apache-2.0
"""The ACLs and maps of the fake."""
import collections
import io
import re

from haproxyadmin.parsers.pattern_files import parse_file
from haproxyadmin.testing.configuration import ConfigurationError
from haproxyadmin.testing.families.criteria import Use, uses_of
from haproxyadmin.testing.families.family import OK, Family, command, message
from haproxyadmin.testing.families.matching import Index, Refused, check_value, find, type_of
from haproxyadmin.testing.texts import raw

_NAMES = {'acl': 'ACL', 'map': 'map'}
# The pattern of the ACLs that HAProxy has for itself.
UNSET = '0.0.0.0'  # nosec B104
# Where the pointers begin, and how far one is from the next.
_FIRST_POINTER, _POINTER_STEP = 0x7f25c0001000, 0x40
_WRAPS = 1 << 32


class Entry(object):
    """A pattern of an ACL, or a key and its value.

    :ivar key: the pattern or key.
    :ivar value: the value; None in an ACL.
    :ivar version: the version to which it belongs.
    :ivar reference: its pointer, as HAProxy lists it.
    :ivar parsed: what its key is to each index.
    """

    __slots__ = ('key', 'value', 'version', 'reference', 'parsed')

    def __init__(self, key, value, version, reference):
        self.key = key
        self.value = value
        self.version = version
        self.reference = reference
        self.parsed = []

    def shown(self):
        """Return it without its pointer."""
        return self.key if self.value is None else '{0} {1}'.format(self.key, self.value)


class PatternList(object):
    """The patterns of an ACL, or the entries of a map.

    :ivar id: its id.
    :ivar file: the name of its file; ``''`` if it has none.
    :ivar families: ``{'acl'}``, ``{'map'}``, or both.
    :ivar description: what HAProxy says of it.
    :ivar has_values: True if its entries have values.
    :ivar indexes: a list of :class:`haproxyadmin.testing.families.matching.Index`.
    :ivar stored: a list of :class:`Entry`, of all versions.
    :ivar current: the number of the version that requests are matched with.
    :ivar next: the number of the version that was prepared last.
    :ivar refused: keys that it refuses besides: a dict of keys and messages.
    :ivar count: how many entries HAProxy believes it has, over all indexes and versions.
    """

    def __init__(self, patterns, file, families, description):
        self._patterns = patterns
        self.id = -1
        self.file = file or ''
        self.families = set(families)
        self.description = description
        self.has_values = 'map' in families
        self.indexes = []
        self.stored = []
        self._by_key = {}
        self.current = 0
        self.next = 0
        self.refused = {}
        self.count = 0
        # Those that have or had entries: 3.4 stumbles over them.
        self.versions = set()

    @property
    def entries(self):
        """The content: a list of patterns, or of pairs of key and value. It can be set."""
        return self.content(self.current)

    @entries.setter
    def entries(self, entries):
        self.clear(self.current)
        for entry in entries:
            self.add(*((entry,) if not self.has_values else entry))

    @property
    def prepared(self):
        """The versions that are prepared and have entries: a dict of version and content."""
        return collections.OrderedDict(
            (version, self.content(version)) for version in sorted(
                set(entry.version for entry in self.stored if entry.version > self.current)))

    def content(self, version):
        """Return the content of a version."""
        return [(entry.key, entry.value) if self.has_values else entry.key
                for entry in self.stored if entry.version == version]

    def add(self, key, value=None, version=None):
        """Add an entry, to the current version if no other is given.

        :raises Refused: if HAProxy does not take it.
        """
        entry = Entry(key, value, self.current if version is None else version,
                      self._patterns.new_reference())
        self.versions.add(entry.version)
        try:
            self.check(key)
            for index in self.indexes:
                self._push(entry, index)
        except Refused:
            self.count -= 1
            raise
        self.stored.append(entry)
        self._by_key.setdefault(key, []).append(entry)

    def of_key(self, key):
        """Return the entries of a key, of all versions."""
        return list(self._by_key.get(key, ()))

    def check(self, key):
        """Raise :class:`Refused` if a key is one of those that it refuses besides."""
        if key in self.refused:
            raise Refused(self.refused[key])

    def _push(self, entry, index):
        if entry.value is not None:
            check_value(index.values, entry.value)
        entry.parsed.append(index.parse(entry.key, self._patterns.process.version))
        self.count += 1

    def use(self, index):
        """Let its entries be matched in one more way."""
        if not any(index.is_like(other) for other in self.indexes):
            self.indexes.append(index)
            for entry in self.stored:
                self._push(entry, index)

    def remove(self, entries):
        """Remove entries."""
        for entry in entries:
            self.stored.remove(entry)
            self._by_key[entry.key].remove(entry)
            self.count -= 1

    def clear(self, version):
        """Remove all entries of a version."""
        kept = [entry for entry in self.stored if entry.version != version]
        self.count -= len(self.stored) - len(kept)
        self.stored, self._by_key = kept, {}
        for entry in kept:
            self._by_key.setdefault(entry.key, []).append(entry)

    def set(self, entry, value):
        """Change the value of an entry.

        :raises Refused: if HAProxy does not take the value.
        """
        for index in self.indexes:
            check_value(index.values, value)
        entry.value = value


class Patterns(Family):
    """ACLs and maps.

    :ivar lists: a list of all :class:`PatternList`, in the order of their ids.
    :ivar acls: the ACLs by the name of their file, or as ``'#4'`` if they have none.
    :ivar maps: the maps by the name of their file.
    """

    name = 'patterns'

    def __init__(self, process, configuration):
        super(Patterns, self).__init__(process, configuration)
        # Those of two processes differ.
        self._pointer = _FIRST_POINTER + (process.pid << 24)
        self.ok = message('Done.') if process.version == '1.5.8' else OK
        self.lists = []
        early, late = uses_of(configuration)
        for use in early:
            self._register(use)
        if not self.has(1, 8):
            self._number()
        if self.has(2, 6):
            for _ in range(4 if self.has(2, 8) else 2):
                self._register(Use(('acl',), None, 'var', 0, Index('ip', None, False), [UNSET],
                                   None), 'httpclient')
        for use in late:
            self._register(use)
        if self.has(1, 8):
            self._number()

    @property
    def acls(self):
        """The ACLs, an ordered dict."""
        return self._by_name('acl')

    @property
    def maps(self):
        """The maps, an ordered dict."""
        return self._by_name('map')

    def _by_name(self, family):
        return collections.OrderedDict((each.file or '#{0}'.format(each.id), each)
                                       for each in self.lists if family in each.families)

    def new_reference(self):
        """Return a pointer that no entry has."""
        self._pointer += _POINTER_STEP
        return '0x{0:x}'.format(self._pointer)

    # From the configuration

    def _register(self, use, where=None):
        where = "file '{0}' line {1}".format(where or self.configuration.name, use.number)
        if use.file is None:
            found = PatternList(self, None, use.families,
                                "acl '{0}' {1}".format(use.keyword, where))
            found.id = -1 if use.wanted_id is None else use.wanted_id
            self.lists.append(found)
            content = [(pattern,) for pattern in use.patterns]
        else:
            found, content = self._file(use, 'by {0} at {1}'.format(use.families[-1], where))
        try:
            found.use(use.index)
            for entry in content:
                found.add(*entry)
        except Refused as error:
            raise ConfigurationError('line {0}: {1}'.format(use.number, error))

    def _file(self, use, by):
        """Return the list of a file, and what is still to be added to it."""
        name = use.file
        if self.has(3, 0):
            name = re.sub(r'\A(file|opt)@', '', name)
        found = next((each for each in self.lists if each.file == name), None)
        has_values = 'map' in use.families
        if found is not None:
            if found.has_values != has_values:
                raise ConfigurationError('line {0}: {1} is used as a file of one column and of '
                                         'two'.format(use.number, name))
            found.description += ', ' + by
            found.families.update(use.families)
            return found, []
        found = PatternList(self, name, use.families,
                            "pattern loaded from file '{0}' used {1}".format(name, by))
        found.has_values = has_values
        self.lists.append(found)
        if self.has(3, 0) and name.startswith('virt@'):
            return found, []
        try:
            content = self.configuration.read(name)
        except ConfigurationError:
            if self.has(3, 0) and use.file.startswith('opt@'):
                return found, []
            raise
        family = 'map' if has_values else 'acl'
        entries = parse_file(family, io.BytesIO(raw(content)))
        return found, [entry if has_values else (entry,) for entry in entries]

    def _number(self):
        """Give the lists their ids."""
        taken = set(each.id for each in self.lists)
        number = 0
        for each in self.lists:
            if each.id == -1:
                while number in taken:
                    number += 1
                each.id, number = number, number + 1
        self.lists.sort(key=lambda each: each.id)

    # What the commands have in common

    def find(self, name, family=None):
        """Return a list by ``'#id'`` or by its file; None if there is none.

        :param family: ``'acl'`` or ``'map'`` if it has to be one.
        """
        if name.startswith('#'):
            if not re.match(r'#\s*[-+]?\d*\Z', name):
                return None
            number = int(name[1:] or 0)
            found = next((each for each in self.lists if each.id == number), None)
        else:
            found = next((each for each in self.lists if each.file and each.file == name), None)
        return found if found and family in found.families | set([None]) else None

    def _version(self, call):
        """Return the version that a command names and the words after it."""
        if self.has(2, 4) and call.rest and call.rest[0].startswith('@'):
            digits = re.match(r'\d*', call.rest[0][1:]).group()
            return int(digits or 0) % _WRAPS, call.rest[1:]
        return None, call.rest

    def _killed(self, call):
        """Answer a command that ends the process: with nothing."""
        self.process.problem('ends a HAProxy {0}: {1!r}'.format(self.process.version, call.line))
        return ''

    @staticmethod
    def _unknown(family):
        return message('Unknown {0} identifier. Please use #<id> or <file>.'.format(_NAMES[family]))

    def _clear(self, found, first, last):
        """Remove the versions from one to another, with the mistake of 3.4."""
        for version in sorted(found.versions):
            if (version - first) % _WRAPS > (last - first) % _WRAPS:
                if self.has(3, 4) and first <= last:
                    return
                continue
            found.clear(version)
            found.versions.discard(version)

    # The commands

    @command('show acl', 'show map', until=(3, 4))
    @command('show acl', 'show map', level='admin', since=(3, 4))
    def show(self, call):
        """List the ACLs or maps, or the entries of one."""
        family = call.words[1]
        if not call.rest:
            return '# id (file) description\n' + ''.join(
                self._line(each) for each in self.lists if family in each.families) + '\n'
        version, rest = self._version(call)
        found = self.find(''.join(rest[:1]), family)
        if found is None:
            return self._unknown(family)
        version = found.current if version is None else version
        return ''.join('{0} {1}\n'.format(entry.reference, entry.shown())
                       for entry in found.stored if entry.version == version) + '\n'

    def _line(self, each):
        line = '{0} ({1}) {2}'.format(each.id, each.file, each.description)
        if self.has(2, 4):
            line += '. curr_ver={0} next_ver={1}'.format(each.current, each.next)
        if self.has(2, 6):
            line += ' entry_cnt={0}'.format(each.count % (1 << 64))
        return line + '\n'

    @command('get acl', 'get map', until=(3, 4))
    @command('get acl', 'get map', level='admin', since=(3, 4))
    def get(self, call):
        """Look up a text."""
        family = call.words[1]
        if len(call.rest) < 2:
            return message('Missing {0} identifier and/or key.'.format(_NAMES[family]))
        found = self.find(call.rest[0])
        if found is None:
            return self._unknown(family)
        if self.process.version == '1.7':
            # It is 1.7.0: it dies, or says nothing about a map.
            return self._killed(call) if family == 'acl' else '\n'
        return ''.join(self._match(found, family, place, index, call.rest[1])
                       for place, index in enumerate(found.indexes)) + '\n'

    def _match(self, found, family, place, index, text):
        entry = find(index, place, found.stored, text, found.current,
                     walks_on=self.has(2, 4) and not self.has(2, 6))
        method = index.method if index.method != 'meth' else 'unknown(0x55f2c0001000)'
        line = 'type={0}, case={1}'.format(
            method, 'insensitive' if index.is_insensitive else 'sensitive')
        word = {'map': 'found', 'acl': 'match'}[family]
        if index.method == 'bool' and index.sample(text):
            return line + ', {0}=yes, idx=list, {1}=unknown{2}\n'.format(
                word, *[('key', ', value=none'), ('pattern', '')][family == 'acl'])
        if entry is None:
            return line + ', {0}=no\n'.format(word)
        line += ', {0}=yes, idx={1}, {2}="{3}"'.format(
            word, 'tree' if index.is_tree(entry.parsed[place]) else 'list',
            {'map': 'key', 'acl': 'pattern'}[family], entry.key)
        if family == 'map':
            line += ', value=none' if index.values is None or entry.value is None else (
                ', value="{0}", type="{1}"'.format(entry.value, type_of(index.values, entry.value)))
        return line + '\n'

    @command('add acl', 'add map', until=(3, 4))
    @command('add acl', 'add map', level='admin', since=(3, 4))
    def add(self, call):
        """Add an entry, or those of a payload."""
        family = call.words[1]
        version, rest = self._version(call)
        has_payload = call.payload is not None
        if len(rest) < ((1 if has_payload else 3) if family == 'map' else 2):
            return message(self._needed(family))
        found = self.find(rest[0])
        if found is None:
            return self._unknown(family)
        if version is not None and 0 < (version - found.next) % _WRAPS < _WRAPS // 2:
            return message("Version number in the future, please use 'prepare {0}' before.".format(
                family))
        if family == 'acl' and found.has_values:
            return message('This ACL is shared with a map containing samples. You must use the '
                           "command 'add map' to add values.")
        try:
            for key, value in _pairs(call.payload, family) if has_payload else [
                    (rest[1], ''.join(rest[2:3]))]:
                found.add(key, value if family == 'map' else None, version)
        except Refused as error:
            return message('{0}.'.format(error))
        return self.ok

    def _needed(self, family):
        if family == 'acl':
            return "'add acl' expects two parameters: ACL identifier and pattern."
        if self.has(2, 0):
            return ("'add map' expects three parameters (map identifier, key and value) or one "
                    'parameter (map identifier) and a payload')
        return "'add map' expects three parameters: map identifier, key and value."

    @command('set map', until=(3, 4))
    @command('set map', level='admin', since=(3, 4))
    def set(self, call):
        """Change the value of a key or of an entry."""
        if len(call.rest) < 3:
            return message("'set map' expects three parameters: map identifier, key and value.")
        name, key, value = call.rest[:3]
        found = self.find(name)
        if found is None:
            return self._unknown('map')
        if key.startswith('#0x'):
            if not _is_pointer(key):
                return message('Malformed identifier. Please use #<id> or <file>.')
            entries = [entry for entry in found.stored if _is(entry, key)]
            missing = 'key or pattern not found.'
        else:
            entries = self._of_key(found, key)
            missing = 'entry not found.'
        if not entries:
            return message(missing)
        try:
            for entry in entries:
                found.set(entry, value)
        except Refused as error:
            if key.startswith('#0x') or self.has(3, 0):
                return message('{0}.'.format(error))
            if len(entries) > 1:
                return self._killed(call)
        return self.ok

    def _of_key(self, found, key):
        """Return the entries that a command about a key concerns."""
        same = found.of_key(key)
        if not self.has(3, 2):
            return same
        same = [entry for entry in same if entry.version == found.current]
        if self.has(3, 4):
            # It finds the second one if the first one is that with which its tree began.
            first = next((entry for entry in found.stored if entry.version == found.current), None)
            return same[1:2] if same[1:] and same[0] is first else same[:1]
        return same

    @command('del acl', 'del map', until=(3, 4))
    @command('del acl', 'del map', level='admin', since=(3, 4))
    def delete(self, call):
        """Delete a key or an entry."""
        family = call.words[1]
        if len(call.rest) < 2:
            return message('This command expects two parameters: {0} identifier and key.'.format(
                _NAMES[family]))
        name, key = call.rest[:2]
        found = self.find(name, family)
        if found is None:
            # Releases that do not have 3.2.26's correction speak of maps.
            return self._unknown(family if self.process.version == '3.2' else 'map')
        if key.startswith('#0x'):
            if not _is_pointer(key):
                return message('Malformed identifier. Please use #<id> or <file>.')
            removed = [entry for entry in found.stored if _is(entry, key)]
        else:
            removed = self._of_key(found, key)
        try:
            found.check(key)
        except Refused as error:
            return message('{0}.'.format(error))
        if not removed:
            return message('Key not found.')
        found.remove(removed)
        return self.ok

    @command('clear acl', 'clear map', until=(3, 4))
    @command('clear acl', 'clear map', level='admin', since=(3, 4))
    def clear(self, call):
        """Remove the entries of a version."""
        family = call.words[1]
        version, rest = self._version(call)
        if not rest:
            return message('Missing {0} identifier.'.format(_NAMES[family]))
        found = self.find(rest[0], family)
        if found is None:
            return self._unknown(family)
        version = found.current if version is None else version
        self._clear(found, version, version)
        return self.ok

    @command('prepare acl', 'prepare map', since=(2, 4), until=(3, 4))
    @command('prepare acl', 'prepare map', level='admin', since=(3, 4))
    def prepare(self, call):
        """Begin a version."""
        found = self.find(''.join(call.rest[:1]), call.words[1])
        if found is None:
            return self._unknown(call.words[1])
        found.next += 1
        return message('New version created: {0}'.format(found.next))

    @command('commit acl', 'commit map', since=(2, 4), until=(3, 4))
    @command('commit acl', 'commit map', level='admin', since=(3, 4))
    def commit(self, call):
        """Let requests be matched with a version, and remove the older ones."""
        version, rest = self._version(call)
        if version is None:
            return message('Missing version number.')
        if not rest:
            return message('Missing {0} identifier.'.format(_NAMES[call.words[1]]))
        found = self.find(rest[0], call.words[1])
        if found is None:
            return self._unknown(call.words[1])
        if not found.current < version <= found.next:
            return message('Version number out of range.')
        found.current = version
        self._clear(found, version - _WRAPS // 2, version - 1)
        return OK


def _is_pointer(word):
    return re.match(r'#0x[0-9a-fA-F]+\Z', word) is not None


def _is(entry, word):
    return int(entry.reference, 16) == int(word[1:], 16)


def _pairs(payload, family):
    """Yield the keys and values of a payload, as they are read."""
    payload = payload[:-1] if payload.endswith('\n') else payload
    while payload:
        key = re.match(r'[^ \t]*', payload).group()
        if len(key) == len(payload) and family == 'map':
            raise Refused("Missing value for key '{0}'".format(key))
        rest = payload[len(key) + 1:].lstrip(' \t')
        value, _, payload = rest.partition('\n')
        yield key, value
