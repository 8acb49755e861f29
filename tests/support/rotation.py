# SPDX-License-Identifier: Apache-2.0
"""A configuration for taking servers out of rotation and back.

::

    with lab.Lab(binary, **rotation.options(lab.branch(binary), processes=4)) as haproxy:
        haproxy.traffic('front1', 10, path='/hold/0.1')

Each process has the backend ``web`` behind a port of its own (``front1`` to ``front4``).
All other backends are behind ports of the same names, which the processes share.
A client with the cookie ``server=NAME`` goes to the server of that name.
"""

from tests.support import lab

GLOBAL = """
global
    maxconn 2000
    hard-stop-after 60s
"""
SOCKET = """\
    stats socket "${{HAPROXYADMIN_RUN}}/haproxy-{name}.sock" level "${{HAPROXYADMIN_LEVEL}}"{of}
"""

# The origins 1 to 6 serve only web, 7 and 10 are agents, 8 and 9 serve all other backends.
PROXIES = """
defaults
    mode http
    timeout connect 30s
    timeout client 60s
    timeout server 60s
    timeout queue 60s
    timeout check 30s
    option redispatch
    balance roundrobin
    cookie server insert indirect nocache
    default-server inter 100ms rise 2 fall 2

resolvers nobody
    nameserver none "127.0.0.1:${HAPROXYADMIN_PORT_NOBODY}"

backend web
    server web1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN1}" cookie web1 check
    server web2 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN2}" cookie web2 check
    server web3 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN3}" cookie web3 check
    server web4 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN4}" cookie web4 check
    server web5 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN5}" cookie web5 check
    server web6 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN6}" cookie web6 check

# The first two follow servers of another backend, the last one follows one of its own.
listen api
    bind "127.0.0.1:${HAPROXYADMIN_PORT_API}"
    server api1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN8}" cookie api1 track web/web1
    server api2 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN9}" cookie api2 track web/web2
    server api3 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN8}" cookie api3 check
    server api4 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN9}" cookie api4 track api/api3

listen plain
    bind "127.0.0.1:${HAPROXYADMIN_PORT_PLAIN}"
    server plain1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN8}" cookie plain1
    server plain2 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN9}" cookie plain2

listen agent
    bind "127.0.0.1:${HAPROXYADMIN_PORT_AGENT}"
    default-server agent-inter 100ms
    server agent1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN8}" cookie agent1 weight 100 check agent-check agent-port "${HAPROXYADMIN_PORT_ORIGIN7}"
    server agent2 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN9}" cookie agent2 weight 100 check agent-check agent-port "${HAPROXYADMIN_PORT_ORIGIN10}"

listen static
    bind "127.0.0.1:${HAPROXYADMIN_PORT_STATIC}"
    balance static-rr
    server static1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN8}" cookie static1 check
    server static2 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN9}" cookie static2 check

# The queue of a server holds those who have its cookie, the queue of the backend all others.
listen queued
    bind "127.0.0.1:${HAPROXYADMIN_PORT_QUEUED}"
    server queued1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN8}" cookie queued1 maxconn 1 check
    server queued2 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN9}" cookie queued2 maxconn 1 check

listen zero
    bind "127.0.0.1:${HAPROXYADMIN_PORT_ZERO}"
    server zero1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN8}" cookie zero1 check
    server zero2 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN9}" cookie zero2 weight 0 check

# The name is never resolved: "MAINT (resolution)".
listen named
    bind "127.0.0.1:${HAPROXYADMIN_PORT_NAMED}"
    server named1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN8}" cookie named1 check
    server named2 name.example:80 cookie named2 check resolvers nobody init-addr none

listen spare
    bind "127.0.0.1:${HAPROXYADMIN_PORT_SPARE}"
    server spare1 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN8}" cookie spare1 check
    server spare2 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN9}" cookie spare2 check disabled
    server spare3 "127.0.0.1:${HAPROXYADMIN_PORT_ORIGIN9}" cookie spare3 check backup
"""
FRONT = """
frontend front{number}
{only}    bind "127.0.0.1:${{HAPROXYADMIN_PORT_FRONT{number}}}"
    default_backend web
"""
# A HAProxy that is not of this number has the frontend, but does not listen.
ONLY_INSTANCE = """\
.if !streq("${{HAPROXYADMIN_PROCESS}}",{number})
    disabled
.endif
"""
ONLY_PROCESS = """\
    bind-process {number}
"""


def options(version, processes=1, threads=1, extra=''):
    """Return the options of a :class:`lab.Lab` that runs the configuration.

    :param version: the branch of the HAProxy ('2.6').
    :param processes: the number of processes.
    :param threads: the number of threads of each process, 1 where nbproc makes the processes.
    :param extra: text to append to the configuration.
    """
    numbers = range(1, processes + 1)
    has_nbproc = tuple(map(int, version.split('.'))) < lab.FIRST_WITHOUT_NBPROC
    if processes > 1 and has_nbproc:
        head = '    nbproc {0}\n    master-worker no-exit-on-failure\n'.format(processes)
        head += ''.join(SOCKET.format(name=number, of=' process %d' % number)
                        for number in numbers)
        only, instances = ONLY_PROCESS, 1
    else:
        head = '    nbthread {0}\n'.format(threads)
        head += SOCKET.format(name='${HAPROXYADMIN_PROCESS}', of='')
        only, instances = ONLY_INSTANCE if processes > 1 else '', processes
    fronts = ''.join(FRONT.format(number=number, only=only.format(number=number))
                     for number in numbers)
    return {'config': GLOBAL + head + PROXIES + fronts + extra, 'instances': instances}
