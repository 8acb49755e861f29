# SPDX-License-Identifier: Apache-2.0
"""Judge a reply: whether it is whole, a success, a refusal, or the data that was asked for."""
from haproxyadmin.imports import Pattern

_JSON = Pattern(br'[\[{].*[\]}]\n\Z')
# Of a sequence in DER.
_BASE64 = Pattern(br'MI[A-Za-z0-9+/]+={0,2}\n\Z')
# Of a revocation list that does not fit into a buffer, each part that does not fit is left out.
_LEFT_OUT = Pattern(br'\n(Issuer: |Last Update: |Next Update: )+\n\Z')
# With `set severity-output number` (1.8) every message begins so, and no data except
# `[6]: admin`, the answer to `show cli level`.
_SEVERITY = Pattern(r'\[[0-9]\]: (?!(user|operator|admin)$)')

# How refusals begin in 1.5 to 3.4. Only needed where the command is not known; everything else is
# judged by what a success looks like.
_REFUSALS = Pattern('|'.join([
    r'Unknown ', r'No such ', r"Can't find ", r'Permission denied', r'This command is restricted ',
    r'Requires? ', r'Required ', r'Missing ', r'Expects ', r'This command expects ',
    r'Integer value expected', r'A frontend name is expected', r'Session pointer expected',
    r'maxconn string ', r'[Ii]nvalid ', r'Malformed ', r'Value out of range', r'usage: ',
    r'Version number out of range', r'Key not found', r'entry not found',
    r'key or pattern not found', r'This ACL is shared ', r'Frontend (is|was) (already|previously) ',
    r'All sockets are already ', r'Failed to ', r'Absolute weight ', r'Relative weight ',
    r'Backend is using a static LB ', r'Empty weight string', r'Trailing garbage',
    r'[Cc]ould not ', r'[Cc]annot ', r'[Aa]gent (was|checks are) not ',
    r'[Hh]ealth checks? (was|are) not ', r'incorrect ', r'provided port ',
    r'.*problem converting port ', r'Already exists ', r'Only servers in maintenance ',
    r"'(set|add|del|clear|show|get|enable|disable|shutdown)\b", r"'[^']*' is not a valid ",
    r'set server <b>/<s> ',
]))

# Messages, and replies to changes, begin with a letter or a quote; these replies with data do, too.
# What ends its lines as on the Internet, such as an SSH server, is not HAProxy.
_MESSAGE = Pattern(r"(?!Name: |type=|Total events captured |HTTP/)[A-Za-z'\[]")

_ADDRESS_DONE = {
    'addr': Pattern(r'IP changed from |no need to change the addr\b|nothing changed'),
    # From 3.0 on only what changes is mentioned; older versions always mention both.
    'port': Pattern(r'port changed from |no need to change the port\b|nothing changed|'
                    r'IP changed from '),
}
# What a success says, where it is not silent.
_SPOKEN_SUCCESS = Pattern('|'.join([
    r'health check port updated\.', r'server ssl setting updated\.', r'no need to change the FDQN ',
    r'\S+ changed its FQDN from ', r'New server registered\.', r'Server deleted\.']))
_REMOVED_ENTRY = Pattern(r"Entry '.+' deleted in crtlist '.+'!\Z")
_ADDRESS_REFUSED = Pattern(r'(?i)Invalid addr |problem converting port ')

# Refusals that concern the ACL, the map or the caller, not the entry.
_REFUSES_ALL = ('Unknown ACL identifier', 'Unknown map identifier', 'Unknown command',
                'Permission denied', 'This ACL is shared')
_UNKNOWN_LIST = _REFUSES_ALL[:2]
# Stands for the message of a refusal that has none.
NOTHING = 'HAProxy answered nothing'
# How what is shown of a TLS file begins, or what says that there is none.
_FILE = ('Filename: ', "Can't display the ")
CREATED, UPDATED = 'created', 'updated'
_TRANSACTION = Pattern(r'[Tt]ransaction (created|updated) for (?:certificate|CA|CRL) (.*)!\Z')
_DELETED = Pattern(r"(Certificate|CA file|CRL file) '.*' deleted!\Z")
_LOCKED = b'Operations on certificates are currently locked!\n'
_NOT_SHOWN = "Can't show!"
_COMMITTING = 'Committing '
# More entries than anybody has for one key.
MAX_ROUNDS = 100000

