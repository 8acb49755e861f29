# SPDX-License-Identifier: Apache-2.0
"""TLS certificates: read them, renew, add and delete them, in all processes or in none."""
import collections

from haproxyadmin import crt_lists
from haproxyadmin.combine import common_value, find_by_name
from haproxyadmin.common import Named
from haproxyadmin.internal import certificates, crt_lists as lines, tls_files
from haproxyadmin.internal.calls import read_pairs
from haproxyadmin.internal.sections import list_sections
from haproxyadmin.methods import takes_die
from haproxyadmin.parsers.certificates import chain_of, field
from haproxyadmin.parsers.pem import check_no_pem, check_ocsp, parse_bundle
from haproxyadmin.parsers.times import parse_time, seconds_until

__all__ = ['Certificate', 'CertificateDetails', 'ChainCertificate', 'Done', 'TlsFile', 'Updated',
           'add', 'change', 'describe', 'find', 'list_all']

_NAMES, _DNS = 'Subject Alternative Name', 'DNS:'


class ChainCertificate(collections.namedtuple('ChainCertificate', 'subject issuer')):
    """A certificate of the chain: its ``subject`` and ``issuer``, texts such as ``/CN=My CA``."""

    __slots__ = ()


class CertificateDetails(collections.namedtuple(
        'CertificateDetails', 'status subject issuer serial not_before not_after names chain '
        'algorithm fingerprints')):
    """What HAProxy says about a certificate.

    ``status``, ``subject``, ``issuer``, ``serial``, ``not_before``, ``not_after``, ``names``,
    ``chain``, ``algorithm`` and ``fingerprints`` are explained at the properties of the same names
    of :class:`Certificate`.
    """

    __slots__ = ()

    @property
    def expires_in(self):
        """Seconds until it expires, negative if it has expired; None if it is empty.

        :rtype: int
        """
        return seconds_until(self.not_after)


class Updated(collections.namedtuple('Updated', 'changed in_use by_socket')):
    """What a change of a certificate, CA file or revocation list has done.

    ``changed`` is False if no process has another content than before. ``in_use`` is False if a
    process uses it nowhere: then no client sees the change; see :meth:`Certificate.update`.
    ``by_socket`` lists ``(socket address, what has become of the change)``: ``'committed'``. In the
    ``result`` of an exception, it is ``'unchanged'`` where nothing was begun, ``'aborted'`` where
    it was begun and ended, ``'committed'`` where it is made, ``'restored'`` where it was made and
    the previous content is back, or ``'unknown'`` where the process no longer answers, or another
    client has changed the same.
    """

    __slots__ = ()


class Done(collections.namedtuple('Done', 'changed')):
    """What an action has done; ``changed`` is False if there was nothing to do."""

    __slots__ = ()


class TlsFile(Named):
    """A file for TLS that is changed by a transaction, over all processes that have it."""

    @property
    def transaction(self):
        """True if a transaction is open for it in a process: it is being changed, or was left so.

        Sends the command that lists such files to each process: ``show ssl cert``, ``show ssl
        ca-file`` or ``show ssl crl-file``.

        :rtype: bool

        Usage::

            >>> hap.certificate('/etc/haproxy/www.example.com.pem').transaction
            False
        """
        return any(is_open for _, is_open in self.transaction_per_socket())

    def transaction_per_process(self):
        """Return for each process whether a transaction is open for it.

        :return: list of ``(process number, bool)``; costs as much as :attr:`transaction`.
        :rtype: list of tuple

        Usage::

            >>> hap.certificate('/etc/haproxy/www.example.com.pem').transaction_per_process()
            [(1, False)]
        """
        return [(change.process_nb, is_open)
                for change, is_open in tls_files.read_open(self._changes())]

    def transaction_per_socket(self):
        """Return for each process, by its socket, whether a transaction is open for it.

        :return: list of ``(socket address, bool)``; costs as much as :attr:`transaction`.
        :rtype: list of tuple

        Usage::

            >>> hap.certificate('/etc/haproxy/www.example.com.pem').transaction_per_socket()
            [('/run/haproxy/admin.sock', False)]
        """
        return [(change.socket_file, is_open)
                for change, is_open in tls_files.read_open(self._changes())]

    def _changes(self):
        """Return a change of the file in each process, without a content."""
        raise NotImplementedError


