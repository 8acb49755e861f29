# SPDX-License-Identifier: Apache-2.0
"""OCSP responses, with which HAProxy proves to clients that a certificate is not revoked."""
import collections
import datetime

from haproxyadmin.combine import merge
from haproxyadmin.internal.calls import read_pairs
from haproxyadmin.internal.ocsp import (OcspUpdated, responses_operation, set_response,
                                        update_response)
from haproxyadmin.parsers.ocsp import Content
from haproxyadmin.parsers.times import UTC, seconds_until

__all__ = ['Content', 'OcspResponse', 'OcspUpdated', 'list_all', 'set_response', 'update_response']

_Found = collections.namedtuple('_Found', 'name socket_file known content')
_NEVER = datetime.datetime.max.replace(tzinfo=UTC)


class OcspResponse(collections.namedtuple('OcspResponse', [
        'certificate', 'id', 'serial', 'issuer_name_hash', 'issuer_key_hash', 'status',
        'this_update', 'next_update', 'revoked_at', 'is_same', 'by_socket'])):
    """An OCSP response, as :meth:`haproxyadmin.haproxy.HAProxy.ocsp_responses` has read it.

    ``certificate`` is the file of the certificate that it is about, None before HAProxy 2.8;
    ``id`` is HAProxy's id, in hexadecimal digits, as are ``serial``, the serial number,
    ``issuer_name_hash`` and ``issuer_key_hash``. ``status`` is ``'good'``, ``'revoked'`` or
    ``'unknown'``; None if HAProxy has the certificate, but has not got a response yet.
    ``this_update``, ``next_update`` (until when it is valid) and ``revoked_at`` are aware
    :class:`datetime.datetime` in UTC, or None.

    ``is_same`` is True if all processes have the same response. If they do not, ``status`` and the
    dates are those of the process in which it expires first; ``by_socket`` lists ``(socket address,
    Content)`` of each, with the same four and ``produced_at``, and from 2.8 on ``der``, the
    response itself.

    Usage::

        >>> response, = hap.ocsp_responses()
        >>> response.certificate, response.status, response.revoked_at, response.is_same
        ('/etc/haproxy/shop.example.com.pem', 'good', None, True)
        >>> (response.next_update - response.this_update).days, response.expires_in // 86400
        (10, 9)
        >>> response.id, response.serial
        ('30...', '10...')
        >>> response.issuer_name_hash, response.issuer_key_hash
        ('...', '...')
        >>> for address, content in response.by_socket:
        ...     print(address, content.status, content.der is not None)
        ...
        /run/haproxy/admin.sock good True
    """

    __slots__ = ()

    @property
    def expires_in(self):
        """Seconds until HAProxy no longer sends it to clients; negative once it does not.

        None if there is no response yet.

        :rtype: int
        """
        return seconds_until(self.next_update)


def list_all(processes):
    """Return all OCSP responses; see :meth:`haproxyadmin.haproxy.HAProxy.ocsp_responses`.

    :rtype: list of :class:`OcspResponse`
    """
    return [_combine(group) for group in merge(
        [[_Found(known.id, process.socket_file, known, content) for known, content in pairs]
         for process, pairs in read_pairs(processes, responses_operation)])]


def _combine(group):
    contents = [found.content for found in group]
    first = min(contents, key=lambda content: (
        content.status is not None, content.next_update or _NEVER))
    known = group[0].known
    return OcspResponse(
        known.certificate, known.id, known.serial, known.issuer_name_hash, known.issuer_key_hash,
        first.status, first.this_update, first.next_update, first.revoked_at,
        all(content == contents[0] for content in contents),
        [(found.socket_file, found.content) for found in group])


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
