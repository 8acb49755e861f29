# SPDX-License-Identifier: Apache-2.0
"""How HAProxy matches a text with the patterns of an ACL or the keys of a map."""
import binascii
import collections
import re

from haproxyadmin.testing import sockets
from haproxyadmin.testing.texts import raw

# Methods that are indexed alike have one index in common, which is that of the first one.
_ALIKE = {'bool': 'found', 'len': 'int', 'dir': 'sub', 'dom': 'sub', 'end': 'sub'}
_NO_CASE = ('str', 'beg', 'reg', 'regm', 'sub', 'dir', 'dom', 'end', 'meth')
_DELIMITERS = {'dir': '/?', 'dom': '/?.:'}
_IPV4, _IPV6 = 32, 128

# Builds that say why an expression is none: those of Debian. What Python says, what PCRE says, and
# at which character that points, if not at the end.
_WITH_REASONS = ('2.2', '2.6', '3.0', '3.2')
_REASONS = [('unterminated character set', 'missing terminating ] for character class', None),
            # As Python 2 says it.
            ('unexpected end of regular', 'missing terminating ] for character class', None),
            ('unterminated subpattern', 'missing closing parenthesis', None),
            ('unbalanced parenthesis', 'unmatched closing parenthesis', ')'),
            ('nothing to repeat', 'quantifier does not follow a repeatable item', '*'),
            ('multiple repeat', 'quantifier does not follow a repeatable item', '**')]

# An address and its mask as numbers, and how long an address is.
Network = collections.namedtuple('Network', 'bits address mask')
Range = collections.namedtuple('Range', 'least most')


class Refused(Exception):
    """HAProxy refuses a key or a value, for the reason that the message says."""


class Index(collections.namedtuple('Index', 'method values is_insensitive')):
    """What HAProxy builds from a list of entries for one way to match it.

    :ivar method: its name in replies, ``'str'`` for example.
    :ivar values: what the values have to be: ``'str'``, ``'int'`` or ``'ip'``; None if the entries
        are those of an ACL.
    :ivar is_insensitive: True if the case does not matter.
    """

    __slots__ = ()

    def is_like(self, other):
        """Return whether an index serves for another one."""
        return self[1:] == other[1:] and (_ALIKE.get(self.method, self.method)
                                          == _ALIKE.get(other.method, other.method))

    def parse(self, key, version):
        """Return what a key is to its method.

        :param version: the version of HAProxy.
        :raises Refused: if it is not a key of this kind.
        """
        if self.method == 'ip':
            return _network(key)
        if self.method in ('int', 'len'):
            return _range(key)
        if self.method in ('reg', 'regm'):
            return _expression(key, self.is_insensitive, version)
        if self.method == 'bin':
            return _digits(key)
        return self._folded(key)

    def _folded(self, text):
        return text.lower() if self.is_insensitive and self.method in _NO_CASE else text

    def is_tree(self, parsed):
        """Return whether HAProxy keeps a parsed key in a tree, where the longest one is found."""
        if self.method == 'ip':
            return not _inverse(parsed) & (_inverse(parsed) + 1)
        return self.method in ('str', 'beg') and not self.is_insensitive

    def sample(self, text):
        """Return a text as its method takes it, None if it takes none such."""
        if self.method == 'ip':
            # What follows an IPv4 address does not matter, if it does not look like more of it.
            match = re.match(r'0*(\d+)[.]0*(\d+)[.]0*(\d+)[.]0*(\d+)(?![.\d])', text)
            return _address('.'.join(match.groups()) if match else text)
        if self.method in ('int', 'bool'):
            match = re.match(r'[-+]?\d+', text)
            return int(match.group()) if match else 0
        return self._folded(text)

    def matches(self, parsed, sample):
        """Return how well a parsed key matches a sample, 0 for not at all.

        In a tree the best one is found, in a list the first one.
        """
        return getattr(self, '_' + self.method)(parsed, sample)

    @staticmethod
    def _str(key, text):
        return key == text

    @staticmethod
    def _beg(key, text):
        return text.startswith(key) and 1 + len(key)

    @staticmethod
    def _end(key, text):
        return text.endswith(key)

    @staticmethod
    def _sub(key, text):
        return key in text

    @staticmethod
    def _reg(expression, text):
        return expression.search(text) is not None

    @staticmethod
    def _int(numbers, number):
        return ((numbers.least is None or numbers.least <= number)
                and (numbers.most is None or number <= numbers.most))

    @classmethod
    def _len(cls, numbers, text):
        return cls._int(numbers, len(raw(text)))

    @staticmethod
    def _ip(network, address):
        return (address.bits == network.bits
                and not (address.address ^ network.address) & network.mask
                and 1 + bin(network.mask).count('1'))

    @staticmethod
    def _bin(key, text):
        return key == raw(text)

    def _dir(self, key, text):
        delimiters = _DELIMITERS[self.method]
        key = key.strip(delimiters)
        edge = '[{0}]'.format(re.escape(delimiters))
        return re.search('(?:\\A|{0}){1}(?:\\Z|{0})'.format(edge, re.escape(key)), text) is not None

    _dom = _dir
    _regm = _reg
    _meth = _str

    @staticmethod
    def _bool(_, number):
        return number != 0

    @staticmethod
    def _found(*_):
        return False


