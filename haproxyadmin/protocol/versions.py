# SPDX-License-Identifier: Apache-2.0
"""What each version of HAProxy has, and what must not be sent to it: the one table of both.

To support a feature that not every version has, add a :class:`Feature` here and ask :func:`has`.
A command that crashes, wedges or misleads a version is a :class:`Danger`; whoever builds that
command calls :func:`check_danger` first. What a caller sends by ``command()`` is not checked.
"""
import collections

from haproxyadmin.exceptions import CommandFailed

# since: the first version that has it. what: the beginning of "... needs HAProxy 1.7". shown: what
# the page "Versions" calls it, '' for what users do not see.
Feature = collections.namedtuple('Feature', 'since what shown')
Feature.__new__.__defaults__ = ('',)

SERVER_ADDRESS = Feature((1, 6), "setting a server's address", '``server.address = ...``')
SERVERS_STATE = Feature(
    (1, 6), 'the state of servers', '``drain``, ``takeout``, ``bringback``, ``out_of_rotation``, '
    '``is_draining``, ``is_maintenance``, ``is_checked``, and saving and restoring states')
SERVER_PORT = Feature(
    (1, 7), "setting a server's port", '``server.port = ...``, and reading address and port')
SERVER_MAXCONN = Feature(
    (1, 7), "setting a server's maximum number of connections", '``setmaxconn`` of a server')
CHECK_PORT = Feature((1, 7), 'setting the port of health checks', '``setcheckport``')
SERVER_NAME = Feature((1, 8), "setting a server's name for the resolvers", '``setfqdn``')
# 1.6 and 1.7 have "show stat resolvers", whose reply was not seen.
RESOLVERS = Feature(
    (1, 8), 'reading the counters of name servers', '``resolvers`` and ``resolvers_section``')
AGENT_ADDRESS = Feature(
    (1, 8), 'setting the address of agent checks', '``setagentaddr`` without a port')
AGENT_TEXT = Feature((1, 8), 'setting what agent checks send', '``setagentsend``')
QUOTED_DESCRIPTION = Feature((1, 7), 'a description in quotes')
# Older versions may crash.
ANY_NUMBER_OF_WORDS = Feature((1, 8), 'a line of more than 64 words')
PAYLOAD = Feature((1, 9), 'a payload')
# Older versions also split words at a vertical tab and a form feed.
SPLITS_AT_BLANKS = Feature((1, 9), 'a word with a vertical tab or a form feed')
MAP_PAYLOAD = Feature((2, 0), 'adding entries to a map by a payload')
PEERS = Feature(
    (2, 0), 'reading the state of peers',
    '``peers``, ``peers_section``, and ``peers`` of a stick table')
SHOW_LEVEL = Feature((2, 0), "asking for a socket's level")
SSL_CERTIFICATES = Feature(
    (2, 2), 'reading or changing certificates',
    '``certificates``, ``certificate`` and their changes, ``differences(certificates=True)``')
# Older versions forget, at a commit, which bind lines use the certificates there, and crash at the
# next one.
CA_FILES = Feature(
    (3, 2), 'changing CA files and revocation lists',
    'changing CA files and revocation lists (older versions would crash)')
SHOW_CA_FILES = Feature(
    (2, 6), 'reading CA files and revocation lists', '``ca_files`` and ``crl_files``')
# 1.6 and 1.7 have it, too, but what they answer was not seen.
TICKET_KEYS = Feature(
    (1, 8), 'setting keys of TLS tickets', '``tls_ticket_keys`` and ``set_tls_ticket_key``')
OCSP_RESPONSES = Feature((2, 6), 'reading OCSP responses', '``ocsp_responses``')
OCSP_UPDATES = Feature(
    (2, 8), 'having HAProxy update an OCSP response', '``update_ocsp_response``, and undoing '
    '``set_ocsp_response``')
