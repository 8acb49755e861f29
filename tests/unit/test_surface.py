# SPDX-License-Identifier: Apache-2.0
"""How typing mistakes in assignments, argument lists and names are reported."""
import copy
import inspect
import pickle
import sys

import pytest

import haproxyadmin
from haproxyadmin import exceptions, haproxy, utils
from haproxyadmin.spelling import suggest_or_list

try:
    from unittest import mock
except ImportError:
    mock = None

CHANGE = [(kind, name) for kind in (haproxy.HAProxy, haproxyadmin.frontend.Frontend,
                                    haproxyadmin.server.Server)
          for name in ('setmaxconn', 'setratelimitconn', 'clearcounters', 'command', 'errors',
                       'show_acl', 'get_map', 'add_map', 'del_map_entries', 'enable', 'disable',
                       'shutdown', 'setstate', 'setweight') if hasattr(kind, name)]


@pytest.fixture
def objects(fleet):
    hap = fleet('2.2', 4).haproxy()
    return {'hap': hap, 'snapshot': hap.snapshot(), 'frontend': hap.frontends()[0],
            'backend': hap.backends()[0], 'server': hap.servers()[0]}


# Assignments

@pytest.mark.parametrize('name, attribute, meant', [
    ('server', 'adress', 'address'), ('server', 'Address', 'address'), ('server', 'portt', 'port'),
    ('server', 'wieght', 'weight'), ('frontend', 'maxcon', 'maxconn'),
    ('server', 'prot', 'port'), ('backend', 'sttaus', 'status'), ('hap', 'maxcon', 'maxconn'),
    ('hap', 'ratelimitcon', 'ratelimitconn'), ('snapshot', 'uptimesex', 'uptimesec'),
    ('server', 'back_end_name', 'backendname'), ('snapshot', 'taken', None), ('server', 'id', None),
    ('server', 'ports', None), ('server', 'weights', None),
    ('server', 'port2', None), ('hap', 'error', None), ('hap', 'commands', None),
    ('hap', 'processes', None), ('backend', 'process', None)])
def test_a_typo_in_an_assignment_is_an_error_that_names_the_nearest(objects, name, attribute, meant):
    if meant is None:
        setattr(objects[name], attribute, 1)
        return
    with pytest.raises(AttributeError) as caught:
        setattr(objects[name], attribute, '10.0.0.9')
    assert repr(meant) in str(caught.value) and repr(attribute) in str(caught.value)
    assert not hasattr(objects[name], attribute)


@pytest.mark.parametrize('name, attribute, advice', [
    ('server', 'weight', 'use setweight()'), ('server', 'status', 'use setstate()'),
    ('server', 'name', 'cannot be set'), ('frontend', 'maxconn', 'use setmaxconn()'),
    ('frontend', 'status', 'cannot be set'), ('backend', 'iid', 'cannot be set'),
    ('hap', 'maxconn', 'use setmaxconn()'), ('hap', 'ratelimitconn', 'use setratelimitconn()'),
    ('hap', 'ratelimitsslsess', 'use setratelimitsslsess()'), ('snapshot', 'taken_at', 'cannot be')])
def test_what_only_a_method_sets_says_so(objects, name, attribute, advice):
    with pytest.raises(AttributeError) as caught:
        setattr(objects[name], attribute, 1)
    assert advice in str(caught.value)
    assert ('use' in str(caught.value)) == ('use' in advice)


@pytest.mark.parametrize('name', ['hap', 'snapshot', 'frontend', 'backend', 'server'])
def test_other_attributes_may_be_set(objects, name):
    thing = objects[name]
    thing.owner = 'me'
    thing.owner = 'you'
    thing._private = 1
    thing.metric = lambda name: name  # as a program's tests may do
    assert (thing.owner, thing._private, thing.metric(5)) == ('you', 1, 5)
    del thing.metric
    assert copy.copy(thing).owner == 'you'
    assert pickle.loads(pickle.dumps(thing)).owner == 'you'


def test_what_can_be_set_is_sent(objects, fleet):
    server = objects['server']
    with pytest.raises(ValueError):
        server.port = 70000


# Argument lists

@pytest.mark.parametrize('call', [
    lambda hap, **die: hap.add_map(0, 'a', **die), lambda hap, **die: hap.setmaxconn(**die),
    lambda hap, **die: hap.setmaxconn(5, True, 6, **die),
    lambda hap, **die: hap.del_map(0, 'k', 'v', **die),
    lambda hap, **die: hap.setmaxconn(5, maxconn=6, **die),
    lambda hap, **die: hap.frontends()[0].enable(1, 2, **die)])
def test_a_wrong_argument_list_is_a_type_error_whatever_die_is(objects, call):
    for die in (True, False):
        with pytest.raises(TypeError):
            call(objects['hap'], die=die)


def test_a_type_error_from_within_is_no_wrong_argument_list():
    @utils.should_die
    def fails(value):
        raise TypeError('from within')
    assert fails(1, die=False) is False
    with pytest.raises(TypeError):
        fails(1)
    with pytest.raises(TypeError):
        fails(die=False)


