# SPDX-License-Identifier: Apache-2.0
"""Run the console sessions of README.rst and of the docs on a throwaway HAProxy.

``session.py HAPROXY [-i]`` runs the session of the page "A tour" and prints each
statement and its output; tools/try calls it.  The tests compare the output with
the documents.

In a document ``/run/haproxy`` is the directory of the stats sockets and
``/etc/haproxy`` that of the configuration, ``/var/lib/haproxy`` one for other files.  A comment ``.. lab: STATEMENT`` runs
at its place in the document and is not shown.  The statement can use the lab.Lab
as ``lab``, and ``wait_until``, and may set names for later statements.  The page
"Reaching HAProxy" runs on several HAProxies, the Hosts: ``lab`` is the first of
them, ``hosts`` are all.
"""

from __future__ import print_function
import __future__

import argparse
import doctest
import os
import re
import signal
import sys
import traceback

import six

from haproxyadmin.__main__ import interact
from tests.support import ROOT, lab, relay, ways

TOUR = os.path.join(ROOT, 'docs', 'source', 'tour.rst')

# The requests sent before a session begins: frontend, server, count.  If a
# frontend is in two processes, the server is given: which process gets a request
# is random, and each process balances its own requests.
TRAFFIC = [
    ('haproxy', None, 4),
    ('haproxy-stats', None, 1),
    ('haproxy-stats2', None, 1),
    ('haproxy-stats3', None, 1),
    ('haproxy-stats4', None, 1),
    ('frontend_proc1', None, 28),
    ('frontend_proc2', None, 100),
    ('frontend1_proc34', 'bck1_proc34_srv1', 5),
    ('frontend1_proc34', 'bck1_proc34_srv2', 5),
    ('frontend1_proc34', 'bck_all_srv1', 6),
    ('frontend2_proc34', 'bck2_proc34_srv1', 2),
    ('frontend2_proc34', 'bck2_proc34_srv2', 97),
    ('frontend2_proc34', 'bck_all_srv1', 1),
]

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

BANNER = """
hap is the HAProxy of the session: try hap.<Tab> or help(hap).
lab is what runs it: lab.traffic('frontend_proc1', 10), lab.kill_process(2).
Ctrl-D ends this and removes everything."""

_ASIDE = re.compile(r'^ *\.\. lab: (.*)$', re.MULTILINE)


class Aside(object):
    """A ``.. lab:`` statement of a document."""

    def __init__(self, source, lineno):
        self.source = source
        self.lineno = lineno


def steps(text):
    """Return the examples and asides of a document, in order."""
    asides = [Aside(match.group(1), text.count('\n', 0, match.start()))
              for match in _ASIDE.finditer(text)]
    examples = doctest.DocTestParser().get_examples(text)
    return sorted(examples + asides, key=lambda step: step.lineno)


def send_traffic(started):
    """Send the requests whose counts the sessions show."""
    for frontend, server, count in TRAFFIC:
        statuses = started.traffic(frontend, count, server=server)
        if statuses != [200] * count:
            raise lab.LabError('%s answered %s' % (frontend, statuses))


class Hosts(lab.Stopped):
    """Three HAProxies of one process each, for pages about masters.

    To a document they are ``lb1.example.com`` and so on.  The first two have masters and a TLS
    front, the third one does not answer before ``start_third()``.  The first one is also the
    HAProxy of the machine on which the document runs.

    :ivar lab: the first one.
    :ivar places: the addresses and files of the document, and those here.
    """

    def __init__(self, binary):
        self._parts = []
        try:
            labs = [self._keep(lab.Lab(binary, single=True, master_worker=True,
                                       extra=ways.stats_ports(1))) for _ in range(2)]
            # The library sorts by address: the order has to be that of the document.
            self.lab, second = sorted(labs, key=lambda started: str(started.stats_ports[0]))
            abstract = 'abns@haproxyadmin-%d' % self.lab.stats_ports[0]
            # Not of one with a master: its former workers would not answer (HAProxy 2.2).
            self._third = self._keep(lab.Lab(
                binary, single=True, extra='\nglobal\n    stats socket %s\n' % abstract))
            front = self._keep(ways.TlsFront(binary, self.lab.socket_files + second.socket_files))
        except BaseException:
            self.stop()
            raise
        # Sorted behind those of the others; nobody listens there yet.
        self._third_address = '127.0.0.3', self.lab.stats_ports[0]
        tls = sorted(front.addresses)
        self.places = [
            ('/run/haproxy-master.sock', self.lab.master_files[0]),
            ('/run/haproxy/admin.sock', self.lab.socket_files[0]),
            ('abns@haproxy', abstract),
            ('/etc/ssl/lb/ca.pem', front.keys.authority),
            ('/etc/ssl/lb/admin.pem', front.keys.client),
            ('ssl@lb1.example.com:9998', tls[0]),
            ('ssl@lb2.example.com:9998', tls[1]),
            ('lb1.example.com:9999', '127.0.0.1:%d' % self.lab.stats_ports[0]),
            ('lb2.example.com:9999', '127.0.0.1:%d' % second.stats_ports[0]),
            ('lb3.example.com:9999', '%s:%d' % self._third_address),
        ]

    def _keep(self, part):
        self._parts.append(part)
        return part

    def start_third(self):
        """Have the third HAProxy answer on its address."""
        self._relay = relay.Relay(self._third_address, self._third.socket_files[0])

    def stop_third(self):
        """End that."""
        self._relay.refuse()

    def break_configuration(self):
        """Write a configuration that HAProxy refuses; return what mends it."""
        with open(self.lab.config_file) as config:
            good = config.read()
        self.lab.configure(good.replace('mode http', 'mode htttp'))
        return lambda: self.lab.configure(good)

    def stop(self):
        """Stop all of them."""
        for part in reversed(self._parts):
            if isinstance(part, lab.Lab):
                # The document has reloaded it.
                part.look_again()
            part.stop()


