# SPDX-License-Identifier: Apache-2.0
"""The certificates of the fake: ``ssl cert``.

The fake keeps no private key: only that part of it which is in its certificate, too.
"""
import base64
import binascii
import re

from haproxyadmin.parsers.der import hex_of
from haproxyadmin.testing.configuration import ConfigurationError
from haproxyadmin.testing.families import tls, x509
from haproxyadmin.testing.families.family import Family, command, message
from haproxyadmin.testing.texts import raw

LOCKED = 'Operations on certificates are currently locked!\n'
_NO_MEMORY = "Can't allocate memory!\n\n"
_NOT_FOUND = "Can't display the certificate: Not found or the certificate is a bundle!\n\n"
_OTHER = "The ongoing transaction is about '{0}' but you are trying to {1} '{2}'\n"
_NO_ISSUER = (" '{0}.ocsp' is present and activates OCSP but it is impossible to compute the OCSP "
              "certificate ID (maybe the issuer could not be found)'.\n")


class Stored(object):
    """What a process has of a certificate.

    :ivar certificate: a :class:`haproxyadmin.testing.families.x509.Certificate`, None if it is
        empty.
    :ivar chain: a list of those that follow it.
    :ivar key: the public part of its private key, None if there is none.
    :ivar ocsp: an OCSP response, bytes; None if it has none.
    :ivar issuer: the certificate in its ``.issuer`` file, None if there is none.
    :ivar ocsp_id: by which bytes OCSP knows it; empty if it does not.
    :ivar parts: the names of the certificates of a bundle (2.2); it has nothing else.
    :ivar files: pairs of a label and the name of a file, which 3.2 shows.
    """

    def __init__(self):
        self.certificate = self.key = self.ocsp = self.issuer = None
        self.chain, self.files, self.parts = [], [], []
        self.ocsp_id = b''

    def copy(self):
        """Return another one with the same content."""
        copied = Stored()
        copied.__dict__.update(self.__dict__)
        return copied

    def load(self, text):
        """Take what is in a text of PEM, instead of everything else.

        :raises haproxyadmin.testing.families.x509.Unreadable: if HAProxy could not use it.
        """
        found = x509.certificates(text)
        if not found:
            raise x509.Unreadable('no start line')
        self.certificate, self.chain, self.key = found[0], found[1:], x509.key_in(text)
        self.ocsp = self.issuer = None

    @property
    def is_consistent(self):
        """Whether the key is that of the certificate."""
        return self.key in (None, x509.ANY_KEY) or (
            self.certificate is not None and self.key == self.certificate.key)

    def find_ocsp_id(self):
        """Note by which bytes OCSP knows it; return False if its issuer is not known."""
        issuers = [one for one in [self.issuer] + self.chain
                   if one is not None and self.certificate.is_issued_by(one)]
        self.ocsp_id = self.certificate.id_for_ocsp(issuers[0]) if issuers and self.ocsp else b''
        return bool(issuers)


