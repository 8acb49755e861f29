# SPDX-License-Identifier: Apache-2.0
"""The state of one server of the fake, and how a change of it spreads to those that track it.

The rules and their names are those of HAProxy: a server has what administrators set (``admin``, a
set of bits) and what checks find out (``state``); its status is made of both.
"""
import re

from haproxyadmin.testing.sockets import packed

# What administrators set: forced, inherited from a tracked server, and from the configuration.
MAINT, INHERITED_MAINT, CONFIGURED_MAINT, UNRESOLVED = 1, 2, 4, 32
DRAIN, INHERITED_DRAIN = 8, 16
ANY_MAINT, ANY_DRAIN = MAINT | INHERITED_MAINT | UNRESOLVED, DRAIN | INHERITED_DRAIN
# What checks find out.
STOPPED, RUNNING, STOPPING = 0, 2, 3
# Bits of the state of a check.
CONFIGURED, ENABLED, PAUSED, AGENT = 2, 4, 8, 16
MAX_WEIGHT = 256
# Of `show servers state`; older versions have fewer.
COLUMNS = (
    'be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight '
    'srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state '
    'srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl '
    'srv_check_port srv_check_addr srv_agent_addr srv_agent_port').split()
# Numbers in `show servers state`: the status of a passed check of HTTP, of another protocol, and of
# no check; the result of one that has passed.
_PASSED_HTTP, _PASSED, _UNKNOWN, _RESULT = 15, 6, 1, 3
_NUMBER = re.compile(r'\s*[-+]?\d+')


class Check(object):
    """The health check of a server, or its agent check.

    :ivar health: 0 to ``rise + fall - 1``; it is up from ``rise`` on.
    :ivar bits: its state as ``show servers state`` prints it.
    :ivar has_run: False until its first result.
    """

    def __init__(self, is_configured, rise, fall, bits=0):
        self.rise = rise
        self.fall = fall
        self.bits = bits | (CONFIGURED | ENABLED if is_configured else 0)
        self.health = self.most if is_configured else rise
        self.has_run = is_configured

    @property
    def most(self):
        """Its health after checks that have all passed."""
        return self.rise + self.fall - 1

    @property
    def is_configured(self):
        """Whether the configuration has it."""
        return bool(self.bits & CONFIGURED)

    @property
    def is_enabled(self):
        """Whether it runs unless it is paused."""
        return bool(self.bits & ENABLED)

    @property
    def is_shown(self):
        """Whether ``show stat`` shows its results."""
        return self.is_enabled and not self.bits & PAUSED

    @property
    def is_passed(self):
        """Whether it does not say that the server is down."""
        return not self.is_enabled or self.health >= self.rise

    def set(self, bit, is_on=True):
        """Set a bit, or clear it."""
        self.bits = self.bits | bit if is_on else self.bits & ~bit


