# SPDX-License-Identifier: Apache-2.0
"""Read "show info typed" and "show stat typed": what HAProxy declares about each field."""
import re

# 1.Version.1:POS:str:3.2.26-1
# F.2.0.4.scur.1:MGP:u32:0
# F.2.0.4.scur.1:MGPV:u32:0
_LINE = re.compile(r'(?:[FBLS]\.\d+\.\d+\.)?\d+\.(.+?)\.\d+:(\w{3})[VP]?:(\w+):')

# The rule for each nature, as section "Typed output format" of the management guide recommends.
_RULES = {'A': 'min', 'a': 'avg', 'C': 'sum', 'D': 'max', 'G': 'sum', 'L': 'sum', 'M': 'max',
          'm': 'min', 'R': 'sum'}

# Figures whose rule in METRICS_NATURE is another one, and why.
EXCEPTIONS = {
    'SslFrontendSessionReuse_pct': 'a percentage, though HAProxy says gauge',
    'MaxSessRate': 'a highest value, though HAProxy says rate',
    'rate_max': 'a highest value, though HAProxy says gauge for a backend',
    'downtime': 'to the guide a duration, though HAProxy says counter',
    'Process_num': 'a key',
}


def parse_typed(text):
    """Return the fields of a reply.

    :return: the ``(name, tags, type)`` of each, where tags are the letters of origin, nature and
        scope.
    :rtype: set of tuple
    """
    return set(_LINE.match(line).groups() for line in text.splitlines() if line)


def rule_of(tags):
    """Return the rule that suits the tags of a figure: ``'sum'``, ``'avg'``, ``'min'``, ``'max'``.
    """
    origin, nature, scope = tags
    # Configuration of the service is the same in all processes.
    return 'avg' if (origin, scope) == ('C', 'S') else _RULES[nature]
