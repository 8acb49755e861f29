# SPDX-License-Identifier: Apache-2.0
"""The reply to ``show info``."""
from haproxyadmin.protocol import versions


def info2dict(raw_info):
    """Build a dictionary from the reply to ``show info``, with HAProxy's own text for each field::

        Name: HAProxy
        Version: 2.2.9-2+deb11u6
        Uptime: 0d 0h00m02s

    :param raw_info: the lines of the reply; lines without a colon are ignored.
    :type raw_info: list of str
    :rtype: dict

    Usage::

        >>> from haproxyadmin import utils
        >>> utils.info2dict(['Name: HAProxy', 'Maxconn: 10000'])['Maxconn']
        '10000'
    """
    info = {}
    for line in raw_info:
        # Nearly all lines have a blank after the first colon.
        name, colon, value = line.partition(': ')
        if not colon or ':' in name:
            name, colon, value = line.partition(':')
        if colon:
            info[name] = value
    return info


def is_info(info):
    """Return True if a dictionary is the ``show info`` of HAProxy or HAPEE."""
    return 'Name' in info and all(info.get(name, '').isdigit()
                                  for name in ('Pid', 'Process_num', 'Uptime_sec'))


def parse_description(info):
    """Return the description of a process, ``''`` if it has none.

    From 1.7 on HAProxy quotes it like CSV if it contains a comma or a quote.

    :param info: see :func:`info2dict`.
    :type info: dict
    :rtype: str
    """
    text = info.get('description', '')
    quoted = len(text) > 1 and text.startswith('"') and text.endswith('"')
    version = versions.parse_version(info.get('Version', ''))
    if quoted and versions.has(version, versions.QUOTED_DESCRIPTION):
        return text[1:-1].replace('""', '"')
    return text
