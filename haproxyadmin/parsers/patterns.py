# SPDX-License-Identifier: Apache-2.0
"""Listings of ACLs and maps, of their entries, and answers to lookups."""
import collections

from haproxyadmin.imports import Pattern
from haproxyadmin.parsers.lines import first_line, join_lines, refusal_of
from haproxyadmin.protocol.replies import Malformed
from haproxyadmin.protocol.words import parse_reference, to_native

HEADING = '# id (file) description'
# A file may contain parentheses, but is repeated.
_LISTED = Pattern(r"(-?[0-9]+) \((?:(.+)\) (?=pattern loaded from file ')|(.*?)\) )(.*?)"
                  r'(?:\. curr_ver=([0-9]+) next_ver=([0-9]+)(?: entry_cnt=[0-9]+)?)?\Z')
_PREPARED = Pattern(r'New version created: ([0-9]+)\Z')
_MATCH = Pattern(
    r'(?s)type=([a-z]+), case=([a-z]+), (?:found|match)=(yes|no)'
    r'(?:, idx=([a-z]+), (?:key|pattern)="(.*?)"(?:, value="(.*)", type="([a-z0-9]+)")?)?\Z')
# A value may contain newlines.
_BETWEEN_ANSWERS = Pattern(r'\n(?=type=[a-z]+, case=)')
_ENTRY = Pattern(r'0x[0-9a-f]+ ')
_BETWEEN_ENTRIES = Pattern(r'\n(?=0x[0-9a-f]+ )')
_WITHIN_ENTRY = Pattern(r'\n(?!0x[0-9a-f]+ )')


Listed = collections.namedtuple('Listed', 'id file description current_version next_version')


class Match(collections.namedtuple('Match', 'found type case index key value value_type')):
    """HAProxy's answer to a lookup; true if something was found.

    ``found`` is True if an entry matches. ``type`` is how keys are compared, such as ``'str'`` or
    ``'ip'``, ``case`` is ``'sensitive'`` or ``'insensitive'``, ``index`` is ``'tree'`` or
    ``'list'``. ``key`` is the key or pattern of the entry, ``value`` its value in a map as text,
    and ``value_type`` the type of that, such as ``'str'``. What is not reported is None.
    """

    __slots__ = ()

    def __bool__(self):
        return self.found

    __nonzero__ = __bool__


def parse_list(lines):
    """Return the lines of a list of ACLs or maps, heading first::

        # id (file) description
        0 (/etc/haproxy/hosts.map) pattern loaded from file '/etc/haproxy/hosts.map' ...
    """
    if first_line(lines) != HEADING:
        raise refusal_of(lines)
    return lines


def parse_index(lines):
    """Return the ACLs or maps of a list; see :func:`parse_list`.

    1.5 has ids of -1. Before 2.4 there are no versions; they are None then.

    :return: for each its id, its file, ``''`` if it has none, its description, its current and its
        next version.
    :rtype: list of Listed
    """
    index = []
    for line in parse_list(lines)[1:]:
        match = _LISTED.match(line)
        if match is None:
            raise Malformed('not an ACL or map: {0!r}'.format(line[:80]))
        number, file, name, description, current, following = match.groups()
        index.append(Listed(int(number), file or name or '', description,
                            current and int(current), following and int(following)))
    return index


def name_of(listed):
    """Return the name of an ACL or map: its file, or ``'#3'`` if it has none.

    :type listed: Listed
    """
    return listed.file or '#{0}'.format(listed.id)


def parse_prepared(line):
    """Return the number of the version that was prepared::

        New version created: 7
    """
    match = _PREPARED.match(line)
    if match is None:
        raise refusal_of([line])
    return int(match.group(1))


def parse_entries(lines):
    """Return the entries of an ACL or map::

        0x1a78ab0 www.example.com alice

    An entry that a request has stored may contain newlines, and continues on the next lines.

    :rtype: list of str
    """
    if lines and not _ENTRY.match(lines[0]):
        raise refusal_of(lines)
    if all(map(_ENTRY.match, lines)):
        return lines
    return _BETWEEN_ENTRIES.split(join_lines(lines))


def parse_match(lines):
    """Return the answer to a lookup::

        type=str, case=sensitive, found=yes, idx=tree, key="11", value="new2", type="str"
    """
    if not first_line(lines).startswith('type='):
        raise refusal_of(lines)
    return join_lines(lines)


