# SPDX-License-Identifier: Apache-2.0
"""What the fake reports of a process besides its figures: errors, name servers and peers."""
import binascii
import collections
import time

from haproxyadmin.testing.families.family import Family, command, message, number_in
from haproxyadmin.testing.texts import raw

COUNTERS = ('sent', 'snd_error', 'valid', 'update', 'cname', 'cname_error', 'any_err', 'nx',
            'timeout', 'refused', 'other', 'invalid', 'too_big', 'truncated', 'outdated')
_MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split()


class Error(object):
    """A request or a reply that HAProxy has not understood.

    :param proxy: the name of its frontend or backend.
    :param text: its lines in ``show errors``, after the empty one.
    :param is_request: False for a reply.
    """

    def __init__(self, proxy, text, is_request=True):
        self.proxy = proxy
        self.text = text
        self.is_request = is_request


class Peer(object):
    """A peer of a section.

    :ivar is_local: True for the process itself.
    :ivar status: the state of its connection: ``'ESTA'`` if it is established.
    """

    def __init__(self, name, address, is_local):
        self.name = name
        self.address = address
        self.is_local = is_local
        self.status = 'NONE' if is_local else 'CONN'


def _now():
    # Not strftime(): the names of the months are English everywhere.
    now = time.time()
    day = time.localtime(now)
    return '{0:02}/{1}/{2}:{3:02}:{4:02}:{5:02}'.format(
        day.tm_mday, _MONTHS[day.tm_mon - 1], day.tm_year, day.tm_hour, day.tm_min, day.tm_sec), now


