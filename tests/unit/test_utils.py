# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""utils.py: the documented functions that are defined there."""
import os
import time

import pytest

from haproxyadmin import utils
from haproxyadmin.testing import faults
from tests.support import fakes

# Calling


class Thing(object):

    def __init__(self, process_nb):
        self.process_nb = process_nb

    def double(self, number, more=0):
        return number * 2 + more


def test_a_method_is_called_on_all():
    things = [Thing(4), Thing(3)]
    assert utils.cmd_across_all_procs(things, 'double', 5) == [(4, 10), (3, 10)]
    assert utils.cmd_across_all_procs(things, 'double', 5, more=1) == [(4, 11), (3, 11)]
    assert utils.cmd_across_all_procs([], 'double') == []
    with pytest.raises(AttributeError):
        utils.cmd_across_all_procs(things, 'nope')


@utils.should_die
def divide(number, by=1):
    """Divide."""
    return number // by


def test_should_die_lets_exceptions_through_by_default():
    """[verdicts]"""
    assert divide(4, by=2) == divide(4, by=2, die=True) == 2
    for arguments in ({}, {'die': True}, {'die': 1}):
        with pytest.raises(ZeroDivisionError):
            divide(4, by=0, **arguments)


def test_die_false_returns_false_in_place_of_raising():
    """[verdicts] On success it returns the function's own value."""
    assert divide(4, by=0, die=False) is False
    assert divide(4, by=2, die=False) == 2
    assert divide('x', die=False) is False


def test_die_false_lets_an_interrupt_through():
    """[verdicts] It only catches what derives from Exception."""
    @utils.should_die
    def interrupted():
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        interrupted(die=False)


def test_should_die_keeps_name_and_docstring():
    assert (divide.__name__, divide.__doc__) == ('divide', 'Divide.')


# Sockets

def test_is_unix_socket(fleet):
    """[what is not there]"""
    started = fleet('2.2')
    started.file('plain')
    os.symlink(started[0].path, started.path('link'))
    assert utils.is_unix_socket(started[0].path) is True
    assert utils.is_unix_socket(started.path('link')) is True
    assert utils.is_unix_socket(started.stale()) is True
    for path in (started.path('missing'), started.path('plain'), started.directory, '', None,
                 'a\0b', 99999):
        assert utils.is_unix_socket(path) is False


def test_connected_socket_costs_one_command(fleet):
    """[no HAProxy found]"""
    started = fleet('2.2')
    assert utils.connected_socket(started[0].path, fakes.LONG) is True
    assert started.commands == [['show info']]


@pytest.mark.parametrize('reply', [
    b'220 mail.example.com ESMTP\n', b'Name: Not what you think\n\n', b'\xff\xfe\n', b'\n'])
def test_what_is_not_haproxy_is_no_connected_socket(reply, fleet):
    """[no HAProxy found]"""
    started = fleet('2.2')
    started[0].next(faults.replying(reply))
    assert utils.connected_socket(started[0].path, timeout=fakes.LONG) is False


def test_where_there_is_no_answer_is_no_connected_socket(fleet):
    """[constructor; no HAProxy found]"""
    started = fleet('2.2')
    started[0].next(faults.silent())
    start = time.time()
    assert utils.connected_socket(started[0].path, timeout=0.1) is False
    assert time.time() - start < 10
    for path in (started.path('missing'), started.stale(), started.file('plain'),
                 started.datagram()):
        assert utils.connected_socket(path) is False
    started[0].next(faults.closing())
    assert utils.connected_socket(started[0].path, timeout=fakes.LONG) is False
