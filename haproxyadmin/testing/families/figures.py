# SPDX-License-Identifier: Apache-2.0
"""The figures of the fake: ``show info`` and ``show stat``."""
import collections
import csv
import io
import os
import re

import six

from haproxyadmin.testing.families.family import OK, Family, command, message, number_in
from haproxyadmin.testing.texts import raw, text

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'data')
# Those that the fake can be, oldest first. '1.5' is 1.5.19.
VERSIONS = ['1.5.8', '1.5', '1.6', '1.7', '1.8', '2.0', '2.2', '2.4', '2.6', '2.8', '3.0', '3.2',
            '3.4']
FRONTEND, BACKEND, SERVER = '0', '1', '2'
# What `clear counters all` sets to zero, and of it what `clear counters` does.
_COUNTERS = re.compile(
    r'(qmax|smax|stot|bin|bout|d(req|resp|con|ses)|e(req|con|resp|int)|w(retr|redis|rew)|chkfail|'
    r'chkdown|downtime|lbtot|rate_max|hrsp_.*|hanafail|req_rate_max|req_tot|.*_abrt|comp_.*|'
    r'conn_rate_max|conn_tot|intercepted|connect|reuse|cache_.*|.*time_max)\Z')
_MAXIMA = re.compile(r'(qmax|smax|rate_max|req_rate_max|conn_rate_max|.*time_max)\Z')
# What asks for other replies.
_FORMATS = {'typed', 'json', 'desc', 'float', 'domain', 'no-maint', 'up'}
_dumps = {}
_models = {}


def dump(version, name):
    """Return a file of the figures of an idle HAProxy of a version, as text."""
    if (version, name) not in _dumps:
        with io.open(os.path.join(DATA, version, name), encoding='utf-8') as stored:
            _dumps[version, name] = text(stored.read())
    return _dumps[version, name]


def models(version):
    """Return the rows of an idle HAProxy of a version, from which others are made.

    :return: a dict of lists by pairs: the mode, and a kind such as ``'frontend'``.
    """
    if version not in _models:
        rows = [line.split(',') for line in dump(version, 'stat.csv').split('\n')[1:] if line]
        _models[version] = dict(((row[0], row[1]), row) for row in rows)
    return _models[version]


def check_version(version):
    """Return a version, or raise a ValueError if the fake cannot be it."""
    if version not in VERSIONS:
        raise ValueError('the fake can be HAProxy {0}, not {1!r}'.format(
            ', '.join(VERSIONS), version if '\n' not in str(version) else 'a configuration'))
    return version