def test_functions_without_die_may_be_decorated():
    @utils.should_die
    def double(value, times=2):
        return value * times
    assert double(2) == 4 and double(2, die=False) == 4 and double(2, times=3, die=True) == 6
    assert double(None, die=False) is False


def test_die_by_position(objects):
    assert objects['hap'].setmaxconn('x', False) is False
    with pytest.raises(ValueError):
        objects['hap'].setmaxconn('x', True)


@pytest.mark.parametrize('call', [
    lambda on: on['hap'].del_map(0, 'k', 'v'), lambda on: on['hap'].setmaxconn(5, 6),
    lambda on: on['server'].setweight(5, '10%'), lambda on: on['frontend'].enable('now')])
def test_an_argument_too_many_is_not_taken_for_die(objects, call):
    with pytest.raises(TypeError):
        call(objects)


def test_functions_that_are_not_written_in_python_may_be_decorated():
    number = utils.should_die(int)
    assert number('5', die=False) == 5 and number('x', die=False) is False


@pytest.mark.skipif(sys.version_info < (3,), reason='Python 2 does not follow __wrapped__')
@pytest.mark.parametrize('kind, name', CHANGE)
def test_the_signature_shows_die(kind, name):
    assert list(inspect.signature(getattr(kind, name)).parameters)[-1] == 'die'
    assert inspect.signature(getattr(kind, name)).parameters['die'].default is True


@pytest.mark.skipif(mock is None, reason='no unittest.mock')
def test_a_mock_with_the_specification_takes_die():
    hap = mock.create_autospec(haproxy.HAProxy, instance=True)
    hap.setmaxconn(5, die=False)
    hap.add_map(0, 'a', 'b', die=False)
    with pytest.raises(TypeError):
        hap.add_map(0, 'a', die=False)
    with pytest.raises(TypeError):
        hap.setmaxconn(5, dye=False)


# Names

def test_the_spelling_of_the_word_is_an_alias():
    assert exceptions.InconsistentData is exceptions.IncosistentData
    assert exceptions.InconsistentData.__name__ == 'IncosistentData'


def test_the_class_is_reachable_from_the_package():
    assert haproxyadmin.HAProxy is haproxy.HAProxy


@pytest.mark.skipif(sys.version_info < (3, 7), reason='modules have no __dir__')
@pytest.mark.parametrize('module', ['haproxy', 'frontend', 'backend', 'server', 'exceptions',
                                    'snapshot'])
def test_dir_shows_public_names_only(module):
    module = getattr(haproxyadmin, module, None) or sys.modules['haproxyadmin.' + module]
    names = dir(module)
    assert names == sorted(module.__all__)
    assert not [name for name in names if name.startswith('_') or name in (
        'commands', 'facade', 'six', 'utils', 'operator', 'time', 'socket')]
    assert all(hasattr(module, name) for name in names)


def test_no_iid_is_all(objects):
    assert [number for number, _ in objects['hap'].errors(0)] == [1, 2, 3, 4]


NAMES = ['web1', 'web2', 'static', 'api', 'mail', 'chat', 'WEB', 'Static']


@pytest.mark.parametrize('names, expected', [
    ([], ''), (['a'], "; there is 'a'"), (['b', 'a'], "; there are 'a' and 'b'"),
    (list('edcba'), "; there are 'a', 'b', 'c', 'd' and 'e'"), (list('fedcba'), ''),
    (['xyzz'], "; did you mean 'xyzz'?"), (['xyy', 'b'], "; did you mean 'xyy'? There are 'b' and 'xyy'"),
    (['xyy', 'xyw'], "; did you mean 'xyy' or 'xyw'?")])
def test_few_names_are_all_listed(names, expected):
    assert suggest_or_list('xyz', names) == expected


# By process and by socket

@pytest.mark.parametrize('method, arguments', [
    ('metric', ['stot']), ('requests', []), ('stats', [])])
@pytest.mark.parametrize('name', ['frontend', 'backend', 'server'])
def test_what_is_there_by_process_is_there_by_socket(objects, name, method, arguments):
    thing = objects[name]
    by_process = getattr(thing, method + '_per_process')(*arguments)
    by_socket = getattr(thing, method + '_per_socket')(*arguments)
    assert [number for number, _ in by_process] == thing.process_nb
    assert [value for _, value in by_socket] == [value for _, value in by_process]
    assert [path for path, _ in by_socket] == [member.socket_file for member in thing._members]


def test_a_metric_by_process_adds_up(objects):
    frontend = objects['frontend']
    assert sum(value for _, value in frontend.metric_per_process('slim')) == frontend.metric('slim')
    with pytest.raises(ValueError):
        frontend.metric_per_socket('nonsense')


@pytest.mark.parametrize('name', ['hap', 'snapshot'])
def test_metrics_of_the_processes_themselves(objects, name):
    thing = objects[name]
    assert [number for number, _ in thing.metric_per_process('Maxconn')] == [1, 2, 3, 4]
    assert sum(value for _, value in thing.metric_per_socket('Maxconn')) == thing.maxconn
    assert [path for path, _ in thing.metric_per_socket('Maxconn')] == [
        process.socket_file for process in thing._processes]
    with pytest.raises(ValueError):
        thing.metric_per_socket('nonsense')
