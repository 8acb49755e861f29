# SPDX-License-Identifier: Apache-2.0
"""CA files and CRL files: the authorities that HAProxy trusts, and what they have revoked."""
import collections

from haproxyadmin.certificates import Done, TlsFile, change, describe
from haproxyadmin.combine import common_value, find_by_name
from haproxyadmin.internal import ca_files, tls_files
from haproxyadmin.internal.calls import read_pairs
from haproxyadmin.internal.sections import list_sections
from haproxyadmin.methods import takes_die
from haproxyadmin.parsers.ca_files import RevocationList
from haproxyadmin.parsers.times import seconds_until

__all__ = ['Authority', 'CaFile', 'CrlFile', 'RevocationList', 'TrustFile', 'add', 'find',
           'list_all']


class Authority(collections.namedtuple(
        'Authority', 'subject issuer serial not_before not_after names algorithm fingerprints')):
    """A certificate of a CA file.

    ``subject``, ``issuer``, ``serial``, ``not_before``, ``not_after``, ``names``, ``algorithm`` and
    ``fingerprints`` are explained at the properties of the same names of
    :class:`haproxyadmin.certificates.Certificate`.

    Usage::

        >>> authority, = hap.ca_file('/etc/haproxy/clients.pem').certificates()
        >>> authority.subject, authority.issuer, authority.serial, authority.names
        ('/CN=Test CA', '/CN=Test CA', '...', [])
        >>> authority.algorithm, authority.fingerprints
        ('EC256', {'sha1': '...'})
        >>> authority.not_before < authority.not_after, authority.expires_in > 0
        (True, True)
    """

    __slots__ = ()

    @property
    def expires_in(self):
        """Seconds until it expires, negative if it has expired.

        :rtype: int
        """
        return seconds_until(self.not_after)