# After a client has left in the middle of a commit, older versions show garbage, or crash.
SHOWING_BROKEN = Feature((3, 0), 'showing a transaction that was cut short')
# Older versions read no more than a buffer.
LARGE_PAYLOAD = Feature((3, 4), 'a payload of more than 16,000 bytes')
CHECK_ADDRESS = Feature(
    (2, 4), 'setting the address of health checks',
    '``setcheckaddr`` (3.4.0 refuses every address)')
AGENT_PORT = Feature((2, 4), 'setting the port of agent checks', '``setagentaddr`` with a port')
SERVER_TLS = Feature((2, 4), 'switching TLS to a server on or off', '``setssl``')
DYNAMIC_SERVERS = Feature(
    (2, 4), 'adding and deleting servers', '``add_server``, and ``del_server`` of what was added '
    '(in 2.4 and 2.5 as an experiment)')
# Older versions want "experimental-mode on" in the same line.
STABLE_DYNAMIC_SERVERS = Feature(
    (2, 6), 'adding and deleting servers through a master', '``add_server`` and ``del_server`` '
    'through a master, and ``del_server`` of a configured server')
DYNAMIC_CHECKS = Feature((2, 6), 'checking the health of a server that is added',
                         '``add_server`` with health checks')
# In older versions each entry that is deleted costs a search through all of them.
QUICK_DELETION = Feature((2, 4), 'deleting entries quickly')
# Applied about a millisecond after HAProxy has reported success.
DELAYED_ADDRESS = Feature((3, 0), 'applying an address later')
# Older versions report a disabled frontend as open, from 2.3 on.
DISABLED_FRONTEND = Feature((2, 6, 6), 'knowing whether a frontend is open')
PREPARED_CONTENT = Feature(
    (2, 4), 'replacing an ACL or map at once', '``replace`` and ``load_file`` of an ACL or map, '
    'unless ``atomic=False``')
# Older versions ignore all conditions but the first one.
SEVERAL_CONDITIONS = Feature((2, 2), 'several conditions for the entries of a stick table')
# In older versions an entry stays for ever if the client leaves while HAProxy lists it.
LEAVING_EARLY = Feature((1, 7), 'leaving before all entries of a stick table have arrived')
DELETES_ONE = Feature((3, 3), 'deleting one entry of a key at a time')

# ranges: pairs of the first version that was seen bad and the first one that is right again; where
# later releases are not known, the one after the last that was seen bad. error: what is raised.
# shown: see Feature.
Danger = collections.namedtuple('Danger', 'ranges error reason shown')

FROM_THE_FIRST = (0,)
# Has every feature, for checks that do not depend on the version.
NEWEST = (99,)
# What text cannot contain, in which versions.
UNSENDABLE = [
    (b'\\', 'a backslash', [(FROM_THE_FIRST, (1, 8))]),
    (b';', 'a semicolon', [(FROM_THE_FIRST, (1, 5, 19)), ((1, 6), (1, 6, 9))]),
    (b' ', 'a blank', [((1, 9), (2, 2))]),
    (b'\t', 'a tab', [((1, 9), (2, 2))]),
]

# They ignore, without a word, a value of "set map" that the type of the map does not allow.
IGNORING_VALUES = [
    (FROM_THE_FIRST, (2, 4, 28)), ((2, 5), (2, 6, 19)), ((2, 7), (2, 8, 11)), ((2, 9), (2, 9, 11)),
    ((3, 0), (3, 0, 5))]
# They take a stick table for a proxy if there is a condition, and may crash.
BROKEN_CONDITIONS = [((2, 0), (2, 0, 7))]
# A command that is refused counts as a use of an entry, which then stays for ever; 2.9 to 3.1 ended
# before the fix, or are not known to have it.
LEAKING_KEYS = [((2, 9), (3, 0, 12)), ((3, 1), (3, 2, 6))]


class NotForVersion(ValueError):
    """The running version cannot accept what a caller passed; another one could."""


