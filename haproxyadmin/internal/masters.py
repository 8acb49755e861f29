# SPDX-License-Identifier: Apache-2.0
"""What can be done with masters: find their workers, and reload HAProxy."""
import collections
import errno

from haproxyadmin.exceptions import (CommandFailed, HAProxySocketError, ReloadFailed,
                                     SocketApplicationError, SocketConnectionError, SocketTimeout,
                                     WaitTimeout)
from haproxyadmin.internal.endpoint import Endpoint
from haproxyadmin.internal.fanout import (MasterOperation, Operation, info_operation, run, run_all,
                                          run_reads)
from haproxyadmin.parsers.lines import first_line
from haproxyadmin.parsers.workers import is_workers, parse_reload, parse_workers
from haproxyadmin.protocol import commands, replies, transport
from haproxyadmin.protocol.addresses import MasterAddress
from haproxyadmin.protocol.words import to_bytes, to_native

# What a master of 2.8 or later says if it has not begun to reload.
IN_PROGRESS = 'Another reload is still in progress.'
# Errors that end with another reload.
SOON = (SocketApplicationError, SocketConnectionError, SocketTimeout)


class ReloadResult(collections.namedtuple('ReloadResult', 'succeeded output old_pids new_pids')):
    """What :meth:`haproxyadmin.haproxy.HAProxy.reload` has done.

    ``succeeded`` is True; ``output`` is what HAProxy wrote while it started, ``''`` before 2.8;
    ``old_pids`` and ``new_pids`` list the workers before and after.
    """

    __slots__ = ()


class Masters(object):
    """The masters of an object.

    :param addresses: where their sockets are.
    :param options: what :class:`haproxyadmin.internal.endpoint.Endpoint` takes after the address.
    :param wants_former: True to read from former workers, too.
    """

    def __init__(self, addresses, options, wants_former):
        self.wants_former = wants_former
        self._named = [Endpoint(MasterAddress(address.text, address), *options)
                       for address in addresses]
        # Those that answered when they were looked for, and those that are used.
        self._answering = self._endpoints = []

    def look(self):
        """Ask each master for its workers: once, or while it may be reloading.

        :return: for each master the arguments of :class:`haproxyadmin.internal.discovery.Place`.
        """
        outcomes = run_all([_show_proc(endpoint, MasterOperation, transport.PROBE)
                            for endpoint in self._named])
        found, answering = [], []
        for endpoint, outcome in zip(self._named, outcomes):
            if transport.is_our_own(outcome):
                raise outcome
            address, failed = endpoint.address, isinstance(outcome, Exception)
            # From 3.2 on a socket of level user may not ask, but may read from the worker.
            denied = isinstance(outcome, CommandFailed) and replies.is_denied(
                to_bytes(str(outcome)))
            numbers = [1] if denied else [] if failed else sorted(set(
                worker.number or 1 for worker in outcome[1] if worker.current))
            answering += [endpoint] if numbers else []
            found.append((address, False, [
                address.current_worker(number, len(numbers) == 1) for number in numbers],
                None if numbers else _no_worker(address.text, outcome if failed else None)))
        self._answering = answering
        return found

    def use_answering(self):
        """Use the masters that have answered from now on."""
        self._endpoints = self._answering

    def former(self):
        """Return the addresses of the former workers that still run; asks each master."""
        return [endpoint.address.process(worker.pid, is_former=True)
                for endpoint, worker in self.workers() if not worker.current]

    def workers(self):
        """Return pairs of a master's endpoint and a worker; asks each master."""
        answers = run_reads([_show_proc(endpoint) for endpoint in self._endpoints])
        return [(endpoint, worker) for endpoint, (_, workers) in zip(self._endpoints, answers)
                for worker in workers]

    def reload(self, wait):
        """Reload HAProxy, one master after the other.

        :type wait: haproxyadmin.internal.waiting.Wait
        :rtype: ReloadResult
        """
        total = ReloadResult(True, '', [], [])
        for number, endpoint in enumerate(self._endpoints):
            wait.report(number, len(self._endpoints), 'reloading {0}'.format(endpoint.socket_file))
            result = _Reload(endpoint, wait, total).run()
            total = _add(total, result)
        wait.report(len(self._endpoints), len(self._endpoints), 'reloaded')
        return total


def former_addresses(worker):
    """Return the addresses of the former workers that still run; asks the master.

    :param worker: the endpoint of a current worker.
    """
    base = worker.address.base
    _, workers = run(_show_proc(worker.at(MasterAddress(base.text, base))))
    return [worker.address.process(other.pid, is_former=True)
            for other in workers if not other.current]


def _no_worker(text, error):
    """Return why a master cannot be used.

    :param error: why it has not answered, or None.
    :rtype: haproxyadmin.exceptions.HAProxySocketError
    """
    if isinstance(error, HAProxySocketError):
        return error
    if error is not None:
        return SocketApplicationError(text, '{0}: {1}'.format(text, error))
    return SocketConnectionError(text, '{0}: the master has no worker'.format(text))


def _add(total, result):
    return ReloadResult(total.succeeded and result.succeeded, total.output + result.output,
                        total.old_pids + result.old_pids, total.new_pids + result.new_pids)


