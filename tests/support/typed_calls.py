# SPDX-License-Identifier: Apache-2.0
"""What ``tests/typing/calls.py`` says, read as text, because no Python that we test on can run it.

A name counts for the class that its variable is annotated with: in a function that takes ``server:
Server``, ``assert_type(server.weight, int)`` holds that ``Server.weight`` is an ``int``.
"""
import ast
import os

from tests.support import ROOT

CALLS = os.path.join(ROOT, 'tests', 'typing', 'calls.py')


def parse(path):
    """Return the syntax tree of a file."""
    with open(path, 'rb') as source:
        return ast.parse(source.read(), path)


class Script(object):
    """What the script does with the objects of each class.

    :param classes: the names of the classes.

    :ivar calls: the calls of each method, by class and name; ``'__init__'`` for the class itself.
    :ivar used: the names that are used, by class.
    :ivar held: the names whose type is held, by class: for each a list of what is held, an
        attribute or a call, and its type, both as nodes; see :func:`held_by`.
    """

    def __init__(self, classes):
        self.calls, self.used, self.held = {}, {}, {}
        always = dict((name, [name]) for name in list(classes) + ['utils'])
        for node in parse(CALLS).body:
            if isinstance(node, ast.FunctionDef):
                self._read(node, dict(always, **variables_of(node)))

    def _read(self, function, kinds):
        held = dict((id(value), (value, kind)) for node in ast.walk(function)
                    for value, kind in held_by(node))
        for node in ast.walk(function):
            place = node.func if isinstance(node, ast.Call) else node
            if isinstance(place, ast.Attribute):
                owner, name = place.value, place.attr
            else:
                owner, name = place if place is not node else None, '__init__'
            for kind in kinds.get(getattr(owner, 'id', ''), ()):
                self.used.setdefault(kind, set()).add(name)
                if isinstance(node, ast.Call):
                    self.calls.setdefault((kind, name), []).append(node)
                if id(node) in held:
                    self.held.setdefault(kind, {}).setdefault(name, []).append(held[id(node)])


def variables_of(function):
    """Return the names of the classes of each variable of a function that is annotated."""
    found = dict((argument.arg, names_in(argument.annotation)) for argument in function.args.args)
    found.update((node.name, names_in(node.type)) for node in ast.walk(function)
                 if isinstance(node, ast.ExceptHandler) and node.name)
    return found


def names_in(annotation):
    """Return the names of the classes in an annotation, such as ``Map | Acl``."""
    if isinstance(annotation, ast.BinOp):
        return names_in(annotation.left) + names_in(annotation.right)
    if isinstance(annotation, ast.Tuple):
        return [name for part in annotation.elts for name in names_in(part)]
    if isinstance(annotation, ast.Subscript):
        return names_in(annotation.value)
    return [getattr(annotation, 'id', getattr(annotation, 'attr', ''))]


def held_by(node):
    """Return what a statement holds, and its type, in a list; empty for any other node.

    The type is None if only that of an item is held, such as ``stats()['frontends']``.
    """
    if isinstance(node, ast.Call) and getattr(node.func, 'id', '') == 'assert_type':
        value, kind = node.args
    elif isinstance(node, ast.AnnAssign):
        value, kind = node.value, node.annotation
    else:
        return []
    while isinstance(value, ast.Subscript):
        value, kind = value.value, None
    return [(value, kind)]
