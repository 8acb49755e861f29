# SPDX-License-Identifier: Apache-2.0
"""parsers/workers.py: what a master says about its workers, in every version that has one."""
import pytest

from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.parsers.lines import split_lines
from haproxyadmin.parsers.workers import is_workers, parse_reload, parse_workers
from haproxyadmin.protocol import replies
from haproxyadmin.testing.texts import raw
from tests.support import captured

CASES = captured.masters()
LISTS = [case for case in CASES if case['command'] == 'show proc']
RELOADS = [case for case in CASES if case['command'] == 'reload']


def lines_of(reply):
    return split_lines(raw(reply))


def pids(workers, current):
    return [worker.pid for worker in workers if worker.current is current]


@pytest.mark.parametrize('reply, master, workers', [
    # After a reload that succeeded, 2.4: the old worker is still there.
    ('#<PID>          <type>          <relative PID>  <reloads>       <uptime>        <version>\n'
     '19772           master          0               1               0d00h00m21s     2.4.0-6cbb\n'
     '# workers\n'
     '24209           worker          1               0               0d00h00m01s     2.4.0-6cbb\n'
     '# old workers\n'
     '19779           worker          [was: 1]        1               0d00h00m21s     2.4.0-6cbb\n'
     '# programs\n\n',
     (19772, 1, None), [(24209, True, 1, 0, 1), (19779, False, 1, 1, 21)]),
    # After a reload that failed, 2.4: the current worker is listed as an old one.
    ('#<PID>          <type>          <relative PID>  <reloads>       <uptime>        <version>\n'
     '19772           master          0               2               1d02h03m04s     2.4.0-6cbb\n'
     '# workers\n# old workers\n'
     '24209           worker          [was: 1]        1               0d00h00m03s     2.4.0-6cbb\n'
     '23000           worker          [was: 1]        7               0d00h00m09s     2.4.0-6cbb\n'
     '# programs\n\n',
     (19772, 2, None), [(24209, True, 1, 1, 3), (23000, False, 1, 7, 9)]),
    # nbproc 2, 2.2, in any order; programs are no workers.
    ('#<PID>          <type>          <relative PID>  <reloads>       <uptime>        <version>\n'
     '9604            master          0               0               0d00h00m02s     2.2.9\n'
     '# workers\n'
     '9616            worker          2               0               0d00h00m02s     2.2.9\n'
     '9615            worker          1               0               0d00h00m02s     2.2.9\n'
     '# programs\n'
     '9617            api             0               0               0d00h00m02s     \n'
     '# old programs\n'
     '9511            api             1               0               0d00h00m02s     -\n\n',
     (9604, 0, None), [(9615, True, 1, 0, 2), (9616, True, 2, 0, 2)]),
    # After a reload that failed, 3.2.
    ('#<PID>          <type>          <reloads>       <uptime>        <version>      \n'
     '27072           master          2 [failed: 1]   0d00h00m12s     3.2.26-1       \n'
     '# workers\n# old workers\n'
     '27693           worker          1               0d00h00m07s     3.2.26-1       \n\n',
     (27072, 2, 1), [(27693, True, None, 1, 7)]),
    # No worker at all.
    ('#<PID> <type> <reloads> <uptime> <version>\n1 master 0 [failed: 0] 0d00h00m00s 3.2\n'
     '# workers\n\n', (1, 0, 0), []),
])
def test_a_list(reply, master, workers):
    found, others = parse_workers(lines_of(reply))
    assert (found.pid, found.reloads, found.failed) == master
    assert [(worker.pid, worker.current, worker.number, worker.reloads, worker.uptime)
            for worker in others] == workers


@pytest.mark.parametrize('number', range(len(LISTS)))
def test_every_captured_list(number):
    case = LISTS[number]
    master, workers = parse_workers(lines_of(case['reply']))
    assert master.kind == 'master' and master.version.startswith(case['version'])
    assert len(pids(workers, True)) == 1
    assert all(worker.version.startswith(case['version']) for worker in workers)
    assert (master.failed is None) == (case['version'] in ('2.0', '2.2', '2.4'))
    assert (workers[0].number is None) == (case['version'] not in ('2.0', '2.2', '2.4'))


def test_failed_reloads_are_among_the_captures():
    """Otherwise the test above would show less than it says."""
    for version in ('2.2', '2.4', '3.2', '3.4'):
        assert any('# workers\n# old workers\n' in case['reply'] for case in LISTS
                   if case['version'] == version)


@pytest.mark.parametrize('reply', [
    '', '\n', 'Unknown command.\n\n', 'Permission denied\n\n', '# pxname,svname,\n\n',
    '#<PID> <type> <reloads> <uptime> <version>\n\n',
    '#<PID> <type> <reloads> <uptime> <version>\n1 master 0 0d00h00m00s\n2 worker\n\n',
    '#<PID> <type> <reloads> <uptime> <version>\n1 master x 0d00h00m00s 2.6\n\n',
    '#<PID> <type> <reloads> <uptime> <version>\n# workers\n2 worker 0 0d00h00m00s 2.6\n\n',
])
def test_anything_else_is_malformed(reply):
    with pytest.raises(replies.Malformed):
        parse_workers(lines_of(reply))


def test_a_refusal_is_no_list():
    assert not is_workers(lines_of('Permission denied\n\n'))
    assert is_workers(lines_of(LISTS[0]['reply']))


@pytest.mark.parametrize('reply, parsed', [
    ('', (None, '')), ('\n', (None, '')),
    ('Success=1\n--\n[NOTICE]   (1) : Loading success.\n\n',
     (True, '[NOTICE]   (1) : Loading success.')),
    ('Success=0\n--\n[ALERT]    (1) : a\n[ALERT]    (1) : b\n\n',
     (False, '[ALERT]    (1) : a\n[ALERT]    (1) : b')),
    ('Success=1\n', (True, '')),
])
def test_a_reload(reply, parsed):
    assert parse_reload(lines_of(reply)) == parsed


@pytest.mark.parametrize('number', range(len(RELOADS)))
def test_every_captured_reload(number):
    case = RELOADS[number]
    succeeded, output = parse_reload(lines_of(case['reply']))
    if case['version'] in ('2.0', '2.2', '2.4', '2.6'):
        assert (succeeded, output) == (None, '')
    else:
        assert succeeded is not ('unknown keyword' in output)


@pytest.mark.parametrize('reply', ['Permission denied\n\n', 'Unknown command.\n help\n\n'])
def test_a_refused_reload(reply):
    with pytest.raises(CommandFailed) as caught:
        parse_reload(lines_of(reply))
    assert str(caught.value) == reply.split('\n')[0]
