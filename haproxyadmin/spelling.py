# SPDX-License-Identifier: Apache-2.0
"""What a misspelled name may have meant."""
import os

from haproxyadmin.protocol.words import to_native

# Shorter names resemble each other too much.
SHORTEST_TYPO = 4
# A message lists all names if there are at most this many.
MOST_LISTED = 5
# How many names, and how many characters of each, are compared. If there are more names, only the
# neighbors in alphabetical order are, on both sides.
MOST_COMPARED = 500
NEIGHBORS = 10


def suggest(name, names):
    """Return ``; did you mean 'A' or 'B'?`` for the names that resemble a name, or ``''``."""
    similar = similar_names(name, names)
    return '; did you mean {0}?'.format(' or '.join(map(repr, similar))) if similar else ''


def suggest_or_list(name, names):
    """Return what :func:`suggest` returns, followed by all names if there are only a few."""
    hint = suggest(name, names)
    if not 0 < len(names) <= MOST_LISTED:
        return hint
    listed = [repr(own) for own in sorted(names)]
    if all(own in hint for own in listed):
        return hint
    all_names = ' and '.join(filter(None, [', '.join(listed[:-1]), listed[-1]]))
    return '{0} {1} {2}'.format(
        hint + (' There' if hint else '; there'), 'is' if len(listed) == 1 else 'are',
        all_names)


def similar_names(name, names):
    """Return at most three names that resemble a name, ignoring case, the nearest first.

    :rtype: list of str
    """
    import difflib  # only needed after a mistake
    text = str(to_native(name)).lower()[:MOST_COMPARED]
    spellings = {}
    for own in names:
        spellings.setdefault(own.lower(), []).append(own)
    candidates = list(spellings)
    if len(candidates) > MOST_COMPARED:
        # Comparing each would take seconds. These begin, or end, like the name.
        backward = _neighbors(text[::-1], [own[::-1] for own in candidates])
        candidates = set(_neighbors(text, candidates) + [own[::-1] for own in backward])
    nearest = difflib.get_close_matches(text, candidates, 3)
    return [own for lower in nearest for own in sorted(spellings[lower])][:3]


def _neighbors(text, candidates):
    """Return the texts that stand next to a text in alphabetical order."""
    import heapq  # only needed after a mistake
    return (heapq.nlargest(NEIGHBORS, [own for own in candidates if own < text])
            + heapq.nsmallest(NEIGHBORS, [own for own in candidates if own >= text]))


def is_typo(name, own):
    """Return True if a name is another one with a single typing error, or spelled differently.

    A plural is not an error, nor is a number at the end: programs name their own attributes so.
    """
    name, own = [text.lower().replace('_', '') for text in (name, own)]
    if name == own:
        return True
    if len(name) < SHORTEST_TYPO or not name.isalpha() or name + 's' == own or own + 's' == name:
        return False
    start = len(os.path.commonprefix([name, own]))
    name, own = name[start:][::-1], own[start:][::-1]
    end = len(os.path.commonprefix([name, own]))
    name, own = name[end:], own[end:]
    return max(len(name), len(own)) == 1 or (len(name) == 2 and name == own[::-1])
