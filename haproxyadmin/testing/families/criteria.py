# SPDX-License-Identifier: Apache-2.0
"""The ACLs and maps that a configuration uses, in the order in which HAProxy finds them."""
import collections
import re

from haproxyadmin.testing.configuration import ConfigurationError
from haproxyadmin.testing.families.matching import Index

# Criteria by the type of what they fetch; others fetch a string. Names of HAProxy's manual.
_NUMBERS = re.compile(
    r'(dst_port|src_port|fc_.*_port|(req\.|res\.|req|s)?hdr_(cnt|val)|s?cook_(cnt|val)|'
    r'(req|res)\.cook_(cnt|val)|urlp_val|url_port|status|(req|res)\.(len|body_len|body_size)|'
    r'req_len|nbsrv|queue|avg_queue|connslots|rand|date|so_id|nbproc|proc|thread|'
    r'(be|fe|srv)_(conn|id|sess_rate|req_rate|conn_.*|queue|weight|iid)|dst_conn|'
    r'(sc\d?|src|table)_.*|.*_(cnt|rate)|ssl_[cf]c?_.*(keysize|err|depth|verify))\Z')
_ADDRESSES = re.compile(r'(src|dst|[fb]c_(src|dst)|((req|res)\.|req|s)?hdr_ip|url(p|32)?_ip)\Z')
_FLAGS = re.compile(r'(always_(true|false)|wait_end|ssl_fc|ssl_fc_(has|is)_.*|ssl_c_used|http_auth|'
                    r'http_first_req|req_proto_http|req\.proto_http|(src|dst)_is_local|'
                    r'stopping|srv_is_up|acl)\Z')
_METHODS = ('found', 'bool', 'int', 'ip', 'bin', 'len', 'str', 'beg', 'sub', 'dir', 'dom', 'end',
            'reg', 'regm')
_WITH_METHOD = re.compile(r'.*_(beg|dir|dom|end|len|reg|sub)\Z')
_MAP = re.compile(
    r'(?:\A|[,\s\[(])map(?:_({0}))?(?:_(int|ip|str|key))?\(\s*("[^"]*"|\'[^\']*\'|[^,)]*)'.format(
        '|'.join(_METHODS)))
_NO_RULE = ('description', 'server', 'log', 'errorfile', 'mode', 'balance', 'timeout', 'option')
# HAProxy reads these when it has read all lines.
_LATE = ('use_backend', 'use-server')
_LATE_FORMATS = ('log-format', 'log-format-sd', 'error-log-format', 'unique-id-format')
_OPERATORS = ('eq', 'gt', 'ge', 'lt', 'le')

# A list of patterns that HAProxy makes or uses. `families` are those to which it then belongs, the
# last one names it; `file` is None for the patterns of a line, which have a `keyword` instead;
# `wanted_id` is the id that the configuration gives it, or None.
Use = collections.namedtuple('Use', 'families file keyword number index patterns wanted_id')


def uses_of(configuration):
    """Return two lists of :class:`Use`: while HAProxy reads the lines, and after that."""
    return configuration.read_once(_uses_of)


def _uses_of(configuration):
    early, late = [], []
    for line in _lines(configuration):
        if line.words[0] in _NO_RULE:
            continue
        found = list(_uses_of_line(line))
        for use, is_late in found:
            (late if is_late else early).append(use)
    return early, late


def _lines(configuration):
    lines = {}
    for section in configuration.sections:
        for line in getattr(section, 'defaults', []) + section.lines:
            lines[line.number] = line
    return [lines[number] for number in sorted(lines)]


def _uses_of_line(line):
    words = line.words
    if words[0] == 'acl':
        for use in _criterion(words[2:], line.number):
            yield use, False
        return
    is_condition, place = False, 0
    while place < len(words):
        if is_condition and words[place] == '{':
            end = place + words[place:].index('}') if '}' in words[place:] else len(words)
            for use in _criterion(words[place + 1:end], line.number):
                yield use, False
            place = end
        elif not is_condition:
            is_late = words[0] in _LATE and place == 1 or words[0] in _LATE_FORMATS
            for use in _maps(words[place], line.number):
                yield use, is_late
        is_condition = is_condition or words[place:place + 1] in (['if'], ['unless'])
        place += 1


def _maps(word, number):
    """Yield the maps that an expression looks up, or a text that contains one."""
    for match in _MAP.finditer(word):
        # map_int and map_ip say what the keys are.
        method, values, file = match.groups()
        index = Index(method or 'str', values if values in ('int', 'ip') else 'str', False)
        yield Use(('map',), file.strip('"\''), None, number, index, None, None)


def _criterion(words, number):
    """Yield what an ACL uses: the maps of its expression, its files, and its own patterns."""
    if not words:
        raise ConfigurationError('line {0}: an ACL needs a criterion'.format(number))
    for use in _maps(words[0], number):
        yield use
    keyword = re.match(r'[\w.:-]*', words[0]).group()
    method = _method_of(words[0], keyword)
    families, is_insensitive, wanted_id, place = ('acl',), False, None, 1
    while words[place:] and words[place].startswith('-'):
        option, argument = words[place], ''.join(words[place + 1:place + 2])
        place += 1
        if option == '--':
            break
        if option == '-i':
            is_insensitive = True
        elif option == '-M':
            families = ('acl', 'map')
        elif option == '-m':
            method, place = _known(argument, number), place + 1
        elif option == '-u':
            wanted_id, place = int(argument), place + 1
        elif option == '-f':
            index = Index(method, None, is_insensitive)
            yield Use(families, argument, None, number, index, None, None)
            place += 1
        elif option != '-n':
            raise ConfigurationError("line {0}: '{1}' is no option of an ACL".format(
                number, option))
    patterns = words[place:]
    if method in ('int', 'len'):
        patterns = list(_ranges(patterns))
    index = Index(method, None, is_insensitive)
    yield Use(('acl',), None, keyword, number, index, patterns, wanted_id)


def _known(method, number):
    if method not in _METHODS:
        raise ConfigurationError("line {0}: '{1}' is no method to match".format(number, method))
    return method


def _method_of(expression, keyword):
    """Return how HAProxy matches what an expression fetches, unless it is told."""
    converters = re.sub(r'\([^()]*\)', '', expression).split(',')[1:]
    if converters:
        if re.match(r'map_\w+_ip\Z|ipmask', converters[-1]):
            return 'ip'
        is_number = re.match(r'map_\w+_int\Z|length|(div|mul|add|sub|mod)\Z', converters[-1])
        return 'int' if is_number else 'str'
    if keyword == 'method':
        return 'meth'
    with_method = _WITH_METHOD.match(keyword)
    for pattern, method in ((_ADDRESSES, 'ip'), (_NUMBERS, 'int'), (_FLAGS, 'bool')):
        if pattern.match(keyword):
            return method
    return with_method.group(1) if with_method else 'str'


def _ranges(patterns):
    """Yield the patterns of numbers, with an operator as the range that HAProxy makes of it."""
    operator = 'eq'
    for pattern in patterns:
        if pattern in _OPERATORS:
            operator = pattern
        elif operator == 'eq' or not pattern.isdigit():
            yield pattern
        elif operator in ('gt', 'ge'):
            yield '{0}:'.format(int(pattern) + (operator == 'gt'))
        else:
            yield ':{0}'.format(int(pattern) - (operator == 'lt'))
