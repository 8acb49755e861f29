# SPDX-License-Identifier: Apache-2.0
"""The keys of TLS tickets of the fake: ``tls-keys``."""
import base64
import binascii
import re

from haproxyadmin.testing.families import tls
from haproxyadmin.testing.families.family import Family, command, message

_UNKNOWN = "'{0}' unable to locate referenced filename"
_COUNT = 3


class Keys(object):
    """A file with keys of TLS tickets.

    :ivar id: its number; :ivar keys: its last three keys, in base64.
    """

    def __init__(self, number, keys):
        self.id = number
        self.keys = keys


class Tickets(Family):
    """The files with keys of TLS tickets of a process.

    :ivar files: pairs of a name and :class:`Keys`, in the order in which HAProxy lists them.
    """

    name = 'tickets'

    def __init__(self, process, configuration):
        super(Tickets, self).__init__(process, configuration)
        names = []
        for line in tls.lines_of(process, configuration):
            name = line.value('tls-ticket-keys')
            if name and name not in names:
                names.append(name)
        # The last one is the first.
        self.files = [(name, Keys(number, configuration.read(name).split()[-_COUNT:]))
                      for number, name in enumerate(reversed(names))]

    def _find(self, word):
        for name, keys in self.files:
            if word in (name, '#{0}'.format(keys.id)):
                return name, keys
        return None

    def _may(self, call):
        return not self.has(3, 4) or call.connection.may('admin')

    @command('show tls-keys', since=(1, 8))
    def show(self, call):
        """Show all files, or the keys of one."""
        if not self._may(call):
            return message('Permission denied')
        if not call.rest:
            return '# id (file)\n{0}\n'.format(''.join(
                '{0} ({1})\n'.format(keys.id, name) for name, keys in self.files))
        chosen = self.files
        if call.rest[0] != '*':
            chosen = [self._find(call.rest[0])]
            if chosen == [None]:
                return message(_UNKNOWN.format('show tls-keys'))
        rows = ''.join('# {0} ({1})\n{2}'.format(keys.id, name, ''.join(
            '{0}.{1} {2}\n'.format(keys.id, place, key) for place, key in enumerate(keys.keys)))
            for name, keys in chosen)
        return '# id secret\n{0}\n'.format(rows)

    @command('set ssl tls-key', since=(1, 8))
    def set(self, call):
        """Add a key to a file, which removes its oldest."""
        if not self._may(call):
            return message('Permission denied')
        if len(call.rest) < 2:
            return message("'set ssl tls-key' expects a filename and the new TLS key in base64 "
                           'encoding.')
        found = self._find(call.rest[0])
        if found is None:
            return message(_UNKNOWN.format('set ssl tls-key'))
        size = _size_of(call.rest[1])
        if size is None or size != _size_of(found[1].keys[-1]):
            # 1.8 knows only short keys.
            return message("'set ssl tls-key' received {0}".format(
                'a key of wrong size.' if size and self.has(2, 0) else
                'invalid base64 encoded TLS key.'))
        found[1].keys = found[1].keys[1:] + [call.rest[1]]
        return 'TLS ticket key updated!\n' + '\n' * self.has(2, 0)


def _size_of(key):
    """Return how many bytes a key in base64 has, None if it is none."""
    try:
        return len(base64.b64decode(key)) if (
            re.match(r'[A-Za-z0-9+/]+={0,2}\Z', key) and len(key) % 4 == 0) else None
    except (ValueError, TypeError, binascii.Error):
        return None
