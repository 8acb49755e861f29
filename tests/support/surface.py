# SPDX-License-Identifier: Apache-2.0
"""What is public, and which public names an example uses.

An example is read as Python is: ``backend.servers()`` uses ``Backend.servers``, because
``backend`` was assigned what ``hap.backend()`` returns, which its ``:rtype:`` says. Where that is
not known, an attribute only counts if one public class has it.
"""
import ast
import collections
import doctest
import importlib
import inspect
import os
import re
import textwrap

from tests.support import ROOT

# What an expression is, if it is no object of a public class: many of them, such as a list; and a
# pair whose second member is known.
Many = collections.namedtuple('Many', 'kind')
Pair = collections.namedtuple('Pair', 'kind')

_RTYPE = re.compile(r':rtype: (?:(list|iterator) of )?(?::class:`)?~?([\w.]+)`?(?: or .*)?$',
                    re.MULTILINE)
_PAIRS = r'lists? (?:of )?``\([^)]*, (list of )?(\w+)\)``'
# A program in a document, whose docstring begins with its name, or ends with how it is called.
_BLOCK = re.compile(r'(?:^(?: {3,}.*)?\n)+', re.MULTILINE)
_PROGRAM = re.compile(r'"""[^"]*?([\w-]+\.py|haproxy-\w+) ')


class Surface(object):
    """The public names of some modules.

    :param modules: the names of the modules below ``haproxyadmin``.

    :ivar names: what is public, ``{'haproxyadmin.server.Server.weight': object}``; what a class
        inherits has the name of the class that defines it.
    """

    def __init__(self, modules):
        self.names = collections.OrderedDict()
        self._classes = {}
        for module in [''] + list(modules):
            full = ('haproxyadmin.' + module).rstrip('.')
            self._collect(importlib.import_module(full), full)
        self._owners = collections.defaultdict(set)
        for kind in self._classes.values():
            for member in members(kind):
                self._owners[member].add(owner(kind, member))

    def _collect(self, module, full):
        for name in sorted(getattr(module, '__all__', ())):
            value = getattr(module, name)
            if name.startswith('_') or inspect.ismodule(value) or is_plumbing(value):
                continue
            if inspect.isclass(value):
                self._classes[value.__name__] = value
                self.names[path(value)] = value
                for member in members(value):
                    kind = owner(value, member)
                    self.names[path(kind) + '.' + member] = getattr(kind, member, None)
            elif inspect.isfunction(value):
                self.names['{0}.{1}'.format(full, name)] = value
            elif full.count('.') == 0 or not hasattr(importlib.import_module('haproxyadmin'), name):
                self.names['{0}.{1}'.format(full, name)] = value

    def is_class(self, name):
        """Return the public class with a name, with or without its module, or None."""
        return self._classes.get(name.split('.')[-1])

    # What a member is

    def returned_by(self, kind, member):
        """Return what a method, property or field of a class returns, None if it is not known."""
        text = ' '.join((inspect.getdoc(getattr(kind, member, None)) or '').split())
        pairs = re.search(':return: ' + _PAIRS, text)
        if member in fields(kind):
            pairs = re.search('``{0}`` '.format(member) + _PAIRS, ' '.join(kind.__doc__.split()))
        if pairs:
            found = self.is_class(pairs.group(2))
            return found and Many(Pair(Many(found) if pairs.group(1) else found))
        found = _RTYPE.findall(inspect.getdoc(getattr(kind, member, None)) or '')
        many, name = found[-1] if found else ('', '')
        found = self.is_class(name)
        return found and (Many(found) if many else found)

    def members_named(self, member, kind=None):
        """Return the public names that ``.member`` may be.

        :param kind: the class that has it, or None if that is not known.
        """
        if kind is not None:
            return [path(owner(kind, member)) + '.' + member] if member in members(kind) else []
        owners = self._owners.get(member, ())
        return [path(kind) + '.' + member for kind in owners] if len(owners) == 1 else []

    def with_bases(self, kind):
        """Return the names of a class and of its public bases."""
        return [path(base) for base in kind.__mro__ if path(base) in self.names]


def path(kind):
    return '{0}.{1}'.format(kind.__module__, kind.__name__)


def is_plumbing(value):
    """Return True for a function that the accessor of a family passes processes to."""
    if not inspect.isfunction(value):
        return False
    code = getattr(value, '__wrapped__', value).__code__
    return code.co_varnames[:1] and code.co_varnames[0] in ('processes', 'members', 'kind')


def is_ours(kind):
    return kind.__module__.split('.')[0] == 'haproxyadmin'


