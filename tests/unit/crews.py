# SPDX-License-Identifier: Apache-2.0
"""A server of a fleet of fakes, in the library's view and in that of each process."""
from haproxyadmin.internal import fanout, rotation, waiting
from haproxyadmin.testing.families.server_state import AGENT, ANY_DRAIN, ANY_MAINT, Check
from haproxyadmin.testing.texts import text
from tests.support import fakes

BACKEND, NAME = 'backend_proc1', 'backend_proc1_srv1'
WORD = BACKEND + '/' + NAME
STATES = 'show servers state ' + BACKEND


class Clock(object):
    """A clock that only sleeping advances, and what happens then.

    A process has enough time to answer, although the clock may show the deadline already.
    """

    def __init__(self, monkeypatch):
        self.now = 1000.0
        self.slept = []
        self.events = []
        for module in (waiting, rotation, fanout.transport):
            monkeypatch.setattr(module, 'now', self)
        for module in (fanout, rotation):
            monkeypatch.setattr(module, 'SHORTEST', fakes.LONG)
        monkeypatch.setattr(waiting.time, 'sleep', self.sleep)

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds
        if self.events:
            self.events.pop(0)()


class Member(object):
    """One process of a crew.

    ``refused`` maps a part of a command to a refusal that takes the place of its reply.
    ``on_change`` is called after each command that changes the server, except those refused.
    """

    def __init__(self, process):
        self.process = process
        self.refused = {}
        self.on_change = None
        process.handler = self._handle
        self._last = self.server

    _last = None

    @property
    def server(self):
        """The state of the server in the fake; the last one if it is gone."""
        self._last = self.process.servers.get(BACKEND, NAME) or self._last
        return self._last

    @property
    def state(self):
        """What an administrator has set last."""
        admin = self.server.admin
        return 'maint' if admin & ANY_MAINT else 'drain' if admin & ANY_DRAIN else 'ready'

    def put(self, state):
        """Set the state, as somebody else may do."""
        self.process.servers.put_state(self.server, state)

    def set(self, **attributes):
        """Set attributes of the server in the fake."""
        for name, value in attributes.items():
            setattr(self.server, name, value)
        self.process.servers.show(self.server)

    def give_agent(self, is_enabled=True):
        """Give the server an agent check."""
        self.server.agent = Check(True, 1, 1, AGENT)
        if not is_enabled:
            self.process.reply_to('disable agent ' + WORD)

    def hold(self, sessions):
        """Set the number of sessions."""
        self.process.set(BACKEND, NAME, 'scur', sessions)
        self.process.set(BACKEND, NAME, 'qcur', 0)

    def lose_server(self):
        """Remove the server."""
        self.process.servers.remove(self.server)

    def take_over(self, state='ready', version=None):
        """Have another process answer from now on."""
        self.process.take_over(version)
        self.put(state)
        self.hold(0)

    def _handle(self, command):
        if WORD not in command or command.startswith(('show ', 'get ')):
            return None
        for part, refusal in self.refused.items():
            if part in command:
                return refusal + '\n\n'
        if self.on_change is None:
            return None
        self.process.handler = None
        try:
            reply = text(self.process.reply_to(command))
        finally:
            self.process.handler = self._handle
        self.on_change(command)
        return reply


class Crew(object):
    """The processes of a fleet, and the library's object for their server.

    :param started: a :class:`tests.support.fakes.Fleet`.
    """

    def __init__(self, started, **options):
        self.started = started
        self.members = [Member(process) for process in started]
        for member in self.members:
            member.hold(0)
        self.hap = started.haproxy(**options)
        self.backend = self.hap.backend(BACKEND)
        self.server = self.backend.server(NAME)
        started.forget()

    def __getitem__(self, number):
        return self.members[number]

    @property
    def paths(self):
        return self.started.paths

    @property
    def states(self):
        return [member.state for member in self.members]

    @property
    def changes(self):
        """What each process was asked to change, refused or not."""
        return [[command for command in received if not command.startswith('show ')]
                for received in self.started.commands]
