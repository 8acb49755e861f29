# SPDX-License-Identifier: Apache-2.0
"""The lists of certificates of the fake: ``ssl crt-list``."""
import collections
import re

from haproxyadmin.testing.configuration import ConfigurationError
from haproxyadmin.testing.families import tls
from haproxyadmin.testing.families.certificates import LOCKED
from haproxyadmin.testing.families.family import Family, command, message
from haproxyadmin.testing.texts import raw

# sni: a list; options: a text, None if there are none.
Entry = collections.namedtuple('Entry', 'certificate sni options line')

# The options, in the order in which HAProxy shows them, and how many words follow each.
_OPTIONS = collections.OrderedDict([
    ('npn', 1), ('alpn', 1), ('no-alpn', 0), ('verify', 1), ('no-ca-names', 0), ('allow-0rtt', 0),
    ('ca-file', 1), ('ca-verify-file', 1), ('crl-file', 1), ('ciphers', 1), ('ciphersuites', 1),
    ('curves', 1), ('ecdhe', 1), ('client-sigalgs', 1), ('sigalgs', 1), ('ssl-min-ver', 1),
    ('ssl-max-ver', 1), ('ocsp-update', 1), ('ktls', 1)])
# HAProxy ends these with a NUL byte.
_ENDED = ('npn', 'alpn', 'no-alpn')


class Refused(ValueError):
    """HAProxy does not understand a line; the message is what it says."""


class CrtList(object):
    """A list of certificates.

    :ivar entries: a list of :class:`Entry`.
    :ivar lines: the ``bind`` lines that use it.
    :ivar is_directory: whether it is a directory of certificates.
    :ivar count: the number of the last line.
    """

    def __init__(self, is_directory=False):
        self.entries, self.lines = [], []
        self.is_directory = is_directory
        self.count = 0


