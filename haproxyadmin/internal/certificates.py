# SPDX-License-Identifier: Apache-2.0
"""What processes say about their TLS certificates."""
from haproxyadmin.internal.calls import require
from haproxyadmin.internal.fanout import Operation
from haproxyadmin.parsers.certificates import parse_certificate, parse_certificates
from haproxyadmin.parsers.lines import first_line
from haproxyadmin.protocol import commands, replies, versions


def list_operation(process):
    """Return the operation that asks for the names of all certificates."""
    require(process, versions.SSL_CERTIFICATES)
    return Operation(process.endpoint, commands.tls_file('show', 'cert', process.version), parse_certificates)


def show_operation(process, name):
    """Return the operation that asks for one certificate.

    :return: for its value see :func:`haproxyadmin.parsers.certificates.parse_certificate`; an empty
        list if HAProxy cannot show it: it is a bundle (2.2), or gone.
    """
    def interpret(lines):
        return [] if replies.is_unknown_certificate(first_line(lines)) else parse_certificate(lines)
    return Operation(process.endpoint, commands.tls_file('show', 'cert', process.version, name), interpret)