# The second one is what a list of TLS files answers.
_DENIED = (b'Permission denied', b"Can't allocate memory!")
# What a master says if it cannot pass on a command.
_WITHOUT_WORKER = (b"Can't find the target PID matching the prefix ",
                   b"Can't connect to the target CLI!")
# Of "show resolvers".
_WITHOUT_RESOLVERS = 'No resolvers found'
# From the one that permits least.
LEVELS = ('user', 'operator', 'admin')


class Malformed(ValueError):
    """A reply that HAProxy does not give to this command."""


def is_whole(reply, reads):
    """Return True if a reply is complete.

    :param reply: what was received, not empty.
    :type reply: bytes
    :param reads: True for a command that is answered with data, which end in an empty line. Up to
        2.8 some refusals, and JSON and base64, consist of one line without an empty line after it.
    """
    if not reads:
        # The answer to `prompt` is a prompt.
        return reply.endswith((b'\n', b'\n> '))
    if reply.endswith(b'\n\n') or reply == b'\n' or _LEFT_OUT.search(reply[-80:]):
        return True
    return reply.find(b'\n') == len(reply) - 1 and (
        bool(_JSON.match(reply) or _BASE64.match(reply)) or is_refusal(reply.decode('latin-1')))


def is_success(reply):
    """Return True if a command that changes something succeeded.

    :param reply: the reply without its newlines; before 1.5.10, ``Done.`` for ACLs and maps.
    """
    return reply in ('', 'Done.')


def is_server_success(reply):
    """Return True if a server was changed, added or deleted; not for its address.

    :param reply: the reply without its newlines, or an exception.
    """
    return is_success(reply) or bool(_SPOKEN_SUCCESS.match(str(reply)))


def is_in_use(reply):
    """Return True if a server is not deleted yet, because connections to it are open.

    :param reply: the reply, or an exception.
    """
    return str(reply).startswith('Server still has connections attached')


def is_address_success(kind, reply):
    """Return True if ``set server B/S addr A [port P]`` did what was asked.

    A refusal may follow a success in one reply::

        no need to change the addr, problem converting port 'x' to an int by 'stats socket command'

    :param kind: ``'addr'`` or ``'port'``.
    """
    if _ADDRESS_REFUSED.search(reply):
        return False
    # 1.6 answers nothing, and cannot set a port.
    return bool(_ADDRESS_DONE[kind].search(reply)) or (kind == 'addr' and reply == '')


def is_refusal(line):
    """Return True if the first line of a reply is a known error of HAProxy 1.5 to 3.4."""
    return bool(_SEVERITY.match(line) or _REFUSALS.match(line))


def is_message(line):
    """Return True if the first line of a reply may be a message: neither data nor garbage."""
    return not line or (bool(_MESSAGE.match(line)) and not line.endswith('\r'))


def is_unknown_key(reply):
    """Return True if ``del acl`` or ``del map`` found no entry with the key."""
    return reply.startswith('Key not found')


def is_unknown_entry(reply):
    """Return True if ``set map`` found no entry with the key."""
    return reply.startswith('entry not found')


def is_unknown_list(reply):
    """Return True if there is no such ACL or map.

    :param reply: the reply, or an exception.
    """
    return str(reply).startswith(_UNKNOWN_LIST)


def is_not_stored(reply):
    """Return True if a stick table does not store some data, at least not under this name."""
    return str(reply).endswith(('Data type not stored in this table', 'Unknown data type'))


def is_refused_later(reply):
    """Return True if ``set table`` was refused after HAProxy may have stored something."""
    return is_not_stored(reply) or str(reply).startswith((
        'Require a valid integer value to store', 'index out of range', '"data.'))


def is_entry_in_use(reply):
    """Return True if an entry of a stick table was not removed, because it is in use."""
    return str(reply).startswith('Entry currently in use')


