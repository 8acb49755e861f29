"""Check for Nagios: check_haproxy.py [-w QUEUE] [-c QUEUE] [BACKEND ...]

A server that is down is a WARNING, a backend that is down is CRITICAL, and so many requests that
wait for a server of a backend are one or the other.
"""
import argparse
import sys

from haproxyadmin import exceptions, haproxy

OK, WARNING, CRITICAL, UNKNOWN = range(4)
WORDS = ['OK', 'WARNING', 'CRITICAL', 'UNKNOWN']


class Parser(argparse.ArgumentParser):

    def error(self, message):
        finish(UNKNOWN, message)


def finish(state, text):
    # Monitoring shows the first line only.
    print('HAPROXY {0}: {1}'.format(WORDS[state], ' '.join(str(text).split())))
    sys.exit(state)


def problems(rows, waiting, options):
    """Return what is wrong with a backend, as pairs of state and text."""
    found = [(CRITICAL if row['type'] == 'backend' else WARNING,
              '{pxname}/{svname} is {status}'.format(**row))
             for row in rows if 'DOWN' in row['status']]
    for state, limit in [(CRITICAL, options.critical), (WARNING, options.warning)]:
        if waiting >= limit:
            return found + [(state, '{0} wait for {1}'.format(waiting, rows[0]['pxname']))]
    return found


def main():
    parser = Parser()
    parser.add_argument('-w', dest='warning', type=int, default=10)
    parser.add_argument('-c', dest='critical', type=int, default=100)
    parser.add_argument('backends', nargs='*')
    options = parser.parse_args()
    hap = haproxy.HAProxy(socket_dir='/run/haproxy', retry=None)
    for socket_file, error in hap.left_out:
        finish(UNKNOWN, error)
    rows = [row for row in hap.stats() if row['type'] != 'frontend']
    found, figures = [], []
    for name in options.backends or [row['pxname'] for row in rows if row['type'] == 'backend']:
        own = [row for row in rows if row['pxname'] == name]
        if not own:
            finish(UNKNOWN, 'there is no backend {0}'.format(name))
        # Some wait for the backend, others for the server to which their cookie leads.
        waiting = sum(row['qcur'] for row in own)
        found += problems(own, waiting, options)
        figures.append("'{0}'={1};{2.warning};{2.critical};0".format(name, waiting, options))
    found.sort(reverse=True)
    text = ', '.join(text for _, text in found) or 'no server is down'
    finish(found[0][0] if found else OK, text + ' | ' + ' '.join(figures))


try:
    main()
except (exceptions.HAProxyBaseError, ValueError) as error:
    finish(UNKNOWN, error)
