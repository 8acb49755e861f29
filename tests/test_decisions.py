# SPDX-License-Identifier: Apache-2.0
"""Each decision of the specification has a test that names it.

The id stands in the name of the test or in its docstring, as ``C1`` or ``(C1)``.
"""
import ast
import os
import re

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))

# What a decision is about; tests name it by its id.
DECISIONS = {
    'V1': 'numbers are integers', 'V2': 'metric(name)', 'V3': 'sums and averages',
    'V4': 'the lists of metrics', 'V5': 'address and port', 'V6': 'description', 'V7': 'order',
    'V8': 'equality and repr', 'V9': 'the first process', 'V10': 'what is not there',
    'F1': 'constructor and time-outs', 'F2': 'no usable socket', 'F3': 'two sockets of a process',
    'F4': 'the cost of constructing',
    'R1': 'one command for a read', 'R2': 'stale ids', 'R3': 'CSV', 'R4': 'at the same time',
    'C1': 'verdicts', 'C2': 'arguments', 'C3': 'escaping', 'C4': 'UTF-8', 'C5': 'errors as data',
    'C6': 'retries', 'C7': 'setting address and port', 'C8': 'references and deleting',
    'E1': 'the tree of exceptions', 'E2': 'messages', 'E3': 'logging', 'E4': 'CSVLine',
    'E5': 'reachable names',
}


def all_tests():
    """Return ``(file, test, name and docstring)`` of every test of the suite."""
    found = []
    for name in sorted(os.listdir(HERE)):
        if not re.match(r'test_.*\.py$', name) or name == os.path.basename(__file__):
            continue
        with open(os.path.join(HERE, name), 'rb') as source:
            tree = ast.parse(source.read())
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name.startswith('test_'):
                found.append((name, node.name, '{0} {1}'.format(
                    node.name, ast.get_docstring(node) or '')))
    return found


TESTS = all_tests()
# The whole suite runs also where no HAProxy is: there the unit tests alone hold the decisions.
UNIT = [test for test in TESTS if not test[0].startswith('test_real_')]


def named(decision, among):
    return [(name, test) for name, test, text in among
            if re.search(r'(?:\b|_){0}(?:\b|_)'.format(decision), text, re.IGNORECASE)]


@pytest.mark.parametrize('decision', sorted(DECISIONS))
def test_each_decision_has_a_test_that_names_it(decision):
    assert named(decision, UNIT), '{0}: {1}'.format(decision, DECISIONS[decision])


def test_only_decisions_are_named():
    """A slip of the pen would name one that does not exist."""
    for name, test, text in TESTS:
        for word in re.findall(r'\b[VFRCE][0-9]+\b', text):
            assert word in DECISIONS, (name, test, word)
