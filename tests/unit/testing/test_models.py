# SPDX-License-Identifier: Apache-2.0
"""The figures of the fake are those of the real versions."""
import csv

import pytest

from haproxyadmin.testing.families import figures
from haproxyadmin.testing.texts import text
from tests.support import captured, fakes, models

ALL = pytest.mark.parametrize('version', captured.VERSIONS)


def test_the_fake_can_be_what_was_captured():
    assert figures.VERSIONS == captured.VERSIONS


@ALL
def test_its_files_are_made_from_the_captured_replies(version):
    assert figures.dump(version, 'stat.csv') == models.table(version)
    assert figures.dump(version, 'info.txt') == models.info(version)


@ALL
def test_the_captured_configuration_gives_the_captured_rows(version):
    """Each row has values in the same columns; and those that the configuration decides."""
    process = fakes.processes.FakeProcess('/run/x.sock', version, fakes.configuration_of(version))
    shown = list(csv.reader(text(captured.dump(version, 'stat.csv')).split('\n')[:-2]))
    columns = [name.lstrip('# ') for name in shown[0]]
    assert process.columns == columns
    # The same in all runs; addresses are not, as ports are free ones.
    decided = ['pxname', 'svname', 'slim', 'status', 'weight', 'act', 'bck', 'pid', 'iid', 'sid',
               'tracked', 'type', 'rate_lim', 'cookie', 'mode', 'algo', 'check_rise', 'check_fall',
               'check_health']
    for mine, real in zip(process.rows, shown[1:]):
        mine, real = dict(zip(columns, mine)), dict(zip(columns, real))
        if real['svname'].endswith('_srv2') and real.get('agent_status', 'L7OK') or (
                real['svname'] == 'BACKEND'):
            # The agent of the captured HAProxy had said 75 %.
            mine['weight'] = real['weight']
        assert [(name, mine.get(name)) for name in decided] == [
            (name, real.get(name)) for name in decided]
        # What depends on what has happened: checks, and requests that were sent.
        moving = ('last_chk', 'check_code', 'last_agt', 'agent_code', 'check_status', 'lastsess')
        assert [name for name in columns if bool(mine[name]) != bool(real[name])
                and name not in moving] == []
    assert len(process.rows) == len(shown) - 1
