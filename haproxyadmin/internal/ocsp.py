# SPDX-License-Identifier: Apache-2.0
"""Read, set and update OCSP responses, as seen by each process."""
import binascii
import collections

from haproxyadmin.combine import check_ocsp
from haproxyadmin.exceptions import CommandFailed, HAProxySocketError, WaitTimeout
from haproxyadmin.imports import text_type
from haproxyadmin.internal.calls import (change_each, members_to_change, read_each, read_pairs,
                                         refused_on, require, require_if_known)
from haproxyadmin.internal.fanout import Operation, raise_first_error, run_all
from haproxyadmin.internal.grouping import renew
from haproxyadmin.internal.transaction import REPLACED, change_all_or_none
from haproxyadmin.parsers.ocsp import (parse_base64, parse_details, parse_ids, parse_response,
                                       parse_updates)
from haproxyadmin.protocol import commands, versions
from haproxyadmin.protocol.words import to_native
from haproxyadmin.spelling import suggest_or_list

_DER = ('an OCSP response must be bytes in DER, such as "openssl ocsp -respout FILE" writes; {0} '
        'with base64.b64decode()')


# Reading

def list_operation(process, interpret=None):
    """Return the operation that asks what the OCSP responses are for.

    :param interpret: (optional) takes the list of :class:`haproxyadmin.parsers.ocsp.ResponseId`.
    """
    require_if_known(process, versions.OCSP_RESPONSES)
    return Operation(process.endpoint, commands.SHOW_OCSP_RESPONSES, lambda lines: (
        parse_ids(lines) if interpret is None else interpret(parse_ids(lines))))


def responses_operation(process):
    """Return the operation that reads all OCSP responses, one after the other.

    Its value is a list of pairs of :class:`haproxyadmin.parsers.ocsp.ResponseId` and
    :class:`haproxyadmin.parsers.ocsp.Content`.
    """
    return list_operation(process, lambda known: _read_next(process, known, []))


def _read_next(process, known, found):
    if len(found) == len(known):
        # A response may be gone meanwhile.
        return [pair for pair in zip(known, found) if pair[1] is not None]
    # What shows the certificate also shows DER.
    return content_operation(
        process, known[len(found)].id, known[len(found)].certificate is not None,
        lambda content: _read_next(process, known, found + [content]))


def content_operation(process, ident, der, interpret=None):
    """Return the operation that reads one OCSP response.

    :param ident: its id.
    :param der: True to ask for DER, which HAProxy 2.8 has; the text may be too long for older ones.
    :param interpret: (optional) takes the :class:`haproxyadmin.parsers.ocsp.Content`, or None.
    """
    parse = parse_base64 if der else parse_details
    return Operation(process.endpoint, commands.show_ocsp_response(ident, der), lambda lines: (
        parse(lines) if interpret is None else interpret(parse(lines))))


# Setting

def set_response(processes, der):
    """Set an OCSP response in all processes, or in none where that is possible.

    :param der: see :meth:`haproxyadmin.haproxy.HAProxy.set_ocsp_response`.
    :return: True.
    """
    encoded, known = check_response(der)
    current = members_to_change(processes)
    former = {}
    if len(current) > 1:
        former = dict((process.socket_file, content) for process, content in read_pairs(
            current, lambda process: _former_operation(process, known)))

    def undo(process, _):
        content = former.get(process.socket_file)
        if content is None or content.der is None:
            raise refused_on(process, 'the OCSP response that it had is not known')
        return _set_operation(process, _encode(content.der))
    change_all_or_none(current, lambda process: _set_operation(process, encoded), undo, check_ocsp,
                       quick=True)
    return True


def check_response(der):
    """Return an OCSP response in base64, and what it is for.

    :rtype: tuple of bytes and :class:`haproxyadmin.parsers.ocsp.ResponseId`
    :raises ValueError: for anything else.
    """
    return _encode(der), parse_response(der)[0]


def _encode(der):
    """Return DER in base64.

    :raises ValueError: for text, and for PEM or base64 in bytes.
    """
    if isinstance(der, text_type):
        raise ValueError(_DER.format('got text; decode base64'))
    if not isinstance(der, (bytes, bytearray)):
        raise ValueError(_DER.format('got {0}; decode base64'.format(type(der).__name__)))
    if bytes(der[:2]) in (b'MI', b'--'):
        raise ValueError(_DER.format('got base64 or PEM; decode it, without the lines of dashes,'))
    return binascii.b2a_base64(bytes(der)).replace(b'\n', b'')


def _set_operation(process, encoded):
    return process.change_operation(commands.set_ocsp_response(encoded, process.version))


def _former_operation(process, known):
    """Return the operation that reads the OCSP response that is to be replaced.

    It refuses one that the process does not know, before another process gets it. HAProxy before
    2.6 cannot say; its value is None there, and where HAProxy does not show the response.
    """
    if versions.has(process.version, versions.OCSP_UPDATES):
        return content_operation(process, known.id, True, lambda content: (
            _check_known(content is not None, known) or content))
    if versions.has(process.version, versions.OCSP_RESPONSES):
        # Not the response itself, which may be too long.
        return list_operation(process, lambda all_known: _check_known(
            known.id in [own.id for own in all_known], known))
    return None


def _check_known(is_known, known):
    if not is_known:
        raise CommandFailed('no certificate there matches the OCSP response, which is for serial '
                            'number {0}'.format(known.serial))


