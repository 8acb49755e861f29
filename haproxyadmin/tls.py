# SPDX-License-Identifier: Apache-2.0
"""The methods of :class:`haproxyadmin.haproxy.HAProxy` for TLS; the work is in the families."""
from haproxyadmin.methods import takes_die


class TlsMethods(object):
    """Certificates, the lists that say which of them a bind line uses, authorities, revocation
    lists, OCSP responses and keys of TLS tickets.
    """

    # Certificates

    def certificates(self):
        """Return all certificates, in HAProxy's order.

        Sends one ``show ssl cert`` to each process (management guide, "show ssl cert"; HAProxy 2.2,
        level operator).

        :rtype: list of :class:`haproxyadmin.certificates.Certificate`
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses.
        :raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached.

        Usage::

            >>> for certificate in hap.certificates():
            ...     print(certificate.name, certificate.not_after)
        """
        from haproxyadmin import certificates  # most programs do not need it
        return certificates.list_all(self._sources())

    def certificate(self, name):
        """Return one certificate; costs as much as :meth:`certificates`.

        :param name: its name: the file that HAProxy has loaded it from.
        :type name: str
        :rtype: :class:`haproxyadmin.certificates.Certificate`
        :raises ValueError: if no process has it; the message contains the nearest names.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.
        """
        from haproxyadmin import certificates  # most programs do not need it
        return certificates.find(self._sources(), name)

    @takes_die
    def update_certificate(self, name, pem, previous=None, die=True):
        """Replace a certificate in all processes, or in none.

        It is :meth:`haproxyadmin.certificates.Certificate.update` of the certificate with this
        name; finding it sends one more ``show ssl cert`` to each process.

        :param name: its name: the file that HAProxy has loaded it from.
        :type name: str
        :param pem: the text of PEM: certificate, chain and key.
        :type pem: str or bytes
        :param previous: (optional) the text of PEM that HAProxy has now.
        :type previous: str or bytes
        :return: ``changed``, ``in_use`` and ``by_socket``.
        :rtype: :class:`haproxyadmin.certificates.Updated`
        :raises ValueError: for a wrong text, and if no process has the certificate.
        :raises haproxyadmin.exceptions.Conflict: if another client changes a certificate.
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses.

        Usage::

            >>> with open('/etc/haproxy/www.pem') as pem:
            ...     hap.update_certificate('/etc/haproxy/www.pem', pem.read()).in_use
            True
        """
        from haproxyadmin import certificates  # most programs do not need it
        return certificates.find(self._found, name).update(pem, previous)

    @takes_die
    def add_certificate(self, name, pem, crt_list=None, sni=(), die=True):
        """Add a certificate in all processes, or in none.

        No client gets it unless it is in a crt-list: pass the name of one, or use
        :meth:`haproxyadmin.crt_lists.CrtList.add` later.

        Sends ``new ssl cert``, and then what :meth:`haproxyadmin.certificates.Certificate.update`
        sends, to each process, and ``add ssl crt-list`` (management guide, "new ssl cert", "add ssl
        crt-list"; HAProxy 2.2, level admin). If it fails in one process, the certificate is
        deleted again in the others.

        :param name: the name that it is to have; HAProxy reads no file.
        :type name: str
        :param pem: the text of PEM: certificate, chain and key.
        :type pem: str or bytes
        :param crt_list: (optional) the name of the crt-list that it is added to.
        :type crt_list: str
        :param sni: (optional) the names that clients may ask for, in the crt-list, such as
            ``['*.example.com', '!www.example.com']``; by default those of the certificate.
        :type sni: list of str
        :return: ``changed``, ``in_use`` (True with a crt-list) and ``by_socket``.
        :rtype: :class:`haproxyadmin.certificates.Updated`
        :raises ValueError: for a wrong name or text; nothing is sent.
        :raises haproxyadmin.exceptions.Conflict: if another client changes a certificate.
        :raises haproxyadmin.exceptions.CommandFailed: if there is one with this name already, or
            HAProxy refuses.
        :raises haproxyadmin.exceptions.MultipleCommandResults: if some processes refuse.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.
        """
        from haproxyadmin import certificates  # most programs do not need it
        return certificates.add(self._found, name, pem, crt_list, sni)

    # Lists of certificates

    def crt_lists(self):
        """Return all lists of certificates, files and directories, in HAProxy's order.

        Sends ``show ssl crt-list`` to each process (management guide, "show ssl crt-list"; HAProxy
        2.2).

        :rtype: list of :class:`haproxyadmin.crt_lists.CrtList`
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.
        :raises haproxyadmin.exceptions.CommandFailed: if the socket's level is not admin.
        :raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached.
        """
        from haproxyadmin import crt_lists  # most programs do not need it
        return crt_lists.list_all(self._sources())

    def crt_list(self, name):
        """Return one list of certificates; costs as much as :meth:`crt_lists`.

        :param name: the file or directory, as the configuration names it.
        :type name: str
        :rtype: :class:`haproxyadmin.crt_lists.CrtList`
        :raises ValueError: if no process has it; the message contains the nearest names.
        """
        from haproxyadmin import crt_lists  # most programs do not need it
        return crt_lists.find(self._sources(), name)

    # Authorities and revocation lists

    # OCSP responses

    # Keys of TLS tickets


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return ['TlsMethods']
