# SPDX-License-Identifier: Apache-2.0
"""The methods of :class:`haproxyadmin.haproxy.HAProxy` for TLS; the work is in the families."""


class TlsMethods(object):
    """Certificates, the lists that say which of them a bind line uses, authorities, revocation
    lists, OCSP responses and keys of TLS tickets.
    """

    # Certificates

    # Lists of certificates

    # Authorities and revocation lists

    # OCSP responses

    # Keys of TLS tickets


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return ['TlsMethods']