def _show_proc(endpoint, kind=Operation, conduct=transport.PLAIN):
    """Return the operation that asks a master for its processes.

    :param kind: (optional) its class.
    """
    return kind(endpoint, commands.SHOW_PROC, _interpret_proc, conduct=conduct)


def _interpret_proc(lines):
    line = first_line(lines)
    if not is_workers(lines) and replies.is_refusal(line):
        raise CommandFailed('this is not the socket of a master: {0!r}'.format(line[:80])
                            if line.startswith('Unknown command') else line)
    return parse_workers(lines)


class _Reload(object):
    """One reload of one master.

    :param before: what other masters have answered.
    :type before: ReloadResult
    """

    def __init__(self, endpoint, wait, before):
        self._endpoint = endpoint
        self._wait = wait
        self._before = before
        # What the master and its current workers were before it was sent the command.
        self._master, self._old_pids = None, []
        # What the master says, which does so from 2.8 on: True, False, or None if not known.
        self._succeeded = None
        self._output = ''
        # How many reloads the master has seen.
        self._reloads = 0

    def run(self):
        """Reload and wait until the new workers answer.

        :rtype: ReloadResult
        """
        self._start()
        while True:
            workers = self._look_again()
            pids = [worker.pid for worker in workers]
            if self._has_failed(pids):
                raise self._failure()
            if self._have_taken_over(workers):
                return self._result(True, pids)
            if not self._wait.pause():
                raise WaitTimeout('{0}: no new worker answers {1:g} s after the reload'.format(
                    self._endpoint.socket_file, self._wait.timeout), _add(
                        self._before, self._result(False, sorted(set(pids) - set(self._old_pids)))))
            if self._is_lost(pids):
                self._start()

    def _start(self):
        """Send the command, after any other reload."""
        while True:
            outcome = self._attempt(_show_proc(self._endpoint))
            if not isinstance(outcome, Exception):
                self._master, self._old_pids = outcome[0], [
                    worker.pid for worker in outcome[1] if worker.current]
                self._succeeded, self._output = self._send()
                if self._output != IN_PROGRESS:
                    return
            elif not isinstance(outcome, SOON) or outcome.errno == errno.ENOENT:
                raise outcome
            if not self._wait.pause():
                raise WaitTimeout('{0}: not reloaded within {1:g} s: {2}'.format(
                    self._endpoint.socket_file, self._wait.timeout,
                    outcome if isinstance(outcome, Exception) else self._output),
                    _add(self._before, self._result(False, [])))

    def _send(self):
        """Send the command; return what the master says, see :func:`parse_reload`."""
        operation = Operation(self._endpoint, commands.RELOAD, parse_reload, reads=False)
        # The answer comes after the new worker has read its configuration.
        operation.timeout = None
        outcome = self._attempt(operation)
        # Up to 2.6 the master closes the connection instead of answering.
        return (None, '') if isinstance(outcome, Exception) else outcome

    def _look_again(self):
        """Return the current workers; none if the master does not answer."""
        outcome = self._attempt(_show_proc(self._endpoint))
        if isinstance(outcome, Exception):
            return []
        self._reloads = outcome[0].reloads
        return [worker for worker in outcome[1] if worker.current]

    def _attempt(self, operation):
        """Run an operation once; return its value, or the error of a master that is not reached."""
        outcome = run_all([operation], repeat=False, deadline=self._wait.deadline)[0]
        if isinstance(outcome, Exception) and (
                not isinstance(outcome, HAProxySocketError) or transport.is_our_own(outcome)):
            raise outcome
        return outcome

    def _has_failed(self, pids):
        """Return True if the old workers go on."""
        if self._succeeded is not None:
            return not self._succeeded
        return set(pids) == set(self._old_pids) and self._reloads > self._master.reloads

    def _is_lost(self, pids):
        """Return True if the command did not arrive, for instance during another reload."""
        return (self._succeeded is None and set(pids) == set(self._old_pids)
                and self._reloads == self._master.reloads)

    def _have_taken_over(self, workers):
        """Return True if all current workers are new ones, and answer.

        From 3.1 on a new worker is listed while it reads its configuration; whoever is asked for
        the current worker by its number then gets the old one.
        """
        pids = [worker.pid for worker in workers]
        if not pids or set(pids) & set(self._old_pids):
            return False
        endpoints = [self._endpoint.at(self._endpoint.address.current_worker(
            worker.number or 1, False)) for worker in workers]
        answers = run_all([info_operation(endpoint, lambda info: int(info['Pid']))
                           for endpoint in endpoints], repeat=False, deadline=self._wait.deadline)
        return answers == pids

    def _result(self, succeeded, new_pids):
        return ReloadResult(succeeded, self._output, self._old_pids, new_pids)

    def _failure(self):
        error = ReloadFailed('{0}: HAProxy refused the configuration{1}'.format(
            self._endpoint.socket_file, ':\n' + self._output if self._output else ''),
            _add(self._before, self._result(False, [])))
        error.set_context(to_native(commands.RELOAD), self._endpoint.socket_file)
        return error
