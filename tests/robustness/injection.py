# SPDX-License-Identifier: Apache-2.0
"""Pass hostile text to every parameter of the public interface, on a real HAProxy.

A *slot* is one parameter of one public method, or the value of one settable
property.  :func:`attempt` passes one text to one slot and returns the outcome; it
raises Breach unless the text arrives as exactly one word, or raises an exception
before anything is sent.  All of it happens twice: on stats sockets, and through
masters, which read each line before a worker does.

``injection.py [VERSION=HAPROXY ...]`` prints the table of all cases;
tools/injection calls it.
"""

from __future__ import print_function

import collections
import inspect
import logging
import os
import random
import re
import shutil
import socket
import sys
import tempfile

import six

from haproxyadmin import (backend, ca_files, certificates, crt_lists, exceptions, frontend, haproxy,
                          internal, patterns, peers, resolvers, server, servers_state, sessions,
                          tables)
from haproxyadmin.protocol import words
from haproxyadmin.testing.texts import raw, text as native
from tests.support import group, lab
from tests.support.certificates import Authority
from tests.support.group import ACL, KEY_LENGTH, MAP, TABLE

INJECTIONS = [b'disable frontend f', b'set maxconn global 1', b'clear map #0', b'clear acl #90',
              b'set server b/s state maint', b'shutdown frontend f']

# Entries that a text would hit if it were split into words.
DECOYS = [b'a', b'k', b'two', b'words', b'trail', b'disable', b'-f', b'#', b'#x']

# Entries of the stick table; none of the texts is such a key.
COUNTED = [b'a', b'k', b'two', b'words', b'trail', b'disable', b'key', b'data.gpc0']

MAX_LINE = 15360
# What a master may need of it for itself.
MASTERS_SHARE = 64
# More than the length of everything else on a line that contains a text.
MARGIN = 100

Text = collections.namedtuple('Text', 'name raw')


class Breach(AssertionError):
    """A text had a forbidden effect."""


class NotFound(Breach):
    """HAProxy does not find an entry."""


def texts():
    """Return all hostile texts, except those that are meant for a master."""
    return _characters() + _lengths() + _commands()


def routing(pid=1):
    """Return texts that would mean something to a master.

    :param pid: of a worker.
    """
    pid = str(pid).encode('ascii')
    disable = INJECTIONS[0]
    return [Text(name, raw.replace(b'PID', pid)) for name, raw in [
        ('@1 and a command', b'@1 ' + disable), ('@2 and a command', b'@2 ' + disable),
        ('@!PID and a command', b'@!PID ' + disable), ('@!PID, ; and a command', b'@!PID;' + disable),
        ('@@1 and a command', b'@@1 ' + disable), ('@master reload', b'@master reload'),
        ('@ reload', b'@ reload'), ('@0 reload', b'@0 reload'),
        ('a blank and @master reload', b' @master reload'),
        ('a tab and @master reload', b'\t@master reload'),
        ('; and @master reload', b'a;@master reload'), ('; and @!1 reload', b';@!1 reload'),
        (';, blanks and @master reload', b'a; \t @master reload'),
        ('; and @2, a command', b'a;@2 ' + disable),
        ('; and @!PID, a command', b'a;@!PID ' + disable),
        ('\\; and @2, a command', b'a\\;@2 ' + disable),
        ('\\\\; and @2, a command', b'a\\\\;@2 ' + disable),
        ('\\\\\\; and @2, a command', b'a\\\\\\;@2 ' + disable),
        ('quotes, ; and @2, a command', b'"a;@2 ' + disable + b'"'),
        ('; and \\@2, a command', b'a;\\@2 ' + disable),
        ('@master alone', b'@master'), ('; and @master alone', b'a;@master'),
        ('@master, ; and reload', b'@master;reload'), ('reload', b'reload'),
        ('; and reload', b'a;reload'), ('show proc', b'show proc'), ('quit', b'quit'),
        ('; and quit', b'a;quit'), ('quit, ; and reload', b'quit;reload'), ('prompt', b'prompt'),
        ('prompt, ; and reload', b'prompt;reload'), ('user', b'user'),
        ('; and operator', b'a;operator'), ('expert-mode on', b'expert-mode on'),
        ('newline and reload', b'a\nreload'), ('newline and @master reload', b'a\n@master reload'),
        ('newline, quit, newline and reload', b'a\nquit\nreload'),
        ('<< twice, newline and @master reload', b'a<<b <<\n@master reload'),
        ('\\, << and @master reload', b'a\\ <<\n@master reload'),
        ('quit, << and @master reload', b'quit <<\n@master reload'),
        ('payload and @master reload', b'a <<\nk v\n\n@master reload'),
        ('the longest through a master', b'z' * (MAX_LINE - MASTERS_SHARE - MARGIN - 1)),
        ('too long through a master', b'z' * (MAX_LINE - MASTERS_SHARE)),
        ('almost too long for a line', b'z' * (MAX_LINE - 20))]]


def _characters():
    return [Text(*pair) for pair in [
        ('a blank', b'two words'), ('a leading blank', b' lead'), ('a trailing blank', b'trail '),
        ('blanks alone', b'   '), ('blanks in a row', b'two   words'),
        ('a tab', b'two\twords'), ('a leading tab', b'\tlead'), ('a trailing tab', b'trail\t'),
        ('a semicolon', b'a;b'), ('a semicolon alone', b';'), ('a trailing semicolon', b'a;'),
        ('a backslash', b'a\\b'), ('a backslash alone', b'\\'), ('a trailing backslash', b'a\\'),
        ('two trailing backslashes', b'a\\\\'), ('an escaped blank', b'two\\ words'),
        ('an escaped semicolon', b'a\\;b'), ('an escape sequence', b'a\\n\\x00\\t'),
        ('a quote', b"it's"), ('double quotes', b'"q"'), ('an open double quote', b'"a b'),
        ('# alone', b'#'), ('# and letters', b'#x'), ('# and words', b'# two'),
        ('# inside', b'a #b'), ('<< alone', b'<<'), ('<< at the end', b'a<<'),
        ('<< as last word', b'two <<'), ('<< and a name', b'<<X'),
        ('<< and a name as last word', b'two <<X'), ('<< escaped', b'a \\<<'), ('< alone', b'<'),
        ('< and >', b'<b>'), ('@ alone', b'@'), ('@1', b'@1'), ('@! and words', b'@!1 show proc'),
        ('a dash', b'-'), ('two leading dashes', b'--help'), ('an option', b'-f'),
        ('a negative number', b'-1'), ('a severity', b'[3]: a'), ('shell', b'$HOME!`id`$(id)&|'),
        ('JSON', b'{"a": [1, 2]}'), ('formats', b'%s%n%[rand]{0}'),
        ('a path', b'../../etc/passwd'), ('BACKEND/SERVER', b'b/s'),
        ('UTF-8', u'\xfc\u20ac \U0001f600'.encode('utf-8')), ('no UTF-8', b'\xff\xfe \x80'),
        ('control characters', b'\x01\x02\x1b[2J\x7f'),
        ('no text', b''), ('a newline', b'\n'), ('a newline inside', b'a\nb'),
        ('a leading newline', b'\na'), ('a trailing newline', b'a\n'),
        ('a carriage return', b'a\rb'), ('a trailing carriage return', b'a\r'),
        ('a trailing CR and newline', b'a\r\n'), ('NUL', b'a\0b'), ('a trailing NUL', b'a\0')]]


def _lengths():
    return [Text(*pair) for pair in [
        ('70 words', b' '.join([b'w'] * 70)), ('200 semicolons', b';' * 200),
        ('4,096 characters', b'y' * 4096), ('15,000 characters', b'y' * 15000),
        ('15,000 bytes of UTF-8', u'\xfc'.encode('utf-8') * 7500),
        ('15,000 semicolons', b';' * 15000), ('16,300 characters', b'y' * 16300),
        ('16,370 characters', b'y' * 16370), ('20,000 characters', b'y' * 20000),
        ('20,000 blanks', b' ' * 20000)]]


def _commands():
    """Return texts that contain a second command."""
    found = [Text('; and "{0}"'.format(command.decode('ascii')), b'a;' + command)
             for command in INJECTIONS]
    disable = INJECTIONS[0]
    return found + [Text(name, before + disable + after) for name, before, after in [
        ('; and a command', b';', b''), ('\\; and a command', b'a\\;', b''),
        ('\\\\; and a command', b'a\\\\;', b''), ('blank, ; and a command', b'a ;', b''),
        ('", ; and a command', b'"a;', b'"'), ('newline and a command', b'a\n', b''),
        ('newline, a command, newline', b'\n', b'\n'), ('CR and a command', b'a\r', b''),
        ('CR, newline and a command', b'a\r\n', b''), ('NUL and a command', b'a\0', b''),
        ('<<, newline and a command', b'a <<\n', b'\n'),
        ('payload and a command', b'a <<\nk v\n\n', b'\n'),
        ('payload, CR and a command', b'a <<\nk v\n\r\n', b'\n')]]


