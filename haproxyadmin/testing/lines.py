# SPDX-License-Identifier: Apache-2.0
"""The words of a line of a configuration, as HAProxy reads it."""
import collections
import re

ESCAPED = {'n': '\n', 'r': '\r', 't': '\t'}
_VARIABLE = re.compile(r'\{(\w+)\}|(\w+)')

# A word without quotes and escapes, and where it stands in its line.
Word = collections.namedtuple('Word', 'text start end')


def words_of(line, variables=None):
    """Return the words of a line, without the comment, and the quote that has no end, or ``''``.

    :param variables: (optional) the values of variables, which replace them between double quotes.
    :rtype: ``(list of Word, str)``
    """
    words, text, quote, start, place = [], '', '', None, 0
    while place < len(line):
        char, begin = line[place], place
        place += 1
        if char == '\\' and quote != "'" and place < len(line):
            text, place = _unescape(line, text, place)
        elif char == '$' and quote == '"' and variables is not None:
            name = _VARIABLE.match(line, place)
            text += variables.get(name.group(1) or name.group(2), '') if name else char
            place = name.end() if name else place
        elif char == quote:
            quote = ''
        elif quote:
            text += char
        elif char in '"\'':
            quote = char
        elif char == '#':
            place = begin
            break
        elif char.isspace():
            if start is not None:
                words.append(Word(text, start, begin))
            text, start = '', None
            continue
        else:
            text += char
        start = begin if start is None else start
    if start is not None:
        words.append(Word(text, start, place))
    return words, quote


def _unescape(line, text, place):
    """Return a text with what an escape stands for, and where the line goes on."""
    char = line[place]
    if char == 'x':
        try:
            return text + chr(int(line[place + 1:place + 3], 16)), place + 3
        except ValueError:
            pass
    if char in ESCAPED or char in ' #\\\'"$':
        return text + ESCAPED.get(char, char), place + 1
    return text + '\\', place