class Figures(Family):
    """The fields of ``show info`` and the rows of ``show stat``.

    :ivar info: an ordered dict.
    :ivar columns: the names of the columns.
    :ivar rows: a list of lists of fields.
    """

    name = 'figures'

    def __init__(self, process, configuration):
        super(Figures, self).__init__(process, configuration)
        self._models = models(process.version)
        info, table = process.dumps(process.version) if process.dumps else (None, None)
        self.info = collections.OrderedDict(
            line.split(': ', 1) if ': ' in line else (line.rstrip(':'), '')
            for line in (info or dump(process.version, 'info.txt')).split('\n') if line)
        lines = (table or dump(process.version, 'stat.csv'))[2:].split('\n')
        self.columns = lines[0].split(',')
        self.rows = [line.split(',') for line in lines[1:] if line]
        if not table:
            self._build()
        self._identify(process)

    def _build(self):
        """Make the rows of the configuration from those that are models."""
        self.rows = []
        settings = self.configuration.settings
        maxconn = settings.value('maxconn')
        if maxconn:
            self.info['Maxconn'] = self.info['Hard_maxconn'] = maxconn
        self.info.update((name, settings.value(name)) for name in ('node', 'description')
                         if settings.value(name) and name in self.info)
        if settings.value('nbthread') and 'Nbthread' in self.info:
            self.info['Nbthread'] = settings.value('nbthread')
        for proxy in self.configuration.proxies:
            if not self.process.runs(proxy):
                continue
            if proxy.is_frontend:
                self.rows.append(self._frontend(proxy))
            if proxy.is_backend:
                self.rows.extend(self.row_of_server(proxy, server) for server in proxy.servers)
                self.rows.append(self.row_of_backend(proxy))

    def _identify(self, process):
        """Give the figures the identity of the process."""
        self.info['Process_num'] = str(process.number)
        self.info['Pid'] = str(process.pid)
        for row in self.rows:
            row[self.columns.index('pid')] = str(process.number)

    def _row(self, proxy, kind, **fields):
        mode = 'http' if proxy.mode == 'http' else 'tcp'
        row = list(self._models.get((mode, kind)) or self._without_http(kind))
        fields.update(pxname=proxy.name, iid=proxy.iid, mode=proxy.mode)
        for name, value in fields.items():
            if name in self.columns:
                row[self.columns.index(name)] = str(value)
        return row

    def _without_http(self, kind):
        """Return the model of a row of a TCP proxy: without what only those of HTTP have."""
        pairs = zip(self._models['http', kind], self._models['http', 'checked'],
                    self._models['tcp', 'checked'], self.columns)
        return [own if tcp or not http or name == 'slim' else ''
                for own, http, tcp, name in pairs]

    def _frontend(self, proxy):
        return self._row(
            proxy, 'frontend', svname='FRONTEND',
            slim=proxy.value('maxconn') or self.info['Maxconn'],
            rate_lim=proxy.value('rate-limit', 'sessions') or 0)

    def row_of_backend(self, proxy):
        """Return the row of a backend of the configuration, before its servers are counted."""
        # What 3.4 does by default, it has no name for.
        algorithm = proxy.value('balance') or ('unknown' if self.has(3, 4) else 'roundrobin')
        fullconn = proxy.value('fullconn') or max(1, self._most_of(proxy) // 10)
        cookie = proxy.value('cookie') or ''
        row = self._row(proxy, 'backend', svname='BACKEND', algo=algorithm, slim=fullconn,
                        cookie=cookie, act=0, bck=0, weight=0, uweight=0)
        if not proxy.servers and self.has(1, 7):
            row[self.columns.index('downtime')] = ''
        return row

    def _most_of(self, backend):
        """Return how many connections the frontends of a backend take."""
        most = 0
        for proxy in self.configuration.proxies:
            named = [line.words[1] for line in proxy.lines
                     if line.words[0] in ('default_backend', 'use_backend') and line.words[1:]]
            if proxy.is_frontend and (proxy is backend or backend.name in named):
                most += int(proxy.value('maxconn') or self.info['Maxconn'])
        return most

    def row_of_server(self, proxy, server):
        """Return the row of a server of the configuration, as it is at first."""
        is_tracking = server.value('track') is not None
        kind = ('agent' if server.has('agent-check') else
                'checked' if server.has('check') and not is_tracking else 'server')
        weight = server.value('weight', '1')
        checks = {}
        if kind != 'server' and server.has('check'):
            layer, code = (4, '') if proxy.last('option', 'httpchk') is None else (7, 200)
            checks = {'check_status': 'L{0}OK'.format(layer), 'check_code': code,
                      'check_desc': 'Layer{0} check passed'.format(layer)}
        return self._row(
            proxy, kind, svname=server.name, sid=server.sid,
            weight=weight, uweight=weight, slim=server.value('maxconn', ''),
            act=0 if server.has('backup') else 1, bck=1 if server.has('backup') else 0,
            tracked=server.value('track', ''), cookie=server.value('cookie', ''),
            addr=self.shown_address(server.address, server.port), **checks)

    def shown_address(self, address, port):
        """Return an address as ``show stat`` prints it."""
        if ':' in address:
            address = '[{0}]'.format(address)
        return '{0}:{1}'.format(address, port) if port else address

    # What the other families and the tests change

    def row(self, proxy, name):
        """Return a row of the table as a list of fields, or None."""
        return next((row for row in self.rows if (row[0], row[1]) == (proxy, name)), None)

    def get(self, proxy, name, column):
        """Return a field of the table."""
        return self.row(proxy, name)[self.columns.index(column)]

    def set(self, proxy, name, column, value):
        """Change a field of the table, if the version has the column."""
        if column in self.columns:
            self.row(proxy, name)[self.columns.index(column)] = str(value)

    def field(self, row, column):
        """Return a field of a row."""
        return row[self.columns.index(column)]

    # The commands

    @command('show info')
    def show_info(self, call):
        self._check_format(call)
        if self.process.requests is not None:
            self.info['CumReq'] = str(next(self.process.requests))
        return ''.join('{0}: {1}\n'.format(*pair) for pair in self.info.items()) + '\n'

    @command('show stat')
    def show_stat(self, call):
        self._check_format(call)
        # It ignores one word or two.
        if len(call.rest) < 3:
            return self.table()
        iid = self._id_of(call.rest[0])
        if iid == 0 and self.has(1, 7):
            return message('No such proxy.')
        return self.table(iid, *map(number_in, call.rest[1:3]))

    def _check_format(self, call):
        # Older versions ignore the words.
        if self.has(1, 7) and _FORMATS.intersection(call.rest):
            self.process.problem('the fake only has the format without words: {0!r}'.format(
                call.line))

    def _id_of(self, word):
        """Return the iid that a word stands for, 0 for none; a name takes precedence."""
        if self.has(1, 7):
            # A disabled proxy has no rows, but it has a name.
            iids = [(row[0], int(self.field(row, 'iid'))) for row in self.rows] + [
                (proxy.name, proxy.iid) for proxy in self.configuration.proxies]
            for name, iid in iids:
                if word == name or word[:1] == '#' and number_in(word[1:]) == iid:
                    return iid
        return number_in(word)

    def table(self, iid=-1, kinds=-1, sid=-1):
        """Return the reply to ``show stat IID TYPE SID``."""
        output = io.BytesIO() if six.PY2 else io.StringIO()
        writer = csv.writer(output, lineterminator='\n')
        for row in self.rows:
            bit = 1 << int(self.field(row, 'type'))
            if (iid in (-1, int(self.field(row, 'iid'))) and (kinds == -1 or kinds & bit)
                    and not (bit == 4 and sid not in (-1, int(self.field(row, 'sid'))))):
                writer.writerow(row)
        return '# ' + ','.join(self.columns) + '\n' + text(raw(output.getvalue())) + '\n'

    @command('clear counters', level='operator')
    def clear_counters(self, call):
        everything = call.rest[:1] == ['all']
        if everything and not call.connection.may('admin'):
            return 'Permission denied\n\n'
        pattern = _COUNTERS if everything else _MAXIMA
        for row in self.rows:
            for place, name in enumerate(self.columns):
                if row[place] and pattern.match(name):
                    row[place] = '0'
        return OK

    @command('show backend', since=(1, 6))
    def show_backend(self, call):
        return '# name\n' + ''.join(row[0] + '\n' for row in self.rows
                                    if row[1] == 'BACKEND') + '\n'
