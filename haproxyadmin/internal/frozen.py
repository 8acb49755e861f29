# SPDX-License-Identifier: Apache-2.0
"""A process as it was at one moment."""
from haproxyadmin.internal.fanout import Operation, learn_info
from haproxyadmin.internal.process import _HAProxyProcess
from haproxyadmin.parsers.lines import split_lines
from haproxyadmin.protocol import commands


class _FrozenProcess(_HAProxyProcess):
    """A process as it was at one moment: reads come from memory, changes are sent.

    :param process: the live process.
    :param info: its reply to ``show info``, a dict.
    :param dump: its reply to ``show stat``.
    :type dump: :class:`haproxyadmin.parsers.stats.Dump`
    """

    __slots__ = ('_live', '_info', '_dump')

    in_memory = True

    def __init__(self, process, info, dump):
        super(_FrozenProcess, self).__init__(process.endpoint.address, process.retry,
                                             process.retry_interval, process.timeout)
        # Not the live one: later changes must not show in a snapshot.
        self.endpoint = process.endpoint.copy()
        self._live = process
        self._info = info
        self._dump = dump

    @property
    def live(self):
        """The process that answers from HAProxy itself."""
        return self._live

    def info_operation(self, interpret):
        """Return what ``interpret`` makes of the information in memory."""
        return interpret(dict(self._info))

    def dump_operation(self, interpret, iid=-1, kind=commands.EVERYTHING, sid=-1, complete=False):
        """Return what ``interpret`` makes of all rows in memory; it finds its own by name."""
        return interpret(self._dump)


def freeze_operation(process):
    """Return the operation that reads everything; its value is a :class:`_FrozenProcess`.

    The reply consists of two, with an empty line between them.
    """
    rows = process.rows

    def show(repeat):
        marked = rows.marks_ids
        # Looking for quotes in the bytes takes a tenth of the time.
        return Operation(process.endpoint, commands.show_all(marked),
                         lambda parsed: freeze(repeat, marked, *parsed),
                         parse=lambda reply: (split_lines(reply), b'"' in reply))

    def freeze(repeat, marked, lines, quoted):
        end = lines.index('') if '' in lines else len(lines)
        info = learn_info(process.endpoint, lines[:end])
        dump = rows.parse(lines[end + 1:], listeners=False, quoted=quoted)
        if repeat and rows.is_doubtful(commands.ROWS, dump, info, marked):
            return show(repeat=False)
        rows.accept(commands.ROWS, dump, info)
        return _FrozenProcess(process, info, dump)
    return show(repeat=True)