def members(kind):
    """Return the names of the public methods, properties, fields and attributes of a class.

    Those of a base class that is not part of the package are that one's.
    """
    found = set()
    for base in kind.__mro__:
        if is_ours(base):
            found.update(name for name in vars(base) if not name.startswith('_'))
            found.update(fields(base))
            found.update(_set_by_constructor(base))
    return sorted(found)


def _set_by_constructor(kind):
    """Return the names of the public attributes that the constructor of a class sets."""
    if '__init__' not in vars(kind):
        return []
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind.__init__)))
    targets = [target for node in ast.walk(tree) if isinstance(node, ast.Assign)
               for each in node.targets for target in getattr(each, 'elts', [each])]
    return [target.attr for target in targets if isinstance(target, ast.Attribute)
            and getattr(target.value, 'id', '') == 'self' and not target.attr.startswith('_')
            # Those are Python's: args, errno.
            and not any(hasattr(base, target.attr) for base in kind.__mro__ if not is_ours(base))]


def fields(kind):
    """Return the names of the fields of a namedtuple; of another class there are none."""
    found = getattr(kind, '_fields', ())
    return found if isinstance(found, tuple) else ()


def owner(kind, member):
    """Return the public class that defines a member of a class."""
    return [base for base in kind.__mro__ if is_ours(base) and member in members(base)][-1]