class Certificate(TlsFile):
    """A certificate, with its key and chain, over all processes that have it.

    Each property sends one ``show ssl cert NAME`` to each process (management guide, "show ssl
    cert"; HAProxy 2.2, level operator); read several with :meth:`details`. If the processes differ,
    it raises :class:`haproxyadmin.exceptions.IncosistentData`, whose ``by_socket`` contains what
    each has; if one of them no longer has it, :class:`haproxyadmin.exceptions.NoSuchObject`, a
    :class:`KeyError`.

    Usage::

        >>> certificate = hap.certificate('/etc/haproxy/www.example.com.pem')
        >>> certificate.status, certificate.names, certificate.algorithm
        ('Used', ['www.example.com', 'example.com'], 'EC256')
        >>> certificate.subject, certificate.issuer, certificate.serial
        ('/CN=www.example.com', '/CN=Test CA', '10...')
        >>> (certificate.not_after - certificate.not_before).days, certificate.expires_in // 86400
        (30, 29)
        >>> certificate.fingerprints
        {'sha1': '...'}
        >>> certificate.chain
        [ChainCertificate(subject='/CN=Test CA', issuer='/CN=Test CA')]
    """

    def details(self):
        """Return everything that HAProxy says about it, with one command for each process.

        :rtype: :class:`CertificateDetails`
        :raises haproxyadmin.exceptions.IncosistentData: if the processes differ.
        :raises haproxyadmin.exceptions.NoSuchObject: if it is gone from a process.

        Usage::

            >>> details = hap.certificate('/etc/haproxy/www.example.com.pem').details()
            >>> details.status, details.subject, details.issuer, details.names
            ('Used', '/CN=www.example.com', '/CN=Test CA', ['www.example.com', 'example.com'])
            >>> details.algorithm, details.serial, details.fingerprints
            ('EC256', '10...', {'sha1': '...'})
            >>> (details.not_after - details.not_before).days, details.expires_in // 86400
            (30, 29)
            >>> [certificate.subject for certificate in details.chain]
            ['/CN=Test CA']
        """
        return self._common(lambda details: details)

    def details_per_process(self):
        """Return the details of each process; see :meth:`details`.

        :return: list of ``(process number, CertificateDetails)``.
        :rtype: list of tuple

        Usage::

            >>> certificate = hap.certificate('/etc/haproxy/www.example.com.pem')
            >>> [(number, details.status) for number, details in certificate.details_per_process()]
            [(1, 'Used')]
        """
        return [(process.process_nb, details) for process, details in self._read()]

    def details_per_socket(self):
        """Return the details of each process by its socket; see :meth:`details`.

        :return: list of ``(socket address, CertificateDetails)``.
        :rtype: list of tuple

        Usage::

            >>> certificate = hap.certificate('/etc/haproxy/www.example.com.pem')
            >>> [(address, details.status) for address, details in certificate.details_per_socket()]
            [('/run/haproxy/admin.sock', 'Used')]
        """
        return [(process.socket_file, details) for process, details in self._read()]

    @property
    def status(self):
        """Whether HAProxy uses it: ``'Used'``, ``'Unused'``, or ``'Empty'`` for a new one.

        Up to HAProxy 3.0 it is ``'Unused'`` after a CA file or revocation list was changed, even if
        bind lines use it.

        :rtype: str
        """
        return self._common(lambda details: details.status)

    @property
    def subject(self):
        """Its subject, such as ``'/CN=www.example.com'``; None if it is empty, as of all others.

        :rtype: str
        """
        return self._common(lambda details: details.subject)

    @property
    def issuer(self):
        """The subject of its authority.

        :rtype: str
        """
        return self._common(lambda details: details.issuer)

    @property
    def serial(self):
        """Its serial number in hexadecimal digits, as HAProxy shows it.

        :rtype: str
        """
        return self._common(lambda details: details.serial)

    @property
    def not_before(self):
        """When it becomes valid.

        :rtype: datetime.datetime, aware, in UTC
        """
        return self._common(lambda details: details.not_before)

    @property
    def not_after(self):
        """When it expires.

        :rtype: datetime.datetime, aware, in UTC
        """
        return self._common(lambda details: details.not_after)

    @property
    def expires_in(self):
        """Seconds until it expires, negative if it has expired.

        :rtype: int
        """
        return seconds_until(self.not_after)

    @property
    def names(self):
        """The names of hosts that it is for, those of the field "Subject Alternative Name".

        :rtype: list of str
        """
        return self._common(lambda details: details.names)

    @property
    def chain(self):
        """The certificates that HAProxy sends after it, each with ``subject`` and ``issuer``.

        :rtype: list of ChainCertificate
        """
        return self._common(lambda details: details.chain)

    @property
    def algorithm(self):
        """The algorithm and size of its key, such as ``'RSA2048'`` or ``'EC256'``.

        :rtype: str
        """
        return self._common(lambda details: details.algorithm)

    @property
    def fingerprints(self):
        """Its fingerprints by algorithm, in hexadecimal digits: HAProxy shows ``'sha1'``.

        :rtype: dict
        """
        return self._common(lambda details: details.fingerprints)

    @takes_die
    def update(self, pem, previous=None, ocsp=None, die=True):
        """Replace the certificate, its chain and its key in all processes, or in none.

        New connections get it once this returns; those that are open keep the old one. The file on
        the disk is not changed: write it, too, so that it survives a reload.

        Sends to each process ``show ssl cert``, to see whether another client changes a
        certificate; ``set ssl cert`` and ``show ssl cert``, to see whether HAProxy has understood
        the new one; and, once this is right in all of them, ``commit ssl cert`` and ``show ssl
        cert`` (management guide, "set ssl cert"; HAProxy 2.2, level admin); also ``show info`` at
        the beginning, before the commit and after it, to see whether another process has taken
        over. If it fails before the first commit, the transaction is ended, and nothing has
        changed. If only some processes accept the commit, the others keep the old certificate; so
        do all of them if ``previous`` is passed.

        :param pem: the text of PEM: the certificate first, then its chain, and the only private
            key, in any place. Comments, empty lines and everything else are not sent.
        :type pem: str or bytes
        :param previous: (optional) the text of PEM that is to be put back if only some processes
            accept the commit: what HAProxy has now, which it does not reveal.
        :type previous: str or bytes
        :param ocsp: (optional) an OCSP response for the new certificate, in DER, if clients are to
            get one with it: HAProxy drops that of the old one. The certificate of the issuer must
            be in the chain.
        :type ocsp: bytes
        :return: ``changed``, ``in_use`` and ``by_socket``. ``in_use`` is False if HAProxy uses the
            certificate in no bind line. Up to 3.0 it is also False after a CA file or revocation
            list was changed: then HAProxy needs a reload to use the certificate.
        :rtype: Updated
        :raises ValueError: if it is not PEM, if a certificate or its key is missing, if there are
            several keys or the key is encrypted, or if it is too long: 16,000 bytes before HAProxy
            3.4; and if the key would be sent without TLS to another host; nothing is sent.
        :raises haproxyadmin.exceptions.Conflict: if another client changes a certificate. If its
            ``polluted`` is True, the new certificate is in the other client's transaction, which
            must not be committed: HAProxy 2.4 to 2.8 accept that.
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses, for instance because the
            key is not that of the certificate.
        :raises haproxyadmin.exceptions.MultipleCommandResults: if some processes refuse.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.

        After a failure, ``result`` of the exception says in ``by_socket`` what has become of the
        change in each process; ``undone``, ``not_undone`` and ``replaced`` are as always.

        Usage::

            >>> with open('/etc/haproxy/www.example.com.pem') as pem:
            ...     updated = hap.certificate('/etc/haproxy/www.example.com.pem').update(pem.read())
            >>> updated.changed, updated.in_use, updated.by_socket
            (False, True, [('/run/haproxy/admin.sock', 'committed')])
        """
        name, bundle = certificates.check_name(self.name), parse_bundle(pem)
        old = None if previous is None else parse_bundle(previous)
        response = _encode_ocsp(bundle, ocsp)
        return change(self._found, lambda process: certificates.CertificateChange(
            process, name, bundle, old, response))

    @takes_die
    def abort(self, die=True):
        """End the transaction for this certificate in all processes in which one is open.

        A client that was killed leaves its transaction behind, and nobody else can change any
        certificate then. This also ends that of a client that is still at work; it cannot commit
        then.

        Sends ``show ssl cert`` to each process, and ``abort ssl cert`` where a transaction is open
        (management guide, "abort ssl cert"; HAProxy 2.2, level admin).

        :return: ``changed``, False if there was no transaction.
        :rtype: Done
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses.

        Usage::

            >>> hap.certificate('/etc/haproxy/www.example.com.pem').abort()
            Done(changed=False)
        """
        return Done(tls_files.abort_files(self._changes()))

    @takes_die
    def delete(self, die=True):
        """Delete the certificate in all processes; nothing may use it, nor change it.

        HAProxy cannot undo this: if it fails in one process, ``not_undone`` of the exception lists
        the sockets of those where it is, or may be, deleted.

        Sends ``show ssl cert`` to each process, and nothing else if one of them uses it or changes
        it; then ``del ssl cert`` (management guide, "del ssl cert"; HAProxy 2.2, level admin), and
        one ``show info`` if the last one was more than a second ago.

        :return: ``changed``, False if it was gone already.
        :rtype: Done
        :raises haproxyadmin.exceptions.Conflict: if a transaction is open for it.
        :raises haproxyadmin.exceptions.CommandFailed: if a process uses it, or refuses.
        :raises haproxyadmin.exceptions.MultipleCommandResults: if some processes refuse.

        Usage::

            >>> with open('/etc/haproxy/www.example.com.pem') as pem:
            ...     hap.add_certificate('/etc/haproxy/old.example.com.pem', pem.read()).in_use
            False
            >>> hap.certificate('/etc/haproxy/old.example.com.pem').delete()
            Done(changed=True)
        """
        return Done(tls_files.delete_files(self._changes()))

    def _changes(self):
        name = certificates.check_name(self.name)
        return [certificates.CertificateChange(process, name, None) for process in self._found]

    def _common(self, pick):
        return common_value([(process.process_nb, process.socket_file, pick(details))
                             for process, details in self._read()])

    def _read(self):
        return [(process, _details(shown)) for process, shown in read_pairs(
            self._found, lambda process: certificates.details_operation(process, self.name))]


