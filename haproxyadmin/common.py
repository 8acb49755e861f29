# SPDX-License-Identifier: Apache-2.0
"""What all public objects have in common."""
import operator

from haproxyadmin.combine import aggregate
from haproxyadmin.imports import string_types
from haproxyadmin.internal.grouping import distinct
from haproxyadmin.protocol.words import to_native
from haproxyadmin.spelling import is_typo

# Methods that change what a property shows, if they are not named after the property.
_SETTERS = {'status': 'setstate'}


class Checked(object):
    """An object that refuses an assignment that would only hide a mistake.

    Assigning to a name that resembles a public one of the class, or to a property that cannot be
    set, raises :class:`AttributeError`. A program may add any other attribute.
    """

    def __setattr__(self, name, value):
        if name not in self.__dict__ and not name.startswith('_'):
            _check_assignment(type(self), name)
        super(Checked, self).__setattr__(name, value)


def _check_assignment(kind, name):
    known = getattr(kind, name, None)
    if isinstance(known, property) and known.fset is None:
        setter = _SETTERS.get(name, 'set' + name)
        raise AttributeError('{0}.{1} cannot be set{2}'.format(
            kind.__name__, name, ', use {0}()'.format(setter) if hasattr(kind, setter) else ''))
    if known is None and not hasattr(kind, name):
        for own in dir(kind):
            if not own.startswith('_') and is_typo(name, own):
                raise AttributeError('{0} has no attribute {1!r}; did you mean {2!r}?'.format(
                    kind.__name__, name, own))


class Shared(Checked):
    """An object over all HAProxy processes that have it."""

    # One member for each socket, even if sockets turn out to belong to one process.
    _found = ()

    @property
    def _members(self):
        """Its objects, one of each process."""
        return distinct(self._found)

    def _per_process(self, values):
        return [(member.process_nb, value) for member, value in zip(self._members, values)]

    def _per_socket(self, values):
        return [(member.socket_file, value) for member, value in zip(self._members, values)]


class Named(Shared):
    """Something that HAProxy has under a name.

    :param name: its name.
    :param members: the processes that have it, or its objects in them.
    :type members: list
    """

    # Takes an object; two objects are equal if it returns the same for both.
    _IDENTITY = operator.attrgetter('_name')

    def __init__(self, name, members):
        # Not by assignment, which is checked: there may be tens of thousands of servers.
        attributes = self.__dict__
        attributes['_found'] = members
        attributes['_name'] = name

    def __repr__(self):
        return '{0}({1!r}, processes={2})'.format(
            self.__class__.__name__, self.name, self.process_nb)

    def __eq__(self, other):
        if isinstance(other, self.__class__):
            return self._IDENTITY(self) == self._IDENTITY(other)
        if isinstance(other, string_types):
            return self.name == to_native(other)
        return NotImplemented

    def __ne__(self, other):
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __hash__(self):
        # By the name alone, because it equals its name.
        return hash(self.name)

    @property
    def name(self):
        """The name; costs nothing.

        :rtype: str
        """
        return self._name

    @property
    def process_nb(self):
        """The numbers of the processes that have it, ascending; costs nothing.

        From HAProxy 2.5 on each of them is 1.

        :rtype: list of int
        """
        return [member.process_nb for member in self._members]


class Combined(Shared):
    """An object that has metrics."""

    def metric_per_process(self, name):
        """Return a metric of each process; see :meth:`metric`.

        :param name: see :meth:`metric`.
        :type name: str
        :return: list of ``(process number, number)``.
        :rtype: list of tuple
        :raises ValueError: see :meth:`metric`.

        Usage::

            >>> hap.metric_per_process('Maxconn')
            [(1, 10000), (2, 10000), (3, 10000), (4, 10000)]
        """
        return self._per_process(self._metric_of_each(name))

    def metric_per_socket(self, name):
        """Return a metric of each process by its socket; see :meth:`metric`.

        From HAProxy 2.5 on the number of every process is 1, so that only the socket
        distinguishes processes.

        :param name: see :meth:`metric`.
        :type name: str
        :return: list of ``(socket file, number)``.
        :rtype: list of tuple
        :raises ValueError: see :meth:`metric`.

        Usage::

            >>> hap.backend('backend1_proc34').metric_per_socket('act')
            [('/run/haproxy/haproxy-3.sock', 3), ('/run/haproxy/haproxy-4.sock', 3)]
        """
        return self._per_socket(self._metric_of_each(name))

    def _metric_of_each(self, name):
        return [aggregate(name, [text]) for text in self._metric_texts(name)]

    def _metric_texts(self, name):
        """Return what each process reports for a metric."""
        raise NotImplementedError