class CrtLists(Family):
    """The lists of certificates of a process, and directories of them.

    :ivar lists: a dict of names and :class:`CrtList`.
    """

    name = 'crt_lists'

    def __init__(self, process, configuration):
        super(CrtLists, self).__init__(process, configuration)
        self.lists = {}
        self._defaults = []
        for line in tls.lines_of(process, configuration):
            for word, name in line.pairs('crt', 'default-crt', 'crt-list'):
                place = tls.place_of(configuration, name, '' if word == 'crt-list' else 'crt-base')
                names = tls.names_in(configuration, place)
                if word == 'crt-list' or names is not None:
                    self._use(line, place.rstrip('/') if names is not None else place, names)

    def _use(self, line, name, names):
        if name not in self.lists:
            self.lists[name] = (self._read(name) if names is None else
                                self._read_directory(name, names))
        found = self.lists[name]
        found.lines.append(line)
        first = line.pairs('crt', 'default-crt', 'crt-list')[0][1].rstrip('/')
        if name.endswith(first) and found.entries and not line.is_strict:
            self._defaults.append((found.entries[0], line))

    def _read_directory(self, name, names):
        found = CrtList(is_directory=True)
        for each in names:
            for loaded in self.process.certificates.load_file(tls.join(name, each)):
                found.entries.append(Entry(loaded, [], None, 0))
        return found

    def _read(self, name):
        found = CrtList()
        for number, line in enumerate(self.configuration.read(name).split('\n'), 1):
            if not line.strip() or line.startswith('#'):
                continue
            found.count = number
            try:
                entry = parse_entry(line, name, number)
            except Refused as error:
                raise ConfigurationError(str(error))
            place = tls.place_of(self.configuration, entry.certificate)
            found.entries += [entry._replace(certificate=loaded)
                              for loaded in self.process.certificates.load_file(place, True)]
        found.count = self.configuration.read(name).count('\n')
        return found

    def uses_of(self, name):
        """Return pairs of a line and options, for each time that a certificate is listed."""
        return [(line, entry.options or '') for _, found in sorted(self.lists.items())
                for entry in found.entries if entry.certificate == name for line in found.lines]

    # Commands

    @command('show ssl crt-list', level='admin', since=(2, 2))
    def show(self, call):
        """Show all lists, or the entries of one."""
        has_numbers = call.rest[:1] == ['-n']
        names = call.rest[1:] if has_numbers else call.rest
        if has_numbers and not names:
            return message("'show ssl crt-list -n' expects a filename or a directory")
        if not names:
            return ''.join(name + '\n' for name in sorted(self.lists, key=raw)) + '\n'
        name = names[0].rstrip('/')
        if name not in self.lists:
            return message("didn't find the specified filename")
        rows = [_row(entry, has_numbers) for entry in self.lists[name].entries]
        return '# {0}\n{1}\n'.format(name, ''.join(rows))

    @command('add ssl crt-list', level='admin', since=(2, 2))
    def add(self, call):
        """Add an entry to a list."""
        if len(call.rest) < (2 if call.payload is None else 1):
            return message("'add ssl crtlist' expects a filename and a certificate name")
        if self.process.certificates.is_locked:
            return message(LOCKED[:-1])
        name = call.rest[0].rstrip('/')
        try:
            added = self._add(name, call)
        except Refused as error:
            return message("Can't edit the crt-list: {0}".format(error))
        found = self.lists[name]
        found.count = max([found.count] + [entry.line for entry in found.entries]) + 1
        added = added._replace(line=found.count)
        found.entries.append(added)
        stored = self.process.certificates.stored[added.certificate]
        if len(self.process.certificates.uses_of(added.certificate)) == len(found.lines):
            # It is used for the first time, and as this list says.
            stored.files = []
        return message("Inserting certificate '{0}' in crt-list '{1}'{2}\nSuccess!".format(
            added.certificate, name, '.' * len(found.lines)))

    def _add(self, name, call):
        if name not in self.lists:
            raise Refused("crt-list '{0}' does not exist!".format(name))
        if call.payload is None:
            entry = Entry(call.rest[1], [], None, 0)
        else:
            entry = self._entry_of(call.payload.rstrip('\n'))
        found = self.lists[name]
        if found.is_directory and not self.has(3, 2) and (
                entry.certificate.rpartition('/')[0] != name):
            raise Refused("'{0}' is a directory, certificate path '{1}' must contain the directory "
                          'path'.format(name, entry.certificate))
        place = tls.place_of(self.configuration, entry.certificate)
        stored = self.process.certificates.stored.get(place)
        if stored is None:
            raise Refused("certificate '{0}' does not exist!".format(place))
        if stored.parts:
            raise Refused("certificate '{0}' is a bundle. You can disable the bundle merging with "
                          "the directive 'ssl-load-extra-files' in the global section.".format(
                              place))
        if stored.certificate is None:
            raise Refused("certificate '{0}' is empty!".format(place))
        if found.is_directory:
            if any(other.certificate == place for other in found.entries):
                raise Refused('file already exists in this directory!')
            if entry.sni or entry.options:
                raise Refused('this is a directory, SSL configuration{0} and filters are not '
                              'allowed'.format(', crt-store keywords' if self.has(3, 0) else ''))
        return entry._replace(certificate=place)

    def _entry_of(self, line):
        if '\n' in line:
            raise Refused('only one line of payload is supported!')
        if not line.strip():
            raise Refused("'add ssl crtlist' should contain the certificate name in the payload")
        try:
            return parse_entry(line, 'CLI', 1)
        except Refused as error:
            if self.has(2, 4):
                raise
            where, _, what = str(error).partition(': ')
            raise Refused("{0} on line 1 in file 'CLI'.".format(what))

    @command('del ssl crt-list', level='admin', since=(2, 2))
    def delete(self, call):
        """Remove an entry from a list."""
        if len(call.rest) < 2:
            return message("'del ssl crtlist' expects a filename and a certificate name")
        if self.process.certificates.is_locked:
            return message("Can't delete!\n" + LOCKED[:-1])
        name = call.rest[0].rstrip('/')
        certificate, colon, number = call.rest[1].partition(':')
        try:
            if colon and not re.match(r'\d+\Z', number):
                raise Refused("wrong line number after colons in '{0}'!".format(call.rest[1]))
            entry = self._find(name, certificate, int(number or 0))
            self._check_default(entry)
        except Refused as error:
            return message("Can't delete the entry: {0}".format(error))
        self.lists[name].entries.remove(entry)
        return message("Entry '{0}' deleted in crtlist '{1}'!".format(certificate, name))

    def _find(self, name, certificate, number):
        if name not in self.lists:
            raise Refused("crt-list '{0}' does not exist!".format(name))
        stored = self.process.certificates.stored.get(certificate)
        if stored is None:
            raise Refused("certificate '{0}' does not exist!".format(certificate))
        if stored.certificate is None:
            raise Refused("certificate '{0}' is empty!".format(certificate))
        found = [entry for entry in self.lists[name].entries if entry.certificate == certificate]
        if not found:
            raise Refused("certificate '{0}' can't be found in crt-list '{1}'!".format(
                certificate, name))
        numbers = ', '.join(str(entry.line) for entry in found)
        chosen = [entry for entry in found if number in (0, entry.line)]
        if not chosen:
            raise Refused("found a certificate '{0}' but the line number is incorrect, please "
                          'specify a correct line number preceded by colons ({1})!'.format(
                              certificate, numbers))
        if not number and len(found) > 1:
            raise Refused("found the certificate '{0}' in several entries, please specify a line "
                          'number preceded by colons ({1})!'.format(certificate, numbers))
        return chosen[0]

    def _check_default(self, entry):
        lines = [line for default, line in self._defaults if default is entry]
        if lines and self.has(2, 4):
            raise Refused("certificate '{0}' cannot be deleted, it is used as default certificate "
                          'by the following frontends:\n{1}{2}'.format(entry.certificate, '\n'.join(
                              '\t- {0}:{1}'.format(self.configuration.name, line.number)
                              for line in lines), '' if self.has(3, 0) else '\n'))