def find(index, place, entries, text, current, walks_on=False):
    """Return the entry that matches a text, None if there is none.

    :param index: an :class:`Index`.
    :param place: the number of the index among those of the entries.
    :param entries: the entries of all versions, in order; their ``parsed[place]`` is what the index
        knows.
    :param current: the number of the current version.
    :param walks_on: True for what HAProxy 2.4 does: if the best entry of a tree is one of another
        version, take the next one that is not, whether it matches or not.
    """
    sample = index.sample(text)
    if sample is None:
        return None
    forms = list(_forms(sample)) if index.method == 'ip' else [sample]
    tree = [entry for entry in entries if index.is_tree(entry.parsed[place])]
    for form in forms:
        found = _in_tree(index, place, tree, form, current, walks_on)
        if found is not None:
            return found
    return next((entry for entry in entries
                 if entry.version == current and not index.is_tree(entry.parsed[place])
                 and any(index.matches(entry.parsed[place], form) for form in forms)), None)


def _in_tree(index, place, tree, sample, current, walks_on):
    scores = [(index.matches(entry.parsed[place], sample), entry) for entry in tree]
    best = max([score for score, _ in scores] or [0])
    if not best:
        return None
    if walks_on:
        first = next(entry for score, entry in scores if score == best)
        return _next(place, tree, first, current)
    # Sometimes HAProxy does not find the way from a longer one of another version to 0.0.0.0/0.
    best = max([score for score, entry in scores if entry.version == current] or [0])
    return next((entry for score, entry in scores if best and score == best
                 and entry.version == current), None)


def _next(place, tree, first, current):
    """Return the first entry of the current version, in the order of the keys."""
    kind = getattr(first.parsed[place], 'bits', None)
    tree = sorted((entry for entry in tree if getattr(entry.parsed[place], 'bits', None) == kind),
                  key=lambda entry: entry.parsed[place])
    start = [entry is first for entry in tree].index(True)
    return next((entry for entry in tree[start:] if entry.version == current), None)


def check_value(values, value):
    """Raise :class:`Refused` if a value of a map is not what it has to be."""
    if (values == 'int' and not re.match(r'[-+]?\d+\Z', value)
            or values == 'ip' and _address(value) is None):
        raise Refused("unable to parse '{0}'".format(value))


def type_of(values, value):
    """Return the type of a value as HAProxy names it."""
    if values == 'ip':
        return 'ipv4' if _address(value).bits == _IPV4 else 'ipv6'
    return {'int': 'sint'}.get(values, 'str')


def _address(text):
    """Return an address as a :class:`Network` of one address, None if it is none."""
    packed = sockets.packed(text)
    if packed is None:
        return None
    bits = 8 * len(packed)
    return Network(bits, int(binascii.hexlify(packed), 16), (1 << bits) - 1)


def _forms(address):
    """Yield an address, and the form that it has in the other tree."""
    yield address
    if address.bits == _IPV4:
        yield Network(_IPV6, 0xffff << 32 | address.address, (1 << _IPV6) - 1)
    elif address.address >> 112 == 0x2002:
        yield Network(_IPV4, address.address >> 80 & 0xffffffff, (1 << _IPV4) - 1)
    elif address.address >> 32 in (0xffff, 0):
        yield Network(_IPV4, address.address & 0xffffffff, (1 << _IPV4) - 1)


def _inverse(network):
    return ~network.mask & ((1 << network.bits) - 1)


def _network(text):
    base, _, length = text.partition('/')
    found = _address(base)
    if found is None or text.endswith('/'):
        raise Refused("'{0}' is not a valid IPv4 or IPv6 address".format(text))
    if not length:
        return found
    if length.isdigit() and int(length) <= found.bits:
        ones = (1 << found.bits) - 1
        return found._replace(mask=ones & ~(ones >> int(length)))
    mask = _address(length)
    if mask is None or mask.bits != _IPV4 or found.bits != _IPV4:
        raise Refused("'{0}' is not a valid IPv4 or IPv6 address".format(text))
    return found._replace(mask=mask.address)


def _range(text):
    least, separator, most = re.match(r'([^:-]*)([:-]?)(.*)\Z', text, re.DOTALL).groups()
    numbers = [_number_of(number) if number else None for number in (least, most)]
    if text and not separator:
        if numbers[0] is None:
            raise Refused("'{0}' is not a number".format(text))
        return Range(numbers[0], numbers[0])
    found = Range(*numbers)
    if (not least and not most or least and found.least is None or most and found.most is None
            or least and most and found.least > found.most):
        raise Refused("'{0}' is not a valid number range".format(text))
    return found


def _number_of(text):
    return int(text) if re.match(r'\d+\Z', text) and int(text) < 1 << 63 else None


def _digits(text):
    wrong = re.search('[^0-9a-fA-F]', text)
    if len(text) % 2:
        raise Refused('an even number of hex digit is expected')
    if wrong:
        raise Refused("an hex digit is expected (found '{0}')".format(wrong.group()))
    return binascii.unhexlify(raw(text))


def _expression(text, is_insensitive, version):
    try:
        return re.compile(text, re.IGNORECASE if is_insensitive else 0)
    except re.error as error:
        reason = _reason(text, str(error), version) if version in _WITH_REASONS else ''
        raise Refused("regex '{0}' is invalid{1}".format(text, reason))


def _reason(text, words, version):
    """Return what PCRE says of an expression that is none."""
    if 'parenthesis' in words and text.count('(') > text.count(')'):
        # Python 2 says the same of both.
        words = 'unterminated subpattern'
    for part, reason, where in _REASONS:
        if part in words:
            place = len(text)
            if where:
                # Python 2 does not say where it is: it is there if it is the first one.
                position = re.search(r'position (\d+)', words)
                place = int(position.group(1)) if position else (
                    max(text.find(where), 0) + len(where) - 1)
                # Its PCRE is newer, and points at what comes after it.
                place += version == '3.2'
            return ' (error={0}, erroffset={1})'.format(reason, place)
    return ''
