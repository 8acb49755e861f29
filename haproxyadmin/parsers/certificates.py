# SPDX-License-Identifier: Apache-2.0
"""Lists of certificates, and what HAProxy says about one."""
from haproxyadmin.parsers.lines import first_line, refusal_of

_NAMES = '# filename'
_TRANSACTION = '# transaction'
_FIRST = 'Filename: '


def parse_certificates(lines):
    """Return the names of the certificates in the reply to ``show ssl cert``::

        # transaction
        */etc/haproxy/www.pem
        # filename
        /etc/haproxy/api.pem
        /etc/haproxy/www.pem

    A name under ``# transaction`` is that of one that is not committed yet, and is left out. The
    reply is empty if there is none.

    :rtype: list of str
    """
    if lines and lines[0] not in (_NAMES, _TRANSACTION):
        raise refusal_of(lines)
    return lines[lines.index(_NAMES) + 1:] if _NAMES in lines else []


def parse_certificate(lines):
    """Return what HAProxy says about a certificate, in the reply to ``show ssl cert NAME``::

        Filename: /etc/haproxy/www.pem
        Status: Used
        Serial: 1000
        notBefore: Nov 24 19:08:31 2026 GMT
        notAfter: Nov 24 19:08:31 2027 GMT
        Subject Alternative Name: DNS:www.example.com
        Algorithm: RSA2048
        SHA1 FingerPrint: 5C964D873E7258B97E647CCC18F165F67E081370
        Subject: /CN=www.example.com
        Issuer: /CN=Example CA
        Chain Subject: /CN=Example CA
        Chain Issuer: /CN=Example Root

    :return: pairs of name and text; the two of the chain are there once for each certificate in it.
    :rtype: list of tuple
    """
    if not first_line(lines).startswith(_FIRST):
        raise refusal_of(lines)
    parts = [line.partition(':') for line in lines]
    return [(name, text.strip(' ')) for name, colon, text in parts if colon]
