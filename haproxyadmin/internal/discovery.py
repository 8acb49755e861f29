# SPDX-License-Identifier: Apache-2.0
"""Find the processes that answer where a caller looks for them."""
import collections
import os

from haproxyadmin import imports
from haproxyadmin.exceptions import NoHAProxyFound, SocketConnectionError
from haproxyadmin.imports import Pattern
from haproxyadmin.internal.endpoint import check_option
from haproxyadmin.internal.fanout import probe_operation, run_all
from haproxyadmin.internal.grouping import group_endpoints, highest_level
from haproxyadmin.internal.process import _HAProxyProcess
from haproxyadmin.parsers.values import TEXT
from haproxyadmin.protocol import transport
from haproxyadmin.protocol.addresses import FORMS, Address, Tls, parse_address, path_address
from haproxyadmin.protocol.words import decode_path, text_of_path, to_bytes
from haproxyadmin.utils import is_unix_socket

# Bytes of the longest path of a Unix socket.
MAX_SOCKET_PATH = 107
WORKERS = ('current', 'all')
# The names that HAProxy gives to the new and the old socket while it binds.
_BINDING = Pattern(r'\.[0-9]+\.(tmp|bak)\Z')


class Refreshed(collections.namedtuple('Refreshed', 'joined left left_out')):
    """What :meth:`haproxyadmin.haproxy.HAProxy.refresh` has found.

    ``joined`` and ``left`` list the addresses of processes that are new, and of those that have
    gone; ``left_out`` is :attr:`haproxyadmin.haproxy.HAProxy.left_out`.
    """

    __slots__ = ()


class Search(object):
    """Where to look for processes, and how to talk to them.

    The parameters are those of :class:`haproxyadmin.haproxy.HAProxy`.

    :raises ValueError: for a wrong argument.
    """

    def __init__(self, socket_dir, socket_file, retry, retry_interval, timeout, addresses, master,
                 workers, ssl_context, allow_missing, allow_plain_secrets):
        self._options = retry, retry_interval, timeout, bool(allow_plain_secrets)
        self._allow_missing = bool(allow_missing)
        check_option('workers', workers, workers in WORKERS, "'current' or 'all'")
        check_option('ssl_context', ssl_context, ssl_context is None or hasattr(
            ssl_context, 'verify_mode'), 'an ssl.SSLContext')
        tls = Tls(ssl_context)
        self._places = []
        if socket_dir:
            path = _make_absolute(_check_path('socket_dir', socket_dir))
            self._places.append(Place(path_address(path), is_directory=True))
        elif socket_file:
            address = parse_address(_check_path('socket_file', socket_file), tls)
            if address.path:
                path = _make_absolute(address.path)
                address = Address(path if address.text == address.path else address.text, path)
            self._places.append(Place(address, is_directory=False))
        self._places += [Place(_absolute(parse_address(value, tls)))
                         for value in _as_list(addresses)]
        masters = [_absolute(parse_address(value, tls)) for value in _as_list(master)]
        self._masters = None
        if masters:
            # One that is named twice would be reloaded twice.
            masters = list(collections.OrderedDict(
                (address.key, address) for address in masters).values())
            from haproxyadmin.internal.masters import Masters  # for a master only
            self._masters = Masters(masters, self._options, workers == 'all')
        elif workers != 'current':
            raise ValueError("workers='all' needs master=")
        if not self._places and not masters:
            raise ValueError('pass socket_dir=, socket_file=, addresses= or master=')
        # Wrong options are reported before anything is looked for.
        self._process(path_address('/'))

    @property
    def masters(self):
        """The masters; None if none was named."""
        return self._masters

    def find(self, known=()):
        """Find the processes: send a ``show info`` to each candidate, concurrently and once.

        Where a master may be reloading, it is sent as often as ``retry`` says.

        :param known: (optional) the processes that were found before; those that still answer are
            the same objects.
        :return: the processes, sorted by process number and socket file, and ``(socket file,
            exception)`` of each candidate that did not answer.
        :rtype: tuple of list
        :raises haproxyadmin.exceptions.NoHAProxyFound: if nothing answers as HAProxy, or something
            that was named does not; the message lists each candidate and the reason.
        :raises haproxyadmin.exceptions.HAProxySocketError: if descriptors or memory run out, even
            if others answered.
        """
        for place in self._places:
            place.look()
        places = list(self._places)
        if self._masters is not None:
            places += [Place(*found) for found in self._masters.look()]
        known = _by_key(known)
        candidates = {}
        for place in places:
            for address in place.addresses:
                candidates.setdefault(
                    address.key, known.get(address.key) or self._process(address))
        keys = sorted(candidates)
        outcomes = dict(zip(keys, run_all([
            probe_operation(candidates[key].endpoint) for key in keys])))
        for key in keys:
            if transport.is_our_own(outcomes[key]):
                # Leaving processes out would mean changing only some of many.
                raise outcomes[key]
        self._check(places, outcomes)
        if self._masters is not None:
            self._masters.use_answering()
        answered = [candidates[key] for key in keys if not isinstance(outcomes[key], Exception)]
        return (sorted(_one_of_each(answered, known), key=_rank),
                _left_out(places, outcomes))

    def find_again(self, known):
        """Find the processes once more.

        :param known: the processes that were found before.
        :return: what :meth:`find` returns, and what has changed.
        :rtype: tuple of list and :class:`Refreshed`
        """
        found, left_out = self.find(known)
        before = [process.socket_file for process in known
                  if not process.endpoint.address.is_former]
        after = [process.socket_file for process in found]
        return found, left_out, Refreshed(
            [address for address in after if address not in before],
            [address for address in before if address not in after], list(left_out))

    def with_former(self, processes):
        """Return the processes together with the former workers of masters that still run.

        Asks each master, if the caller wants to read from former workers; otherwise it costs
        nothing.
        """
        if self._masters is None or not self._masters.wants_former:
            return processes
        known = _by_key(processes)
        return [process for process in processes if not process.endpoint.address.is_former] + [
            known.get(address.key) or self._process(address)
            for address in self._masters.former()]

    def _process(self, address):
        return _HAProxyProcess(address, *self._options)

    def _check(self, places, outcomes):
        """Check that enough has answered.

        :raises haproxyadmin.exceptions.NoHAProxyFound: if not.
        """
        missing = [place for place in places if place.is_missing(outcomes)]
        if not missing or (self._allow_missing and len(missing) < len(places)):
            return
        if len(places) == 1:
            raise missing[0].error(outcomes)
        errors = [place.error(outcomes) for place in missing]
        raise NoHAProxyFound(errors[0].socket_file, '\n  '.join(
            ['no HAProxy at {0} of {1} addresses'.format(len(missing), len(places))]
            + [str(error) for error in errors]), errors[0].cause)


