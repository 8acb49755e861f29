# SPDX-License-Identifier: Apache-2.0
"""The OCSP responses of the fake."""
import base64
import binascii
import collections
import re

from haproxyadmin.parsers.ocsp import parse_response
from haproxyadmin.protocol.replies import Malformed
from haproxyadmin.testing.families.certificates import LOCKED
from haproxyadmin.testing.families.family import OK, Family, command, message

_UPDATES = ('OCSP Certid | Path | Next Update | Last Update | Successes | Failures | '
            'Last Update Status | Last Update Status (str)\n')
_NO_MATCH = 'OCSP single response: Certificate ID does not match any certificate or issuer.'


class Response(object):
    """The OCSP response of a certificate.

    :ivar path: the name of the certificate; :ivar id: in hexadecimal digits.
    :ivar der: its bytes, empty as long as there is none.
    """

    def __init__(self, path, identity, der):
        self.path = path
        self.id = identity
        self.der = der


class Ocsp(Family):
    """The OCSP responses of a process.

    :ivar responses: an ordered dict of ids and :class:`Response`.
    :ivar now: an aware datetime; responses that end before are refused. None: none is.
    :ivar responder: None, or a function that is called with a :class:`Response` when it is to be
        updated, and returns the new one, as bytes, or None if there is no answer.
    """

    name = 'ocsp'

    def __init__(self, process, configuration):
        super(Ocsp, self).__init__(process, configuration)
        self.responses = collections.OrderedDict()
        self.now = self.responder = None

    def add(self, path, der, identity=None):
        """Give a certificate an OCSP response.

        :param path: the name of the certificate.
        :param der: the response, as bytes.
        :param identity: (optional) the bytes of its id; by default what the response is for.
        """
        if identity is None:
            known = parse_response(der)[0].id
        else:
            known = binascii.b2a_hex(identity).decode('ascii')
        self.responses[known] = Response(path, known, der)

    def leave(self, path, identity):
        """Note that a certificate has another id; before 2.8, HAProxy removes what nobody uses."""
        if not self.has(2, 8):
            kept = binascii.b2a_hex(identity).decode('ascii')
            for response in list(self.responses.values()):
                if response.path == path and response.id != kept:
                    del self.responses[response.id]

    # Commands

    @command('show ssl ocsp-response', since=(2, 6))
    def show(self, call):
        """Show what the responses are for, or one response."""
        if self.has(3, 4) and not call.connection.may('admin'):
            return message('Permission denied')
        if not call.rest:
            return self._list()
        form, words = 'default', call.rest
        if self.has(2, 8) and words[0] in ('text', 'base64'):
            form, words = words[0], words[1:]
            if not words:
                return message("'show ssl ocsp-response [text|base64]' expects a valid certid.")
        response = self._find(words[0])
        if response is None and not self.has(2, 8):
            return message('Certificate ID does not match any certificate.')
        if response is None and not re.match(r'([0-9a-fA-F]{2})+\Z', words[0]):
            return message("'show ssl ocsp-response' expects a valid certid or certificate path.")
        if response is None:
            return message('Certificate ID or path does not match any certificate.')
        if not response.der:
            return OK
        if form == 'base64':
            return base64.b64encode(response.der).decode('ascii') + '\n\n'
        return _details(response.der)

    def _find(self, name):
        by_path = [response for response in self.responses.values()
                   if self.has(2, 8) and response.path == name]
        return self.responses.get(name.lower()) or (by_path or [None])[0]

    def _list(self):
        if not self.responses:
            return OK
        return '# Certificate IDs\n{0}\n'.format(''.join(
            self._row(response) for _, response in sorted(self.responses.items())))

    def _row(self, response):
        digits = response.id.upper()
        path = 'Certificate path : {0}\n'.format(response.path) if self.has(2, 8) else ''
        start = 2 * (2 + 11)
        name_hash, key_hash = digits[start + 4:start + 44], digits[start + 48:start + 88]
        return ('Certificate ID key : {0}\n{1} Certificate ID:\n   Issuer Name Hash: {2}\n'
                '   Issuer Key Hash: {3}\n   Serial Number: {4}\n'.format(
                    response.id, path, name_hash, key_hash,
                    re.sub(r'\A00(?=.)', '', digits[start + 92:])))

    @command('show ssl ocsp-updates', since=(2, 8))
    def show_updates(self, call):
        """Show which responses wait for an update."""
        # Updates end at once; what waits for one is not there.
        return _UPDATES + '\n'

    @command('set ssl ocsp-response')
    def set(self, call):
        """Replace a response."""
        if self.has(3, 4) and not call.connection.may('admin'):
            return message('Permission denied')
        has_payload = call.payload is not None and self.process.release >= (2, 0)
        encoded = call.payload if has_payload else (call.rest or [''])[0]
        if not encoded:
            return message("'set ssl ocsp-response' expects response in base64 encoding.")
        encoded = re.sub(r'[\r\n]', '', encoded)
        try:
            if not re.match(r'[A-Za-z0-9+/]+={0,2}\Z', encoded) or len(encoded) % 4:
                raise ValueError()
            der = base64.b64decode(encoded)
        except (ValueError, TypeError, binascii.Error):
            return message("'set ssl ocsp-response' received invalid base64 encoded response.")
        refusal = self._set(der)
        if refusal:
            return message(refusal)
        # One empty line less, as long as there were no levels of messages.
        return 'OCSP Response updated!\n' + '\n' * (self.process.release >= (2, 0))

    def _set(self, der):
        try:
            known, content = parse_response(der)
        except Malformed:
            return 'Unable to parse OCSP response.'
        if content.status == 'unknown':
            return 'OCSP single response: certificate status is unknown.'
        if self.now is not None and content.next_update and content.next_update < self.now:
            return 'OCSP single response: no longer valid..'
        if known.id not in self.responses:
            return _NO_MATCH
        self.responses[known.id].der = der
        return ''

    @command('update ssl ocsp-response', level='admin', since=(2, 8))
    def update(self, call):
        """Ask the responder for a new one."""
        if not call.rest:
            return message("'update ssl ocsp-response' expects a filename")
        name = call.rest[0]
        by_path = [response for response in self.responses.values() if response.path == name]
        refusal = ''
        if self.process.certificates.is_locked:
            refusal = "Can't update the certificate!\n" + LOCKED
        elif name not in self.process.certificates.stored:
            refusal = ("Unknown certificate! 'update ssl ocsp-response' expects an already known "
                       'certificate file name.\n')
        elif not by_path:
            refusal = ("'update ssl ocsp-response' only works on certificates that already have a "
                       'known OCSP response.\n')
        if refusal:
            return message("{0}Can't send ocsp request for {1}!".format(refusal, name))
        der = self.responder and self.responder(by_path[0])
        if der:
            self._set(der)
        return OK


def _details(der):
    """Return a response as OpenSSL prints it, as far as the signature."""
    known, content = parse_response(der)
    lines = ['OCSP Response Data:', '    OCSP Response Status: successful (0x0)',
             '    Response Type: Basic OCSP Response', '    Version: 1 (0x0)',
             '    Produced At: ' + _time(content.produced_at), '    Responses:',
             '    Certificate ID:', '      Hash Algorithm: sha1',
             '      Issuer Name Hash: ' + known.issuer_name_hash,
             '      Issuer Key Hash: ' + known.issuer_key_hash,
             '      Serial Number: ' + known.serial, '    Cert Status: ' + content.status]
    for title, moment in [('Revocation Time', content.revoked_at),
                          ('This Update', content.this_update),
                          ('Next Update', content.next_update)]:
        if moment is not None:
            lines.append('    {0}: {1}'.format(title, _time(moment)))
    return '\n'.join(lines + [' ', '    Signature Algorithm: ecdsa-with-SHA256']) + '\n\n'


def _time(moment):
    return moment.strftime('%b {0:2d} %H:%M:%S %Y GMT'.format(moment.day))
