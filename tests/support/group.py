# SPDX-License-Identifier: Apache-2.0
"""Several single-process HAProxy instances with the same configuration.

Every version of HAProxy can run this way, so a test with several processes is
the same for all versions.
"""

import os
import shutil
import tempfile

from tests.support import lab

# There are no health checks, so only traffic changes the figures of the proxies.
# Tests may change the ACL and the map, which all instances load from the same file.
CONFIG = """
global
    stats socket "${HAPROXYADMIN_RUN}/stats.sock" level admin
    maxconn 1000

defaults
    mode http
    timeout connect 1s
    timeout client 10s
    timeout server 10s

frontend f
    bind "127.0.0.1:${HAPROXYADMIN_PORT_F}"
    maxconn 300
    acl listed hdr(x-listed) -m str -u 90 nothing
    http-request set-header X-Listed yes if listed
    http-request set-header X-Map "%[path,map(${HAPROXYADMIN_SHARED}/v-m1-bk)]"
    default_backend b

backend b
    server s 127.0.0.1:9 weight 100

backend counted
    stick-table type string len 1000 size 100 store gpc0
"""
ACL, MAP = '#90', '#0'
# The stick table, and the characters of its longest key.
TABLE, KEY_LENGTH = 'counted', 1000


class Group(lab.Stopped):
    """``count`` HAProxy instances that run until ``stop()``.

    ``paths`` lists links to their stats sockets, all of them in ``directory``.
    """

    def __init__(self, binary, count, config=CONFIG, **options):
        self.version = lab.branch(binary)
        self.labs = []
        self.directory = tempfile.mkdtemp(prefix='haproxyadmin-')
        try:
            for _ in range(count):
                self.labs.append(lab.Lab(binary, config=config, **options))
            for path, target in zip(self.paths, self.socket_files):
                os.symlink(target, path)
        except BaseException:
            self.stop()
            raise

    @property
    def socket_files(self):
        return [started.socket_files[0] for started in self.labs]

    @property
    def paths(self):
        return [os.path.join(self.directory, '{0}.sock'.format(number))
                for number in range(1, len(self.labs) + 1)]

    def stop(self):
        """Stop all instances; raise lab.LabError if one of them failed."""
        shutil.rmtree(self.directory, ignore_errors=True)
        labs, self.labs = self.labs, []
        wrong = []
        for started in labs:
            try:
                started.stop()
            except lab.LabError as error:
                wrong.append(str(error))
        if wrong:
            raise lab.LabError('\n'.join(wrong))