GET_ACL = Danger(
    [((1, 7, 0), (1, 7, 1))], NotForVersion, '"get acl" would crash HAProxy 1.7.0',
    '``get_acl``, which would crash')
# It zeroes pointers: 3.3.0 crashes at the next "show stat", 3.4.0 also at the next request. Fixed
# in July 2026; which release of 3.3 contains the fix is not known.
CLEAR_ALL_COUNTERS = Danger(
    [((3, 3, 0), (3, 4, 1))], CommandFailed,
    'HAProxy 3.3 and 3.4.0 crash soon after "clear counters all"',
    '``clearcounters(all=True)``, which would crash')
# With requests in the queue the process locks up, and its watchdog ends it (seen with 2.2.9). Fixed
# in June 2021.
RAISING_MAXCONN = Danger(
    [((1, 8), (2, 0, 23)), ((2, 1), (2, 2, 15)), ((2, 3), (2, 3, 11)), ((2, 4, 0), (2, 4, 1))],
    CommandFailed, 'raising the maximum number of connections of a server would crash this '
    'version of HAProxy if requests wait in its queue',
    '``setmaxconn`` of a server that raises or removes a limit, which would crash')
# While a version is prepared, a lookup that meets one of its entries in a tree goes on with
# whatever entry follows: networks, texts and beginnings may be found that do not match, or not be
# found.
PREPARED_TREES = Danger(
    [((2, 4), (2, 4, 19)), ((2, 5), (2, 5, 9)), ((2, 6), (2, 6, 3))], CommandFailed,
    'while a new content is prepared, this version of HAProxy may find wrong entries; atomic=False '
    'applies the difference instead',
    '``replace`` and ``load_file`` of an ACL or map of addresses, of texts, or of beginnings of '
    'texts, unless ``atomic=False``')
# By key; it loops for ever, if a version that is prepared has the key, too.
SETTING_PREPARED = Danger(
    [((3, 2, 0), (3, 2, 5))], CommandFailed, 'while another client prepares a new content of a '
    'map, "set map" may make this version of HAProxy hang',
    '``set_map`` while a new content is prepared, which might hang')
# It uses the reference without looking whether it is one.
REFERENCES = Danger(
    [((2, 9, 0), (2, 9, 1))], CommandFailed,
    'HAProxy 2.9.0 may crash if an entry is changed by its reference',
    'changing an entry of an ACL or map by its reference, which may crash')
# The process locks up, and its watchdog ends it, if a listener waits that the new limit lets accept
# again (seen with 2.6.12). Introduced and fixed in September 2022 and 2024; for 2.4 and 2.5 the
# first release after the introduction is named, and 2.5 and 2.7 ended without the fix.
RAISING_FRONTEND_MAXCONN = Danger(
    [((2, 4, 19), (2, 4, 28)), ((2, 5, 9), (2, 6)), ((2, 6, 6), (2, 6, 20)), ((2, 7), (2, 8, 12)),
     ((2, 9), (2, 9, 12)), ((3, 0), (3, 0, 6))],
    CommandFailed, 'setting the maximum number of connections would crash this version of HAProxy '
    'while the frontend is at its limit or accepts no more sessions in this second',
    '``setmaxconn`` of a frontend that is at its limit, which would crash')
# They report a disabled frontend as open; 2.3 and 2.5 were not seen, and whether later releases of
# 2.4 are right is not known. Fixed in September 2022.
OPEN_FRONTENDS = Danger(
    [((2, 3), (2, 6, 6))], CommandFailed, 'a disabled frontend is reported as open',
    '``frontend.is_open``')
# It closes the connection without an answer, or without the end of it (seen with 1.6.9).
SILENT_KEYS = Danger(
    [((1, 6), (1, 7))], CommandFailed,
    'HAProxy 1.6 does not answer a command for one entry of a stick table',
    'reading an entry of a stick table by its key, ``set`` and ``remove``, which HAProxy does not '
    'answer')
