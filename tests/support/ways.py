# SPDX-License-Identifier: Apache-2.0
"""Ways to reach a HAProxy: over TCP, over TLS, and through its master.

::

    with lab.Lab(binary, master_worker=True, extra=ways.stats_ports(4)) as started:
        with ways.TlsFront(binary, started.socket_files) as front:
            HAProxy(addresses=front.addresses, ssl_context=front.keys.context())
"""

import os
import shutil
import tempfile

from tests.support import keys, lab

HEAD = """
global
    stats socket "${HAPROXYADMIN_RUN}/front.sock" level admin
defaults
    mode tcp
    timeout connect 30s
    timeout client 60s
    timeout server 60s
"""
FRONT = """
frontend tls{number}
    bind "127.0.0.1:${{HAPROXYADMIN_PORT_TLS{number}}}" ssl crt {crt} ca-file {ca} verify required
    default_backend cli{number}
backend cli{number}
    server cli unix@{target}
"""


def stats_ports(count):
    """Return a configuration for a stats socket on a TCP port, for each of several processes.

    Their numbers are ``stats_ports`` of the lab.
    """
    return '\nglobal\n' + ''.join(
        '    stats socket "ipv4@127.0.0.1:${{HAPROXYADMIN_PORT_CLI{0}}}" level '
        '"${{HAPROXYADMIN_LEVEL}}"{1}\n'.format(number, ' process %d' % number if count > 1 else '')
        for number in range(1, count + 1))


class TlsFront(lab.Stopped):
    """A HAProxy with a port for each of several Unix sockets, which requires a client certificate.

    :param binary: the path of a HAProxy.
    :param targets: the sockets, of processes or of masters.
    :param server: (optional) the name of the certificate, see :class:`tests.support.keys.Keys`.
    """

    def __init__(self, binary, targets, server='server'):
        self._directory = tempfile.mkdtemp(prefix='haproxyadmin-')
        self._lab = None
        try:
            self.keys = keys.Keys(self._directory)
            config = HEAD + ''.join(
                FRONT.format(number=number, crt=getattr(self.keys, server),
                             ca=self.keys.authority, target=target)
                for number, target in enumerate(targets))
            self._lab = lab.Lab(binary, config=config)
            self.ports = [self._lab.ports['tls%d' % number] for number in range(len(targets))]
        except BaseException:
            self.stop()
            raise

    @property
    def addresses(self):
        return ['ssl@localhost:%d' % port for port in self.ports]

    @property
    def path(self):
        """The directory of the keys."""
        return os.path.abspath(self._directory)

    def stop(self):
        """Stop the HAProxy and remove the keys."""
        if self._lab is not None:
            self._lab.stop()
        shutil.rmtree(self._directory, ignore_errors=True)