def _details(shown):
    """Return the details of a certificate; see ``parsers.certificates.parse_certificate``."""
    return CertificateDetails(
        status=field(shown, 'Status'), chain=[ChainCertificate(*pair) for pair in chain_of(shown)],
        **describe(shown))


def describe(shown):
    """Return what HAProxy shows of a certificate by the names of :class:`CertificateDetails`.

    :param shown: see ``parsers.certificates.parse_certificate``.
    :return: all but its status and chain.
    :rtype: dict
    """
    begin, end, names, digits = [field(shown, name) for name in (
        'notBefore', 'notAfter', _NAMES, 'SHA1 FingerPrint')]
    return {
        'subject': field(shown, 'Subject'), 'issuer': field(shown, 'Issuer'),
        'serial': field(shown, 'Serial'), 'not_before': begin and parse_time(begin),
        'not_after': end and parse_time(end),
        'names': [name[len(_DNS):] if name.startswith(_DNS) else name
                  for name in (names or '').split(', ') if name],
        'algorithm': field(shown, 'Algorithm'), 'fingerprints': {'sha1': digits} if digits else {}}


def _encode_ocsp(bundle, ocsp):
    """Return an OCSP response in base64, once it is known to be for a certificate."""
    if ocsp is None:
        return None
    from haproxyadmin.internal.ocsp import check_response  # most programs do not need it
    encoded, known = check_response(ocsp)
    check_ocsp(bundle, known)
    return encoded


