# SPDX-License-Identifier: Apache-2.0
"""HAProxy as Debian installs it: with a master, and the configuration of its package."""
import os
import re

from tests.support import lab

_CURRENT = re.compile(r'^# workers\n(\d+) ', re.MULTILINE)
_ANSWERING = re.compile(r'^Pid: (\d+)$', re.MULTILINE)
# What needs root or a user of its own.
_NOT_HERE = re.compile(r'^\s*(chroot|user|group|daemon)\b.*\n', re.MULTILINE)


def configuration(binary):
    """Return the path of the configuration in the package that contains an HAProxy.

    It is there if tools/get-haproxy has unpacked the package.
    """
    return os.path.join(os.path.dirname(binary), 'root', 'etc', 'haproxy', 'haproxy.cfg')


class Stock(lab.Stopped):
    """An HAProxy with the configuration of its package, in which only paths differ.

    :param binary: its path, see :func:`configuration`.
    :param addition: what somebody is going to append to the configuration.
    :ivar lab: the HAProxy.
    :ivar places: files and addresses in a document, and those here.
    """

    def __init__(self, binary, addition):
        package = os.path.dirname(configuration(binary))
        with open(configuration(binary)) as text:
            stock = _NOT_HERE.sub('', text.read())
        for shown, here in [('/run/haproxy/admin.sock', '"${HAPROXYADMIN_RUN}/admin.sock"'),
                            ('/etc/haproxy/errors', os.path.join(package, 'errors'))]:
            stock = _replace(stock, shown, here)
        for shown, here in [
                ('127.0.0.1:8080', '"127.0.0.1:${HAPROXYADMIN_PORT_WWW}"'),
                ('127.0.0.1:8001', '"127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}"'),
                ('127.0.0.1:8002', '"127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN2}"'),
                ('/etc/haproxy/blocklist.acl', '"${HAPROXYADMIN_FILES}/blocklist.acl"'),
                (' check ', ' check inter 50ms ')]:
            addition = _replace(addition, shown, here)
        self._extended = stock + '\n' + addition
        self.lab = _Lab(binary, config=self._extended, master_worker=True)
        try:
            self.lab.configure(stock)
            self.lab.reload()
        except BaseException:
            self.lab.stop()
            raise
        self.places = [('/run/haproxy-master.sock', self.lab.master_files[0])]

    def extend(self):
        """Append the addition, reload, and wait until the servers are checked."""
        self.lab.configure(self._extended)
        self.lab.reload()
        lab.wait_until(lambda: self.lab.raw('show stat').count('L4OK') == 2, 'checked')

    def _current_answers(self):
        found = [_CURRENT.search(lab.ask(self.lab.master_files[0], 'show proc')),
                 _ANSWERING.search(self.lab.raw('show info'))]
        return all(found) and found[0].group(1) == found[1].group(1)

    def stop(self):
        """Stop it."""
        # The document may have reloaded it, and the former worker still answers for a moment.
        lab.wait_until(self._current_answers, 'the current worker answers')
        self.lab.look_again()
        self.lab.stop()


class _Lab(lab.Lab):

    def _write_files(self, plan):
        super(_Lab, self)._write_files(plan)
        open(self.acl_file('blocklist.acl'), 'w').close()


def _replace(text, shown, here):
    if shown not in text:
        raise ValueError('no {0!r} in {1}'.format(shown, text))
    return text.replace(shown, here)
