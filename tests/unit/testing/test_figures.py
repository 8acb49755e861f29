# SPDX-License-Identifier: Apache-2.0
"""testing/families/figures.py: what parts of ``show stat`` a command asks for, and who it is."""
import pytest

from haproxyadmin.testing.configuration import Configuration
from haproxyadmin.testing.process import FakeProcess
from haproxyadmin.testing.texts import text
from tests.support import captured

CONFIG = """
frontend web
    id 10
    bind :80
    default_backend app
listen 3
    id 20
    bind :81
    server c 10.0.0.3:80
listen off
    disabled
backend app
    id 40
    option httpchk
    server a 10.0.0.1:80 check
    server b 10.0.0.2:80
    server d 10.0.0.4:80 check
backend plain
    id 50
    server a 10.0.0.1:80 check
"""
ALL = 'web FRONTEND,3 FRONTEND,3 c,3 BACKEND,app a,app b,app d,app BACKEND,plain a,plain BACKEND'
NOBODY = 'No such proxy.\n\n'
# The same as tests/real/test_fake.py sends to real ones; since 1.7.
PARTS = [
    ('', ALL), ('nope', ALL), ('nope -1', ALL), ('-1 4', ALL), ('app', ALL), ('app x', ALL),
    ('nope -1 -1', NOBODY), ('nope x y', NOBODY), ('App -1 -1', NOBODY), ('0 -1 -1', NOBODY),
    ('0x10 -1 -1', NOBODY), ('x10 -1 -1', NOBODY), ('- -1 -1', NOBODY), ('web+ -1 -1', NOBODY),
    ('# -1 -1', NOBODY), ('#99 -1 -1', NOBODY), ('off -1 -1', ''), ('99 -1 -1', ''),
    ('-2 -1 -1', ''), ('3 -1 -1', '3 FRONTEND,3 c,3 BACKEND'), ('10 -1 -1', 'web FRONTEND'),
    ('+10 -1 -1', 'web FRONTEND'), ('010 -1 -1', 'web FRONTEND'), ('10x -1 -1', 'web FRONTEND'),
    ('#10 -1 -1', 'web FRONTEND'), ('4294967306 -1 -1', 'web FRONTEND'), ('-1 0 -1', ''),
    ('99999999999999999999 -1 -1', ALL), ('web -1 x', 'web FRONTEND'), ('web x -1', ''),
    ('app 4 -1', 'app a,app b,app d'), ('app 4 2', 'app b'), ('app 4 2x', 'app b'),
    ('app 6 1', 'app a,app BACKEND'), ('app 6 x', 'app BACKEND'), ('app 2 -1 more', 'app BACKEND'),
]


def part(reply):
    """Return the names in a table, or the reply if it is none."""
    rows = [line.split(',')[:2] for line in reply.strip('\n').split('\n')]
    return ','.join(' '.join(row) for row in rows[1:]) if rows[0][0] == '# pxname' else reply


@pytest.mark.parametrize('version', [each for each in captured.VERSIONS if each >= '1.7'])
def test_the_parts_of_the_table(version):
    process = FakeProcess('/run/x.sock', version, Configuration(CONFIG))
    for words, wanted in PARTS:
        assert part(text(process.reply_to('show stat ' + words))) == wanted, words
    assert process.problems == []


def test_before_names_could_be_given():
    process = FakeProcess('/run/x.sock', '1.6', Configuration(CONFIG))
    for words, wanted in [('10 -1 -1', 'web FRONTEND'), ('nope -1 -1', ''), ('web -1 -1', ''),
                          ('nope', ALL), ('#10 -1 -1', '')]:
        assert part(text(process.reply_to('show stat ' + words))) == wanted, words


@pytest.mark.parametrize('version', captured.VERSIONS)
def test_what_the_checks_of_a_configuration_say(version):
    process = FakeProcess('/run/x.sock', version, Configuration(CONFIG))
    # After be_dynamic_srv1 and backend_proc1_srv1 in the captured tables.
    real = dict((tuple(line.split(',')[:2]), line.split(',')) for line in text(
        captured.dump(version, 'stat.csv')).split('\n'))
    for mine, captured_as in [(('app', 'a'), ('backend_proc1', 'backend_proc1_srv1')),
                              (('plain', 'a'), ('be_dynamic', 'be_dynamic_srv1')),
                              (('app', 'b'), ('be_static', 'be_static_nocheck'))]:
        for column in ('check_status', 'check_code', 'check_desc', 'chkfail', 'chkdown'):
            if column in process.columns:
                wanted = real[captured_as][process.columns.index(column)].replace('* ', '')
                assert process.get(mine[0], mine[1], column) == wanted, (mine, column)
