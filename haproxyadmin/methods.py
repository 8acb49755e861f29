# SPDX-License-Identifier: Apache-2.0
"""Decorators of public methods, and the paragraphs that their docstrings have in common."""
from haproxyadmin.utils import should_die

_DIE = [
    ':param die: (optional) False returns False instead of raising an exception.',
    ':type die: bool',
]
_CHANGE = _DIE + [
    ':return: True.',
    ':rtype: bool',
    ':raises haproxyadmin.exceptions.CommandFailed: if all processes refuse.',
    ':raises haproxyadmin.exceptions.MultipleCommandResults: if some processes refuse.',
    ':raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached.',
]
_ENTRY = [':raises ValueError: for what HAProxy cannot take; nothing is sent.'] + _CHANGE
_MANY = _DIE + [
    ':return: True.',
    ':rtype: bool',
    ':raises ValueError: for an entry that HAProxy cannot take; the message says which one, and',
    '    how many entries before it were sent. What became of them is in its ``failures``,',
    '    ``results`` and ``by_socket``. An exception of the iterable gets the same attributes, if',
    '    it accepts any.',
    ':raises haproxyadmin.exceptions.EntriesFailed: if processes refuse entries; ``failures`` says',
    '    which entries, where, and why. All others are changed.',
    ':raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached any more;',
    '    ``failures`` lists the entries at which it stopped, whose fate is not known or that were',
    '    not sent. The other processes are done.',
]
_READ = _DIE + [
    ':raises ValueError: for what HAProxy cannot take; nothing is sent.',
    ':raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses.',
    ':raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached.',
]


def _decorator(fields, doc):
    def decorate(method):
        method.__doc__ = add_fields(method.__doc__, fields)
        return should_die(method)
    decorate.__doc__ = doc
    return decorate


changes = _decorator(_CHANGE, """Declare a method that sends a change to every process.""")
changes_entries = _decorator(_ENTRY, """Declare a method that changes an ACL or map.""")
changes_many = _decorator(_MANY, """Declare a method that changes many entries of an ACL or map.""")
reads = _decorator(_READ, """Declare a method that reads, and takes ``die``.""")


def add_fields(docstring, fields):
    """Return a docstring with more fields, put behind its own ones and before its ``Usage::``.

    :param docstring: the docstring, None if the interpreter has dropped it.
    :param fields: lines.
    :type fields: list of str
    """
    if docstring is None:
        return None
    lines = docstring.rstrip().split('\n')
    indented = [len(line) - len(line.lstrip()) for line in lines[1:] if line.strip()]
    indent = ' ' * min(indented or [0])
    end = lines.index(indent + 'Usage::') if indent + 'Usage::' in lines else len(lines)
    usage = lines[end:]
    while not lines[end - 1].strip():
        end -= 1
    own = lines[:end]
    if not any(line.lstrip().startswith(':') for line in own):
        own.append('')
    own += [indent + field for field in fields]
    return '\n'.join(own + ([''] + usage if usage else []))