class Place(object):
    """Something that a caller has named, where processes may answer.

    :param address: what was named.
    :type address: :class:`haproxyadmin.protocol.addresses.Address`
    :param is_directory: (optional) True for a directory with stats sockets, False for one socket;
        None to find out each time.
    :param addresses: (optional) what to ask, by default the address itself.
    :param failure: (optional) why nothing can be asked.

    ``addresses`` lists what to ask, after :meth:`look`.
    """

    def __init__(self, address, is_directory=None, addresses=None, failure=None):
        self.name = address.text
        self.addresses = [address] if addresses is None else addresses
        self._address = address
        self._is_directory = is_directory
        self._failure = failure
        self._others = 0

    def look(self):
        """Find out what to ask."""
        path, self._failure = self._address.path, None
        self.addresses = [self._address]
        if self._is_directory or (self._is_directory is None and path and os.path.isdir(path)):
            self.addresses, self._others = [], 0
            try:
                paths, self._others = _sockets_in(path, self.name)
            except NoHAProxyFound as error:
                self._failure = transport.without_trace(error)
            else:
                self.addresses = list(map(path_address, map(_make_absolute, paths)))

    def errors(self, outcomes):
        """Return ``(socket file, exception)`` of what did not answer.

        :param outcomes: what each address has answered.
        """
        if self._failure is not None:
            return [(self.name, self._failure)]
        return [(address.text, outcomes[address.key]) for address in self.addresses
                if isinstance(outcomes[address.key], Exception)]

    def is_missing(self, outcomes):
        """Return True if no process answers here."""
        return self._failure is not None or len(self.errors(outcomes)) == len(self.addresses)

    def error(self, outcomes):
        """Return the exception that says why no process answers here.

        :rtype: haproxyadmin.exceptions.NoHAProxyFound
        """
        errors = [error for _, error in self.errors(outcomes)]
        if isinstance(self._failure, NoHAProxyFound):
            return self._failure
        if self.addresses == [self._address] or self._failure is not None:
            hint = _hint(self._address) or (
                '; if this is the socket of a master, use master='
                if 'Unknown command' in str(errors[0]) and not self._address.stays_open else '')
            return NoHAProxyFound(self.name, '{0}{1}'.format(errors[0], hint), errors[0])
        lines = ['no HAProxy in {0}'.format(self.name)] + list(map(str, errors))
        if self._others:
            lines.append(_not_tried(self._others))
        return NoHAProxyFound(self.name, '\n  '.join(lines), errors[0])