# Updating

# What a process has: the id of the response, its Content, and the Update that is listed or None.
_State = collections.namedtuple('_State', 'id content update')


class OcspUpdated(collections.namedtuple('OcspUpdated', 'changed by_socket')):
    """What :meth:`haproxyadmin.haproxy.HAProxy.update_ocsp_response` has done.

    ``changed`` is True if a process has another response now, False if all have the same one as
    before, None if it is not known. ``by_socket`` lists ``(socket address, changed)`` of each
    process, None for one that has not finished.
    """

    __slots__ = ()


def update_response(processes, name, wait):
    """Have HAProxy update an OCSP response, and wait for it.

    :param name: the certificate.
    :param wait: see :class:`haproxyadmin.internal.waiting.Wait`.
    :rtype: OcspUpdated
    """
    name = to_native(name)
    current = members_to_change(processes)
    read_each(current, lambda process: _command(process, name))
    pairs = read_pairs(current, lambda process: _find_operation(process, name))
    before = [(process, state) for process, state in pairs if isinstance(state, _State)]
    if not before:
        names = set(own for _, names in pairs for own in names)
        raise ValueError('no OCSP response of a certificate {0!r}{1}'.format(
            name, suggest_or_list(name, names)))
    members = [process for process, _ in before]
    raise_first_error(list(renew(members).values()))
    updating = _Updating(before, wait)
    try:
        change_each(members, lambda process: process.change_operation(_command(process, name)))
        updating.wait_for_it()
    except BaseException as error:
        error.result = updating.result()
        raise
    return updating.result()


def _command(process, name):
    require(process, versions.OCSP_UPDATES)
    return commands.update_ocsp_response(name, process.version)


def _find_operation(process, name):
    """Return the operation that finds the response of a certificate.

    Its value is a :class:`_State`, or the names of all certificates that have one.
    """
    def find(known):
        for own in known:
            if own.certificate == name:
                return _state_operation(process, own.id, _check_updates)
        return [own.certificate for own in known if own.certificate]
    return list_operation(process, find)


def _check_updates(process, updates):
    """Check that no update of HAProxy's own comes between.

    :raises haproxyadmin.exceptions.CommandFailed: if one could, where that is dangerous.
    """
    if updates:
        versions.check_danger(versions.OCSP_UPDATE, process.version)


def _state_operation(process, ident, check=lambda process, updates: None):
    def note(lines):
        updates = parse_updates(lines)
        check(process, updates)
        return _with_content(process, ident, updates.get(ident))
    # In this order: the response is replaced before its update leaves the list.
    return Operation(process.endpoint, commands.SHOW_OCSP_UPDATES, note)


def _with_content(process, ident, update):
    return content_operation(process, ident, True,
                             lambda content: _State(ident, content, update))


class _Updating(object):
    """Updates that HAProxy makes, one in each process.

    HAProxy makes one at a time, and only reports the outcome of those that it repeats by itself
    (``ocsp-update on``): it lists others as long as they wait or run.

    :param before: pairs of the process and the :class:`_State` that it had.
    """

    def __init__(self, before, wait):
        self._before = before
        self._wait = wait
        self._identities = [process.endpoint.identity for process, _ in before]
        # The state of each process after the update, by its place.
        self._after = {}

    def wait_for_it(self):
        """Wait until no process updates the response any more.

        :raises haproxyadmin.exceptions.CommandFailed: if a process reports that it failed.
        """
        total = len(self._before)
        while True:
            try:
                self._look()
            except HAProxySocketError:
                if self._wait.seconds_left() > 0:
                    raise
            self._wait.report(len(self._after), total, 'the OCSP response is updated')
            if len(self._after) == total:
                return self._check()
            if not self._wait.pause():
                raise WaitTimeout('not within {0:g} s: the OCSP response is updated'.format(
                    self._wait.timeout), self.result())

    def _look(self):
        places = [place for place in range(len(self._before)) if place not in self._after]
        members = [self._before[place] for place in places]
        outcomes = raise_first_error(run_all(
            [_state_operation(process, state.id) for process, state in members],
            deadline=self._wait.deadline))
        for place, (_, state), now in zip(places, members, outcomes):
            if now.update is None or (state.update is not None
                                      and _counters(now) != _counters(state)):
                self._after[place] = now

    def _check(self):
        raise_first_error(list(renew([process for process, _ in self._before]).values()))
        for place, (process, state) in enumerate(self._before):
            now = self._after[place]
            if process.endpoint.identity is not self._identities[place]:
                raise refused_on(process, REPLACED.format(process.socket_file))
            if now.update and state.update and (
                    now.update.successes <= state.update.successes):
                raise refused_on(process, 'HAProxy could not update the OCSP response: {0}'.format(
                    now.update.text))

    def result(self):
        """Return how far it has come."""
        changed = [self._has_changed(place) for place in range(len(self._before))]
        return OcspUpdated(True if any(changed) else None if None in changed else False, [
            (process.socket_file, own) for (process, _), own in zip(self._before, changed)])

    def _has_changed(self, place):
        if place not in self._after:
            return None
        now, before = self._after[place].content, self._before[place][1].content
        return (now and now.der) != (before and before.der)


def _counters(state):
    return state.update.successes, state.update.failures