class Certificates(Family):
    """The certificates of a process.

    :ivar stored: a dict of names and :class:`Stored`.
    :ivar transaction: None, or a list of the name and the :class:`Stored` of the open transaction.
    :ivar lines: a dict of names and the ``bind`` and ``server`` lines that name the certificate; a
        list of certificates is another reason why one is used.
    :ivar is_locked: True while another client commits: what it is asked for is refused.
    """

    name = 'certificates'

    def __init__(self, process, configuration):
        super(Certificates, self).__init__(process, configuration)
        self.stored, self.lines = {}, {}
        self.transaction = None
        self.is_locked = False
        # Names and numbers of lines, of which the process has forgotten that they use them.
        self._forgotten = set()
        # A failed commit has left behind what crashes in the next command.
        self._is_broken = False
        self._has_stale_error = False
        self.has_changed_since_forgotten = False
        for section in configuration.of_kind('crt-store'):
            self._read_store(section)
        for line in tls.lines_of(process, configuration):
            if line.kind == 'server' and not self.has(2, 4):
                # Those cannot be changed.
                continue
            for _, name in line.pairs('crt', 'default-crt'):
                if name.startswith('@'):
                    self.lines.setdefault(name, []).append(line)
                elif tls.names_in(configuration, tls.place_of(configuration, name)) is None:
                    for found in self.load_file(tls.place_of(configuration, name)):
                        self.lines.setdefault(found, []).append(line)

    def _read_store(self, section):
        base = section.value('crt-base')
        for line in section.all('load'):
            words = dict(zip(line.words[::2], line.words[1::2]))
            places = dict((word, base + '/' + words[word] if base and words[word][:1] != '/'
                           else words[word]) for word in ('crt', 'key') if word in words)
            own = self.load_file(places['crt'], is_plain=True, key_file=places.get('key'))[0]
            label = '@{0}/{1}'.format(section.name, words.get('alias') or words['crt'])
            self.stored[label] = self.stored.pop(own)
            self.stored[label].files = [(title, words[word]) for title, word in [
                ('Crt', 'crt'), ('Key', 'key')] if word in words]

    def load_file(self, name, is_plain=False, key_file=None):
        """Read a certificate of the configuration, or those that are a bundle.

        :param name: the name of its file.
        :param is_plain: whether HAProxy shows no other files of it.
        :param key_file: (optional) the name of the file of its key.
        :return: the names of what was read, or had been read before.
        """
        if name in self.stored:
            return [name]
        if not tls.is_there(self.configuration, name):
            bundle = [name + '.' + kind for kind in tls.KEY_TYPES
                      if tls.is_there(self.configuration, name + '.' + kind)]
            if bundle and not self.has(2, 4):
                self.stored[name] = Stored()
                self.stored[name].parts = bundle
                return [name]
            if bundle:
                return [self.load_file(part)[0] for part in bundle]
        stored = Stored()
        try:
            stored.load(self.configuration.read(name))
            files = dict((part, name + '.' + part) for part in tls.PARTS)
            there = [part for part in files if tls.is_there(self.configuration, files[part])]
            if stored.key is None and (key_file or 'key' in there):
                key_file = key_file or files['key']
                stored.key = x509.key_in(self.configuration.read(key_file))
            if 'ocsp' in there:
                stored.ocsp = raw(self.configuration.read(files['ocsp']))
            if 'issuer' in there:
                stored.issuer = x509.certificates(self.configuration.read(files['issuer']))[0]
        except x509.Unreadable as error:
            raise ConfigurationError('the certificate {0!r} cannot be read: {1}'.format(
                name, error))
        if stored.key is None or not stored.is_consistent:
            raise ConfigurationError('the certificate {0!r} has not got its private key'.format(
                name))
        stored.files = [('Crt', name)]
        if not is_plain:
            stored.files += [('Key', key_file or name), ('OCSP', files['ocsp'])]
            if stored.ocsp:
                stored.files.append(('OCSP Issuer', files['issuer']))
            stored.files.append(('SCTL', files['sctl']))
        if stored.ocsp:
            stored.find_ocsp_id()
            self._note_ocsp(name, stored)
        self.stored[name] = stored
        return [name]

    def _note_ocsp(self, name, stored):
        if stored.ocsp_id:
            self.process.ocsp.add(name, stored.ocsp, stored.ocsp_id)

    # What uses them

    def uses_of(self, name):
        """Return pairs of a line that uses a certificate and options, one for each time."""
        return [(line, options) for line, options in self.all_uses_of(name)
                if (name, line.number) not in self._forgotten]

    def all_uses_of(self, name):
        """Return the same even if the process has forgotten it."""
        own = [(line, '') for line in self.lines.get(name, [])]
        return own + self.process.crt_lists.uses_of(name)

    def forget_use(self, name, line):
        """Note that the process does not know any more that a line uses a certificate."""
        self._forgotten.add((name, line.number))

    def status_of(self, name, stored):
        """Return the word for how it is used."""
        if stored.certificate is None:
            return 'Empty'
        return 'Used' if self.uses_of(name) else 'Unused'

    def _crash(self, why):
        """Note that a real process would have crashed, and begin as a new one."""
        self.process.problem('crashes HAProxy {0}: {1}'.format(self.process.version, why))
        self.process.take_over()
        return ''

    # Commands

    @command('show ssl cert', since=(2, 2))
    def show(self, call):
        """Show all certificates, or one."""
        if not call.connection.may('operator'):
            return _NO_MEMORY
        if self.is_locked:
            return message("Can't show!\n" + LOCKED[:-1])
        if not call.rest:
            return self._list()
        name = call.rest[0]
        if name.startswith('*'):
            if not self.transaction or self.transaction[0] != name[1:]:
                return _NOT_FOUND
            status = 'Uncommitted' if self.has(3, 2) else 'Unused'
            return self._details(name, self.transaction[1], status)
        if name not in self.stored or self.stored[name].parts:
            return _NOT_FOUND
        stored = self.stored[name]
        return self._details(name, stored, self.status_of(name, stored))

    def _list(self):
        head = ''
        if self.transaction:
            name = self.transaction[0]
            # What 2.2 shows of one that has been deleted is no longer there.
            head = '# transaction\n*{0}\n'.format(
                name if name in self.stored or self.has(2, 4) else '')
        rows = ''
        for name in sorted(self.stored, key=raw):
            parts = self.stored[name].parts
            rows += name + (': ' + ' '.join(parts) if parts else '') + '\n'
        return head + '# filename\n' * bool(rows) + rows + '\n'

    def _details(self, name, stored, status):
        lines = ['Filename: ' + name]
        if self.has(3, 2):
            lines += ['{0} filename: {1}'.format(*pair) for pair in stored.files]
        if self.has(3, 4):
            lines += ['Option: ocsp-update off', 'Option: jwt off']
        lines.append('Status: ' + (status if stored.certificate else 'Empty'))
        shown = '\n'.join(lines) + '\n'
        if stored.certificate:
            shown += stored.certificate.details() + ''.join(
                'Chain Subject: {0.subject}\nChain Issuer: {0.issuer}\n'.format(one)
                for one in stored.chain)
        if self.has(2, 6):
            key = bytearray(stored.ocsp_id)
            shown += 'OCSP Response Key: {0}\n'.format(hex_of(key, 0, len(key)))
        return shown + '\n'

    @command('dump ssl cert', since=(3, 2))
    def dump(self, call):
        """Show the text of a certificate with its key, which the fake has not got."""
        if not call.connection.may('admin'):
            return _NO_MEMORY
        if not call.rest or call.rest[0] not in self.stored:
            return _NOT_FOUND
        self.process.problem('the fake keeps no private keys: {0!r} needs an answer'.format(
            call.line))
        return _NOT_FOUND

    @command('new ssl cert', level='admin', since=(2, 2))
    def new(self, call):
        """Make an empty certificate."""
        if not call.rest:
            return message("'new ssl cert' expects a filename")
        name = call.rest[0]
        if self.is_locked:
            return message("Can't create a certificate!\n" + LOCKED[:-1])
        if name in self.stored:
            return message("Certificate '{0}' already exists!".format(name))
        self.stored[name] = Stored()
        return message("New empty certificate store '{0}'!".format(name))

    @command('set ssl cert', level='admin', since=(2, 2))
    def set(self, call):
        """Replace a certificate, or a part of it, in the transaction."""
        if not call.rest or call.payload is None:
            return message("'set ssl cert{0} expects a filename and a certificate as a payload"
                           .format("'" if self.has(3, 0) else ''))
        if self.is_locked:
            return message("Can't update the certificate!\n" + LOCKED[:-1])
        name = call.rest[0]
        refusal = self._set(name, call.payload)
        if refusal is None:
            return message('Transaction {0} for certificate {1}!'.format(
                self._word, self.transaction[0]))
        return message("{0}Can't update {1}!".format(refusal, name))

    def _set(self, asked, payload):
        """Change the transaction; return a refusal, or None."""
        name, _, part = asked.rpartition('.')
        if part not in tls.PARTS:
            name, part = asked, 'crt'
        if self.transaction:
            # 2.4 to 2.8 do not look whether it is the same certificate.
            if self.transaction[0] != name and not (
                    self.has(2, 4) and not self.has(3, 0) and name in self.stored):
                return _OTHER.format(self.transaction[0], 'set', name)
        elif name not in self.stored:
            return "Can't replace a certificate which is not referenced by the configuration!\n"
        into = self.transaction[0] if self.transaction else name
        stored = (self.transaction[1] if self.transaction else self.stored[name]).copy()
        refusal = getattr(self, '_load_' + part)(stored, name, payload)
        if refusal is not None:
            return refusal + "Can't load the payload\n"
        if part in ('crt', 'key', 'issuer') and not self._keeps_ocsp_id:
            stored.ocsp_id = b''
        self._word = 'updated' if self.transaction else 'created'
        self.transaction = [into, stored]
        return None

    @property
    def _keeps_ocsp_id(self):
        return self.has(2, 8) and not self.has(3, 0)

    def _load_crt(self, stored, name, payload):
        try:
            stored.load(payload)
        except x509.Unreadable as error:
            return "unable to load certificate from file '{0}'{1}.\n".format(
                name, ': ' + str(error) if self.has(2, 8) else '')
        # 2.4 takes an error of an earlier command for one of this, or that there is no key.
        if self.process.release == (2, 4) and (self._has_stale_error or stored.key is None):
            self._has_stale_error = False
            return "unable to load certificate chain from file '{0}'.\n".format(name)
        return None

    def _load_key(self, stored, name, payload):
        key = x509.key_in(payload)
        if key is None:
            return "unable to load private key from file '{0}'.\n".format(name)
        stored.key = key
        return None

    def _load_issuer(self, stored, name, payload):
        try:
            stored.issuer = x509.certificates(payload)[0]
        except (x509.Unreadable, IndexError):
            return "'{0}' cannot be read or parsed'.\n".format(name)
        return None

    def _load_ocsp(self, stored, name, payload):
        encoded = re.sub(r'\s', '', payload)
        try:
            if not re.match(r'[A-Za-z0-9+/]+={0,2}\Z', encoded):
                raise ValueError()
            stored.ocsp = base64.b64decode(encoded)
        except (ValueError, TypeError, binascii.Error):
            return 'Error reading OCSP response in base64 format'
        return None

    def _load_sctl(self, stored, name, payload):
        # What is in one is not looked at, but it is no text.
        return '' if '-----BEGIN' in payload else None

    @command('commit ssl cert', level='admin', since=(2, 2))
    def commit(self, call):
        """End the transaction and use what is in it."""
        if not call.rest:
            return message("'commit ssl cert{0} expects a filename".format(
                "'" if self.has(3, 0) else ''))
        name = call.rest[0]
        refusal = self._why_not_commit(name)
        if refusal:
            return message("{0}Can't commit {1}!".format(refusal, name))
        stored = self.transaction[1]
        if name not in self.stored:
            return self._crash('a certificate is committed that has been deleted')
        dots = '.' * len(self.uses_of(name))
        if dots and stored.key is None:
            self.transaction = None
            return message("Committing {0}\nunable to load SSL private key into SSL Context '{0}': "
                           'passed a null parameter.\nFailed!'.format(name))
        if dots and stored.ocsp and not stored.find_ocsp_id():
            return self._fail(name, dots)
        if self._forgotten:
            self.has_changed_since_forgotten = True
        self._note_ocsp(name, stored)
        self.process.ocsp.leave(name, stored.ocsp_id)
        self.stored[name], self.transaction = stored, None
        return message('Committing {0}{1}\nSuccess!'.format(name, dots))

    def _why_not_commit(self, name):
        if self.is_locked:
            return "Can't commit the certificate!\n" + LOCKED
        if not self.transaction:
            return 'No ongoing transaction! !\n'
        own, stored = self.transaction
        if own != name:
            return _OTHER.format(own, 'set', name)
        if stored.certificate is None or stored.key is None and not self.has(3, 4):
            return 'The transaction must contain at least a certificate and a private key!\n'
        if not stored.is_consistent:
            self._has_stale_error = True
            return "inconsistencies between private key and certificate loaded '{0}'.\n".format(
                name)
        return ''

    def _fail(self, name, dots):
        """Fail because of an OCSP response whose issuer is not known."""
        if self._keeps_ocsp_id:
            return self._crash('an OCSP response is committed without its issuer')
        if self.has(2, 6):
            self.transaction = None
        else:
            self._is_broken = True
        shown = dots if self.has(2, 6) and not self.has(3, 4) else ''
        return message('Committing {0}{1}\n{2}Failed!'.format(name, shown, _NO_ISSUER.format(name)))

    @command('abort ssl cert', level='admin', since=(2, 2))
    def abort(self, call):
        """End the transaction."""
        if not call.rest:
            return message("'abort ssl cert' expects a filename")
        name = call.rest[0]
        if self.is_locked:
            return message("Can't abort!\n" + LOCKED[:-1])
        if not self.transaction:
            return message('No ongoing transaction!')
        if self.transaction[0] != name:
            return message(_OTHER.format(self.transaction[0], 'abort a transaction for', name)[:-1])
        if self._is_broken:
            return self._crash('a transaction is ended whose commit has failed')
        self.transaction = None
        return message("Transaction aborted for certificate '{0}'!".format(name))

    @command('del ssl cert', level='admin', since=(2, 2))
    def delete(self, call):
        """Remove a certificate."""
        if not call.rest:
            return message("'del ssl cert' expects a certificate name")
        name = call.rest[0]
        if self.is_locked:
            return message("Can't delete the certificate!\n" + LOCKED[:-1])
        refusal = "Can't remove the certificate: {0}"
        if self.transaction and self.transaction[0] == name and self.has(2, 6):
            return message(refusal.format("ongoing transaction for the certificate '{0}'".format(
                name)))
        # Those before 3.0 end it with one line more.
        refusal = refusal + ('' if self.has(3, 0) else '\n')
        if name not in self.stored:
            return message(refusal.format("certificate '{0}' doesn't exist!".format(name)))
        if self.uses_of(name):
            return message(refusal.format(
                "certificate '{0}' in use, can't be deleted!".format(name)))
        del self.stored[name]
        self.lines.pop(name, None)
        self.process.ocsp.leave(name, b'')
        return message("Certificate '{0}' deleted!".format(name))