def parse_lookup(lines):
    """Return the answer to a lookup; see :func:`parse_match`.

    An ACL or map that is used in several ways answers once for each; the first way in which
    something is found counts.

    :rtype: Match
    """
    answers = [_MATCH.match(text) for text in _BETWEEN_ANSWERS.split(parse_match(lines))]
    answers = [answer.groups() for answer in answers if answer]
    if not answers:
        raise Malformed('not the answer to a lookup: {0!r}'.format(first_line(lines)[:80]))
    kind, case, found, index, key, value, value_type = next(
        (answer for answer in answers if answer[2] == 'yes'), answers[0])
    return Match(found == 'yes', kind, case, index, key, value, value_type)


def parse_kinds(text):
    """Return how an ACL or map is used, by the answer to a lookup; see :func:`parse_match`.

    :return: pairs of the type and ``'sensitive'`` or ``'insensitive'``.
    :rtype: list of tuple
    """
    return [match.group(1, 2) for match in map(_MATCH.match, _BETWEEN_ANSWERS.split(text))
            if match]


class Listing(object):
    """The entries of an ACL or map in one process.

    :param family: ``'acl'`` or ``'map'``.
    :param text: the reply to ``show acl`` or ``show map``; see :func:`parse_entries`.

    Looking at each line takes longer than HAProxy takes for the reply, so that is only done where
    an entry contains a newline or more blanks than others.

    ``columns`` are the patterns and None; or the keys and the values, as two lists.
    """

    __slots__ = ('columns', '_family', '_text', '_lines')

    def __init__(self, family, text):
        self._family = family
        self._text = _strip_ends(text)
        self._lines = None
        if not _ENTRY.match(self._text) or _WITHIN_ENTRY.search(self._text):
            self._lines = parse_entries(self._text.split('\n') if self._text else [])
        self.columns = self._split() or self._split_lines()

    def __len__(self):
        return len(self.columns[0])

    def __eq__(self, other):
        return self.columns == other.columns

    def __ne__(self, other):
        return self.columns != other.columns

    __hash__ = None

    def _split(self):
        """Return the columns if each line has as many words as it must have, otherwise None."""
        if self._lines is not None:
            return None
        columns = 2 if self._family == 'acl' else 3
        # The first word of each line is marked.
        words = self._text.replace('\n', ' \n').split(' ')
        length = self._text.count('\n') + 1
        if len(words) != columns * length or (
                ''.join(words[::columns]).count('\n') != length - 1):
            return None
        return words[1::columns], words[2::3] if columns == 3 else None

    def _split_lines(self):
        texts = [line.partition(' ')[2] for line in self._all_lines()]
        if self._family == 'acl':
            return texts, None
        pairs = [text.partition(' ') for text in texts]
        return [key for key, _, _ in pairs], [value for _, _, value in pairs]

    def _all_lines(self):
        if self._lines is None:
            self._lines = self._text.split('\n')
        return self._lines

    def reference(self, place):
        """Return the reference of the entry at a place.

        :raises haproxyadmin.protocol.replies.Malformed: if it has none.
        """
        line = self._all_lines()[place]
        if not _ENTRY.match(line):
            raise Malformed('not an entry: {0!r}'.format(line[:80]))
        return line.partition(' ')[0]


def _strip_ends(text):
    """Return a listing without the newlines after it; the last entry may end with others.

    Through a master, an empty line may precede it.
    """
    text = text.lstrip('\n')
    return text[:-2] if text.endswith('\n\n') else text.rstrip('\n')


def find_entries(family, texts, entries):
    """Find the entries that references point to, and the texts that are keys.

    :param family: ``'acl'`` or ``'map'``.
    :param texts: references or keys, ``'0x1a78ab0'``.
    :param entries: see :func:`parse_entries`.
    :return: a dict of the entries (without their references) by reference as an integer, and the
        set of the texts that are keys.
    :rtype: tuple
    """
    # '#0x1a' is never a key: HAProxy reads it as a reference.
    texts = [(to_native(text), parse_reference(text)) for text in texts]
    wanted = set(int(reference, 16) for _, reference in texts)
    possible = set(text for text, reference in texts if text == reference)
    found, keys = {}, set()
    for entry in entries:
        pointer, _, rest = entry.partition(' ')
        if int(pointer, 16) in wanted:
            found[int(pointer, 16)] = rest
        key = rest.split(' ', 1)[0] if family == 'map' else rest
        if key in possible:
            keys.add(key)
    return found, keys
