# SPDX-License-Identifier: Apache-2.0
"""Listings of ACLs and maps, of their entries, and answers to lookups."""
from haproxyadmin.imports import Pattern
from haproxyadmin.parsers.lines import first_line, join_lines, refusal_of
from haproxyadmin.protocol.replies import Malformed
from haproxyadmin.protocol.words import parse_reference, to_native

HEADING = '# id (file) description'
# A file may contain parentheses, but is repeated.
_LISTED = Pattern(r"(-?[0-9]+) \((?:(.+)\) pattern loaded from file '|(.*?)\) )")
_ENTRY = Pattern(r'0x[0-9a-f]+ ')
_BETWEEN_ENTRIES = Pattern(r'\n(?=0x[0-9a-f]+ )')


def parse_list(lines):
    """Return the lines of a list of ACLs or maps, heading first::

        # id (file) description
        0 (/etc/haproxy/hosts.map) pattern loaded from file '/etc/haproxy/hosts.map' ...
    """
    if first_line(lines) != HEADING:
        raise refusal_of(lines)
    return lines


def parse_index(lines):
    """Return the ids in a list of ACLs or maps; see :func:`parse_list`.

    :return: for each its file, ``''`` if it has none, and its id as text; 1.5 has ids of -1.
    :rtype: list of tuple
    """
    index = []
    for line in parse_list(lines)[1:]:
        match = _LISTED.match(line)
        if match is None:
            raise Malformed('not an ACL or map: {0!r}'.format(line[:80]))
        index.append((match.group(2) or match.group(3) or '', match.group(1)))
    return index


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