def is_unknown_session(reply):
    """Return True if there is no such session to end."""
    return reply.startswith('No such session')


def is_of_disabled_proxy(reply):
    """Return True if the proxy of a server has been stopped, as in former workers."""
    return reply.startswith('Proxy is disabled')


def is_outdated(reply):
    """Return True if a prepared version was not committed because a later one has been."""
    return str(reply).startswith('Version number out of range')


def is_unknown_file(line):
    """Return True if HAProxy cannot show a TLS file: it is gone, or a bundle (2.2)."""
    return line.startswith(_FILE[1])


def is_unknown_response(line):
    """Return True if HAProxy has no OCSP response with an id."""
    return line.startswith(('Certificate ID ', "'show ssl ocsp-response"))


def is_ocsp_success(reply):
    """Return True if an OCSP response was set."""
    return reply == 'OCSP Response updated!'


def is_ticket_key_success(reply):
    """Return True if a key of TLS tickets was set."""
    return reply == 'TLS ticket key updated!'


def is_unknown_crt_list(line):
    """Return True if ``show ssl crt-list`` cannot show a list, because it is gone."""
    return line.startswith("didn't find the specified filename")


def is_crt_list_extended(lines):
    """Return True if ``add ssl crt-list`` has added a certificate; a warning may precede it."""
    return lines[-1:] == ['Success!']


def is_crt_list_reduced(lines):
    """Return True if ``del ssl crt-list`` has removed a certificate."""
    return len(lines) == 1 and bool(_REMOVED_ENTRY.match(lines[0]))


def is_without_resolvers(line):
    """Return True if there is no resolvers section (up to 2.4, which have no default one)."""
    return line.startswith(_WITHOUT_RESOLVERS)


def is_unknown_command(line):
    """Return True if HAProxy does not know a command."""
    return line.startswith('Unknown command')


def split_shown(lines, names):
    """Split a list of TLS files, and what is shown of single ones after it.

    :param names: of the files that are shown.
    :return: the lines of the list, and a list of the lines about each file; none about an empty CA
        file, of which HAProxy shows nothing.
    :rtype: tuple
    :raises Malformed: if more is shown.
    """
    starts = [number for number, line in enumerate(lines) if line.startswith(_FILE)]
    # HAProxy repeats the name of a CA file after each buffer.
    starts = [start for place, start in enumerate(starts)
              if not place or not lines[start].startswith(_FILE[0])
              or lines[start] != lines[starts[place - 1]]]
    listed = [line for line in lines[:starts[0] if starts else None] if line]
    parts = [lines[start:end] for start, end in zip(starts, starts[1:] + [None])]
    shown = []
    for number, name in enumerate(names):
        is_there = len(parts) >= len(names) - number or (
            bool(parts) and parts[0][0] == _FILE[0] + name)
        shown.append(parts.pop(0) if is_there else [])
    if parts:
        raise Malformed('more files than were asked for: {0!r}'.format(parts[0][0][:80]))
    return listed, shown


def split_commit(lines):
    """Split the reply to a commit, and what is shown of the file after it.

    :return: both; what is shown is empty if another client commits meanwhile.
    :rtype: tuple of list
    """
    start = min([number for number, line in enumerate(lines)
                 if line.startswith(_FILE) or line == _NOT_SHOWN] or [len(lines)])
    shown = lines[start:]
    return ([line for line in lines[:start] if line],
            [] if shown[:1] == [_NOT_SHOWN] else shown)


def transaction_of(reply):
    """Return what a change of a TLS file has led to, and of which one.

    :return: ``CREATED`` or ``UPDATED`` and a name, or None if the change was refused.
    """
    found = _TRANSACTION.match(reply.split('\n')[-1])
    return found and found.groups()


def is_about_another(reply):
    """Return True if a change of a TLS file was refused: a transaction for another one is open."""
    return reply.startswith('The ongoing transaction is ')


def is_locked(reply):
    """Return True if a command was refused for a moment: another client commits, or edits a list.

    :type reply: bytes
    """
    return _LOCKED in reply


