# SPDX-License-Identifier: Apache-2.0
"""The methods of :class:`haproxyadmin.haproxy.HAProxy` for TLS; the work is in the families."""
from haproxyadmin.methods import changes, changes_all_or_none, takes_die, waits


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
            ...     print(certificate.name, certificate.status)
            ...
            /etc/haproxy/partners.example.com.pem Used
            /etc/haproxy/shop.example.com.pem Used
            /etc/haproxy/www.example.com.pem Used
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

        Usage::

            >>> hap.certificate('/etc/haproxy/www.example.com.pem').subject
            '/CN=www.example.com'
        """
        from haproxyadmin import certificates  # most programs do not need it
        return certificates.find(self._sources(), name)

    @takes_die
    def update_certificate(self, name, pem, previous=None, ocsp=None, die=True):
        """Replace a certificate in all processes, or in none.

        It is :meth:`haproxyadmin.certificates.Certificate.update` of the certificate with this
        name; finding it sends one more ``show ssl cert`` to each process.

        :param name: its name: the file that HAProxy has loaded it from.
        :type name: str
        :param pem: the text of PEM: certificate, chain and key.
        :type pem: str or bytes
        :param previous: (optional) the text of PEM that HAProxy has now.
        :type previous: str or bytes
        :param ocsp: (optional) an OCSP response for the new certificate, in DER.
        :type ocsp: bytes
        :return: ``changed``, ``in_use`` and ``by_socket``.
        :rtype: :class:`haproxyadmin.certificates.Updated`
        :raises ValueError: for a wrong text, and if no process has the certificate.
        :raises haproxyadmin.exceptions.Conflict: if another client changes a certificate.
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses.

        Usage::

            >>> with open('/etc/haproxy/www.example.com.pem') as pem:
            ...     hap.update_certificate('/etc/haproxy/www.example.com.pem', pem.read()).in_use
            True
        """
        from haproxyadmin import certificates  # most programs do not need it
        return certificates.find(self._found, name).update(pem, previous, ocsp)

    @takes_die
    def add_certificate(self, name, pem, crt_list=None, sni=(), ocsp=None, die=True):
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
        :param ocsp: (optional) an OCSP response for the certificate, in DER; see
            :meth:`haproxyadmin.certificates.Certificate.update`.
        :type ocsp: bytes
        :return: ``changed``, ``in_use`` (True with a crt-list) and ``by_socket``.
        :rtype: :class:`haproxyadmin.certificates.Updated`
        :raises ValueError: for a wrong name or text; nothing is sent.
        :raises haproxyadmin.exceptions.Conflict: if another client changes a certificate.
        :raises haproxyadmin.exceptions.CommandFailed: if there is one with this name already, or
            HAProxy refuses.
        :raises haproxyadmin.exceptions.MultipleCommandResults: if some processes refuse.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.

        Usage::

            >>> with open('/etc/haproxy/www.example.com.pem') as pem:
            ...     added = hap.add_certificate(
            ...         '/etc/haproxy/new.example.com.pem', pem.read(),
            ...         crt_list='/etc/haproxy/sites.list', sni=['new.example.com'])
            >>> added.in_use
            True
        """
        from haproxyadmin import certificates  # most programs do not need it
        return certificates.add(self._found, name, pem, crt_list, sni, ocsp)

    # Lists of certificates

    def crt_lists(self):
        """Return all lists of certificates, files and directories, in HAProxy's order.

        Sends ``show ssl crt-list`` to each process (management guide, "show ssl crt-list"; HAProxy
        2.2).

        :rtype: list of :class:`haproxyadmin.crt_lists.CrtList`
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.
        :raises haproxyadmin.exceptions.CommandFailed: if the socket's level is not admin.
        :raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached.

        Usage::

            >>> [crt_list.name for crt_list in hap.crt_lists()]
            ['/etc/haproxy/sites.list']
        """
        from haproxyadmin import crt_lists  # most programs do not need it
        return crt_lists.list_all(self._sources())

    def crt_list(self, name):
        """Return one list of certificates; costs as much as :meth:`crt_lists`.

        :param name: the file or directory, as the configuration names it.
        :type name: str
        :rtype: :class:`haproxyadmin.crt_lists.CrtList`
        :raises ValueError: if no process has it; the message contains the nearest names.

        Usage::

            >>> len(hap.crt_list('/etc/haproxy/sites.list').entries())
            1
        """
        from haproxyadmin import crt_lists  # most programs do not need it
        return crt_lists.find(self._sources(), name)

    # Authorities and revocation lists

    def ca_files(self):
        """Return all CA files, in HAProxy's order, with ``@system-ca``, what the machine trusts.

        Sends one ``show ssl ca-file`` to each process (management guide, "show ssl ca-file";
        HAProxy 2.6, level operator).

        :rtype: list of :class:`haproxyadmin.ca_files.CaFile`
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses.
        :raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached.

        Usage::

            >>> [(ca_file.name, ca_file.status) for ca_file in hap.ca_files()]
            [('/etc/haproxy/clients.pem', 'Used'), ('@system-ca', 'Unused')]
        """
        from haproxyadmin import ca_files  # most programs do not need it
        return ca_files.list_all(ca_files.CaFile, self._sources())

    def ca_file(self, name):
        """Return one CA file; costs as much as :meth:`ca_files`.

        :param name: its name: the file that HAProxy has loaded it from.
        :type name: str
        :rtype: :class:`haproxyadmin.ca_files.CaFile`
        :raises ValueError: if no process has it; the message contains the nearest names.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.

        Usage::

            >>> clients = hap.ca_file('/etc/haproxy/clients.pem')
            >>> [authority.subject for authority in clients.certificates()]
            ['/CN=Test CA']
        """
        from haproxyadmin import ca_files  # most programs do not need it
        return ca_files.find(ca_files.CaFile, self._sources(), name)

    @takes_die
    def add_ca_file(self, name, pem, die=True):
        """Add a CA file in all processes, or in none.

        Nothing uses it until a line of a crt-list, or a server, that names it is added.

        Sends ``new ssl ca-file``, and then what :meth:`haproxyadmin.ca_files.CaFile.update` sends,
        to each process (management guide, "new ssl ca-file"; HAProxy 3.2, level admin). If it
        fails in one process, the file is deleted again in the others.

        :param name: the name that it is to have; HAProxy reads no file.
        :type name: str
        :param pem: the text of PEM, with certificates in any number.
        :type pem: str or bytes
        :return: ``changed``, ``in_use`` (False) and ``by_socket``.
        :rtype: :class:`haproxyadmin.certificates.Updated`
        :raises ValueError: for a wrong name or text; nothing is sent.
        :raises haproxyadmin.exceptions.Conflict: if another client changes a CA file.
        :raises haproxyadmin.exceptions.CommandFailed: if there is one with this name already, or
            HAProxy refuses.
        :raises haproxyadmin.exceptions.MultipleCommandResults: if some processes refuse.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.

        Usage::

            >>> with open('/etc/haproxy/clients.pem') as pem:
            ...     added = hap.add_ca_file('/etc/haproxy/partners-ca.pem', pem.read())
            >>> added.changed, added.in_use
            (True, False)
        """
        from haproxyadmin import ca_files  # most programs do not need it
        return ca_files.add(ca_files.CaFile, self._found, name, pem)

    def crl_files(self):
        """Return all CRL files, in HAProxy's order.

        Sends one ``show ssl crl-file`` to each process (management guide, "show ssl crl-file";
        HAProxy 2.6, level operator).

        :rtype: list of :class:`haproxyadmin.ca_files.CrlFile`
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses.
        :raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached.

        Usage::

            >>> [(crl_file.name, crl_file.status) for crl_file in hap.crl_files()]
            [('/etc/haproxy/revoked.pem', 'Used')]
        """
        from haproxyadmin import ca_files  # most programs do not need it
        return ca_files.list_all(ca_files.CrlFile, self._sources())

    def crl_file(self, name):
        """Return one CRL file; costs as much as :meth:`crl_files`.

        :param name: its name: the file that HAProxy has loaded it from.
        :type name: str
        :rtype: :class:`haproxyadmin.ca_files.CrlFile`
        :raises ValueError: if no process has it; the message contains the nearest names.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.

        Usage::

            >>> hap.crl_file('/etc/haproxy/revoked.pem').lists()[0].revoked
            []
        """
        from haproxyadmin import ca_files  # most programs do not need it
        return ca_files.find(ca_files.CrlFile, self._sources(), name)

    @takes_die
    def add_crl_file(self, name, pem, die=True):
        """Add a CRL file in all processes, or in none.

        Nothing uses it until a line of a crt-list, or a server, that names it is added.

        Sends ``new ssl crl-file``, and then what :meth:`haproxyadmin.ca_files.CrlFile.update`
        sends, to each process (management guide, "new ssl crl-file"; HAProxy 3.2, level admin). If
        it fails in one process, the file is deleted again in the others.

        :param name: the name that it is to have; HAProxy reads no file.
        :type name: str
        :param pem: the text of PEM, with one revocation list or several.
        :type pem: str or bytes
        :return: ``changed``, ``in_use`` (False) and ``by_socket``.
        :rtype: :class:`haproxyadmin.certificates.Updated`
        :raises ValueError: for a wrong name or text; nothing is sent.
        :raises haproxyadmin.exceptions.Conflict: if another client changes a CRL file.
        :raises haproxyadmin.exceptions.CommandFailed: if there is one with this name already, or
            HAProxy refuses.
        :raises haproxyadmin.exceptions.MultipleCommandResults: if some processes refuse.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.

        Usage::

            >>> with open('/etc/haproxy/revoked.pem') as pem:
            ...     hap.add_crl_file('/etc/haproxy/partners-revoked.pem', pem.read()).changed
            True
        """
        from haproxyadmin import ca_files  # most programs do not need it
        return ca_files.add(ca_files.CrlFile, self._found, name, pem)

    # OCSP responses

    def ocsp_responses(self):
        """Return the OCSP responses that HAProxy sends to clients ("stapling"), by id.

        Sends ``show ssl ocsp-response`` to each process, and once more for each response
        (management guide, "show ssl ocsp-response"; HAProxy 2.6, from 3.3 on level admin). If a
        response contains many certificates, 2.6 cannot show it: that is a
        :class:`haproxyadmin.exceptions.SocketApplicationError`.

        :rtype: list of :class:`haproxyadmin.ocsp.OcspResponse`
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses.
        :raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached.

        Usage::

            >>> for response in hap.ocsp_responses():
            ...     print(response.certificate, response.status, response.expires_in // 86400)
            ...
            /etc/haproxy/shop.example.com.pem good 9
        """
        from haproxyadmin import ocsp  # most programs do not need it
        return ocsp.list_all(self._sources())

    @changes_all_or_none
    def set_ocsp_response(self, der, die=True):
        """Set an OCSP response in all processes (management guide, "set ssl ocsp-response").

        HAProxy finds the certificate by what the response says. It only has a place for a response
        where one was loaded with the certificate (the file ``NAME.ocsp``, which may be empty), or
        with ``ocsp-update on``. Replacing the certificate takes that place away: pass the response
        as ``ocsp`` of :meth:`haproxyadmin.certificates.Certificate.update` then.

        If there are several processes, each is first asked for the response that it has (2.6): one
        that has no place for it is a :class:`haproxyadmin.exceptions.CommandFailed`, and nothing is
        changed anywhere. What HAProxy 2.8 answers is enough for undoing the change. Older versions
        do not show the response, so that it cannot be undone there: ``not_undone`` lists the
        processes that have the new one. The same holds if HAProxy no longer accepts the old one,
        because its time is over.

        In versions before August 2026 that run several threads, a client that gets the response at
        the very moment of the change may crash HAProxy, whoever changes it.

        :param der: the response in DER, as ``openssl ocsp -respout FILE`` writes it.
        :type der: bytes
        :raises ValueError: for anything else, such as base64, and for a response without success or
            about several certificates; nothing is sent.

        Usage::

            >>> with open('/etc/haproxy/shop.example.com.pem.ocsp', 'rb') as response:
            ...     hap.set_ocsp_response(response.read())
            True
        """
        from haproxyadmin import ocsp  # most programs do not need it
        return ocsp.set_response(self._found, der)

    @waits
    def update_ocsp_response(self, name, timeout=60, interval=0.2, progress=None, die=True):
        """Have HAProxy get an OCSP response from its authority, and wait for it.

        Sends ``update ssl ocsp-response`` to each process that has a response for the certificate
        (management guide, "update ssl ocsp-response"; HAProxy 2.8), and looks by ``show ssl
        ocsp-updates`` and ``show ssl ocsp-response`` until it has ended. The address of the
        authority stands in the certificate. HAProxy makes one update at a time, and tries three
        times within a few seconds.

        HAProxy reports whether it succeeded only for a certificate with ``ocsp-update on``; then a
        failure is a :class:`haproxyadmin.exceptions.CommandFailed`. For others, ``changed=False``
        means that the authority has sent the same response again, or none: look at ``expires_in``
        of :meth:`ocsp_responses`.

        :param name: the file of the certificate, ``certificate`` of :meth:`ocsp_responses`.
        :type name: str
        :return: ``changed``, True if a process has another response now, and ``by_socket``.
        :rtype: :class:`haproxyadmin.ocsp.OcspUpdated`
        :raises ValueError: if no process has a response for the certificate; the message contains
            the nearest names.
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses or reports a failure, or
            if another process has taken over.

        Usage::

            >>> updated = hap.update_ocsp_response('/etc/haproxy/www.pem')
            >>> updated.changed, updated.by_socket
            (True, [('/run/haproxy/1.sock', True), ('/run/haproxy/2.sock', True)])
        """
        from haproxyadmin import ocsp  # most programs do not need it
        from haproxyadmin.internal.waiting import Wait
        return ocsp.update_response(self._found, name, Wait(timeout, interval, progress))

    # Keys of TLS tickets

    def tls_ticket_keys(self):
        """Return the files with keys of TLS tickets (``tls-ticket-keys``), without the keys.

        Sends one ``show tls-keys`` to each process (management guide, "show tls-keys"; HAProxy 1.8,
        from 3.4 on level admin), never the form that shows the keys. HAProxy uses three keys of
        each file.

        :rtype: list of :class:`haproxyadmin.tickets.TicketKeys`
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.
        :raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses.
        :raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached.

        Usage::

            >>> [(keys.id, keys.file) for keys in hap.tls_ticket_keys()]
            [(0, '/etc/haproxy/tickets.keys')]
        """
        from haproxyadmin import tickets  # most programs do not need it
        return tickets.list_all(self._sources())

    @changes
    def set_tls_ticket_key(self, file, key, die=True):
        """Set the next key of TLS tickets, in all processes that have the file.

        Sends one ``show tls-keys`` and one ``set ssl tls-key`` to each process (management guide,
        "set ssl tls-key"; HAProxy 1.8, from 3.4 on level admin). HAProxy decrypts tickets with the
        new key at once, and encrypts new ones with it after the next call: then all processes know
        it. With three keys, a ticket is good until the second call after it was made; a file is not
        changed. Setting a key twice makes it two of the three.

        HAProxy cannot take a key back. If a process refuses or is lost, ``not_undone`` lists the
        sockets of those that have it.

        :param file: the name of the file, or its ``id``.
        :type file: str or int
        :param key: a secret of 48 bytes (AES-128) or 80 bytes (AES-256, HAProxy 2.0), as the others
            of the file are, or its base64, as text or bytes. It appears in no exception and no log.
        :type key: bytes or str
        :raises ValueError: for anything else, for a file that no process has, and if the key would
            be sent to another host without TLS; it is not sent.
        :raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old.

        Usage::

            >>> import os
            >>> hap.set_tls_ticket_key('/etc/haproxy/tickets.keys', os.urandom(48))
            True
        """
        from haproxyadmin import tickets  # most programs do not need it
        return tickets.set_key(self._found, file, key)


def __dir__():
    """List what is public; has an effect from Python 3.7 on."""
    return ['TlsMethods']