class ServerState(object):
    """One server of a backend.

    :ivar name: its name, ``sid`` its id.
    :ivar address: its address as HAProxy prints it; ``'-'`` if it has none, ``port`` its port.
    :ivar host: the name that was resolved to the address, ``None`` if there was none.
    :ivar resolvers: the name of the section that resolves its name, or None.
    :ivar weight: its weight; ``first_weight`` is the one of the configuration, ``shown_weight`` the
        one that ``show stat`` shows.
    :ivar maxconn: its limit, 0 for none.
    :ivar admin: what administrators have set, the bits of ``srv_admin_state``.
    :ivar state: what its checks have found out, ``srv_op_state``.
    :ivar check: its health check, ``agent`` its agent check: each a :class:`Check`.
    :ivar shown: what ``show servers state`` shows instead of what the rest says: a dict of texts by
        the names of columns.
    :ivar tracked: the server that it tracks, or None; ``trackers`` are those that track it.
    """

    def __init__(self, backend, server, is_added=False):
        self.backend = backend
        self.server = server
        self.name = server.name
        self.sid = server.sid
        self.is_added = is_added
        self.is_backup = server.has('backup')
        self.first_weight = self.weight = number_of(server.value('weight', '1'))
        self.shown_weight = self.weight
        self.maxconn = number_of(server.value('maxconn', '0'))
        self.resolvers = server.value('resolvers')
        self.has_ssl = 'ssl' in server.words
        self.uses_ssl = server.has('ssl')
        self.host, self.address = self._resolve(server.address)
        self.port = server.port
        self.has_relative_port = not server.port or server.is_relative
        self.check_port = self.agent_port = number_of(server.value('port', '0'))
        self.check_address = self.agent_address = server.value('addr', '-')
        self.agent_port = number_of(server.value('agent-port', self.agent_port))
        self.agent_address = server.value('agent-addr', self.agent_address)
        self.agent_send = server.value('agent-send', '')
        rise, fall = (number_of(server.value(word, otherwise))
                      for word, otherwise in (('rise', '2'), ('fall', '3')))
        self.tracked, self.trackers = None, []
        is_checked = server.has('check') and server.value('track') is None
        self.check = Check(is_checked, rise, fall)
        has_agent = server.has('agent-check')
        self.agent = Check(has_agent, 1, 1, AGENT if has_agent else 0)
        if not has_agent:
            self.agent.health = 0
        self.admin = UNRESOLVED if self.host and self.address == '-' else 0
        self.state = RUNNING
        self.is_changed = False
        self.shown = {}
        # Until it was looked at that often, `show servers state` shows the former address.
        self.former_address, self.looks = None, 0
        if is_added:
            self._begin_added()
        elif server.has('disabled'):
            self.admin |= MAINT | CONFIGURED_MAINT
        if server.has('disabled'):
            self.check.set(PAUSED)
        if self.admin & ANY_MAINT:
            self.state, self.check.health, self.check.has_run = STOPPED, 0, False

    def _begin_added(self):
        """Begin as a server does that is added at run time: in maintenance, with checks off."""
        for check in (self.check, self.agent):
            check.set(ENABLED, False)
            check.health, check.has_run = 0, False
        self.shown_weight = 1
        if self.server.has('enabled'):
            self.check.health = self.check.rise
        else:
            self.admin = MAINT | (CONFIGURED_MAINT if self.server.has('disabled') else 0)

    def _resolve(self, address):
        """Return the name of a server, or None, and its address.

        A name stands for an address of this machine, unless only resolvers would find it.
        """
        if address.startswith(('unix@', 'abns@', '/')):
            return None, '-'
        if address in ('', '*'):
            return None, '.'.join('0000')
        if packed(address):
            return None, address
        words = self.server.value('init-addr', '').split(',')
        last = words[-1] if words[-1] else 'libc'
        if self.is_added or 'libc' not in words and last != 'libc' and 'last' not in words:
            return address, last if packed(last) else '-'
        return address, '127.0.0.1'

    # Which server its checks are those of

    @property
    def reference(self):
        """The server whose checks count: itself, or the last of those that it tracks."""
        server = self
        while server.tracked:
            server = server.tracked
        return server

    @property
    def is_usable(self):
        """Whether it takes new requests."""
        return bool(self.weight and not self.admin & (ANY_MAINT | ANY_DRAIN)
                    and self.state == RUNNING)

    # What changes it

    def set_admin(self, bit):
        """Set a bit of ``admin``; those that track it inherit it."""
        if self.admin & bit:
            return
        before = self.admin
        self.admin |= bit
        self._follow(before)
        kind, inherited = _kind_of(bit)
        if not self.admin & ~bit & kind:
            for tracker in self.trackers:
                tracker.set_admin(inherited)

    def clear_admin(self, bit):
        """Clear a bit of ``admin``."""
        if not self.admin & bit:
            return
        before = self.admin
        self.admin &= ~bit
        self._follow(before)
        kind, inherited = _kind_of(bit)
        if not self.admin & kind:
            for tracker in self.trackers:
                tracker.clear_admin(inherited)

    def _follow(self, before):
        """Do what comes with a change of ``admin``."""
        self.is_changed = True
        if self.admin & ANY_MAINT and not before & ANY_MAINT:
            for check in (self.check, self.agent):
                if check.is_enabled:
                    check.set(PAUSED)
            if self.state != STOPPED:
                self.check.health, self.state = 0, STOPPED
        elif before & ANY_MAINT and not self.admin & ANY_MAINT:
            for check in (self.check, self.agent):
                if check.is_enabled:
                    check.set(PAUSED, False)
                    check.health = check.rise
            reference = self.reference
            if self.tracked and reference.state != STOPPED:
                self.state = reference.state
            elif not self.tracked and self.check.is_passed and self.agent.is_passed:
                self.state = RUNNING

    def put(self, state):
        """Set what its checks have found out, for it and for those that track it.

        A server in maintenance stays as it is.
        """
        if self.admin & ANY_MAINT or self.state == state:
            return
        self.state, self.is_changed = state, True
        for tracker in self.trackers:
            tracker.put(state)

    def settle(self):
        """Let its checks pass, as they do for a server that works."""
        for check in (self.check, self.agent):
            if check.is_configured and check.is_shown and check.health >= check.rise:
                check.health, check.has_run = check.most, True

    # What it looks like

    @property
    def status(self):
        """Its status in the words of ``show stat``."""
        reference = self.reference
        if self.admin & UNRESOLVED:
            return 'MAINT (resolution)'
        if self.admin & INHERITED_MAINT and self.tracked:
            return 'MAINT (via {0}/{1})'.format(self.tracked.backend, self.tracked.name)
        if self.admin & ANY_MAINT:
            return 'MAINT'
        check, agent = reference.check, reference.agent
        is_full = check.health == check.most
        if self.state == STOPPED:
            if agent.is_enabled and not agent.health:
                return 'DOWN (agent)'
            if check.is_enabled and check.health or agent.is_enabled and not check.is_enabled:
                return 'DOWN {0}/{1}'.format(check.health, check.rise)
            return 'DOWN'
        progress = ' {0}/{1}'.format(check.health - check.rise + 1, check.fall)
        if self.state == STOPPING:
            is_checked = self.check.is_enabled or self.tracked
            return 'NOLB' + (progress if is_checked and not is_full else '')
        if self.admin & ANY_DRAIN:
            if agent.is_enabled:
                return 'DRAIN (agent)'
            return 'DRAIN' + (progress if check.is_enabled and not is_full else '')
        if not check.is_enabled:
            return 'no check'
        return 'UP' + ('' if is_full else progress)

    @property
    def shown_address(self):
        """Its address in ``show stat``."""
        if self.address == '-':
            return 'unix' if self.host is None else ''
        return ('[{0}]:{1}' if ':' in self.address else '{0}:{1}').format(self.address, self.port)

    def line(self, proxy, columns):
        """Return its line in the reply to ``show servers state``.

        :param columns: how many columns the version has.
        """
        check = self.check
        address, port = self.address, self.port
        if self.looks:
            (address, port), self.looks = self.former_address, self.looks - 1
        passed = _PASSED_HTTP if proxy.last('option', 'httpchk') is not None else _PASSED
        fields = [
            proxy.iid, proxy.name, self.sid, self.name, address, self.state, self.admin,
            self.weight, self.first_weight, 0,
            passed if check.has_run else _UNKNOWN, _RESULT if check.has_run else 0, check.health,
            check.bits, self.agent.bits, int(proxy.value('id') is not None),
            int(self.server.value('id') is not None),
            self.host or '-', port, '-', int(self.uses_ssl), self.check_port,
            self.check_address, self.agent_address, self.agent_port]
        return ' '.join(str(self.shown.get(name, field))
                        for name, field in zip(COLUMNS[:columns], fields)) + '\n'


def number_of(word):
    """Return the number at the beginning of a word, as C reads it; 0 if there is none."""
    match = _NUMBER.match(str(word))
    return int(match.group()) if match else 0


def _kind_of(bit):
    """Return all bits of the kind of one, and the one that trackers inherit."""
    if bit & ANY_MAINT:
        return ANY_MAINT, INHERITED_MAINT
    return ANY_DRAIN, INHERITED_DRAIN