def _as_list(values):
    """Return what a caller passed as one address or as several, as a list."""
    if values is None or isinstance(text_of_path(values), TEXT):
        return [values] if values else []
    if not hasattr(values, '__iter__'):
        raise ValueError('expected an address or several, got {0!r}'.format(values))
    return list(values)


def _check_path(name, value):
    """Return a caller's path as a ``str``."""
    path = decode_path(value)
    return check_option(name, path, isinstance(path, str) and '\0' not in path, 'a path')


def _absolute(address):
    """Return an address that remains right after a change of the working directory."""
    path = address.path
    return Address(address.text, _make_absolute(path)) if path else address


def _make_absolute(path):
    """Return a path that remains right after a change of the working directory."""
    if os.path.isabs(path):
        return path
    try:
        absolute = os.path.join(os.getcwd(), path)
    except OSError:
        return path  # the working directory has been removed
    if os.pardir not in path.split(os.sep):
        # Not with "..", which after a link does not lead back.
        absolute = os.path.normpath(absolute)
    return absolute if len(to_bytes(absolute)) <= MAX_SOCKET_PATH else path


def _sockets_in(socket_dir, place):
    """Return the paths of the sockets in a directory, and the number of other files in it.

    A file that cannot be examined may be a socket; connecting to it will show.

    :param place: the directory for messages.
    """
    try:
        names = sorted(os.listdir(socket_dir))
    except OSError as error:
        raise _not_listed(place, error)
    paths = [os.path.join(socket_dir, name) for name in names if not _is_skipped(name)]
    sockets = [path for path in paths if is_unix_socket(path) or not os.path.exists(path)]
    others = len(names) - len(sockets)
    if not sockets:
        message = 'no socket in {0}{1}'.format(
            place, '; ' + _not_tried(others) if others else ': it is empty')
        raise NoHAProxyFound(place, message, SocketConnectionError(place, message))
    return sockets, others


def _is_skipped(name):
    """Return True for a file that is not tried."""
    return name.startswith('.') or (
        name.endswith(('.tmp', '.bak')) and bool(_BINDING.search(name)))


def _not_tried(others):
    return 'not tried: {0} other file{1}'.format(others, '' if others == 1 else 's')


def _hint(address):
    """Return what to add to the error for something that is not a socket."""
    path = address.path
    if path is None or is_unix_socket(path):
        return ''
    if os.path.isdir(path):
        return '; this is a directory, use socket_dir='
    if os.path.exists(path):
        return '; this is not a socket'
    return '' if '/' in address.text else '; the forms of an address are {0}'.format(FORMS)


def _not_listed(socket_dir, error):
    hint = '; this is a socket, use socket_file=' if is_unix_socket(socket_dir) else ''
    cause = transport.kind_of(error)(
        socket_dir, 'cannot list {0}: {1}{2}'.format(socket_dir, error.strerror, hint), error)
    cause.__cause__ = error
    return cause if transport.is_our_own(cause) else NoHAProxyFound(
        socket_dir, str(cause), cause)


def _one_of_each(answered, known):
    """Return the processes that have answered, without those that are the same as another one.

    Of several sockets of a process, the one with the highest level is kept. Sockets that were
    known before stay, because a reload may give them a process of their own again.
    """
    kept = []
    by_endpoint = dict((process.endpoint, process) for process in answered)
    for group in group_endpoints([process.endpoint for process in answered]):
        best = highest_level(group)
        best.use_itself()
        kept.append(by_endpoint[best])
        for endpoint in group:
            if endpoint is not best and endpoint.address.key in known:
                endpoint.use_instead(best)
                kept.append(by_endpoint[endpoint])
    return kept


def _by_key(processes):
    return dict((process.endpoint.address.key, process) for process in processes)


def _rank(process):
    return process.process_nb, process.socket_file


def _left_out(places, outcomes):
    """Return ``(socket file, exception)`` of what did not answer."""
    left_out = [pair for place in places for pair in place.errors(outcomes)]
    logger = imports.logger()
    for _, error in left_out:
        if logger is not None:
            logger.info('left out: %s', error)
        cause = getattr(error, '__cause__', None)
        if cause is not None:
            # It is kept, and would keep the frames of all callers.
            transport.without_trace(cause)
    return left_out
