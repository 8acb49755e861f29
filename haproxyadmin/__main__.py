# SPDX-License-Identifier: Apache-2.0
"""A console with ``hap`` ready: ``python -m haproxyadmin [ADDRESS ...]``.

Without a terminal it runs the script that it reads.
"""
from __future__ import print_function

import argparse
import code
import errno
import os
import re
import sys

import haproxyadmin
from haproxyadmin import exceptions, haproxy

# Where packages of HAProxy put their stats sockets: Debian, Red Hat, and the images of containers.
# (Not in /tmp, where anybody can put a socket.)
PLACES = ['/run/haproxy', '/var/run/haproxy', '/var/lib/haproxy/stats', '/var/run/haproxy.sock']
HISTORY = '~/.haproxyadmin_history'
HISTORY_LENGTH = 1000
HELP = """\
hap is HAProxy: print(hap.overview()), hap.<Tab>, help(hap.backend).
Ctrl-D ends this."""

_ATTRIBUTE = re.compile(r'(\w+(?:\.\w+)*)\.(\w*)\Z')


def main(arguments=None):
    """Open the console; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        found = names(_find(options))
        banner = '{0}\n{1}'.format(greeting(found['hap']), HELP)
    except (ValueError, exceptions.HAProxyBaseError) as error:
        parser.error(str(error).replace('use master=', 'use --master'))
    if sys.stdin.isatty():
        interact(found, banner, options.plain)
    else:
        script = compile(sys.stdin.read(), '<stdin>', 'exec', dont_inherit=True)
        # Like Python, it runs what it is given.
        exec(script, found)  # nosec B102
    return 0


def _find(options):
    """Return the object for the addresses that are named, or for the first usual place."""
    def find(addresses):
        return haproxyadmin.HAProxy(addresses=addresses, master=options.master,
                                    timeout=options.timeout, allow_missing=True)
    if options.addresses or options.master:
        return find(options.addresses)
    reasons = []
    for place in filter(os.path.exists, PLACES):
        try:
            return find(place)
        except (ValueError, exceptions.HAProxyBaseError) as error:
            reasons.append(str(error))
    raise ValueError('pass the address of a stats socket: {0}'.format(
        '; '.join(reasons) or 'none of {0} is there'.format(', '.join(PLACES))))


def names(hap):
    """Return what is defined in the console.

    :rtype: dict
    """
    return {'hap': hap, 'haproxy': haproxy, 'haproxyadmin': haproxyadmin, 'exceptions': exceptions}


def _parser():
    parser = argparse.ArgumentParser(
        prog='python -m haproxyadmin', description='Open a Python console with hap ready.')
    parser.add_argument('addresses', nargs='*', metavar='ADDRESS', help=(
        'a stats socket, a directory with stats sockets, HOST:PORT or ssl@HOST:PORT; by default '
        'the first of {0} that is there'.format(', '.join(PLACES))))
    parser.add_argument('--master', action='append', metavar='ADDRESS',
                        help="a master's socket; can be repeated")
    parser.add_argument('--timeout', type=float, default=1, metavar='SECONDS',
                        help='for each reply; by default 1')
    parser.add_argument('--plain', action='store_true',
                        help="use Python's own console, even if IPython is installed")
    parser.add_argument('--version', action='version',
                        version='haproxyadmin {0}'.format(haproxyadmin.__version__))
    return parser


def greeting(hap):
    """Return what is there: versions, the number of processes, and what did not answer."""
    versions = sorted(set(info['Version'] for info in hap.info()))
    number = len(hap.processids)
    lines = ['haproxyadmin {0} on Python {1}; HAProxy {2}, {3} process{4}'.format(
        haproxyadmin.__version__, sys.version.split()[0], ' and '.join(versions), number,
        '' if number == 1 else 'es')]
    lines += ['left out: {0}'.format(reason) for _, reason in hap.left_out]
    return '\n'.join(lines)


def interact(names, banner, plain=False):
    """Open a console, IPython where it is installed, until its user ends it.

    :param names: what is defined in it.
    :type names: dict
    :param banner: what it prints first.
    :param plain: (optional) True for Python's own console.
    """
    if not plain:
        try:
            import IPython
        except ImportError:
            pass
        else:
            print(banner)
            IPython.start_ipython(argv=['--no-banner'], user_ns=names)
            return
    save = _prepare_readline(names)
    try:
        code.interact(banner, local=names)
    finally:
        save()


def _prepare_readline(names):
    """Switch on completion and history; return a function that saves the history."""
    try:
        import readline
    except ImportError:
        return lambda: None
    readline.set_completer(make_completer(names))
    # libedit, which takes the place of readline on some systems, has other words for it.
    libedit = 'libedit' in (readline.__doc__ or '')
    readline.parse_and_bind('bind ^I rl_complete' if libedit else 'tab: complete')
    path = os.path.expanduser(HISTORY)
    try:
        readline.read_history_file(path)
    except EnvironmentError:
        pass  # there is none yet
    readline.set_history_length(HISTORY_LENGTH)
    return lambda: _save_history(readline, path)


def _save_history(readline, path):
    # It may contain keys: nobody else may read it.
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        readline.write_history_file(path)
    except EnvironmentError as error:
        if error.errno not in (errno.ENOENT, errno.EACCES, errno.EROFS):
            print('the history is not saved: {0}'.format(error), file=sys.stderr)


def make_completer(names):
    """Return a function that completes what is typed, for :mod:`readline`.

    Unlike :mod:`rlcompleter` of older Pythons, it reads no property: each would ask HAProxy.
    """
    import rlcompleter

    class Completer(rlcompleter.Completer):
        def attr_matches(self, text):
            match = _ATTRIBUTE.match(text)
            owner = self._evaluate(match.group(1)) if match else None
            if owner is None:
                return []
            start = match.group(2)
            return ['{0}.{1}{2}'.format(match.group(1), name, _ending(owner, name))
                    for name in sorted(set(dir(owner)))
                    if name.startswith(start) and (start or not name.startswith('_'))]

        def _evaluate(self, path):
            """Return what a dotted name stands for, None if that is not known without a call."""
            first, _, rest = path.partition('.')
            value = self.namespace.get(first)
            for name in rest.split('.') if rest else ():
                if isinstance(getattr(type(value), name, None), property):
                    return None
                value = getattr(value, name, None)
            return value

    return Completer(names).complete


def _ending(owner, name):
    """Return what follows a name that is completed: a parenthesis, if it is to be called."""
    in_class = getattr(type(owner), name, None)
    if isinstance(in_class, property):
        return ''
    return '(' if callable(getattr(owner, name, None)) else ''


if __name__ == '__main__':
    sys.exit(main())