# It frees an entry twice if HAProxy removes it at the same time because the table is full.
REMOVING_ENTRIES = Danger(
    [((2, 9), (3, 0, 3))], CommandFailed,
    'removing entries of a stick table may crash this version of HAProxy',
    '``remove`` and ``clear`` of a stick table, which may crash')
# It frees an entry of which the peers are about to be told.
REMOVING_SHARED_ENTRIES = Danger(
    [((3, 2), (3, 2, 6))], CommandFailed,
    'removing entries of a stick table that peers share may crash this version of HAProxy',
    '``remove`` and ``clear`` of a stick table that peers share, which may crash')

# With several threads: they look for a session among those of the first one only, and report
# success. Fixed in March 2022; for 2.4 the release is estimated.
MISSING_SESSIONS = Danger(
    [((2, 4), (2, 4, 16)), ((2, 5), (2, 5, 6))], CommandFailed,
    'with more than one thread, this version of HAProxy reports success without ending a session',
    '``session.shutdown`` and ``shutdown_sessions`` with more than one thread, which would end '
    'nothing')
# It never ends then. Fixed in April 2025.
FREEZING_SESSIONS = Danger(
    [((2, 6, 21), (2, 6, 22)), ((2, 8, 13), (2, 8, 15)), ((2, 9, 12), (2, 9, 15)),
     ((3, 0, 6), (3, 0, 10)), ((3, 1, 0), (3, 1, 7))], CommandFailed,
    'while a session waits for a connection to a server, ending it would freeze it for ever in '
    'this version of HAProxy',
    '``session.shutdown`` and ``shutdown_sessions`` of a session that waits for a server, which '
    'would freeze it')
# What HAProxy prints about a session leads it to memory that is not there.
SESSION_DETAILS = Danger(
    [((3, 2, 14), (3, 2, 15))], CommandFailed,
    'showing the details of a session may crash this version of HAProxy',
    '``session.details``, ``session.shutdown`` and ``shutdown_sessions``, which may crash')
# It looks for the bind line of each use of the certificate, and a server has none. Fixed in June
# 2022.
INSERTING_CERTIFICATES = Danger(
    [((2, 4), (2, 4, 18)), ((2, 5), (2, 5, 8)), ((2, 6, 0), (2, 6, 1))], CommandFailed,
    'adding a certificate to a crt-list crashes this version of HAProxy if a server uses it, and '
    'the certificate is in use',
    '``add`` of a certificate that is in use to a ``crt_list``, which would crash if a server uses '
    'it')

# After a commit that has failed half-way, because HAProxy does not find the issuer of an OCSP
# response, the transaction is freed twice (seen with 2.2.9 and 2.4.0). Fixed in May 2022; which
# releases of 2.2 to 2.5 contain the fix is not known.
ABORT_AFTER_FAILURE = Danger(
    [((2, 2), (2, 6, 1))], CommandFailed, 'after a commit that has failed half-way, ending the '
    'transaction would crash this version of HAProxy',
    'ending a transaction after a commit that has failed half-way, which would crash')
# It removes the certificate that is in use.
ABORT = Danger(
    [((2, 2), (2, 2, 9))], CommandFailed, 'ending a transaction would make this version of HAProxy '
    'lose the certificate; only a reload ends it',
    '``abort`` of a certificate, which would remove it')
# With "ocsp-update on", the commit fails half-way, which ends the process (seen with 2.8.0, where
# the response was in the transaction; the release of the fix is estimated).
OCSP_WITHOUT_ISSUER = Danger(
    [((2, 8), (2, 8, 5)), ((2, 9), (2, 9, 1))], CommandFailed, 'the certificate has an OCSP '
    'response: without its chain, the new one may crash this version of HAProxy',
    '``update`` of a certificate that has an OCSP response, without a chain, which may crash')