class Reports(Family):
    """What a process reports, nothing of which a command changes.

    :ivar errors: a list of :class:`Error`, empty at first.
    :ivar resolvers: an ordered dict of the ``resolvers`` sections of the configuration: for each an
        ordered dict of its name servers, for each of these an ordered dict of counters, all 0. The
        section ``default``, which HAProxy makes by itself from ``/etc/resolv.conf``, is not there.
    :ivar peers: an ordered dict of the ``peers`` sections of the configuration: for each a list of
        :class:`Peer`. The first ``peer`` of a section is the local one, unless ``localpeer`` in the
        ``global`` section, or a ``server`` without an address, names another.
    """

    name = 'reports'

    def __init__(self, process, configuration):
        super(Reports, self).__init__(process, configuration)
        self.errors = []
        self.resolvers = collections.OrderedDict(
            (section.name, collections.OrderedDict(
                (line.words[0], collections.OrderedDict((name, 0) for name in COUNTERS))
                for line in section.all('nameserver')))
            for section in configuration.of_kind('resolvers'))
        self.peers = collections.OrderedDict(
            (section.name, self._peers(section)) for section in configuration.of_kind('peers'))

    @command('show errors', level='operator')
    def show_errors(self, call):
        errors = self.errors
        if call.rest:
            proxy, refusal = self._proxy(call.rest[0])
            if refusal:
                return refusal
            kind = call.rest[1] if len(call.rest) > 1 and self.has(1, 7) else ''
            errors = [error for error in errors if proxy in (None, error.proxy)
                      and {'request': True, 'response': False}.get(
                          kind, error.is_request) == error.is_request]
        date, now = _now()
        head = 'Total events captured on [{0}.{1:03}] : {2}\n'.format(
            date, int(now * 1000) % 1000, len(self.errors))
        return head + ''.join(' \n' + error.text for error in errors) + '\n'

    def _proxy(self, word):
        """Return the proxy that a word stands for, None for all, or what HAProxy says."""
        ids = dict((proxy.iid, proxy.name) for proxy in self.configuration.proxies)
        if self.has(1, 7) and word in ids.values():
            return word, None
        number = number_in(word)
        if self.has(1, 7) and number == 0:
            return None, message('No such proxy.')
        return (None if number <= 0 else ids.get(number, '')), None

    @command('show resolvers', since=(1, 8))
    @command('show stat resolvers', since=(1, 6), until=(1, 8))
    def show_resolvers(self, call):
        if call.rest and call.rest[0] not in self.resolvers:
            return message("Can't find that resolvers section")
        if not self.resolvers:
            return message('No resolvers found')
        shown = call.rest[:1] or self.resolvers
        separator = '' if self.has(2, 6) else '\n'
        return ''.join(self._resolvers(name) + separator for name in shown) + '\n'

    def _resolvers(self, name):
        lines = ['Resolvers section ' + name]
        for server, counters in self.resolvers[name].items():
            lines.append(' nameserver {0}:'.format(server))
            lines += ['  {0:<12} {1}'.format(field + ':', value)
                      for field, value in counters.items()]
        return '\n'.join(lines) + '\n'

    # Peers

    def _peers(self, section):
        lines = [line for word in ('peer', 'server') for line in section.all(word)]
        lines.sort(key=lambda line: line.number)
        names = [line.words[0] for line in lines]
        local = self.configuration.settings.value('localpeer')
        without = [line.words[0] for line in section.all('server') if len(line.words) < 2]
        bound = [line.words[0].rpartition('@')[2] for line in section.all('bind')]
        local = local if local in names else (without + names + [None])[0]
        return [Peer(line.words[0], (line.words[1:2] or bound or ['<NULL>'])[0],
                     line.words[0] == local) for line in lines]

    def _tables(self, section):
        """Return the names of the tables that a section shares, in order."""
        own = [section + '/' + line.words[0] for each in self.configuration.of_kind('peers')
               if each.name == section for line in each.all('table')]
        return own + [
            proxy.name for proxy in self.configuration.proxies if section in [
                word for line in proxy.all('stick-table')
                for key, word in zip(line.words, line.words[1:]) if key == 'peers']]

    @command('show peers', since=(2, 0))
    def show_peers(self, call):
        shows_dict = call.rest[:1] == ['dict'] and self.has(2, 4)
        words = call.rest[1:] if shows_dict else call.rest
        if words and words[0] not in self.peers:
            return message('No such peers')
        shown = words[:1] or reversed(list(self.peers))
        dictionary = (_DICTIONARY if shows_dict or not self.has(2, 4) else
                      '        Dictionary cache not dumped (use "show peers dict")')
        return '\n'.join(self._section(name, dictionary) for name in shown) + '\n'

    def _section(self, name, dictionary):
        shown = '{0}: [{1}] id={2} {3} resync_timeout=0s task_calls=5\n'.format(
            self._pointer(name), _now()[0], name,
            'state=0 flags=0x1' if not self.has(2, 4) else
            'disabled=0 flags=0x11' if not self.has(3, 0) else 'disabled=0 flags=0x100001')
        return shown + ''.join(
            self._peer(name, peer, dictionary) for peer in reversed(self.peers[name]))

    def _peer(self, section, peer, dictionary):
        is_new, is_open = self.has(2, 2), peer.status == 'ESTA'
        fields = ['  {0}: id={1}({2}{3})'.format(
            self._pointer(section, peer.name), peer.name, 'local' if peer.is_local else 'remote',
            ',active' if is_open and is_new else ',inactive' if is_new else ''),
            'addr=' + peer.address]
        if self.has(3, 0):
            fields.append('app_state={0} learn_state=NOTASSIGNED'.format(
                'RUNNING' if is_open else 'STOPPED'))
        fields.append('{0}={1}'.format('last_status' if is_new else 'status', peer.status))
        reconnect = '<NEVER>' if peer.is_local else '0s'
        if self.has(2, 4):
            fields.append('last_hdshk={0}\n       '.format('<NEVER>' if peer.is_local else '4s'))
            reconnect += ' heartbeat=<NEVER>'
        fields.append('reconnect={0} confirm=0'.format(reconnect))
        if is_new:
            fields.append('tx_hbt=0 rx_hbt=0 no_hbt=0 new_conn={0:d} proto_err=0'.format(
                not peer.is_local))
        if self.has(2, 4):
            fields.append('coll=0')
        lines = [' '.join(fields), '        flags=0x0' if not is_open else (
            '        flags=0x20000200 appctx:{0} st0=7 st1=0 task_calls=5 state=EST'.format(
                self._pointer('appctx', section, peer.name)))]
        tables = self._tables(section)
        if tables and is_new:
            lines.append('        shared tables:')
            for number in range(len(tables), 0, -1):
                lines += self._table(section, peer, number, tables[number - 1]) + [dictionary]
        return '\n'.join(lines) + '\n'

    def _table(self, section, peer, number, table):
        commits = ' commitupdate=0' if not self.has(3, 4) else ''
        return [
            '          {0} local_id={1} remote_id=0 flags=0x0 remote_data=0x0'.format(
                self._pointer(section, peer.name, number), number),
            '              last_acked=0 last_pushed=0 last_get=0 teaching_origin=0 update=0',
            '              table:{0} id={1} update=0 localupdate=0{2} {3}'.format(
                self._pointer(table), table, commits,
                'refcnt=1' if self.has(2, 4) else 'syncing=0')]

    def _pointer(self, *names):
        return '0x{0:012x}'.format(
            0x7f0000000000 + (binascii.crc32(raw(repr(names))) & 0xffffffff))


_DICTIONARY = '\n'.join(['        TX dictionary cache:', '        RX dictionary cache:'] + [
    '        ' + ''.join('  {0:>3} -> -'.format(number) for number in range(first, first + 4))
    for first in range(0, 128, 4)])
