# SPDX-License-Identifier: Apache-2.0
"""Judge a reply: is it whole, is it a success, a refusal, or the data that was asked for."""
import re

_JSON = re.compile(br'[\[{].*[\]}]\n\Z')
# What `set severity-output number` (1.8) puts in front of messages and never of data; but for
# `[6]: admin`, the answer to `show cli level`.
_SEVERITY = re.compile(r'\[[0-9]\]: (?!(user|operator|admin)$)')

# How refusals begin, 1.5 to 3.4. Only check_output() needs them, which is handed replies to
# unknown commands; everything else is judged by what a success looks like. Compiled when it is
# used: that takes longer than to import the rest.
_REFUSALS = '|'.join([
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
])

# What HAProxy says instead of data, or to a change, begins with a letter or a quote.
_MESSAGE = re.compile(r"(?!Name: |type=|Total events captured |HTTP/)[A-Za-z'\[]")

_ADDRESS_DONE = {
    'addr': re.compile(r'IP changed from |no need to change the addr\b|nothing changed'),
    # From 3.0 on what does not change is not mentioned; before, both always are.
    'port': re.compile(r'port changed from |no need to change the port\b|nothing changed|'
                       r'IP changed from '),
}
_ADDRESS_REFUSED = re.compile(r'Invalid addr |problem converting port ', re.IGNORECASE)

_REFUSES_ALL = ('Unknown ACL identifier', 'Unknown map identifier', 'Unknown command',
                'Permission denied', 'This ACL is shared')
# Told where HAProxy owes words.
NOTHING = 'HAProxy answered nothing'
LISTING_HEAD = '# id (file) description'
_ENTRY = re.compile(r'0x[0-9a-f]+ ')
_BETWEEN_ENTRIES = re.compile(r'\n(?=0x[0-9a-f]+ )')


# More entries of one key than anybody has.
MAX_ROUNDS = 100000

_DENIED = b'Permission denied'
# From the one that may least.
LEVELS = ('user', 'operator', 'admin')


class Malformed(ValueError):
    """A reply that is not what HAProxy answers to the command."""


def is_whole(reply, reads):
    """Return True if a reply has reached its end.

    :param reply: what came, never empty.
    :type reply: bytes
    :param reads: True for a command that answers with data, which ends in an empty line. Up to
        2.8 some refusals do not, nor does JSON, both of one line.
    """
    if not reads:
        # `prompt` is answered with one.
        return reply.endswith((b'\n', b'\n> '))
    if reply.endswith(b'\n\n') or reply == b'\n':
        return True
    return reply.find(b'\n') == len(reply) - 1 and (
        bool(_JSON.match(reply)) or is_refusal(reply.decode('latin-1')))


def changed(reply):
    """Return True if a command that changes something succeeded.

    :param reply: the reply without its newlines; ACL and MAP said ``Done.`` before 1.5.10.
    """
    return reply in ('', 'Done.')


def address_changed(kind, reply):
    """Return True if ``set server B/S addr A [port P]`` did what was asked.

    A refusal may follow a success in one reply::

        no need to change the addr, problem converting port 'x' to an int by 'stats socket command'

    :param kind: ``'addr'`` or ``'port'``.
    """
    if _ADDRESS_REFUSED.search(reply):
        return False
    # 1.6 is silent, and has no port to set.
    return bool(_ADDRESS_DONE[kind].search(reply)) or (kind == 'addr' and reply == '')


def is_refusal(line):
    """Return True if the first line of a reply is an error known of HAProxy 1.5 to 3.4."""
    return bool(_SEVERITY.match(line) or re.match(_REFUSALS, line))


def is_message(line):
    """Return True if the first line of a reply may be HAProxy's words: no data and no garbage."""
    return not line or bool(_MESSAGE.match(line))


def is_entry(line):
    """Return True for ``0x1a78ab0 key value``, a line of an ACL's or MAP's content."""
    return bool(_ENTRY.match(line))


def entries(text):
    """Return the entries of an ACL or MAP of their listing.

    One that a request has put there may hold newlines, and goes on in the next lines.

    :rtype: list of str
    """
    return _BETWEEN_ENTRIES.split(text)


def is_match(line):
    """Return True for ``type=beg, case=sensitive, match=no``, the answer to a lookup."""
    return line.startswith('type=')


def is_error_report(line):
    """Return True for ``Total events captured on [22/Nov/2026:06:56:23.273] : 1``."""
    return line.startswith('Total events captured on ')


def is_unknown_key(reply):
    """Return True if a ``del acl`` or ``del map`` found no entry of the key."""
    return reply.startswith('Key not found')


def check_rounds(count):
    """Check how often the entries of a key have been deleted.

    :raises Malformed: for what never tells that none is left.
    """
    if count > MAX_ROUNDS:
        raise Malformed('still not the last entry of the key after {0} deletions'.format(count))


def is_denied(reply):
    """Return True if the socket's level does not allow the command.

    :type reply: bytes
    """
    return reply.startswith(_DENIED)


def level_of_probe(reply):
    """Return the level that an answer to ``commands.PROBE_ADMIN`` tells: an admin's or not.

    :type reply: bytes
    """
    return LEVELS[0] if is_denied(reply) else LEVELS[-1]


def denied_because(reply, reason):
    """Return a refusal, or those of all commands of a line, with a reason.

    :type reply: bytes
    :type reason: bytes
    :rtype: bytes
    """
    return reply.replace(_DENIED + b'\n', _DENIED + b' (' + reason + b')\n')


def refuses_all(message):
    """Return True if a refusal is about the ACL or MAP, or the caller, and not about an entry."""
    return message.startswith(_REFUSES_ALL)


def quotes(message, text):
    """Return True if a refusal quotes a text: ``'notanip' is not a valid IPv4 address``."""
    return "'{0}'".format(text) in message


def outputs(text, count):
    """Take the answers to several changes on one line apart::

        (empty line: success)
        'bad' is not a valid IPv4 or IPv6 address.
        (empty line: the end of that message)
        (empty line: success)

    :param count: how many answers there are to be.
    :rtype: list of str
    :raises Malformed: when there are more or fewer.
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
