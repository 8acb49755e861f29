# SPDX-License-Identifier: Apache-2.0
"""The families of commands, and which of them answers a command."""
from haproxyadmin.testing.families.added_servers import AddedServers
from haproxyadmin.testing.families.ca_files import CaFiles
from haproxyadmin.testing.families.certificates import Certificates
from haproxyadmin.testing.families.crt_lists import CrtLists
from haproxyadmin.testing.families.figures import Figures
from haproxyadmin.testing.families.ocsp import Ocsp
from haproxyadmin.testing.families.patterns import Patterns
from haproxyadmin.testing.families.reports import Reports
from haproxyadmin.testing.families.servers import Servers
from haproxyadmin.testing.families.sessions import Sessions
from haproxyadmin.testing.families.settings import Settings
from haproxyadmin.testing.families.tables import Tables
from haproxyadmin.testing.families.tickets import Tickets
from haproxyadmin.testing.families.variables import Variables

# In this order: each may use those before it.
FAMILIES = [
    Figures,
    Servers,
    AddedServers,
    Sessions,
    Settings,
    Reports,
    Patterns,
    Tables,
    Ocsp,
    Certificates,
    CrtLists,
    CaFiles,
    Tickets,
    Variables,
]

_commands = {}


def commands_of(release):
    """Return the commands that a version knows, by their words: a dict.

    :param release: the version, as a tuple.
    :return: the values are pairs of a :class:`~haproxyadmin.testing.families.family.Command` and
        the class of the family that answers it.
    """
    if release not in _commands:
        _commands[release] = dict(
            (each.words, (each, family)) for family in FAMILIES for name in dir(family)
            for each in getattr(getattr(family, name), 'commands', [])
            if each.since <= release and not (each.until and release >= each.until))
    return _commands[release]
