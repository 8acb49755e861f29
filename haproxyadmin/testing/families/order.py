# SPDX-License-Identifier: Apache-2.0
"""The order of the families of commands: each may use those before it."""
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