class TrustFile(TlsFile):
    """What :class:`CaFile` and :class:`CrlFile` have in common.

    HAProxy has one transaction for all files of both kinds, which all clients share. The files on
    the disk are never changed: write them, too, so that a change survives a reload.

    HAProxy 2.6 to 3.2.7 would forget at the first change which bind lines use the file, and crash
    at the next one: with them, all changes are refused, and nothing is sent.
    """

    # The classes of a change and of an addition, and the function that checks a content.
    _change = _addition = _check = None

    @property
    def status(self):
        """Whether HAProxy uses it: ``'Used'``, ``'Unused'``, or ``'Empty'`` for a new one.

        Sends one ``show ssl ca-file NAME`` or ``show ssl crl-file NAME`` to each process
        (management guide, "show ssl ca-file", "show ssl crl-file"; HAProxy 2.6, level operator).

        :rtype: str
        :raises haproxyadmin.exceptions.IncosistentData: if the processes differ.
        :raises haproxyadmin.exceptions.NoSuchObject: if it is gone from a process.
        """
        return common_value(self._values(lambda shown: shown.status))

    @takes_die
    def update(self, pem, previous=None, die=True):
        """Replace the whole content in all processes, or in none.

        New connections are checked against it once this returns; those that are open stay open.

        Sends to each process ``show ssl ca-file``, to see whether another client changes one; ``set
        ssl ca-file``, and ``add ssl ca-file`` for what does not fit into one command; ``show ssl
        ca-file``, to see whether HAProxy has understood it; and, once this is right in all of them,
        ``commit ssl ca-file`` and ``show ssl ca-file``, or the same of ``crl-file`` (management
        guide, "set ssl ca-file"; HAProxy 3.2, level admin); also ``show info`` at the beginning,
        before the commit and after it. If it fails before the first commit, the transaction is
        ended, and nothing has changed. If only some processes accept the commit, the others keep
        the old content; so do all of them if ``previous`` is passed.

        :param pem: the text of PEM. Of a CA file, all of its certificates, in any number. Of a CRL
            file, all of its lists, of together no more than 16,000 bytes before HAProxy 3.4: that
            is about 300 revoked certificates. Everything else in it is not sent, and duplicates are
            sent once.
        :type pem: str or bytes
        :param previous: (optional) the text of PEM that is to be put back if only some processes
            accept the commit: what HAProxy has now, which it does not reveal.
        :type previous: str or bytes
        :return: ``changed``, ``in_use`` and ``by_socket``.
        :rtype: haproxyadmin.certificates.Updated
        :raises ValueError: if it is not PEM, contains no certificate or no list, or is too long; if
            a list does not say when the next one is due, with which HAProxy would crash; and for
            ``@system-ca``; nothing is sent.
        :raises haproxyadmin.exceptions.Conflict: if another client changes such a file.
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses, and with 3.2.0 to 3.2.7.
        :raises haproxyadmin.exceptions.MultipleCommandResults: if some processes refuse.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.

        After a failure, ``result`` of the exception says in ``by_socket`` what has become of the
        change in each process; see :class:`haproxyadmin.certificates.Updated`.

        Usage::

            >>> with open('/etc/haproxy/clients.pem') as pem:
            ...     hap.ca_file('/etc/haproxy/clients.pem').update(pem.read()).changed
            False
        """
        old = None if previous is None else type(self)._check(previous)
        return self._replace(type(self)._change, pem, old)

    @takes_die
    def abort(self, die=True):
        """End the transaction for this file in all processes in which one is open.

        A client that was killed leaves its transaction behind, and nobody else can change a CA
        file, or a CRL file, then. This also ends that of a client that is still at work; it cannot
        commit then.

        If more than ten bind lines use the file, and a client was killed in the middle of its
        commit, HAProxy does not show that; after ``abort`` it would crash at the next change, and a
        reload is the only safe way (seen with 3.2). This library never leaves in the middle of a
        commit.

        Sends ``show ssl ca-file`` to each process, and ``abort ssl ca-file`` where a transaction is
        open, or the same of ``crl-file`` (management guide, "abort ssl ca-file"; HAProxy 3.2, level
        admin).

        :return: ``changed``, False if there was no transaction.
        :rtype: haproxyadmin.certificates.Done
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.

        Usage::

            >>> hap.ca_file('/etc/haproxy/clients.pem').abort()
            Done(changed=False)
        """
        return Done(tls_files.abort_files(self._changes_to_make()))

    @takes_die
    def delete(self, die=True):
        """Delete the file in all processes; nothing may use it, nor change it.

        HAProxy cannot undo this: if it fails in one process, ``not_undone`` of the exception lists
        the sockets of those where it is, or may be, deleted.

        Sends ``show ssl ca-file`` to each process, and nothing else if one of them uses it or
        changes it; then ``del ssl ca-file``, or the same of ``crl-file`` (management guide, "del
        ssl ca-file"; HAProxy 3.2, level admin), and one ``show info`` if the last one was more than
        a second ago.

        :return: ``changed``, False if it was gone already.
        :rtype: haproxyadmin.certificates.Done
        :raises haproxyadmin.exceptions.Conflict: if a transaction is open for it.
        :raises haproxyadmin.exceptions.CommandFailed: if a process uses it, or refuses.
        :raises haproxyadmin.exceptions.MultipleCommandResults: if some processes refuse.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.

        Usage::

            >>> with open('/etc/haproxy/clients.pem') as pem:
            ...     hap.add_ca_file('/etc/haproxy/old-ca.pem', pem.read()).changed
            True
            >>> hap.ca_file('/etc/haproxy/old-ca.pem').delete()
            Done(changed=True)
        """
        return Done(tls_files.delete_files(self._changes_to_make()))

    def _replace(self, kind, pem, old=None):
        name, content = ca_files.check_name_to_change(self.name), type(self)._check(pem)
        return change(self._found, lambda process: kind(process, name, content, old))

    def _changes(self):
        name = ca_files.check_name(self.name)
        return [type(self)._change(process, name, None) for process in self._found]

    def _changes_to_make(self):
        ca_files.check_name_to_change(self.name)
        return self._changes()

    def _values(self, pick):
        """Return what is picked of what each process shows, with its number and socket."""
        name = ca_files.check_name(self.name)
        return [(process.process_nb, process.socket_file, pick(shown))
                for process, shown in read_pairs(
                    self._found, lambda process: ca_files.show_operation(
                        process, type(self)._change, name))]


class CaFile(TrustFile):
    """A CA file: the certificates of the authorities that clients, or servers, may have.

    ``@system-ca`` stands for the authorities that the machine trusts; it can only be read.

    Usage::

        >>> clients = hap.ca_file('/etc/haproxy/clients.pem')
        >>> clients.status, clients.transaction
        ('Used', False)
        >>> [authority.subject for authority in clients.certificates()]
        ['/CN=Test CA']
    """

    _change, _addition = ca_files.CaFileChange, ca_files.NewCaFile
    _check = staticmethod(ca_files.parse_authorities)

    def certificates(self):
        """Return its certificates, with one ``show ssl ca-file NAME`` for each process.

        See the management guide, "show ssl ca-file"; HAProxy 2.6, level operator.

        :return: ordered by subject, because HAProxy's order changes.
        :rtype: list of Authority
        :raises ValueError: if the name contains a colon, which HAProxy cannot show.
        :raises haproxyadmin.exceptions.IncosistentData: if the processes differ.
        :raises haproxyadmin.exceptions.NoSuchObject: if it is gone from a process.
        """
        return common_value(self._values(_authorities))

    def certificates_per_process(self):
        """Return the certificates of each process; see :meth:`certificates`.

        :return: list of ``(process number, list of Authority)``.
        :rtype: list of tuple

        Usage::

            >>> clients = hap.ca_file('/etc/haproxy/clients.pem')
            >>> [(number, len(found)) for number, found in clients.certificates_per_process()]
            [(1, 1)]
        """
        return [(number, found) for number, _, found in self._values(_authorities)]

    def certificates_per_socket(self):
        """Return the certificates of each process by its socket; see :meth:`certificates`.

        :return: list of ``(socket address, list of Authority)``.
        :rtype: list of tuple

        Usage::

            >>> clients = hap.ca_file('/etc/haproxy/clients.pem')
            >>> [(address, len(found)) for address, found in clients.certificates_per_socket()]
            [('/run/haproxy/admin.sock', 1)]
        """
        return [(address, found) for _, address, found in self._values(_authorities)]

    @takes_die
    def add(self, pem, die=True):
        """Add certificates to those that are there, in all processes, or in none.

        It sends what :meth:`update` sends, but ``add ssl ca-file`` only (management guide, "add ssl
        ca-file"; HAProxy 3.2, level admin). If only some processes accept the commit, HAProxy
        cannot undo it: the others do not have the certificates then.

        :param pem: the text of PEM, with certificates in any number; those that are there already
            change nothing.
        :type pem: str or bytes
        :return: ``changed``, ``in_use`` and ``by_socket``.
        :rtype: haproxyadmin.certificates.Updated
        :raises ValueError: see :meth:`update`.
        :raises haproxyadmin.exceptions.Conflict: if another client changes a CA file.
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses, and with 3.2.0 to 3.2.7.
        :raises haproxyadmin.exceptions.MultipleCommandResults: if some processes refuse.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.

        Usage::

            >>> with open('/etc/haproxy/clients.pem') as pem:
            ...     hap.ca_file('/etc/haproxy/clients.pem').add(pem.read()).in_use
            True
        """
        return self._replace(ca_files.CaFileExtension, pem)