class Console(object):
    """A Python console on a lab.

    :param names: (optional) the names that are already defined.
    :param hosts: (optional) the :class:`Hosts` to which the lab belongs.
    """

    def __init__(self, started, names=(), hosts=None):
        self.names = dict(names, __name__='__main__')
        self._backstage = {'lab': started, 'hosts': hosts, 'wait_until': lab.wait_until}
        self._places = (hosts.places if hosts else []) + [
            ('/etc/haproxy/haproxy.cfg', started.config_file),
            ('/etc/haproxy', os.path.join(started.directory, 'files')),
            ('/run/haproxy', started.socket_dir),
            ('/var/lib/haproxy', started.directory),
        ]

    def here(self, text):
        """Replace the places of the documents in a text with those of this lab."""
        return _replaced(text, dict(self._places))

    def there(self, text):
        """Replace the places of this lab in an output with those of the documents."""
        return _replaced(text, dict((real, documented) for documented, real in self._places))

    def aside(self, step):
        """Run a ``.. lab:`` statement."""
        six.exec_(step.source, self._backstage)

    def run(self, example):
        """Run an example; return what it prints, and the exception or None."""
        printed = six.StringIO()
        stdout, displayhook = sys.stdout, sys.displayhook
        sys.stdout, sys.displayhook = printed, sys.__displayhook__
        error = None
        try:
            self._execute(self.here(example.source))
        except Exception as raised:
            error = raised
            printed.write(_traceback())
        finally:
            sys.stdout, sys.displayhook = stdout, displayhook
        return printed.getvalue(), error

    def _execute(self, source):
        # Print is a function on Python 2, too.
        flags = __future__.print_function.compiler_flag
        six.exec_(compile(source, '<stdin>', 'single', flags, True), self.names)


def _replaced(text, words):
    """Return a text in which each word is replaced; of several that match, the longest one."""
    pattern = '|'.join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return re.sub(pattern, lambda match: words[match.group()], text)


def _traceback():
    """Return the traceback of the current exception as a console prints it."""
    kind, error, frames = sys.exc_info()
    while frames and frames.tb_frame.f_code.co_filename != '<stdin>':
        frames = frames.tb_next
    return ''.join(traceback.format_exception(kind, error, frames))


def prompted(source):
    """Return source code as it looks when typed in a console."""
    lines = source.rstrip('\n').split('\n')
    if lines[0].endswith(':'):
        # The console needs an empty line at the end of a block.
        lines.append('')
    return '\n'.join(['>>> ' + lines[0]] + [('... ' + line).rstrip() for line in lines[1:]])


class Surprise(Exception):
    """An example raised an exception that the document does not show, or vice versa."""


def play(console, text):
    """Run a document, printing each statement and its output."""
    for step in steps(text):
        if isinstance(step, Aside):
            console.aside(step)
            continue
        print(prompted(console.here(step.source)))
        output, error = console.run(step)
        sys.stdout.write(output)
        sys.stdout.flush()
        if bool(error) != bool(step.exc_msg):
            raise Surprise('the page shows another outcome of this')


class Signals(object):
    """Raise exceptions for the signals that end a program, while these are allowed.

    At other times they are deferred, so that nothing is left half started or half stopped.
    """

    def __init__(self):
        self._allowed = False
        self._waiting = []
        for number in ENDING:
            # nohup and the shell's "&" make a program ignore some of them.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._arrived)
        # tools/try has blocked them until now.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)

    def allow(self):
        self._allowed = True
        if self._waiting:
            self._raise(self._waiting[0])

    def hold(self):
        self._allowed = False

    def _arrived(self, number, frame):
        if self._allowed:
            self._raise(number)
        self._waiting.append(number)

    def _raise(self, number):
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)


def run(binary, interactive, signals):
    """Run the tour on the HAProxy at ``binary``."""
    try:
        started = lab.Lab(binary)
    except (lab.LabError, lab.Missing):
        # A signal may also have reached the processes that it started: raise that first.
        signals.allow()
        raise
    try:
        signals.allow()
        send_traffic(started)
        print('# HAProxy %s with %d processes, stats sockets in %s' % (
            started.version, len(started.pids), started.socket_dir))
        console = Console(started)
        with open(TOUR) as text:
            play(console, text.read())
        if interactive:
            interact(dict(console.names, lab=started), BANNER)
    finally:
        # If a signal arrives before this, the lab is stopped when the program exits.
        signals.hold()
        started.stop()


def main():
    """Run the tour; return the exit status."""
    signals = Signals()
    parser = argparse.ArgumentParser(description=__doc__.split('\n\n')[0])
    parser.add_argument('haproxy', help='path of an HAProxy')
    parser.add_argument('-i', action='store_true', help='end in a console')
    options = parser.parse_args()
    try:
        run(options.haproxy, options.i, signals)
    except (lab.LabError, lab.Missing, Surprise) as error:
        print('FAILED: %s' % error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('\ninterrupted; everything is removed', file=sys.stderr)
        return 128 + signal.SIGINT
    except IOError as error:
        # The reader of the pipe has gone; nothing more can be printed.
        sys.stdout = open(os.devnull, 'w')
        print('FAILED: %s' % error, file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
