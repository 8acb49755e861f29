# SPDX-License-Identifier: Apache-2.0
"""A fake HAProxy that has a server which can be taken out of rotation, added and deleted.

It answers like the captured replies of its version; see :mod:`tests.support.fakes`.
"""
import re

from tests.support import captured
from tests.support.texts import text

BACKEND, NAME = 'backend_proc1', 'backend_proc1_srv1'
WORD = BACKEND + '/' + NAME
STATES = 'show servers state ' + BACKEND
# The status and the administrative bits of each state.
STATUS = {'ready': ('UP', 0), 'drain': ('DRAIN', 8), 'maint': ('MAINT', 1)}


class Machine(object):
    """Handles the commands for one server of a :class:`tests.support.fakes.Process`.

    ``state`` is its state. ``fields`` are fields of the reply to ``show servers state`` that differ
    from the captured ones, which does not contain it unless it ``is_there``. ``refused`` maps a part of a command
    to the refusal. ``changes`` lists the commands that were not refused. ``on_change`` is called
    after each of them.
    """

    def __init__(self, process):
        self.process = process
        self.fields = {}
        self.is_there = True
        self.refused = {}
        self.changes = []
        self.on_change = lambda command: None
        self.state = None
        self.put('ready')
        self.hold(0)
        process.handler = self.handle

    def put(self, state):
        """Set the state."""
        self.state = state
        self.process.set(BACKEND, NAME, 'status', STATUS[state][0])

    def hold(self, sessions):
        """Set the number of sessions."""
        self.process.set(BACKEND, NAME, 'scur', sessions)
        self.process.set(BACKEND, NAME, 'qcur', 0)

    def take_over(self, state='ready'):
        """Have another process of the same version answer from now on."""
        self.process.take_over(self.process.version)
        self.put(state)
        self.hold(0)

    def handle(self, command):
        """Return the reply, or None for a command of others."""
        if command == STATES:
            return self._states()
        if WORD not in command or command.startswith(('show ', 'get ')):
            return None
        for part, refusal in self.refused.items():
            if part in command:
                return refusal + '\n\n'
        self.changes.append(command)
        match = re.match(r'set server \S+ state (\S+)\Z', command)
        if match:
            self.put(match.group(1))
        if command.startswith('shutdown sessions'):
            self.hold(0)
        self.on_change(command)
        return self._success(command)

    def _success(self, command):
        if ' addr ' in command:
            return "IP changed from '1' to '2', port changed from '1' to '2' by 'stats'\n\n"
        return '\n'

    def _states(self):
        if not captured.has_dump(self.process.version, 'servers_state.txt'):
            return None
        lines = text(captured.dump(self.process.version, 'servers_state.txt')).split('\n')
        names = lines[1][2:].split()
        fields = dict(self.fields, srv_admin_state=str(STATUS[self.state][1]))
        rows = [line for line in lines[2:] if line.split()[1:2] == [BACKEND]
                and (self.is_there or line.split()[3] != NAME)]
        for number, row in enumerate(rows):
            values = row.split()
            if values[3] == NAME:
                rows[number] = ' '.join(fields.get(name, value)
                                        for name, value in zip(names, values))
        return '\n'.join(lines[:2] + rows) + '\n\n'


class Crew(object):
    """Some machines, and the library's object for their server.

    :param started: a :class:`tests.support.fakes.Fleet`.
    """

    def __init__(self, started, **options):
        self.started = started
        self.machines = [Machine(process) for process in started]
        self.hap = started.haproxy(**options)
        self.backend = self.hap.backend(BACKEND)
        self.server = self.backend.server(NAME)
        started.forget()

    def __getitem__(self, number):
        return self.machines[number]

    @property
    def paths(self):
        return self.started.paths

    @property
    def states(self):
        return [machine.state for machine in self.machines]

    @property
    def changes(self):
        """What each process was asked to change, refused or not."""
        return [[command for command in received if not command.startswith('show ')]
                for received in self.started.commands]