# It frees the id of the response twice (fixed in December 2023; the releases are estimated).
OCSP_IN_TRANSACTION = Danger(
    [((2, 8), (2, 8, 5)), ((2, 9), (2, 9, 1))], CommandFailed, 'changing a certificate together '
    'with its OCSP response may crash this version of HAProxy',
    '``ocsp`` of ``update``, ``update_certificate`` and ``add_certificate``, which may crash')
# It lets go of the default certificate of a bind line, which clients without a name still get, and
# which can no longer be changed (seen with 2.2.9); later releases of 2.2 may refuse it.
REMOVING_DEFAULT = Danger(
    [((2, 2), (2, 4))], CommandFailed, 'this version of HAProxy would go on using the first '
    'certificate of a list, if it is the default one, and could no longer change it',
    '``remove`` of the first entry of a crt-list')
# It takes the name for that of another certificate, the one without ".crt". Fixed in August 2023;
# the releases are estimated.
LOSING_CRT = Danger(
    [((2, 6), (2, 6, 16)), ((2, 7), (2, 8, 3))], CommandFailed, 'this version of HAProxy takes a '
    'name that ends in .crt for that of another certificate, without .crt',
    '``update`` and ``add_certificate`` of a certificate whose name ends in ``.crt``')
# The first releases that have the feature still forget which bind lines use a CA file, like those
# before them. Fixed in October 2025.
CA_COMMITS = Danger(
    [((3, 2), (3, 2, 8))], CommandFailed,
    'this version of HAProxy would forget which bind lines use the file, and crash at the next '
    'change', 'changing CA files and revocation lists, which would crash')
# It takes an entry out of a tree that the update which is running puts back later. Fixed in March
# 2024; the releases are estimated.
OCSP_UPDATE = Danger(
    [((2, 8), (2, 8, 8)), ((2, 9), (2, 9, 7))], CommandFailed,
    'while another update of an OCSP response is running, this version of HAProxy may crash',
    '``update_ocsp_response`` where certificates have ``ocsp-update on``, which may crash')
# They crash when they end, as at a reload. What it was introduced with was withdrawn in February
# 2024.
OCSP_RESPONSE = Danger(
    [((2, 8, 6), (2, 8, 7)), ((2, 9, 5), (2, 9, 6))], CommandFailed,
    'after an OCSP response was set, this version of HAProxy crashes when it ends',
    '``set_ocsp_response``, after which it would crash at a reload')


def parse_version(text):
    """Return the first three numbers of a version: ``'2.2.9-2+deb11u6'`` gives ``(2, 2, 9)``.

    :param text: the ``Version`` of ``show info``.
    :rtype: tuple of int
    """
    digits = ''.join(char if char in '0123456789' else ' ' for char in text.split('-')[0])
    numbers = [int(number) for number in digits.split()[:3]]
    return tuple(numbers + [0] * (3 - len(numbers)))


def format_version(version):
    """Return a version as text: ``(2, 2, 9)`` as ``'2.2.9'``."""
    return '.'.join(map(str, version))


def has(version, feature):
    """Return True if a version has a feature.

    :param version: a tuple of integers, or what compares like one.
    :type feature: :class:`Feature`
    """
    return version >= feature.since


def describe_lack(feature, version, socket_file):
    """Return the message for a version that lacks a feature.

    :type feature: :class:`Feature`
    :param version: the running version.
    :param socket_file: the socket of the process that runs it.
    """
    return '{0} needs HAProxy {1}; {2} runs {3}'.format(
        feature.what, format_version(feature.since), socket_file, format_version(version))


def is_among(version, ranges):
    """Return True if a version is in one of several ranges.

    :param ranges: pairs of the first version of a range and the first one after it.
    """
    return any(first <= version < end for first, end in ranges)


def check_danger(danger, version):
    """Refuse a command where it is dangerous.

    :type danger: :class:`Danger`
    :param version: version of the HAProxy that the command would go to.
    :type version: tuple of int
    :raises Exception: the error of the danger, for a version in one of its ranges.
    """
    if is_among(version, danger.ranges):
        raise danger.error(danger.reason)
