"""What the tests of the scripts share: a configuration, and how a script is run."""
import subprocess
import sys

import pytest

CONFIG = """
defaults
    mode http
    timeout connect 5s
    timeout client 1m
    timeout server 1m

frontend www
    bind :80
    http-request deny if { src -f /etc/haproxy/blocklist.acl }
    default_backend web

backend web
    default-server check inter 100ms
    server web1 10.0.0.1:80
    server web2 10.0.0.2:80
"""


@pytest.fixture
def haproxy_options(tmp_path):
    """Let both HAProxies use this configuration, with its files in a directory of the test."""
    (tmp_path / 'blocklist.acl').write_text('192.0.2.1\n')
    return {'config': CONFIG.replace('/etc/haproxy', str(tmp_path))}


@pytest.fixture
def run(tmp_path):
    """Run a script against a HAProxy; return its exit status, its output and its errors."""
    def run(haproxy, name, *arguments):
        with open(name) as script:
            text = script.read()
        text = text.replace('/run/haproxy', haproxy.socket_dir)
        text = text.replace('/etc/haproxy', str(tmp_path))
        (tmp_path / name).write_text(text)
        process = subprocess.Popen(
            [sys.executable, str(tmp_path / name)] + list(arguments),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        output, errors = process.communicate()
        return process.returncode, output, errors
    return run
