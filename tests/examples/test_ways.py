# SPDX-License-Identifier: Apache-2.0
"""The session of the page "A tour", unchanged, in every way to reach HAProxy."""
import pytest

from tests.conftest import PATIENT, find, start
from tests.examples.test_readme import TOUR, hold, read, setups
from tests.support import session, ways

CONSTRUCTED = "haproxy.HAProxy(socket_dir='/run/haproxy')"


class Console(session.Console):
    """A console on which the object of the tour is constructed in another way.

    :param options: what is passed to the constructor.
    """

    def __init__(self, started, options):
        super(Console, self).__init__(started, {'options': dict(options, timeout=PATIENT)})

    def here(self, text):
        return super(Console, self).here(text.replace(CONSTRUCTED, 'haproxy.HAProxy(**options)'))


@pytest.mark.parametrize('way', ['directory', 'TCP', 'TLS', 'master', 'master behind TLS', 'mixed'])
def test_the_session_is_the_same(way):
    """[addresses] [masters]"""
    if '2.2' not in [setup.version for setup in setups()]:
        pytest.skip('HAProxy 2.2 is not asked for')
    with start('2.2', master_worker=True, extra=ways.stats_ports(4)) as started:
        with ways.TlsFront(find('2.2'), started.socket_files + started.master_files) as front:
            ports = ['127.0.0.1:%d' % port for port in started.stats_ports]
            options = {
                'directory': dict(socket_dir=started.socket_dir),
                'TCP': dict(addresses=ports),
                'TLS': dict(addresses=front.addresses[:4]),
                'master': dict(master=started.master_files[0]),
                'master behind TLS': dict(master=front.addresses[4]),
                'mixed': dict(socket_file=started.socket_files[0],
                              addresses=[ports[1], front.addresses[2], started.socket_files[3]]),
            }[way]
            options['ssl_context'] = front.keys.context()
            assert read(TOUR).count(CONSTRUCTED) == 1
            session.send_traffic(started)
            console = Console(started, options)
            for step in session.steps(read(TOUR)):
                if isinstance(step, session.Aside):
                    console.aside(step)
                else:
                    hold(console, step, way)
            sockets = [process.socket_file for process in console.names['hap']._processes]
            assert len(sockets) == 4 and (way == 'directory') == (sockets == started.socket_files)