class CrlFile(TrustFile):
    """A CRL file: which certificates their authorities have revoked.

    HAProxy (seen with 2.6 to 3.2) crashes when it shows a list that does not say when the next one
    is due. This library never sends it such a list; do not read or change a file that HAProxy has
    loaded with one.

    Usage::

        >>> revoked = hap.crl_file('/etc/haproxy/revoked.pem')
        >>> with open('/etc/haproxy/revoked.pem') as pem:
        ...     revoked.update(pem.read()).changed
        False
    """

    _change, _addition = ca_files.CrlFileChange, ca_files.NewCrlFile
    _check = staticmethod(ca_files.parse_lists)

    def lists(self):
        """Return its revocation lists, with one ``show ssl crl-file NAME`` for each process.

        See the management guide, "show ssl crl-file"; HAProxy 2.6, level operator.

        :return: ordered by issuer; see ``is_complete`` of each for a long file.
        :rtype: list of RevocationList
        :raises ValueError: if the name contains a colon, which HAProxy cannot show.
        :raises haproxyadmin.exceptions.IncosistentData: if the processes differ.
        :raises haproxyadmin.exceptions.NoSuchObject: if it is gone from a process.

        Usage::

            >>> revocations, = hap.crl_file('/etc/haproxy/revoked.pem').lists()
            >>> revocations.issuer, revocations.revoked, revocations.is_complete
            ('/CN=Test CA', [], True)
            >>> (revocations.next_update - revocations.last_update).days
            30
        """
        return common_value(self._values(_lists))

    def lists_per_process(self):
        """Return the lists of each process; see :meth:`lists`.

        :return: list of ``(process number, list of RevocationList)``.
        :rtype: list of tuple

        Usage::

            >>> revoked = hap.crl_file('/etc/haproxy/revoked.pem')
            >>> [(number, len(lists)) for number, lists in revoked.lists_per_process()]
            [(1, 1)]
        """
        return [(number, found) for number, _, found in self._values(_lists)]

    def lists_per_socket(self):
        """Return the lists of each process by its socket; see :meth:`lists`.

        :return: list of ``(socket address, list of RevocationList)``.
        :rtype: list of tuple

        Usage::

            >>> revoked = hap.crl_file('/etc/haproxy/revoked.pem')
            >>> [(address, len(lists)) for address, lists in revoked.lists_per_socket()]
            [('/run/haproxy/admin.sock', 1)]
        """
        return [(address, found) for _, address, found in self._values(_lists)]


def _authorities(shown):
    found = [Authority(**describe(certificate)) for certificate in shown.content]
    return sorted(found, key=lambda one: (one.subject or '', one.fingerprints['sha1']))


def _lists(shown):
    return shown.content


def list_all(kind, processes):
    """Return all files of a kind, each over the processes that have it.

    :param kind: :class:`CaFile` or :class:`CrlFile`.
    :rtype: list
    """
    return [kind(*found) for found in list_sections(
        processes, lambda process: ca_files.names_operation(process, kind._change))]


def find(kind, processes, name):
    """Return the file of a kind that has a name; see :func:`list_all`."""
    return find_by_name(list_all(kind, processes), kind._change.noun, name)


def add(kind, processes, name, pem):
    """Add a file of a kind; see :meth:`haproxyadmin.tls.TlsMethods.add_ca_file`.

    :param kind: see :func:`list_all`.
    :rtype: haproxyadmin.certificates.Updated
    """
    name, content = ca_files.check_name_to_change(name), kind._check(pem)
    return change(processes, lambda process: kind._addition(process, name, content))


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return sorted(__all__)