def change(processes, build):
    """Change a file in all processes; see :meth:`Certificate.update`.

    :param build: takes a process, returns its :class:`haproxyadmin.internal.tls_files.FileChange`.
    :rtype: Updated
    """
    changes = [build(process) for process in processes]
    try:
        made = tls_files.change_files(changes)
    except BaseException as error:
        account = tls_files.account_of(changes, error)
        error.result = Updated(
            any(state == tls_files.COMMITTED and change.after is not None and change.has_changed()
                for change, (_, state) in zip(changes, account)),
            all(change.in_use for change in changes), account)
        if any(change.is_polluting for change in changes):
            # Even if another process has failed for another reason.
            error.polluted = True
        raise
    return Updated(any(one.has_changed() for one in made), all(one.in_use for one in made),
                   tls_files.account_of(made))


def list_all(processes):
    """Return all certificates, each over the processes that have it.

    :rtype: list of Certificate
    """
    return [Certificate(*found) for found in list_sections(
        processes, certificates.names_operation)]


def find(processes, name):
    """Return the certificate that has a name.

    :rtype: Certificate
    """
    check_no_pem(name)
    return find_by_name(list_all(processes), 'certificate', name)


def add(processes, name, pem, crt_list=None, sni=(), ocsp=None):
    """Add a certificate; see :meth:`haproxyadmin.tls.TlsMethods.add_certificate`.

    :rtype: Updated
    """
    check_no_pem((crt_list, sni))
    name, bundle = certificates.check_name(name), parse_bundle(pem)
    response = _encode_ocsp(bundle, ocsp)
    if crt_list is None:
        if sni:
            raise ValueError('sni is for a crt-list: pass crt_list, too')
        return change(processes, lambda process: certificates.Addition(
            process, name, bundle, response))
    entry = lines.check_entry(name, sni)
    crt_list = crt_lists.find(processes, crt_list).name
    before = lines.look_to_add(processes, crt_list, entry)
    return change(list(before), lambda process: certificates.Addition(
        process, name, bundle, response,
        lambda process: lines.add_operation(process, crt_list, entry),
        lambda process, then: lines.remove_added_operation(
            process, crt_list, entry, before[process], then)))


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