def parse_entry(line, file, number):
    """Return the :class:`Entry` of a line.

    :raises Refused: if HAProxy would not understand it.
    """
    where = 'parsing [{0}:{1}]: '.format(file, number)
    match = re.match(r'\s*([^\s\[\]]+)\s*(?:\[([^\[\]]*)\])?([^\[\]]*)\Z', line)
    if match is None:
        raise Refused(where + ('file must start with a cert' if line.lstrip().startswith('[') else
                               "too many '['" if line.count('[') > 1 else
                               "too many ']'" if line.count(']') > 1 else "missing '['"))
    name, options, sni = match.groups()
    words = (options or '').split()
    place = 0
    while place < len(words):
        if words[place] not in _OPTIONS:
            raise Refused(where + 'unknown ssl keyword ' + words[place])
        place += 1 + _OPTIONS[words[place]]
        if place > len(words):
            raise Refused(where + "ssl args out of '[]' for " + words[-1])
    return Entry(name, sni.split(), ' '.join(words) or None, number)


def _row(entry, has_number):
    """Return an entry as HAProxy shows it: the options in an order of its own."""
    words, shown = (entry.options or '').split(), {}
    while words:
        name = words.pop(0)
        value = words.pop(0) if _OPTIONS.get(name) and words else None
        shown[name] = (name if value is None else name + ' ' + value) + '\0' * (name in _ENDED)
    options = ' '.join(shown[name] for name in _OPTIONS if name in shown)
    return '{0}{1}{2}{3}\n'.format(
        entry.certificate, ':{0}'.format(entry.line) if has_number else '',
        ' [{0}]'.format(options) if options else '', ''.join(' ' + name for name in entry.sni))
