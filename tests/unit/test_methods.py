# SPDX-License-Identifier: Apache-2.0
"""methods.py: the decorators of public methods complete their docstrings."""
import inspect

import pytest

from haproxyadmin import haproxy, methods, server

PARAMETER = [':param die: d', ':type die: bool']
FIELDS = [':raises E: e', '    more']

ALL = """Do it.

    Text.

    :param a: a.
    :type a: int
    :raises ValueError: v.

    Usage::

        >>> x
    """
ALL_DONE = """Do it.

    Text.

    :param a: a.
    :type a: int
    :param die: d
    :type die: bool
    :raises ValueError: v.
    :raises E: e
        more

    Usage::

        >>> x"""


@pytest.mark.parametrize('docstring, expected', [
    (None, None),
    ('Do it.', 'Do it.\n\n:param die: d\n:type die: bool\n:raises E: e\n    more'),
    ('Do it.\n\n    Text.\n    ',
     'Do it.\n\n    Text.\n\n    :param die: d\n    :type die: bool\n    :raises E: e\n        more'),
    ('Do it.\n\n    :return: x.\n    ',
     'Do it.\n\n    :param die: d\n    :type die: bool\n    :return: x.\n    :raises E: e\n'
     '        more'),
    (ALL, ALL_DONE),
    # Python 3.13 strips the indentation.
    (inspect.cleandoc(ALL), inspect.cleandoc(ALL_DONE)),
])
def test_fields_are_put_where_they_belong(docstring, expected):
    assert methods.add_fields(docstring, PARAMETER, FIELDS) == expected


@pytest.mark.parametrize('method', [
    server.Server.setweight, server.Server.shutdown, haproxy.HAProxy.command,
    haproxy.HAProxy.errors, haproxy.HAProxy.show_acl, haproxy.HAProxy.add_map,
    haproxy.HAProxy.del_acl_entries])
def test_help_describes_die_and_what_may_be_raised(method):
    text = inspect.getdoc(method)
    assert text.count(':param die:') == text.count(':return:') == 1
    assert 'HAProxySocketError:' in text
    order = [text.index(part) for part in (':param die:', ':return:', ':raises ')]
    assert order[0] < order[1] and order[0] < order[2]


def test_a_method_without_a_judge_raises_no_refusal():
    """The reply to a command from the caller is returned as it is."""
    assert 'CommandFailed' not in inspect.getdoc(haproxy.HAProxy.command)
