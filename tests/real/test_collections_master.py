# SPDX-License-Identifier: Apache-2.0
"""ACLs and maps as collections through masters, over reloads, in threads, copied and pickled."""
import copy
import pickle
import threading

import pytest

from haproxyadmin.exceptions import HAProxyBaseError
from haproxyadmin.haproxy import HAProxy
from tests import conftest
from tests.support import group

pytestmark = pytest.mark.dealt_out

MAP, ACL = group.MAP, group.ACL
VERSIONS = conftest.versions()
# Cannot replace a content at once.
OLD = '2.2'
# Former workers of 2.6.12 sometimes crash when they end.
CRASHING = '2.6'
CONFIGURED = {'0': 'www.foo.com-0', '1': 'www.foo.com-1'}


@pytest.fixture(scope='module', params=VERSIONS)
def site(request):
    """Two HAProxies, each of which has a master."""
    with group.Group(conftest.find(request.param), 2, master_worker=True) as started:
        yield started
        if request.param == CRASHING:
            for lab in started.labs:
                lab.excuse_workers()


@pytest.fixture
def hap(site):
    for lab in site.labs:
        lab.raw('clear map {0};add map {0} a 1;add map {0} b 2;clear acl {1};add acl {1} p'.format(
            MAP, ACL))
    return HAProxy(master=[lab.master_files[0] for lab in site.labs], retry=100,
                   retry_interval=0.05, timeout=conftest.PATIENT)


def contents(site, family='map', ident=MAP):
    """Return the entries that each current worker has."""
    return [sorted(line.partition(' ')[2] for line in lab.raw(
        'show {0} {1}'.format(family, ident)).split('\n') if line) for lab in site.labs]


def replace(site, found, entries):
    found.replace(entries, atomic=site.version != OLD)


def test_a_map_is_read_and_changed(site, hap):
    """[masters; collections]"""
    found = hap.map(MAP)
    assert found == {'a': '1', 'b': '2'} and found.process_nb == [1, 1]
    assert found.lookup('a').value == '1' and len(found.entries()) == 2
    found['c'] = '@master reload'
    del found['a']
    found['#k'] = 'v;@1 x'
    assert found.pop('b') == '2'
    assert contents(site) == [['#k v;@1 x', 'c @master reload']] * 2
    assert found.sync({'c': '3', 'd': '4'}) == (
        [('d', '4')], [('c', '@master reload', '3')], [('#k', 'v;@1 x')])
    assert contents(site) == [['c 3', 'd 4']] * 2
    replace(site, found, [('@1', 'disable frontend f'), ('d', '<<'), ('e', 'v' * 9000)])
    assert contents(site) == [['@1 disable frontend f', 'd <<', 'e ' + 'v' * 9000]] * 2
    assert found['@1'] == 'disable frontend f'
    found.clear()
    assert contents(site) == [[], []] and not list(found)


def test_an_acl_is_read_and_changed(site, hap):
    """[masters; collections]"""
    found = hap.acl(ACL)
    assert found == set('p')
    found.add('q r')
    found |= ['s', '@1 t']
    found.discard('p')
    assert contents(site, 'acl', ACL) == [['@1 t', 'q r', 's']] * 2
    replace(site, found, ['u', 'v'])
    assert contents(site, 'acl', ACL) == [['u', 'v']] * 2
    found.sync(['v', 'w'])
    assert contents(site, 'acl', ACL) == [['v', 'w']] * 2
    assert found == set('vw')


@pytest.mark.parametrize('change, expected', [
    (lambda site, found: found.__setitem__('c', '3'), ['c 3']),
    (lambda site, found: found.update(c='3', d='4'), ['c 3', 'd 4']),
    (lambda site, found: found.__delitem__('a'), []),
    (lambda site, found: found.sync({'c': '3'}), None),
    (lambda site, found: replace(site, found, {'c': '3'}), None),
], ids=['set', 'update', 'delete', 'sync', 'replace'])
def test_a_reload_since_it_was_read_changes_nothing(site, hap, change, expected):
    """[masters; collections] The change is made in the new workers, on what these have loaded."""
    found = hap.map(MAP)
    for lab in site.labs:
        lab.reload()
    change(site, found)
    configured = [' '.join(item) for item in CONFIGURED.items()]
    wanted = ['c 3'] if expected is None else sorted(configured + expected)
    assert contents(site) == [wanted] * 2
    found.refresh()
    assert sorted(' '.join(item) for item in found.items()) == wanted


def test_a_reload_during_a_replacement_leaves_one_of_both_contents(site, hap):
    """[masters; atomic replace] Never a part of it."""
    if site.version == OLD:
        pytest.skip('cannot replace a content at once')
    found = hap.map(MAP)

    def entries():
        for number in range(5000):
            if number == 3000:
                site.labs[0].reload()
            yield 'k{0}'.format(number), 'v'
    with pytest.raises(HAProxyBaseError):
        found.replace(entries())
    configured = sorted(' '.join(item) for item in CONFIGURED.items())
    assert contents(site) == [configured, ['a 1', 'b 2']]
    assert dict(found) in (CONFIGURED, {'a': '1', 'b': '2'})
    assert found.replace([('c', '3')]) is True
    assert contents(site) == [['c 3']] * 2


@pytest.mark.parametrize('again', [
    copy.copy, copy.deepcopy, lambda found: pickle.loads(pickle.dumps(found, 2))],
    ids=['copy', 'deepcopy', 'pickle'])
@pytest.mark.parametrize('is_read', [True, False])
def test_a_copy_is_a_collection_of_its_own(site, hap, again, is_read):
    """[collections] Of what is read, no command is needed; it changes HAProxy as the original."""
    found = again(hap.map(MAP) if is_read else hap.maps()[0])
    assert found == {'a': '1', 'b': '2'} and found.name
    found['c'] = '3'
    assert contents(site) == [['a 1', 'b 2', 'c 3']] * 2
    assert again(hap.acl(ACL)) == set('p')


def test_two_threads_change_the_same_map(site, hap):
    """[collections] Each change is made, and stands in the object."""
    found = hap.map(MAP)
    errors = []

    def change(name):
        try:
            for number in range(20):
                found['{0}{1}'.format(name, number)] = 'v'
                assert found['{0}{1}'.format(name, number)] == 'v'
                if number % 2:
                    del found['{0}{1}'.format(name, number)]
        except Exception as error:  # noqa: B902 (reported below)
            errors.append(error)
    threads = [threading.Thread(target=change, args=(name,)) for name in 'xy']
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    wanted = sorted(['a 1', 'b 2'] + ['{0}{1} v'.format(name, number) for name in 'xy'
                                      for number in range(0, 20, 2)])
    assert contents(site) == [wanted] * 2
    assert sorted(' '.join(item) for item in found.items()) == wanted
