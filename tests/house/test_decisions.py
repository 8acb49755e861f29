# SPDX-License-Identifier: Apache-2.0
"""Each decision in the developer documentation has a test that names it.

The name is in square brackets at the start of the test's docstring; semicolons separate several
names: ``[verdicts; stale ids]``.
"""
import ast
import os
import re

import pytest

from tests.support import ROOT

TESTS = os.path.join(ROOT, 'tests')


def read_decisions():
    """Return the names of all decisions."""
    path = os.path.join(ROOT, 'docs', 'source', 'dev', 'decisions.rst')
    with open(path) as page:
        return re.findall(r'^\[(.*)\]$', page.read(), re.MULTILINE)


def read_tests():
    """Return ``(file, test, decisions)`` for every test that names decisions."""
    found = []
    for directory, _, names in os.walk(TESTS):
        for name in sorted(names):
            if re.match(r'test_.*\.py$', name):
                path = os.path.join(directory, name)
                with open(path, 'rb') as source:
                    tree = ast.parse(source.read())
                found += [(os.path.relpath(path, TESTS), node.name, named(node))
                          for node in ast.walk(tree)
                          if isinstance(node, ast.FunctionDef) and named(node)]
    return found


def named(node):
    """Return the decisions that a test names."""
    match = re.match(r'\[([^\]]*)\]', ast.get_docstring(node) or '')
    return match.group(1).split('; ') if match else []


DECISIONS = read_decisions()
NAMED = read_tests()


@pytest.mark.parametrize('decision', DECISIONS)
def test_each_decision_has_a_unit_test(decision):
    assert [test for path, test, names in NAMED
            if path.split(os.sep)[0] in ('unit', 'house') and decision in names]


def test_only_decisions_are_named():
    wrong = [(path, test, name) for path, test, names in NAMED for name in names
             if name not in DECISIONS]
    assert not wrong


def test_each_decision_stands_once():
    assert len(DECISIONS) == len(set(DECISIONS)) >= 30