# Parts of command lines in which a master may see something else than a worker.
PARTS = [
    b';', b';', b'\\', b'\\', b' ', b'\t', b'<<', b'<<', b' <<', b'\n', b'"', b"'", b'#', b'<', b'-',
    b'\v', b'X', b'\\;', b'@1', b'prompt', b'quit', b'user', b'operator', b'show cli level',
    b'add map #0', b'add map X', b'expert-mode on', b'experimental-mode on', b'mcli-debug-mode on']
# Only a master answers it, with a table that begins in this way.
OF_MASTER = b'@master show proc'
TABLE_OF_MASTER = '#<PID>'


def lines(count, seed=1):
    """Return random command lines: half of them contain a command to the master, half a payload.

    In a payload there is also a line that no worker must execute: ``set maxconn global 77``.
    """
    chosen = random.Random(seed)

    def some(most):
        return [chosen.choice(PARTS) for _ in range(chosen.randint(0, most))]
    found = []
    for _ in range(count // 2):
        found.append(b''.join(some(3) + [OF_MASTER] + some(3)))
        found.append(b''.join(some(3) + [b' <<\n'] + some(1) + [
            b'\n', chosen.choice([OF_MASTER, b'set maxconn global 77'])] + some(1)))
    return found


# Slots

class Slot(object):
    """One parameter, how to pass a text to it, and the expected outcome.

    :param kind: one of KINDS.
    :param call: a function of the library object that has the method, and the text.
    :param family: 'acl' or 'map' for entries.
    :param before: a function of the text as bytes, which returns the entries to store first.
    :param after: the same for the entries that are present after success.
    """

    def __init__(self, kind, call, family=None, before=None, after=None):
        self.kind = kind
        self.call = call
        self.family = family
        self.before = before or _nothing
        self.after = after or _nothing


# The kinds of slots, and the outcomes that are allowed for them.
KINDS = collections.OrderedDict([
    ('entry', 'key, pattern or value: stored or found as it is'),
    ('key', 'key of a stick table: stored and found as it is, or refused if it is too long'),
    ('id', 'id or file of an ACL or MAP: there is none'),
    ('name', 'name to look for: there is none'),
    ('compared', 'compared with what an object knows: nothing is sent'),
    ('word', 'number, state or metric: never such a text'),
    ('address', 'address: HAProxy judges it'),
    ('addition', 'part of a server that is added: HAProxy judges it'),
    ('object', 'name of an object made by hand: there is none'),
    ('command', 'command line: sent as it is, through a master if it does not choose its way'),
    ('flag', 'flag: as good as True'),
    ('path', 'socket, directory, address or master: there is none'),
    ('file', 'file on this machine: none is written'),
])
# How the table calls command lines that take the way through a master.
BY_MASTER = 'by master'
COLUMNS = list(KINDS) + [BY_MASTER]


def _nothing(raw):
    return []


def _itself(raw):
    return [raw]


def _with(other):
    """Return a function that makes a map entry with the text as key."""
    return lambda raw: [raw + b' ' + other]


def _pairs(raw):
    return [b'one 1', raw + b' v', b'k2 ' + raw, b'last 2']


def _entry(family, call, before=None, after=None):
    return Slot('entry', call, family, before, after)


def _all(text):
    """Return the pairs of a map that are to be there: the decoys, and a text as key and value."""
    return _decoys(text, lambda decoy: (decoy, 'decoy')) + [
        ('one', '1'), (text, 'v'), ('k2', text), ('last', '2')]


def _all_patterns(text):
    return _decoys(text) + ['one', text, 'last']


def _decoys(text, make=lambda decoy: decoy):
    return [make(native(decoy)) for decoy in DECOYS if decoy != raw(text)]


def _by_key(call):
    """Return a function for which a key that is not there is a ValueError."""
    def use(thing, text):
        try:
            return call(thing, text)
        except KeyError as error:
            raise ValueError(error)
    return use


def _compared(call):
    return Slot('compared', _by_key(call))


def _deleted(collection, text):
    """Delete a key that was set by the same object: a listing does not show where it ends."""
    collection[text] = 'v'
    del collection[text]
    return text not in collection or _breach('it is still there')


def _popped(collection, text):
    collection[text] = 'v'
    return collection.pop(text) == 'v' or _breach('another value')


def _set(collection, key, value):
    collection[key] = value
    return raw(collection[key]) == raw(value) or _breach('another value')


def _counted(table, text, _):
    """Store a key, find it and remove it."""
    table.set(text, gpc0=7)
    found = [(raw(entry.key), entry.data) for entry in table.entries(text)]
    if found != [(raw(text), {'gpc0': 7})] * 2:
        _breach('found was {0!r}'.format(found)[:300])
    table.remove(text)
    return not list(table.entries(text)) or _breach('it is still there')


def _conditions(call):
    """Return a function that passes a text as each part of a condition."""
    def use(table, text):
        for where in [text, [text], [('gpc0', '>=', text)]] + (
                [] if text in words.OPERATORS else [[('gpc0', text, 0)]]):
            try:
                call(table, where)
            except ValueError:
                continue
            _breach('taken as {0!r}'.format(where)[:300])
        return call(table, [('gpc0', '>=', 0), (text, '>=', 0)])
    return use


def _deleting(call):
    """Return a function for which what cannot be there, and is ignored, is a ValueError."""
    def use(acl, text):
        call(acl, text)
        words.check_text(text)
    return use


def _is_stored(raw):
    """Return True if a text is there before; see :func:`takes`."""
    return len(escaped(raw)) + MARGIN < MAX_LINE - MASTERS_SHARE


def _breach(message):
    raise Breach(message)


def _id(call):
    return Slot('id', call)


def _name(call):
    return Slot('name', call)


def _word(call):
    return Slot('word', call)


def _address(call):
    return Slot('address', call)


def _added(name, **options):
    """Return a slot for something of a server that is added, which is then deleted.

    :param name: of the server, None for the text; so are options of ``add_server()``.
    """
    def call(backend, text):
        arguments = dict((key, text if value is None else value)
                         for key, value in dict({'name': name, 'address': '127.0.0.1:9'},
                                                **options).items())
        backend.add_server(**arguments)
        return backend.del_server(arguments['name'], timeout=30)
    return Slot('addition', call)


# How a text becomes an address, or a part of one.
ADDRESSES = ['{0}', 'unix@{0}', 'abns@{0}', 'abnsz@{0}', '{0}:1', '[{0}]:1', 'ipv4@{0}:1',
             'ipv6@{0}:1', 'ipv6@[{0}]:1', 'ssl@{0}:1', 'ssl@[{0}]:1', '127.0.0.1:{0}',
             'ipv6@[::1]:{0}', 'ssl@127.0.0.1:{0}', '{0}@127.0.0.1:1', 'unix@{0}/a', '{0} @1']


_made = []


def a_pem():
    """Return a certificate with its key."""
    if not _made:
        directory = tempfile.mkdtemp(prefix='haproxyadmin-')
        try:
            _made.append(Authority(directory).issue('injected.test').pem)
        finally:
            shutil.rmtree(directory)
    return _made[0]


def _added_certificate(hap, text):
    """Add a certificate, look whether it is there, and delete it."""
    hap.add_certificate(text, a_pem())
    names = [raw(found.name) for found in hap.certificates()]
    if raw(text) not in names:
        _breach('listed are {0!r}'.format(names)[:300])
    return hap.certificate(text).delete()


def _place(make):
    """Return a slot for addresses of HAProxy.

    :param make: a function that makes a library object with an address.
    """
    return Slot('path', lambda site, text: _nowhere(make, text))


def _nowhere(make, text):
    """Use a text in all forms of addresses; raise the exception for the first of them."""
    errors = []
    for form in ADDRESSES:
        before, _, after = form.partition('{0}')
        # The text may be of either type.
        address = (before.encode('ascii') + text + after.encode('ascii')
                   if isinstance(text, bytes) else before + text + after)
        with _Resolver() as resolver:
            try:
                make(address)
            except ValueError as error:
                errors.append(error)
            else:
                raise Breach('{0} with {1!r} is taken'.format(form, text))
        if resolver.asked - set([raw(text)]):
            raise Breach('{0} with {1!r}: looked up {2!r}'.format(form, text, resolver.asked))
    raise errors[0]


def _file(kind, call):
    """Return a slot for something that is about a file. Wherever a text leads, nothing is written.

    :param call: a function of the library object, and the text.
    """
    def use(hap, text):
        with _NothingIsWritten():
            try:
                return call(hap, text)
            except EnvironmentError as error:
                if isinstance(error, exceptions.HAProxyBaseError):
                    raise
                raise ValueError(error)
    return Slot(kind, use)


class _NothingIsWritten(object):
    """While it is used as a context, no file is written, nor read into an ACL or map.

    That is a ValueError. Tests run as root, and a text such as ``../../etc/passwd`` is the path of
    a real file.
    """

    def __enter__(self):
        self._replace_file = servers_state.replace_file
        servers_state.replace_file = patterns.replace_file = self._refuse
        patterns.open = self._refuse
        return self

    def __exit__(self, *error):
        servers_state.replace_file = patterns.replace_file = self._replace_file
        del patterns.open

    def _refuse(self, path, how):
        raise ValueError('nothing is written')


class _Resolver(object):
    """Stands for the resolver while it is used as a context: knows no name and asks nobody.

    ``asked`` contains the names.
    """

    def __init__(self):
        self.asked = set()

    def __enter__(self):
        self._getaddrinfo, socket.getaddrinfo = socket.getaddrinfo, self._look_up
        return self

    def __exit__(self, *error):
        socket.getaddrinfo = self._getaddrinfo

    def _look_up(self, host, *rest):
        self.asked.add(host)
        raise socket.gaierror(socket.EAI_NONAME, 'no such host')


# They look like a certificate and a revocation list.
NO_AUTHORITY = '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n'
NO_LIST = ('-----BEGIN X509 CRL-----\nMDswLQIBATADBgEqMAMCAQAXDTI2MTEyNjE4MDEwMloYDzIwNjAxMjI0MjM1OTU5'
           '\nWjADBgEqAwUAc2lnbg==\n-----END X509 CRL-----\n')

SLOTS = {
    'HAProxy.socket_dir': Slot('path', lambda hap, text: haproxy.HAProxy(socket_dir=text)),
    'HAProxy.socket_file': _place(
        lambda address: haproxy.HAProxy(socket_file=address, retry=None)),
    'HAProxy.addresses': _place(lambda address: haproxy.HAProxy(addresses=[address])),
    'HAProxy.master': _place(
        lambda address: haproxy.HAProxy(master=address, retry=None)),
    'HAProxy.workers': _word(lambda hap, text: haproxy.HAProxy(master='/', workers=text)),
    'HAProxy.ssl_context': _word(lambda hap, text: haproxy.HAProxy('/', ssl_context=text)),
    'HAProxy.allow_missing': Slot('flag', lambda hap, text: again(hap, allow_missing=text or 'a')),
    'HAProxy.allow_plain_secrets': Slot(
        'flag', lambda hap, text: again(hap, allow_plain_secrets=text or 'a')),
    'HAProxy.retry': _word(lambda hap, text: haproxy.HAProxy('/', retry=text)),
    'HAProxy.retry_interval': _word(lambda hap, text: haproxy.HAProxy('/', retry_interval=text)),
    'HAProxy.timeout': _word(lambda hap, text: haproxy.HAProxy('/', timeout=text)),

    'HAProxy.add_acl.pattern': _entry(
        'acl', lambda hap, text: hap.add_acl(ACL, text), None, _itself),
    'HAProxy.del_acl.key': _entry('acl', lambda hap, text: hap.del_acl(ACL, text), _itself),
    'HAProxy.get_acl.value': _entry(
        'acl', lambda hap, text: _found(hap.get_acl(ACL, text)), _itself, _itself),
    'HAProxy.add_acl_entries.patterns': _entry(
        'acl', lambda hap, text: hap.add_acl_entries(ACL, ['one', text, 'last']), None,
        lambda raw: [b'one', raw, b'last']),
    'HAProxy.del_acl_entries.keys': _entry(
        'acl', lambda hap, text: hap.del_acl_entries(ACL, ['one', text, 'last']),
        lambda raw: [b'one', raw, b'last']),

    'HAProxy.add_map.key': _entry(
        'map', lambda hap, text: hap.add_map(MAP, text, 'v'), None, _with(b'v')),
    'HAProxy.add_map.value': _entry(
        'map', lambda hap, text: hap.add_map(MAP, 'k2', text), None, lambda raw: [b'k2 ' + raw]),
    'HAProxy.set_map.key': _entry(
        'map', lambda hap, text: hap.set_map(MAP, text, 'new'), _with(b'old'), _with(b'new')),
    'HAProxy.set_map.value': _entry(
        'map', lambda hap, text: hap.set_map(MAP, 'k2', text), lambda raw: [b'k2 old'],
        lambda raw: [b'k2 ' + raw]),
    'HAProxy.del_map.key': _entry('map', lambda hap, text: hap.del_map(MAP, text), _with(b'v')),
    'HAProxy.get_map.value': _entry(
        'map', lambda hap, text: _found(hap.get_map(MAP, text)), _with(b'v'), _with(b'v')),
    'HAProxy.add_map_entries.pairs': _entry(
        'map', lambda hap, text: hap.add_map_entries(
            MAP, [('one', '1'), (text, 'v'), ('k2', text), ('last', '2')]), None, _pairs),
    'HAProxy.del_map_entries.keys': _entry(
        'map', lambda hap, text: hap.del_map_entries(MAP, ['one', text, 'last']),
        lambda raw: [b'one 1', raw + b' v', b'last 2']),

    'HAProxy.show_acl.aclid': _id(lambda hap, text: hap.show_acl(text)),
    'HAProxy.show_acl.acl': _id(lambda hap, text: hap.show_acl(acl=text)),
    'HAProxy.get_acl.acl': _id(lambda hap, text: hap.get_acl(text, 'a')),
    'HAProxy.add_acl.acl': _id(lambda hap, text: hap.add_acl(text, 'a')),
    'HAProxy.del_acl.acl': _id(lambda hap, text: hap.del_acl(text, 'a')),
    'HAProxy.clear_acl.acl': _id(lambda hap, text: hap.clear_acl(text)),
    'HAProxy.add_acl_entries.acl': _id(lambda hap, text: hap.add_acl_entries(text, ['a'])),
    'HAProxy.del_acl_entries.acl': _id(lambda hap, text: hap.del_acl_entries(text, ['a'])),
    'HAProxy.show_map.mapid': _id(lambda hap, text: hap.show_map(text)),
    'HAProxy.show_map.map': _id(lambda hap, text: hap.show_map(map=text)),
    'HAProxy.get_map.mapid': _id(lambda hap, text: hap.get_map(text, 'a')),
    'HAProxy.add_map.mapid': _id(lambda hap, text: hap.add_map(text, 'a', 'v')),
    'HAProxy.set_map.mapid': _id(lambda hap, text: hap.set_map(text, 'a', 'v')),
    'HAProxy.del_map.mapid': _id(lambda hap, text: hap.del_map(text, 'a')),
    'HAProxy.clear_map.mapid': _id(lambda hap, text: hap.clear_map(text)),
    'HAProxy.add_map_entries.mapid': _id(
        lambda hap, text: hap.add_map_entries(text, [('a', 'v'), ('b c', 'd')])),
    'HAProxy.del_map_entries.mapid': _id(lambda hap, text: hap.del_map_entries(text, ['a'])),

    'HAProxy.frontends.name': _name(lambda hap, text: hap.frontends(text)),
    'HAProxy.frontend.name': _name(lambda hap, text: hap.frontend(text)),
    'HAProxy.backends.name': _name(lambda hap, text: hap.backends(text)),
    'HAProxy.backend.name': _name(lambda hap, text: hap.backend(text)),
    'HAProxy.servers.backend': _name(lambda hap, text: hap.servers(text)),
    'HAProxy.server.hostname': _name(lambda hap, text: hap.server(text)),
    'HAProxy.server.backend': _name(lambda hap, text: hap.server('s', text)),

    'HAProxy.overview.pattern': _name(lambda hap, text: _rows(hap.overview(text))),
    'HAProxy.overview.width': _word(lambda hap, text: hap.overview(width=text)),
    'HAProxy.differences.maps': Slot('flag', lambda hap, text: hap.differences(text or 'a')),
    'HAProxy.differences.acls': Slot('flag', lambda hap, text: hap.differences(acls=text or 'a')),
    'HAProxy.differences.certificates': Slot(
        'flag', lambda hap, text: hap.differences(certificates=text or 'a')),
    'HAProxy.servers_state.backend': _name(lambda hap, text: hap.servers_state(text)),
    'HAProxy.save_servers_state.path': _file(
        'file', lambda hap, text: hap.save_servers_state(text)),
    'HAProxy.save_servers_state.servers': _file(
        'name', lambda hap, text: hap.save_servers_state('/nonexistent/a', servers=[text])),
    'HAProxy.save_servers_state.socket': _file(
        'word', lambda hap, text: hap.save_servers_state('/nonexistent/a', socket=text)),
    'HAProxy.restore_servers_state.path': _file(
        'file', lambda hap, text: hap.restore_servers_state(text)),
    'HAProxy.restore_servers_state.socket': _word(
        lambda hap, text: hap.restore_servers_state('/nonexistent/a', socket=text)),
    'HAProxy.restore_servers_state.timeout': _word(
        lambda hap, text: hap.restore_servers_state('/nonexistent/a', timeout=text)),
    'HAProxy.restore_servers_state.interval': _word(
        lambda hap, text: hap.restore_servers_state('/nonexistent/a', interval=text)),
    'HAProxy.restore_servers_state.progress': _word(
        lambda hap, text: hap.restore_servers_state('/nonexistent/a', progress=text)),

    'HAProxy.errors.iid': _word(lambda hap, text: hap.errors(text)),
    'HAProxy.metric.name': _word(lambda hap, text: hap.metric(text)),
    'HAProxy.metric.rule': _word(lambda hap, text: hap.metric('Maxconn', text)),
    'HAProxy.metrics.rule': _word(lambda hap, text: hap.metrics(text)),
    'HAProxy.metric_per_process.name': _word(lambda hap, text: hap.metric_per_process(text)),
    'HAProxy.metric_per_socket.name': _word(lambda hap, text: hap.metric_per_socket(text)),
    'HAProxy.setmaxconn.value': _word(lambda hap, text: hap.setmaxconn(text)),
    'HAProxy.setratelimitconn.value': _word(lambda hap, text: hap.setratelimitconn(text)),
    'HAProxy.setratelimitsess.value': _word(lambda hap, text: hap.setratelimitsess(text)),
    'HAProxy.setratelimitsslsess.value': _word(lambda hap, text: hap.setratelimitsslsess(text)),
    'HAProxy.clearcounters.all': Slot('flag', lambda hap, text: hap.clearcounters(text or 'a')),
    'HAProxy.reload.timeout': _word(lambda hap, text: hap.reload(timeout=text)),
    'HAProxy.reload.interval': _word(lambda hap, text: hap.reload(interval=text)),
    'HAProxy.reload.progress': _word(lambda hap, text: hap.reload(progress=text)),
    'HAProxy.command.cmd': Slot('command', lambda hap, text: hap.command(text)),

    'Frontend.metric.name': _word(lambda frontend, text: frontend.metric(text)),
    'Frontend.metric.rule': _word(lambda frontend, text: frontend.metric('scur', text)),
    'Frontend.metrics.rule': _word(lambda frontend, text: frontend.metrics(text)),
    'Frontend.metric_per_process.name': _word(lambda thing, text: thing.metric_per_process(text)),
    'Frontend.metric_per_socket.name': _word(lambda thing, text: thing.metric_per_socket(text)),
    'Frontend.setmaxconn.value': _word(lambda frontend, text: frontend.setmaxconn(text)),
    'Backend.metric.name': _word(lambda backend, text: backend.metric(text)),
    'Backend.metric.rule': _word(lambda backend, text: backend.metric('scur', text)),
    'Backend.metrics.rule': _word(lambda backend, text: backend.metrics(text)),
    'Backend.metric_per_process.name': _word(lambda thing, text: thing.metric_per_process(text)),
    'Backend.metric_per_socket.name': _word(lambda thing, text: thing.metric_per_socket(text)),
    'Backend.server.name': _name(lambda backend, text: backend.server(text)),
    'Backend.servers.name': _name(lambda backend, text: backend.servers(text)),
    'Backend.__contains__.server': _name(lambda backend, text: text in backend),
    'Backend.__getitem__.name': _name(_by_key(lambda backend, text: backend[text])),
    'Server.metric.name': _word(lambda server, text: server.metric(text)),
    'Server.metric.rule': _word(lambda server, text: server.metric('scur', text)),
    'Server.metrics.rule': _word(lambda server, text: server.metrics(text)),
    'Server.metric_per_process.name': _word(lambda server, text: server.metric_per_process(text)),
    'Server.metric_per_socket.name': _word(lambda server, text: server.metric_per_socket(text)),
    'Server.setstate.state': _word(lambda server, text: server.setstate(text)),
    'Server.setweight.value': _word(lambda server, text: server.setweight(text)),
    'Backend.add_server.name': _added(None),
    'Backend.add_server.address': _added('added', address=None),
    'Backend.add_server.weight': _added('added', weight=None),
    'Backend.add_server.check': _added('added', check=None),
    'Backend.add_server.ready': _added('added', ready=None),
    'Backend.add_server.keywords': _added('added', cookie=None),
    'Backend.del_server.name': _name(lambda backend, text: backend.del_server(text)),
    'Backend.del_server.timeout': _word(lambda backend, text: backend.del_server('s', text)),
    'Backend.del_server.interval': _word(
        lambda backend, text: backend.del_server('s', interval=text)),
    'Backend.del_server.progress': _word(
        lambda backend, text: backend.del_server('s', progress=text)),
    'Server.drain.timeout': _word(lambda server, text: server.drain(text)),
    'Server.drain.interval': _word(lambda server, text: server.drain(5, interval=text)),
    'Server.drain.progress': _word(lambda server, text: server.drain(5, progress=text)),
    'Server.takeout.timeout': _word(lambda server, text: server.takeout(text)),
    'Server.takeout.drain_for': _word(lambda server, text: server.takeout(5, drain_for=text)),
    'Server.takeout.shutdown_sessions': _word(
        lambda server, text: server.takeout(5, shutdown_sessions=text)),
    'Server.takeout.keep_up': _word(lambda server, text: server.takeout(5, keep_up=text)),
    'Server.takeout.interval': _word(lambda server, text: server.takeout(5, interval=text)),
    'Server.takeout.progress': _word(lambda server, text: server.takeout(5, progress=text)),
    'Server.bringback.timeout': _word(lambda server, text: server.bringback(text)),
    'Server.bringback.interval': _word(lambda server, text: server.bringback(5, interval=text)),
    'Server.bringback.progress': _word(lambda server, text: server.bringback(5, progress=text)),
    'Server.sethealth.health': _word(lambda server, text: server.sethealth(text)),
    'Server.setagent.health': _word(lambda server, text: server.setagent(text)),
    'Server.setmaxconn.value': _word(lambda server, text: server.setmaxconn(text)),
    'Server.setssl.on': _word(lambda server, text: server.setssl(text)),
    'Server.setaddress.address': _address(lambda server, text: server.setaddress(text, 9)),
    'Server.setaddress.port': _word(lambda server, text: server.setaddress('127.0.0.1', text)),
    'Server.setcheckaddr.address': _address(lambda server, text: server.setcheckaddr(text)),
    'Server.setcheckaddr.port': _word(lambda server, text: server.setcheckaddr('::1', text)),
    'Server.setcheckport.port': _word(lambda server, text: server.setcheckport(text)),
    'Server.setagentaddr.address': _address(lambda server, text: server.setagentaddr(text)),
    'Server.setagentaddr.port': _word(lambda server, text: server.setagentaddr('::1', text)),
    'Server.setagentsend.text': _address(lambda server, text: server.setagentsend(text)),
    'Server.setfqdn.name': _address(lambda server, text: server.setfqdn(text)),
    'Server.address': Slot('address', lambda server, text: setattr(server, 'address', text)),
    'Server.port': _word(lambda server, text: setattr(server, 'port', text)),
}

SLOTS.update({
    'HAProxy.map.ref': _name(lambda hap, text: hap.map(text)),
    'HAProxy.acl.ref': _name(lambda hap, text: hap.acl(text)),
    'HAProxy.resolvers_section.name': _name(lambda hap, text: hap.resolvers_section(text)),
    'HAProxy.peers_section.name': _name(lambda hap, text: hap.peers_section(text)),
    'ResolversSection.nameserver.name': _name(lambda section, text: section.nameserver(text)),
    'PeersSection.peer.name': _name(lambda section, text: section.peer(text)),

    'Map.__setitem__.key': _entry(
        'map', lambda thing, text: _set(thing, text, 'new'), _with(b'old'), _with(b'new')),
    'Map.__setitem__.value': _entry(
        'map', lambda thing, text: _set(thing, 'k2', text), lambda raw: [b'k2 old'],
        lambda raw: [b'k2 ' + raw]),
    'Map.__delitem__.key': _entry('map', _by_key(_deleted), _with(b'v')),
    'Map.pop.key': _entry('map', _by_key(_popped), _with(b'old')),
    'Map.setdefault.key': _entry(
        'map', lambda thing, text: thing.setdefault(text, 'v'), None, _with(b'v')),
    'Map.setdefault.default': _entry(
        'map', lambda thing, text: thing.setdefault('k2', text), None, lambda raw: [b'k2 ' + raw]),
    'Map.update.args': _entry(
        'map', lambda thing, text: thing.update([(text, 'v'), ('k2', text)]), None,
        lambda raw: [raw + b' v', b'k2 ' + raw]),
    'Map.update.others': _entry(
        'map', lambda thing, text: thing.update(**{native(raw(text)): 'v'}), None, _with(b'v')),
    'Map.__ior__.other': _entry(
        'map', lambda thing, text: thing.__ior__({text: 'v'}), _with(b'old'), _with(b'v')),
    'Map.lookup.text': _entry(
        'map', lambda thing, text: _matched(thing.lookup(text), text), _with(b'v'), _with(b'v')),
    'Map.replace.entries': _entry('map', lambda thing, text: _replaced(thing, _all(text)), None, _pairs),
    'Map.sync.entries': _entry('map', lambda thing, text: thing.sync(_all(text)), None, _pairs),

    'Acl.add.pattern': _entry('acl', lambda acl, text: acl.add(text), None, _itself),
    'Acl.discard.pattern': _entry(
        'acl', _deleting(lambda acl, text: acl.discard(text)), _itself),
    'Acl.remove.value': _entry('acl', _by_key(lambda acl, text: acl.remove(text)), _itself),
    'Acl.update.others': _entry('acl', lambda acl, text: acl.update(['one', text]), None,
                                lambda raw: [b'one', raw]),
    'Acl.__ior__.other': _entry('acl', lambda acl, text: acl.__ior__([text]), None, _itself),
    'Acl.difference_update.others': _entry(
        'acl', _deleting(lambda acl, text: acl.difference_update(['one', text])),
        lambda raw: [b'one', raw]),
    'Acl.__isub__.other': _entry(
        'acl', _deleting(lambda acl, text: acl.__isub__([text])), _itself),
    'Acl.__iand__.other': _entry(
        'acl', _deleting(lambda acl, text: acl.__iand__(_decoys(text) + [text])),
        lambda raw: [b'one', raw], lambda raw: [raw] * _is_stored(raw)),
    'Acl.__ixor__.other': _entry('acl', lambda acl, text: acl.__ixor__([text]), None, _itself),
    'Acl.lookup.text': _entry(
        'acl', lambda acl, text: _matched(acl.lookup(text), text), _itself, _itself),
    'Acl.replace.entries': _entry(
        'acl', lambda acl, text: _replaced(acl, _all_patterns(text)), None,
        lambda raw: [b'one', raw, b'last']),
    'Acl.sync.entries': _entry(
        'acl', lambda acl, text: acl.sync(_all_patterns(text)), None,
        lambda raw: [b'one', raw, b'last']),

    'Map.__contains__.key': _compared(lambda thing, text: text in thing),
    'Map.__getitem__.key': _compared(lambda thing, text: thing[text]),
    'Map.get.key': _compared(lambda thing, text: thing.get(text)),
    'Map.get.default': _compared(lambda thing, text: thing.get('k3', text)),
    'Map.pop.default': _compared(lambda thing, text: thing.pop('k3', text)),
    'Map.__or__.other': _compared(lambda thing, text: thing | {text: text}),
    'Map.__ror__.other': _compared(lambda thing, text: {text: text} | thing),
    'Map.diff.entries': _compared(lambda thing, text: thing.diff(_all(text))),
    'Acl.__contains__.key': _compared(lambda acl, text: text in acl),
    'Acl.isdisjoint.other': _compared(lambda acl, text: acl.isdisjoint([text])),
    'Acl.diff.entries': _compared(lambda acl, text: acl.diff(_all_patterns(text))),
})
SLOTS.update({
    'HAProxy.table.name': _name(lambda hap, text: hap.table(text)),

    'Table.entries.key': Slot('key', lambda table, text: _counted(
        # An empty one is looked for in the library.
        table, text, text and list(table.entries(text)))),
    'Table.set.key': Slot('key', lambda table, text: _counted(
        table, text, table.set(text, gpc0=1))),
    'Table.remove.key': Slot('key', lambda table, text: _counted(
        table, text, table.remove(text))),
    'Table.set.data': _word(lambda table, text: table.set('a', **{text: 7})),
    'Table.entries.where': _word(_conditions(
        lambda table, where: list(table.entries(where=where)))),
    'Table.clear.where': _word(_conditions(lambda table, where: table.clear(where))),
})
for _kind in ('Map', 'Acl'):
    SLOTS.update({
        _kind + '.replace.atomic': _word(lambda thing, text: thing.replace([], atomic=text)),
        _kind + '.load_file.path': _file('file', lambda thing, text: thing.load_file(text)),
        _kind + '.load_file.atomic': _word(
            lambda thing, text: thing.load_file(os.devnull, atomic=text)),
        _kind + '.save_file.path': _file('file', lambda thing, text: thing.save_file(text)),
    })
for _name_of_word in ('timeout', 'back_within', 'keep_up', 'drain_for', 'interval', 'progress',
                      'restore_on_error', 'shutdown_sessions'):
    SLOTS['Server.out_of_rotation.' + _name_of_word] = _word(
        lambda server, text, name=_name_of_word: server.out_of_rotation(**{name: text}))
SLOTS.update({
    'HAProxy.crt_list.name': _name(lambda hap, text: hap.crt_list(text)),
    'CrtList.add.certificate': _word(lambda found, text: found.add(text)),
    'CrtList.add.sni': _word(lambda found, text: found.add('/none', [text])),
    'CrtList.add.options': _word(lambda found, text: found.add('/none', options=text)),
    'CrtList.remove.certificate': _name(lambda found, text: found.remove(text).changed),
    'CrtList.remove.line': _word(lambda found, text: found.remove('/none', text)),
})
SLOTS.update({
    'HAProxy.ca_file.name': _name(lambda hap, text: hap.ca_file(text)),
    'HAProxy.crl_file.name': _name(lambda hap, text: hap.crl_file(text)),
    # HAProxy refuses the certificate or list after it has created the file.
    'HAProxy.add_ca_file.name': _word(lambda hap, text: hap.add_ca_file(text, NO_AUTHORITY)),
    'HAProxy.add_ca_file.pem': _word(lambda hap, text: hap.add_ca_file('/none', text)),
    'HAProxy.add_crl_file.name': _word(lambda hap, text: hap.add_crl_file(text, NO_LIST)),
    'HAProxy.add_crl_file.pem': _word(lambda hap, text: hap.add_crl_file('/none', text)),
    'CaFile.add.pem': _word(lambda found, text: found.add(text)),
})
for _kind in ('CaFile', 'CrlFile'):
    for _name_of_word in ('pem', 'previous'):
        SLOTS['{0}.update.{1}'.format(_kind, _name_of_word)] = _word(
            lambda found, text, name=_name_of_word: found.update(
                **dict({'pem': NO_AUTHORITY + NO_LIST}, **{name: text})))
SLOTS['HAProxy.session.id'] = _name(lambda hap, text: hap.session(text))
SLOTS['HAProxy.session.socket'] = _word(lambda hap, text: hap.session('0x1', text))
for _name_of_filter in ('server', 'backend', 'frontend', 'source'):
    SLOTS['HAProxy.sessions.' + _name_of_filter] = _name(
        lambda hap, text, name=_name_of_filter: hap.sessions(**{name: text}))
    SLOTS['HAProxy.shutdown_sessions.' + _name_of_filter] = _name(
        lambda hap, text, name=_name_of_filter: hap.shutdown_sessions(**{name: text}).ended)
for _name_of_filter in ('older_than', 'younger_than'):
    SLOTS['HAProxy.sessions.' + _name_of_filter] = _word(
        lambda hap, text, name=_name_of_filter: hap.sessions(**{name: text}))
    SLOTS['HAProxy.shutdown_sessions.' + _name_of_filter] = _word(
        lambda hap, text, name=_name_of_filter: hap.shutdown_sessions(**{name: text}))
for _name_of_word in ('condition', 'timeout', 'interval', 'progress'):
    SLOTS['HAProxy.wait_until.' + _name_of_word] = _word(
        lambda hap, text, name=_name_of_word: hap.wait_until(
            **dict({'condition': bool, 'timeout': 5}, **{name: text})))

SLOTS['HAProxy.certificate.name'] = _name(lambda hap, text: hap.certificate(text))
SLOTS['HAProxy.update_certificate.name'] = _name(
    lambda hap, text: hap.update_certificate(text, a_pem()))
SLOTS['HAProxy.add_certificate.name'] = Slot('addition', lambda hap, text: _added_certificate(
    hap, text))
for _name_of_word in ('pem', 'ocsp', 'crt_list', 'sni'):
    SLOTS['HAProxy.add_certificate.' + _name_of_word] = _name(
        lambda hap, text, name=_name_of_word: hap.add_certificate(
            **dict({'name': '/new.pem', 'pem': a_pem(), 'crt_list': '/none'}, **{name: text})))
for _name_of_word in ('pem', 'previous', 'ocsp'):
    SLOTS['HAProxy.update_certificate.' + _name_of_word] = _name(
        lambda hap, text, name=_name_of_word: hap.update_certificate(
            **dict({'name': '/none.pem', 'pem': a_pem()}, **{name: text})))
    SLOTS['Certificate.update.' + _name_of_word] = _word(
        lambda found, text, name=_name_of_word: found.update(
            **dict({'pem': a_pem()}, **{name: text})))

SLOTS['HAProxy.set_ocsp_response.der'] = _word(lambda hap, text: hap.set_ocsp_response(text))
SLOTS['HAProxy.update_ocsp_response.name'] = _name(
    lambda hap, text: hap.update_ocsp_response(text))
for _name_of_word in ('timeout', 'interval', 'progress'):
    SLOTS['HAProxy.update_ocsp_response.' + _name_of_word] = _word(
        lambda hap, text, name=_name_of_word: hap.update_ocsp_response('a.pem', **{name: text}))
SLOTS['HAProxy.set_tls_ticket_key.file'] = _name(
    lambda hap, text: hap.set_tls_ticket_key(text, b'k' * 48))
SLOTS['HAProxy.set_tls_ticket_key.key'] = _word(
    lambda hap, text: hap.set_tls_ticket_key('a.key', text))

for _name_of_word in ('interval', 'timeout'):
    SLOTS['HAProxy.watch.' + _name_of_word] = _word(
        lambda hap, text, name=_name_of_word: list(
            hap.watch(**dict({'timeout': 0}, **{name: text}))))

CLASSES = collections.OrderedDict([
    ('HAProxy', haproxy.HAProxy), ('Frontend', frontend.Frontend), ('Backend', backend.Backend),
    ('Server', server.Server), ('Map', patterns.Map), ('Acl', patterns.Acl), ('Table', tables.Table),
    ('ResolversSection', resolvers.ResolversSection), ('PeersSection', peers.PeersSection),
    ('Session', sessions.Session), ('CrtList', crt_lists.CrtList),
    ('Certificate', certificates.Certificate), ('CaFile', ca_files.CaFile),
    ('CrlFile', ca_files.CrlFile)])
# They are created from internal objects: see Site.made_by_hand().
CONSTRUCTORS = ('Frontend', 'Backend', 'Server', 'ResolversSection', 'PeersSection', 'CrtList',
                'Certificate', 'CaFile', 'CrlFile')
# So are they; HAProxy itself says what they are called.
COLLECTIONS = ('Map', 'Acl', 'Table')
# HAProxy alone says what there is.
LISTED = ('Session',)


def parameters():
    """Return the names of all slots of the public classes, in the form used by SLOTS."""
    found = set()
    for class_name, kind in CLASSES.items():
        if class_name in COLLECTIONS + ('Backend',):
            found.update('{0}.{1}.{2}'.format(class_name, name, argument) for name in _operators(kind)
                         for argument in _arguments(getattr(kind, name)))
        elif class_name not in CONSTRUCTORS + LISTED:
            found.update('{0}.{1}'.format(class_name, name) for name in _arguments(kind.__init__))
        for name in public(kind):
            attribute = getattr(kind, name)
            if not isinstance(attribute, property):
                found.update('{0}.{1}.{2}'.format(class_name, name, argument)
                             for argument in _arguments(attribute))
            elif attribute.fset:
                found.add('{0}.{1}'.format(class_name, name))
    return found


def public(kind):
    """Return the names of the public methods and properties of a class."""
    return [name for name in dir(kind) if not name.startswith('_')]


def _operators(kind):
    """Return the names of the operators that the library itself gives a class."""
    return [name for base in kind.__mro__
            if base.__module__ in (patterns.__name__, backend.__name__)
            for name, value in vars(base).items()
            if name.startswith('__') and inspect.isfunction(value)
            and name not in ('__init__', '__getattr__')]


def _arguments(function):
    code = _undecorated(function).__code__
    names = code.co_varnames[1:code.co_argcount]
    # Where there are both, the keywords are the last ones.
    more = bool(code.co_flags & inspect.CO_VARARGS) + bool(code.co_flags & inspect.CO_VARKEYWORDS)
    names += code.co_varnames[code.co_argcount:code.co_argcount + more]
    return [name for name in names if name != 'die']


def _undecorated(function):
    """Return the function that utils.should_die decorates; Python 2 has no ``__wrapped__``."""
    function = six.get_unbound_function(function)
    names = function.__code__.co_freevars
    if 'old_implementation' not in names:
        return function
    return function.__closure__[names.index('old_implementation')].cell_contents


def again(site, **options):
    """Make a library object for the site once more, with other options."""
    haproxy.HAProxy(retry=None, timeout=30, **dict(site.place, **options))


def _rows(overview):
    """Return the rows of a table, which has none if it is one line."""
    return str(overview).split('\n')[1:]


def _matched(match, text):
    if not match or raw(match.key) != raw(text):
        raise NotFound('not found: {0!r}'.format(match)[:200])
    return True


def _replaced(collection, entries):
    """Replace the content; with other commands before HAProxy can do it at once."""
    try:
        return collection.replace(entries)
    except exceptions.NotSupported:
        return collection.replace(entries, atomic=False)


def _found(reply):
    if 'found=yes' not in reply and 'match=yes' not in reply:
        raise NotFound('not found: {0!r}'.format(reply[:200]))
    return True


# These read what is there before they send anything, and REPLACING prepares a version, which is
# abandoned.
ALIGNING = sorted(name for name, slot in SLOTS.items()
                  if slot.kind == 'entry' and name.startswith(COLLECTIONS))
REPLACING = [name for name in ALIGNING if name.endswith('.replace.entries')]
DELETING = ['Acl.__iand__.other', 'Acl.__isub__.other', 'Acl.difference_update.others']
_READING = re.compile(r'u?[\'"]show ')
_PREPARING = re.compile(r'u?[\'"](prepare|(add|clear) (acl|map) @)')


# The site

# There are no peers: with several processes in one instance, HAProxy has none.
CONFIG = group.CONFIG + """
resolvers p
    nameserver ns 127.0.0.1:9
frontend tls
    bind "127.0.0.1:${HAPROXYADMIN_PORT_TLS}" ssl crt-list /dev/null strict-sni
"""
CRT_LIST = '/dev/null'
# Two processes behind one master, which HAProxy 2.5 has abolished.
TWO_PROCESSES = CONFIG.replace("""
    stats socket "${HAPROXYADMIN_RUN}/stats.sock" level admin
""", """
    nbproc 2
    stats socket "${HAPROXYADMIN_RUN}/stats1.sock" level admin process 1
    stats socket "${HAPROXYADMIN_RUN}/stats2.sock" level admin process 2
""")


class Site(lab.Stopped):
    """Two HAProxy processes with the targets of hostile texts, and a library object for them.

    :param by_master: (optional) True for an object that reaches them through their master, or
        through one master each where a master has one worker only.

    ``place`` says where the library finds them, ``paths`` lists their stats sockets, ``labs`` what
    has a master.
    """

    def __init__(self, binary, by_master=False):
        self.version = lab.branch(binary)
        self.by_master = by_master
        self.labs, self.paths, self.master_files = [], [], []
        self._as_usual = False
        self._started = None
        SENT.listen()
        try:
            self._start(binary)
            self.hap = haproxy.HAProxy(retry=None, timeout=30, **self.place)
            self.reset()
            self.usual = self.states()
        except BaseException:
            self.stop()
            raise

    def _start(self, binary):
        if not self.by_master:
            self._started = group.Group(binary, 2, CONFIG)
            self.paths = self._started.paths
            self.place = {'socket_dir': self._started.directory}
            return
        if tuple(map(int, self.version.split('.'))) < lab.FIRST_WITHOUT_NBPROC:
            self._started = lab.Lab(binary, config=TWO_PROCESSES, master_worker=True)
            self.labs = [self._started]
        else:
            self._started = group.Group(binary, 2, CONFIG, master_worker=True)
            self.labs = self._started.labs
        self.paths = sum([each.socket_files for each in self.labs], [])
        self.master_files = sum([each.master_files for each in self.labs], [])
        self.place = {'master': self.master_files}

    def texts(self):
        """Return all hostile texts, those for a master with the pid of a worker that it has."""
        return texts() + routing(self._pid())

    def _pid(self):
        """Return the pid of the last worker."""
        return int(re.search(r'^Pid: (\d+)$', lab.ask(self.paths[-1], 'show info'),
                             re.MULTILINE).group(1))

    def limit(self):
        """Return the limit of connections of the last process."""
        return int(re.search(r'^Maxconn: (\d+)$', lab.ask(self.paths[-1], 'show info'),
                             re.MULTILINE).group(1))

    @property
    def max_line(self):
        """The bytes of the longest line, including its newline."""
        return MAX_LINE - MASTERS_SHARE if self.by_master else MAX_LINE

    def stop(self):
        """Stop it; raise lab.LabError if an HAProxy failed."""
        SENT.end()
        if self._started:
            self._started.stop()

    def target(self, slot_name):
        """Return the object that has the method of a slot."""
        kind, _, rest = slot_name.partition('.')
        if kind == 'HAProxy':
            # A parameter of the constructor needs no object.
            return self.hap if '.' in rest else self
        if kind in COLLECTIONS:
            return {'Map': self.hap.map, 'Acl': self.hap.acl, 'Table': self.hap.table}[kind](
                {'Map': MAP, 'Acl': ACL, 'Table': TABLE}[kind])
        processes = self.hap._processes
        if kind == 'Frontend':
            return frontend.Frontend([internal._Frontend(process, 'f', 2) for process in processes])
        if kind == 'CrtList':
            return crt_lists.CrtList(CRT_LIST, processes)
        if kind == 'Certificate':
            return certificates.Certificate('/none.pem', processes)
        if kind in ('CaFile', 'CrlFile'):
            return CLASSES[kind]('/none', processes)
        if kind in ('ResolversSection', 'PeersSection'):
            return CLASSES[kind]('p', processes)
        backends = [internal._Backend(process, 'b', 3) for process in processes]
        if kind == 'Backend':
            return backend.Backend(backends)
        return server.Server([internal._Server(each, 's', 1) for each in backends], 'b')

    def made_by_hand(self, text):
        """Return objects of every class with the text as their name."""
        processes = self.hap._processes
        backends = [internal._Backend(process, 'b', 3) for process in processes]
        hostile = [internal._Backend(process, text, 3) for process in processes]
        return [
            frontend.Frontend([internal._Frontend(process, text, 2) for process in processes]),
            backend.Backend(hostile),
            server.Server([internal._Server(each, text, 1) for each in backends], 'b'),
            server.Server([internal._Server(each, 's', 1) for each in hostile], text),
            resolvers.ResolversSection(text, processes), peers.PeersSection(text, processes),
            crt_lists.CrtList(text, processes), certificates.Certificate(text, processes),
            ca_files.CaFile(text, processes), ca_files.CrlFile(text, processes)]

    def reset(self, family=None, entries=(), without=None):
        """Reset the ACL and the map to the decoys except one, and add entries to one of the two."""
        decoys = [decoy for decoy in DECOYS if decoy != without]
        lines = [b'clear acl #90', b'clear map #0', b'clear table counted']
        lines += [b'set table counted key ' + key + b' data.gpc0 1' for key in COUNTED]
        lines += [b'add acl #90 ' + decoy for decoy in decoys]
        lines += [b'add map #0 ' + decoy + b' decoy' for decoy in decoys]
        lines += [_add(family, entry) for entry in entries]
        if sum(map(len, lines)) + len(lines) < MAX_LINE:
            lines = [b';'.join(lines)]
        for path in self.paths:
            for line in lines:
                if lab.ask(path, line).strip():
                    raise lab.LabError('HAProxy does not take {0!r}'.format(line))
        self._as_usual = not family

    def restore(self):
        """Reset the ACL and the map to the decoys alone, if necessary."""
        if not self._as_usual:
            self.reset()

    def states(self):
        """Return the state of each process, as far as a command could have changed it."""
        masters = [_ROWS.findall(lab.ask(path, 'show proc')) for path in self.master_files]
        return [dict(_state(lab.ask(path, (
            'show info;show stat -1 7 -1;show acl #90;show cli level;show map #0;'
            'show table counted'))),
            masters=masters) for path in self.paths]

    def with_entries(self, family, entries, without):
        """Return the usual states without one decoy and with additional entries."""
        expected = []
        for state in self.usual:
            state = dict(state)
            if family:
                state['acl'] = [entry for entry in state['acl'] if entry != without]
                state['map'] = [entry for entry in state['map'] if entry != without + b' decoy']
                state[family] = sorted(state[family] + entries)
            expected.append(state)
        return expected


_LIMITS = re.compile(r'^(?:Pid|Maxconn|ConnRateLimit|SessRateLimit|SslRateLimit): \d+$',
                     re.MULTILINE)
# Of each process of a master: its pid, kind, number and reloads; not how long it has run.
_ROWS = re.compile(r'^(\d+ .*?) +\d+d\d+h', re.MULTILINE)
_COUNTED = re.compile(r' key=.* use=|gpc0=\d+')
_FIELDS = ('pxname', 'svname', 'status', 'weight', 'slim', 'addr')


def _state(reply):
    info, _, rest = reply.partition('# pxname')
    stat, _, rest = rest.partition('\n\n')
    acl, _, rest = rest.partition('\nadmin\n')
    rest, _, table = rest.partition('# table: ')
    rows = [line.split(',') for line in stat.splitlines()]
    rows[0][0] = 'pxname'
    places = [rows[0].index(name) for name in _FIELDS if name in rows[0]]
    return {'limits': _LIMITS.findall(info),
            'rows': [[row[place] for place in places] for row in rows[1:]],
            'acl': _entries(acl), 'map': _entries(rest),
            'table': sorted(_COUNTED.findall(table))}


def _entries(listing):
    return sorted(raw(line).partition(b' ')[2]
                  for line in listing.split('\n') if line)


def escaped(raw):
    """Return a text as one word of a command line, independently of the library."""
    for special in (b'\\', b' ', b'\t', b';', b'<'):
        raw = raw.replace(special, b'\\' + special)
    return raw


def _add(family, entry):
    if family == 'acl':
        return b'add acl #90 ' + escaped(entry)
    # At most one of the two words of an entry contains blanks: the key.
    key, _, value = entry.rpartition(b' ')
    return b'add map #0 ' + escaped(key) + b' ' + escaped(value)


# Attempts

class _Sent(logging.Handler):
    """A handler that collects the exchanges that the library logs."""

    def __init__(self):
        logging.Handler.__init__(self)
        self.lines = []
        self._listeners = 0
        self._level = None

    def listen(self):
        """Collect exchanges until :meth:`end` has been called as often."""
        if not self._listeners:
            self._level = LOG.level
        self._listeners += 1
        LOG.addHandler(self)
        LOG.setLevel(logging.DEBUG)

    def end(self):
        """Stop to collect exchanges, unless another site needs them."""
        self._listeners -= 1
        if not self._listeners:
            LOG.removeHandler(self)
            LOG.setLevel(self._level)

    def emit(self, record):
        if record.levelno == logging.DEBUG:
            self.lines.append(record.getMessage())


LOG = logging.getLogger('haproxyadmin')
SENT = _Sent()


def other_type(raw):
    """Return bytes as the text type that is not native: Unicode on Python 2, else bytes."""
    return raw.decode('utf-8') if six.PY2 else raw


def attempt(site, name, text, convert=native, unsent=None):
    """Pass a text to a slot; return the outcome.

    :type text: Text
    :param convert: a function that converts the bytes to the argument.
    :param unsent: a list that receives the text if nothing was sent, for :func:`check_unsent`;
        otherwise each attempt is checked.
    :return: 'as it is', 'nothing', 'refused' by HAProxy, or 'ValueError'; None if the text is a
        command line that is meant to have an effect.
    :raises Breach: if the outcome is forbidden.
    """
    slot = SLOTS[name]
    raw = text.raw
    if slot.kind == 'command' and _is_meant(raw, site):
        return None
    must, may = takes(slot, raw, site)
    before = slot.before(raw) if must else []
    if slot.family:
        site.reset(slot.family, before, raw)
    else:
        site.restore()
    try:
        outcome = _outcome(site, name, convert(raw))
    except NotFound:
        # Whether a text fits into a line depends on what else is in it.
        if must or not may:
            raise
        outcome = 'nothing'
    done = outcome == 'as it is' and slot.family
    expected = site.with_entries(slot.family, slot.after(raw) if done else before, raw)
    if unsent is not None and outcome == 'ValueError' and not SENT.lines and not slot.family:
        unsent.append(text)
    else:
        _check(site, name, text, outcome, expected)
    if must and outcome != 'as it is':
        raise Breach('{0}: {1} is not taken: {2}'.format(name, text.name, outcome))
    if outcome == 'as it is' and not may:
        raise Breach('{0}: {1} is taken'.format(name, text.name))
    return outcome


def check_unsent(site, name, unsent):
    """Check that texts which were not sent have changed nothing, in one look for all of them.

    :raises Breach: if one of them has; it names all.
    """
    if unsent:
        names = ', '.join(text.name for text in unsent)
        _check(site, name, Text('one of ' + names, b''), 'ValueError', site.usual)


def takes(slot, raw, site):
    """Return whether a slot must accept a text, and whether it may."""
    if slot.kind == 'command':
        return False, not (site.by_master and chooses_its_way(raw))
    if slot.kind == 'flag':
        return True, True
    if slot.kind in ('addition', 'compared'):
        return False, True
    if slot.kind == 'key':
        fits = bool(raw) and not re.search(br'[\0\r\n]', raw)
        return fits and len(raw) <= KEY_LENGTH, fits
    if slot.kind != 'entry' or not raw or re.search(br'[\0\r\n]', raw):
        return False, False
    # What cannot be there need not be deleted.
    longest = MAX_LINE if slot in map(SLOTS.get, DELETING) else site.max_line
    return len(escaped(raw)) + MARGIN < site.max_line, len(raw) < longest


def chooses_its_way(raw):
    """Return whether a part of a command line begins with @, independently of the library."""
    begins = True
    characters = iter(bytearray(raw.partition(b'\n')[0]))
    for character in characters:
        if begins and character == ord('@'):
            return True
        if character == ord('\\'):
            next(characters, None)
        begins = character == ord(';') or (begins and character in bytearray(b' \t'))
    return False


def _is_meant(raw, site):
    """Return whether a command line is meant to run one of INJECTIONS, or concerns the session."""
    if re.match(br'(quit|prompt)\b', raw) and not site.by_master:
        return True
    # A master keeps them to itself, and answers nothing.
    if raw in (b'user', b'expert-mode on') and site.by_master:
        return True
    return not re.search(br'[\n\r\0]', raw) and raw.rpartition(b';')[2] in INJECTIONS and not (
        site.by_master and chooses_its_way(raw))


def _outcome(site, name, text):
    slot = SLOTS[name]
    target = site.target(name)
    del SENT.lines[:]
    try:
        value = slot.call(target, text)
    except exceptions.CommandFailed:
        return 'refused'
    except exceptions.NoSuchObject:
        if not name.startswith('PeersSection.'):
            raise
        return 'nothing'
    except ValueError as error:
        if isinstance(error, exceptions.HAProxyBaseError) and slot.kind != 'path':
            raise Breach('{0}: {1}'.format(name, error))
        wrong = [line for line in SENT.lines if not (
            slot.kind == 'path' and ' 0 bytes ' in line
            or (slot.kind in ('name', 'file') or name in ALIGNING) and _READING.match(line)
            or name in REPLACING and _PREPARING.match(line))]
        if wrong:
            raise Breach('{0}: {1!r}, but sent was {2}'.format(name, error, wrong))
        return 'ValueError'
    except exceptions.HAProxyBaseError as error:
        raise Breach('{0}: {1}'.format(name, error))
    if slot.kind == 'compared' and SENT.lines:
        raise Breach('{0}: sent was {1}'.format(name, SENT.lines))
    if slot.kind in ('id', 'path', 'word') or (slot.kind == 'name' and value):
        raise Breach('{0} returned {1!r}'.format(name, value))
    return 'nothing' if slot.kind == 'name' else 'as it is'


def _check(site, name, text, outcome, expected):
    found = site.states()
    if found != expected:
        site.reset()
        raise Breach('{0}: {1} ({2}) left {3}'.format(
            name, text.name, outcome, _difference(found, expected)))


def _difference(found, expected):
    """Return a description of the first difference between states."""
    for states in zip(found, expected):
        for part in sorted(states[0]):
            for pair in zip(*[state[part] for state in states]):
                if pair[0] != pair[1]:
                    return '{0}: {1!r} for {2!r}'.format(part, *pair)[:500]
    return 'more or less than {0!r}'.format(expected)[:500]


# Names that HAProxy reads as ids, enough for all of its objects.
IDS = [Text('#{0}'.format(number), b'#%d' % number if not six.PY2 else '#%d' % number)
       for number in range(5)]

# Arguments of public methods, by parameter name.
ARGUMENTS = {'certificate': '/none', 'value': 5, 'state': 'drain', 'name': 'scur', 'timeout': 5, 'health': 'up', 'on': True,
             'address': '127.0.0.1:9', 'port': 9, 'text': 'hello', 'pem': NO_AUTHORITY + NO_LIST}
# Attributes that need no reply of HAProxy.
KNOWN = ('name', 'backendname', 'process_nb')
# Returns what sends something only in a ``with`` statement.
MANAGERS = ('out_of_rotation',)


def attempt_by_hand(site, text):
    """Use all methods and properties of objects named by the text; return the outcomes."""
    outcomes = set()
    site.restore()
    for thing in site.made_by_hand(native(text.raw)):
        for name in public(type(thing)):
            if name not in KNOWN:
                outcomes.update(_use(thing, name))
        _check(site, type(thing).__name__, text, outcomes, site.usual)
    return outcomes


def _use(thing, name):
    attribute = getattr(type(thing), name)
    if not isinstance(attribute, property):
        wanted = required(attribute)
        arguments = [ARGUMENTS[argument] for argument in wanted]
        yield _used(thing, name, lambda: getattr(thing, name)(*arguments).__enter__()
                    if name in MANAGERS else getattr(thing, name)(*arguments))
        return
    yield _used(thing, name, lambda: getattr(thing, name))
    if attribute.fset:
        value = '127.0.0.1' if name == 'address' else 8080
        yield _used(thing, name, lambda: setattr(thing, name, value))


def required(function):
    """Return the names of the required arguments of a method."""
    function = _undecorated(function)
    return inspect.getargs(function.__code__).args[
        1:function.__code__.co_argcount - len(function.__defaults__ or ())]


def _used(thing, name, use):
    try:
        value = use()
    except exceptions.CommandFailed:
        return 'refused'
    except exceptions.NoSuchObject:
        return 'nothing'
    except ValueError as error:
        if not isinstance(error, exceptions.HAProxyBaseError):
            return 'ValueError'
        raise Breach('{0!r}.{1}: {2}'.format(thing, name, error))
    except exceptions.HAProxyBaseError as error:
        raise Breach('{0!r}.{1}: {2}'.format(thing, name, error))
    # Nothing is open, nothing was there.
    if value is False or value == (False,) or (
            isinstance(value, list) and value and not any(each[1:] != (False,) for each in value)):
        return 'nothing'
    raise Breach('{0!r}.{1} returned {2!r}'.format(thing, name, value))


# The table

class Table(object):
    """The outcomes for each text, over all slots of a kind and all versions."""

    def __init__(self):
        self.cases = collections.Counter()
        self.breaches = []
        self._outcomes = collections.defaultdict(set)

    def run(self, binary):
        """Make all attempts on one version."""
        for by_master in (False, True):
            with Site(binary, by_master) as site:
                for text in site.texts():
                    for name in sorted(SLOTS):
                        kind = SLOTS[name].kind
                        self._note(site, BY_MASTER if by_master and kind == 'command' else kind,
                                   text, lambda: [attempt(site, name, text)])
                for text in site.texts() + IDS:
                    self._note(site, 'object', text, lambda: attempt_by_hand(site, text))

    def _note(self, site, kind, text, try_it):
        place = 'HAProxy {0}{1}'.format(site.version, ' by master' if site.by_master else '')
        self.cases[place] += 1
        try:
            outcomes = try_it()
        except Breach as breach:
            self.breaches.append((place, str(breach)))
            outcomes = ['BREACH']
        self._outcomes[text.name, kind].update(outcome for outcome in outcomes if outcome)

    def always(self, kind):
        """Return the outcome of a kind of slot if it is the same for all texts, else None."""
        outcomes = set(self._in_words(text, kind) for text in texts() + routing())
        return outcomes.pop() if len(outcomes) == 1 else None

    def _in_words(self, text, kind):
        return ' or '.join(sorted(self._outcomes[text.name, kind])) or '-'

    def lines(self):
        """Return the table as lines of text, without the kinds that have only one outcome."""
        kinds = [kind for kind in COLUMNS if not self.always(kind)]
        rows = [['text'] + kinds]
        for text in texts() + routing() + IDS:
            rows.append([text.name] + [self._in_words(text, kind) for kind in kinds])
        return in_columns(rows)


def in_columns(rows):
    """Return the lines of a table."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    return ['  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
            for row in rows]


def main(arguments):
    """Print the table for the HAProxy binaries given as VERSION=PATH."""
    table = Table()
    for argument in arguments:
        table.run(argument.partition('=')[2])
    slots = collections.Counter(slot.kind for slot in SLOTS.values())
    rows = [['kind', 'parameters', 'what it is for, and what becomes of it']]
    for kind, meaning in KINDS.items():
        always = table.always(kind)
        rows.append([kind, str(slots[kind] or len(CONSTRUCTORS) + 1),
                     meaning + ('; always ' + always if always else '')])
    print('Kinds of text\n')
    print('\n'.join(in_columns(rows)))
    # A line each: what is read on a screen of any width.
    print('\nWhat becomes of it: "as it is" done with exactly this text, "refused" by HAProxy in '
          'an exception, "nothing" found, "ValueError" with nothing sent; ACLs and maps as '
          'collections may be read first, and a content prepared that is then abandoned.\n')
    print('\n'.join(table.lines()))
    print('')
    for place, count in sorted(table.cases.items()):
        print('{0}: {1} cases, {2} breaches'.format(place, count, sum(
            breach[0] == place for breach in table.breaches)))
    for breach in table.breaches:
        print('{0}: {1}'.format(*breach))
    return 1 if table.breaches else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