def may_be_stale(reply):
    """Return True if a certificate was refused, perhaps for the error of an earlier one.

    2.2 takes the error that a refused commit has left behind for one of the next certificate, once.
    """
    return reply.startswith('unable to load certificate chain')


def is_committed(reply):
    """Return True if a transaction was committed.

    :param reply: the lines of the reply.
    """
    return reply[-1:] == ['Success!']


def has_failed(reply):
    """Return True if a commit has failed half-way; see :func:`is_committed`."""
    return reply[-1:] == ['Failed!']


def is_updated(reply, name):
    """Return True if a commit has updated what uses the file: ``Committing NAME..``."""
    begun = _COMMITTING + name
    return any(line.startswith(begun) and line[len(begun):].startswith('.') for line in reply)


def reason_of(reply):
    """Return why a transaction was not committed; see :func:`is_committed`."""
    return '\n'.join(line.strip() for line in reply if not line.startswith(_COMMITTING))


def is_aborted(reply):
    """Return True if a transaction is no longer open after ``abort``."""
    return reply.startswith(('Transaction aborted for ', 'No ongoing transaction'))


def is_created(reply):
    """Return True if a new TLS file was created."""
    return reply.startswith(('New empty certificate store ', 'New CA file created ',
                             'New CRL file created '))


def is_deleted(reply):
    """Return True if a TLS file was deleted."""
    return bool(_DELETED.match(reply.strip('\n')))


def check_rounds(count):
    """Check how often the entries of a key have been deleted.

    :raises Malformed: if HAProxy never reports that none is left.
    """
    if count > MAX_ROUNDS:
        raise Malformed('there are still entries with the key after {0} deletions'.format(count))


def is_denied(reply):
    """Return True if the socket's level does not allow the command.

    :type reply: bytes
    """
    return reply.startswith(_DENIED)


def is_without_worker(reply):
    """Return True if a master has not passed on a command, because there is no such worker.

    :type reply: bytes
    """
    return reply.startswith(_WITHOUT_WORKER) and reply.endswith(b'\n')


def level_of_probe(reply):
    """Return the level of a socket by its answer to ``commands.PROBE_ADMIN``: admin or user.

    :type reply: bytes
    """
    return LEVELS[0] if is_denied(reply) else LEVELS[-1]


def denied_because(reply, reason):
    """Add the reason to a refusal, or to those of all commands of a line.

    :type reply: bytes
    :type reason: bytes
    :rtype: bytes
    """
    for text in _DENIED:
        reply = reply.replace(text + b'\n', text + b' (' + reason + b')\n')
    return reply


def refuses_all(message):
    """Return True if a refusal concerns the ACL, the map or the caller, not an entry."""
    return message.startswith(_REFUSES_ALL)


def quotes(message, text):
    """Return True if a refusal quotes this text: ``'notanip' is not a valid IPv4 address``."""
    return "'{0}'".format(text) in message


def split_last(reply):
    """Split a listing and the answer to the change that follows it on the line.

    :type reply: bytes
    :return: both; the listing is None if there is none.
    :rtype: tuple
    """
    if reply.endswith(b'\n\n\n') or reply == b'\n\n':
        return reply[:-1], b'\n'
    listing, separator, answer = reply.rstrip(b'\n').rpartition(b'\n\n')
    return listing + separator or None, answer + b'\n\n'


def split_answers(text, count):
    """Split the answers to several changes on one line::

        (empty line: success)
        'bad' is not a valid IPv4 or IPv6 address.
        (empty line: the end of that message)
        (empty line: success)

    :param count: the number of changes.
    :rtype: list of str
    :raises Malformed: if there are more or fewer answers.
    """
    answers = []
    start = 0
    while start < len(text):
        if text[start] == '\n':
            end, following = start, start + 1
        else:
            end = text.find('\n\n', start)
            following = end + 2
            if end < 0:
                raise Malformed('the last answer was cut short')
        answers.append(text[start:end])
        start = following
    if len(answers) != count:
        raise Malformed('{0} answers to {1} commands'.format(len(answers), count))
    return answers
