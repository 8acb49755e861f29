# SPDX-License-Identifier: Apache-2.0
"""The CA files and CRL files of the fake: ``ssl ca-file`` and ``ssl crl-file``."""
from haproxyadmin.testing.configuration import ConfigurationError
from haproxyadmin.testing.families import tls, x509
from haproxyadmin.testing.families.certificates import LOCKED
from haproxyadmin.testing.families.family import OK, Family, command, message
from haproxyadmin.testing.texts import raw

SYSTEM = '@system-ca'
# How many authorities the system has.
SYSTEM_COUNT = 144


class Kind(object):
    """What differs between CA files and CRL files.

    :ivar files: a dict of names and lists of what is in each: certificates or revocation lists.
    :ivar transaction: None, or a list of the name and the content of the open transaction.
    """

    def __init__(self, noun, things, words, parse, title):
        self.noun, self.things, self.words = noun, things, words
        self.parse, self.title = parse, title
        self.files = {}
        self.transaction = None


class CaFiles(Family):
    """The CA files and CRL files of a process.

    :ivar ca: a :class:`Kind`; ``crl`` is the other.
    """

    name = 'ca_files'

    def __init__(self, process, configuration):
        super(CaFiles, self).__init__(process, configuration)
        self.ca = Kind('CA', 'CAs', ('ca-file', 'ca-verify-file'), x509.certificates,
                       'Certificate #{0}:')
        self.crl = Kind('CRL', 'CRLs', ('crl-file',), x509.revocation_lists,
                        'Certificate Revocation List #{0}:')
        self._lines = tls.lines_of(process, configuration)
        self.ca.files[SYSTEM] = []
        for kind in (self.ca, self.crl):
            for name in sorted(set(name for _, _, name in self._uses(kind, False))):
                if not name.startswith('@'):
                    self._read(kind, name)

    def _read(self, kind, name):
        try:
            kind.files[name] = kind.parse(self.configuration.read(name))
        except x509.Unreadable as error:
            raise ConfigurationError('the {0} file {1!r} cannot be read: {2}'.format(
                kind.noun, name, error))

    def _uses(self, kind, is_checked=True):
        """Return a certificate, None for a server without one, its line and a file, for each use.

        :param is_checked: whether to leave out what is not used, because of ``verify none``.
        """
        certificates = self.process.certificates
        found = [(None, line, '') for line in self._lines
                 if line.kind == 'server' and not line.value('crt')]
        for name in sorted(certificates.stored):
            found += [(name, line, options) for line, options in certificates.all_uses_of(name)]
        uses = []
        for name, line, options in found:
            own = tls.TlsLine('', 0, options.split())
            verify = own.value('verify') or line.value('verify') or (
                'required' if line.kind == 'server' else 'none')
            for word in kind.words:
                file = own.value(word) or line.value(word)
                if file and (verify != 'none' or not is_checked):
                    uses.append((name, line, tls.place_of(self.configuration, file, 'ca-base')))
        return uses

    # Commands

    def _kind(self, call):
        return self.crl if call.words[2] == 'crl-file' else self.ca

    @property
    def _is_locked(self):
        return self.process.certificates.is_locked

    def _expects(self, kind, verb, what):
        quote = '' if verb in ('set', 'commit') and not self.has(3, 0) else "'"
        return message("'{0} ssl {1}-file{2} expects {3}".format(
            verb, kind.noun.lower(), quote, what))

    @command('show ssl ca-file', 'show ssl crl-file', since=(2, 6))
    def show(self, call):
        """Show all files, or what is in one."""
        kind = self._kind(call)
        if not call.connection.may('operator'):
            return message("Can't allocate memory!")
        if self._is_locked:
            return message("Can't show!\n" + LOCKED[:-1])
        if not call.rest:
            return self._list(kind)
        name, colon, number = call.rest[0].partition(':')
        if colon and not (number.isdigit() and int(number)):
            return "wrong {0} index after colons in '{1}'!\n{2}".format(
                kind.noun, call.rest[0], '\n' * self.has(3, 0))
        if name.startswith('*'):
            is_there = kind.transaction and kind.transaction[0] == name[1:]
            content = kind.transaction[1] if is_there else None
            status = 'Uncommitted' if self.has(3, 2) else 'Unused'
        else:
            content = kind.files.get(name)
            status = 'Used' if self._count_uses(kind, name) else 'Unused'
        if content is None:
            return message("Can't display the {0} file : Not found!".format(kind.noun))
        chosen = [(place, one) for place, one in enumerate(content, 1)
                  if not number or place == int(number)]
        head = 'Filename: {0}\nStatus: {1}\n'.format(name, status if content else 'Empty')
        if not chosen:
            # What is written before the first certificate is lost without one.
            return OK if kind is self.ca else head + '\n'
        return head + ''.join(' \n{0}\n{1}'.format(kind.title.format(place), one.details())
                              for place, one in chosen) + '\n'

    def _list(self, kind):
        def row(name, content):
            if kind is self.crl:
                return name + '\n'
            return '{0} - {1} certificate(s)\n'.format(
                name, SYSTEM_COUNT if name == SYSTEM and not content else len(content))
        opened = '# transaction\n*' + row(*kind.transaction) if kind.transaction else ''
        return opened + '# filename\n' + ''.join(
            row(name, kind.files[name]) for name in sorted(kind.files, key=raw)) + '\n'

    def _count_uses(self, kind, name):
        return len([file for _, _, file in self._uses(kind) if file == name])

    @command('new ssl ca-file', 'new ssl crl-file', level='admin', since=(2, 6))
    def new(self, call):
        """Make an empty file."""
        kind = self._kind(call)
        if not call.rest:
            return self._expects(kind, 'new', 'a filename')
        name = call.rest[0]
        if self._is_locked:
            return message("Can't create a {0} file!\n{1}".format(kind.noun, LOCKED[:-1]))
        if name in kind.files:
            return message("{0} file '{1}' already exists!".format(kind.noun, name))
        kind.files[name] = []
        return message("New {0} file created '{1}'!".format(kind.noun, name))

    @command('set ssl ca-file', 'set ssl crl-file', level='admin', since=(2, 6))
    @command('add ssl ca-file', level='admin', since=(2, 8))
    def set(self, call):
        """Replace what is in a file, in the transaction; ``add`` adds to it."""
        kind = self._kind(call)
        if not call.rest or call.payload is None:
            return self._expects(kind, 'set', 'a filename and {0} as a payload'.format(kind.things))
        name = call.rest[0]
        if self._is_locked:
            return message("Can't update the {0} file!\n{1}".format(kind.noun, LOCKED[:-1]))
        word = 'updated' if kind.transaction else 'created'
        refusal, content = '', []
        if kind.transaction and kind.transaction[0] != name:
            refusal = ("The ongoing transaction is about '{0}' but you are trying to set "
                       "'{1}'\n".format(kind.transaction[0], name))
        elif name not in kind.files:
            refusal = ("Can't replace a {0} file which is not referenced by the "
                       'configuration!\n'.format(kind.noun))
        else:
            try:
                content = kind.parse(call.payload)
            except x509.Unreadable:
                pass
            # Anything else in PEM is left out.
            refusal = '' if content or '-----BEGIN' in call.payload else 'Invalid payload\n'
        if refusal:
            return message("{0}Can't update {1}!".format(refusal, name))
        if call.words[0] == 'add':
            content = (kind.transaction[1] if kind.transaction else kind.files[name]) + content
        kind.transaction = [name, [one for place, one in enumerate(content)
                                   if one not in content[:place]]]
        return message('transaction {0} for {1} {2}!'.format(word, kind.noun, name))

    @command('commit ssl ca-file', 'commit ssl crl-file', level='admin', since=(2, 6))
    def commit(self, call):
        """End the transaction and use what is in it."""
        kind = self._kind(call)
        if not call.rest:
            return self._expects(kind, 'commit', 'a filename')
        name = call.rest[0]
        if self._is_locked:
            return message("Can't commit the {0} file!\n{1}".format(kind.noun, LOCKED[:-1]))
        if not kind.transaction:
            return message("No ongoing transaction! !\nCan't commit {0}!".format(name))
        if kind.transaction[0] != name:
            return message("The ongoing transaction is about '{0}' but you are trying to set "
                           "'{1}'\nCan't commit {1}!".format(kind.transaction[0], name))
        dots = '.' * self._count_uses(kind, name)
        if dots and not self.has(3, 2):
            refusal = self._forget(kind, name)
            if refusal is not None:
                return refusal
        kind.files[name], kind.transaction = kind.transaction[1], None
        return message('Committing {0}{1}\nSuccess!'.format(name, dots))

    def _forget(self, kind, name):
        """Forget which bind lines use the certificates there, as HAProxy did before 3.2."""
        certificates = self.process.certificates
        if certificates.has_changed_since_forgotten:
            self.process.problem('crashes HAProxy {0}: CA, certificate, CA'.format(
                self.process.version))
            self.process.take_over()
            return ''
        for used, line, file in self._uses(kind):
            if used is not None and file == name:
                certificates.forget_use(used, line)
        return None

    @command('abort ssl ca-file', 'abort ssl crl-file', level='admin', since=(2, 6))
    def abort(self, call):
        """End the transaction."""
        kind = self._kind(call)
        if not call.rest:
            return self._expects(kind, 'abort', 'a filename')
        name = call.rest[0]
        if self._is_locked:
            return message("Can't abort!\n" + LOCKED[:-1])
        if not kind.transaction:
            return message('No ongoing transaction!')
        if kind.transaction[0] != name:
            return message("The ongoing transaction is about '{0}' but you are trying to abort a "
                           "transaction for '{1}'".format(kind.transaction[0], name))
        kind.transaction = None
        return message("Transaction aborted for certificate '{0}'!".format(name))

    @command('del ssl ca-file', 'del ssl crl-file', level='admin', since=(2, 6))
    def delete(self, call):
        """Remove a file."""
        kind = self._kind(call)
        if not call.rest:
            return self._expects(kind, 'del', 'a filename')
        name = call.rest[0]
        if self._is_locked:
            return message("Can't delete the {0} file!\n{1}".format(kind.noun, LOCKED[:-1]))
        refusal = "Can't remove the {0} file: ".format(kind.noun)
        if kind.transaction and kind.transaction[0] == name:
            return message("{0}ongoing transaction for the {1} file '{2}'".format(
                refusal, kind.noun, name))
        what = "{0} file '{1}' ".format(kind.noun, name)
        if name not in kind.files or self._count_uses(kind, name):
            # Those before 3.0 end it with one line more.
            return message(refusal + what + ("in use, can't be deleted!" if name in kind.files else
                                             "doesn't exist!") + ('' if self.has(3, 0) else '\n'))
        del kind.files[name]
        return message(what + 'deleted!')