class Reader(ast.NodeVisitor):
    """Finds the public names in the code of one document.

    :param surface: the :class:`Surface`.
    :ivar used: the public names that were found.
    """

    def __init__(self, surface):
        self._surface = surface
        self._types = {}
        self.used = set()

    def read(self, code, want='', exception=None):
        """Read an example, its output, and the exception that it raises."""
        self.visit(ast.parse(code))
        if exception:
            self._use_class(exception.split(':')[0].split('(')[0])
        for node in ast.walk(_parsed(want)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                kind = self._use_class(node.func.id)
                for keyword in node.keywords if kind else ():
                    self._use_member(kind, keyword.arg)

    def _use_class(self, name):
        kind = self._surface.is_class(name)
        if kind is not None:
            self.used.update(self._surface.with_bases(kind))
        return kind

    def _use_member(self, kind, member):
        self.used.update(self._surface.members_named(member, kind))

    # What an expression is

    def type_of(self, node):
        """Return the class, or Many of it, that an expression is; None if it is not known."""
        found = kind = self._type_of(node)
        while isinstance(kind, (Many, Pair)):
            kind = kind.kind
        if kind is not None:
            self.used.update(self._surface.with_bases(kind))
        return found

    def _type_of(self, node):
        if isinstance(node, ast.Name):
            if node.id in self._types:
                return self._types[node.id]
            # The name that every page uses.
            named = [kind for name, kind in self._surface._classes.items()
                     if name.lower() == node.id.replace('_', '')]
            return self._surface.is_class('HAProxy') if node.id == 'hap' else (named or [None])[0]
        if isinstance(node, ast.Call):
            function = node.func
            name = getattr(function, 'attr', getattr(function, 'id', ''))
            if name[:1].isupper():
                return self._surface.is_class(name)
            if isinstance(function, ast.Attribute):
                return self._member_type(function)
            if name in ('list', 'sorted', 'reversed', 'set') and node.args:
                return self.type_of(node.args[0])
            if name in ('next', 'max', 'min') and node.args:
                return self._element(node.args[0])
        if isinstance(node, ast.Attribute):
            return self._member_type(node)
        if isinstance(node, ast.Subscript):
            if isinstance(node.slice, ast.Slice):
                return self.type_of(node.value)
            return self._element(node.value)
        if isinstance(node, (ast.ListComp, ast.GeneratorExp)):
            self._comprehend(node)
            kind = self.type_of(node.elt)
            return kind and Many(kind)
        return None

    def _element(self, node):
        found = self.type_of(node)
        return found.kind if isinstance(found, Many) else None

    def _member_type(self, node):
        kind = self.type_of(node.value)
        if isinstance(kind, (Many, Pair)):
            return None
        if kind is None:
            full = self._surface.members_named(node.attr)
            kind = self._surface.is_class(full[0].rsplit('.', 2)[1]) if full else None
        return self._surface.returned_by(kind, node.attr) if kind is not None else None

    # What is used

    def visit_Attribute(self, node):
        kind = self.type_of(node.value)
        if not isinstance(kind, (Many, Pair)):
            self._use_member(kind, node.attr)
        self._use_global(node.attr)
        self.generic_visit(node)

    def visit_Name(self, node):
        self._use_global(node.id)

    def _use_global(self, name):
        self._use_class(name)
        self.used.update(full for full in self._surface.names
                         if full.split('.')[-1] == name and full.rsplit('.', 1)[0].islower())

    def visit_Call(self, node):
        self.type_of(node)
        self.generic_visit(node)

    def visit_Assign(self, node):
        self.generic_visit(node)
        found = self.type_of(node.value)
        for target in node.targets:
            self._assign(target, found)

    def _assign(self, target, found):
        if isinstance(target, ast.Name):
            self._types[target.id] = found
        elif isinstance(target, (ast.Tuple, ast.List)):
            for number, part in enumerate(target.elts, 1):
                self._assign(part, found.kind if isinstance(found, Many) or (
                    isinstance(found, Pair) and number == len(target.elts)) else None)

    def visit_For(self, node):
        self._assign(node.target, self._element(node.iter))
        self.generic_visit(node)

    def visit_With(self, node):
        for item in node.items:
            found = self.type_of(item.context_expr)
            if item.optional_vars is not None:
                if getattr(found, '__name__', '') == 'OutOfRotation':
                    found = self._surface.is_class('TakenOut')
                self._assign(item.optional_vars, found)
        self.generic_visit(node)

    def visit_ExceptHandler(self, node):
        if node.name and isinstance(node.type, (ast.Name, ast.Attribute)):
            self._types[node.name] = self._surface.is_class(
                getattr(node.type, 'attr', getattr(node.type, 'id', '')))
        self.generic_visit(node)

    def _comprehend(self, node):
        for generator in node.generators:
            self._assign(generator.target, self._element(generator.iter))

    def visit_ListComp(self, node):
        self._comprehend(node)
        self.generic_visit(node)

    visit_GeneratorExp = visit_SetComp = visit_DictComp = visit_ListComp

    def visit_FunctionDef(self, node):
        """Parameters are what their names say."""
        for argument in node.args.args:
            self._types.pop(argument.arg, None)
        self.generic_visit(node)


def _parsed(text):
    """Return what is printed as code, or nothing."""
    try:
        return ast.parse(text.strip())
    except SyntaxError:
        return ast.parse('')


def names_used(surface, examples):
    """Return the public names that the examples of one document use.

    :param examples: list of :class:`doctest.Example` or of code.
    """
    reader = Reader(surface)
    for example in examples:
        if isinstance(example, str):
            reader.read(example)
        else:
            reader.read(example.source, example.want, example.exc_msg)
    return reader.used


# Where examples are

def examples_of(text):
    """Return the examples of a text that are typed at the prompt."""
    return doctest.DocTestParser().get_examples(text)


def programs_of(text):
    """Return the programs of a document, ``{name: code}``; their docstrings begin with the name."""
    found = {}
    for each in _BLOCK.findall(text):
        code = textwrap.dedent(each)
        name = _PROGRAM.search(code)
        if name:
            try:
                ast.parse(code)
            except SyntaxError:
                continue
            found[name.group(1)] = code
    return found


def program_files():
    """Return the programs that the documentation includes, ``{name: code}``."""
    found = {}
    for directory, _, names in os.walk(os.path.join(ROOT, 'docs', 'source', 'recipes')):
        for name in names:
            with open(os.path.join(directory, name), 'rb') as source:
                code = source.read().decode('utf-8')
            if name.endswith('.py') or code.startswith('#!') and 'python' in code.split('\n')[0]:
                found[name] = code
    return found


def docstrings(modules):
    """Return what has examples in its docstring.

    :return: list of ``(name, docstring)``; the name is that of a module, or of what is in it.
    """
    found = []
    for module in modules:
        full = 'haproxyadmin.' + module
        imported = importlib.import_module(full)
        found.append((full, imported.__doc__))
        for name, value in sorted(vars(imported).items()):
            if getattr(value, '__module__', '').split('.')[0] != 'haproxyadmin' or (
                    value.__module__ != full and name not in getattr(imported, '__all__', ())):
                continue
            if inspect.isclass(value):
                found.append((path(value), value.__doc__))
                found.extend(('{0}.{1}'.format(path(value), member), getattr(part, '__doc__', None))
                             for member, part in sorted(vars(value).items()))
            elif inspect.isfunction(value):
                found.append(('{0}.{1}'.format(full, name), value.__doc__))
    return [(name, text) for name, text in collections.OrderedDict(found).items()
            if text and '>>> ' in text]


def pages():
    """Return the texts of README and of all pages of the documentation, ``{path: text}``."""
    names = ['README.rst'] + [
        os.path.relpath(os.path.join(directory, name), ROOT)
        for directory, _, files in os.walk(os.path.join(ROOT, 'docs', 'source'))
        for name in files if name.endswith('.rst')]
    found = {}
    for name in sorted(names):
        with open(os.path.join(ROOT, name), 'rb') as page:
            found[name] = page.read().decode('utf-8')
    return found
