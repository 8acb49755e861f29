# SPDX-License-Identifier: Apache-2.0
"""Decorators of public methods, and the paragraphs that their docstrings have in common."""
import functools

_DIE = [
    ':param die: (optional) False returns False instead of raising an exception.',
    ':type die: bool',
]
_DONE = [':return: True.', ':rtype: bool']
_VERDICT = [
    ':raises haproxyadmin.exceptions.CommandFailed: if all processes refuse.',
    ':raises haproxyadmin.exceptions.MultipleCommandResults: if some processes refuse.',
]
_LOST = [':raises haproxyadmin.exceptions.HAProxySocketError: if a process cannot be reached.']
_LACK = [
    ':raises haproxyadmin.exceptions.NotSupported: if the version of a process is too old; nothing',
    '    is sent.',
]
_WAIT = [
    ':param timeout: seconds until the deadline, for all of it.',
    ':param interval: (optional) seconds between two looks.',
    ':param progress: (optional) a callable that gets an object with ``done`` and ``total``,',
    '    numbers of processes, and ``what``, a text.',
]
_LATE = [
    ':raises haproxyadmin.exceptions.WaitTimeout: if the time is over; its ``result`` says how far',
    '    it has come, as that of any other exception that interrupts it.',
]
_UNDONE = [
    '    It is then undone where it was made; ``undone`` and ``not_undone`` list the sockets.',
]
_REFUSED = [':raises haproxyadmin.exceptions.CommandFailed: if HAProxy refuses.']
_TEXT = [':raises ValueError: for what HAProxy cannot accept; nothing is sent.']
_MANY = [
    ':raises ValueError: for an entry that HAProxy cannot accept; the message says which one, and',
    '    how many entries before it were sent. Its ``failures``, ``results`` and ``by_socket``',
    '    report the outcome. An exception of the iterable gets the same attributes, if it accepts',
    '    any.',
    ':raises haproxyadmin.exceptions.EntriesFailed: if processes refuse entries; ``failures`` says',
    '    which entries, where, and why. All other entries are changed.',
    ':raises haproxyadmin.exceptions.HAProxySocketError: if a process can no longer be reached;',
    '    ``failures`` lists the entries at which it stopped, whose fate is not known or that were',
    '    not sent. The change is complete in the other processes.',
]


def should_die(old_implementation):
    """Add the keyword argument ``die`` to a function.

    With ``die=True``, the default, exceptions are raised; with ``die=False`` the function returns
    False instead. A wrong list of arguments is always a :class:`TypeError`. The function may
    declare ``die`` as its last parameter, so that :func:`help` shows it; it need not use it.

    :param old_implementation: the function.
    :rtype: function

    Usage::

        >>> from haproxyadmin import utils
        >>> @utils.should_die
        ... def divide(a, b):
        ...     return a / b
        ...
        >>> divide(1, 0, die=False)
        False
    """
    code = getattr(old_implementation, '__code__', None)
    names = code.co_varnames[:code.co_argcount] if code else ()
    place = names.index('die') if 'die' in names else None

    @functools.wraps(old_implementation)
    def new_implementation(*args, **kwargs):
        if place is None:
            die = kwargs.pop('die', True)
        elif len(args) > place:
            die = args[place]
            if not isinstance(die, bool):
                # A surplus argument must not be taken for it.
                raise TypeError(
                    '{0}() got {1} arguments too many, or a die that is not a bool'.format(
                        old_implementation.__name__, len(args) - place))
        else:
            die = kwargs.get('die', True)
        if die:
            return old_implementation(*args, **kwargs)
        if code:
            import inspect  # only needed here
            inspect.getcallargs(old_implementation, *args, **kwargs)
        try:
            return old_implementation(*args, **kwargs)
        except Exception:
            return False
    # functools.wraps() sets it on Python 3 only; mock.create_autospec() follows it.
    new_implementation.__wrapped__ = old_implementation
    return new_implementation


def _decorator(parameter, fields, doc):
    def decorate(method):
        method.__doc__ = add_fields(method.__doc__, parameter, fields)
        return should_die(method)
    decorate.__doc__ = doc
    return decorate


takes_die = _decorator(_DIE, _LOST, """Declare a method that takes ``die``.""")
reads_entries = _decorator(
    _DIE, _TEXT + _REFUSED + _LOST, """Declare a method that reads an ACL or map.""")
changes = _decorator(
    _DIE + _DONE, _VERDICT + _LOST, """Declare a method that sends a change to every process.""")
changes_all_or_none = _decorator(
    _DIE + _DONE, _LACK + _VERDICT + _UNDONE + _LOST,
    """Declare a method that changes all processes or none.""")
waits = _decorator(
    _WAIT + _DIE, _LACK + _LATE + _LOST, """Declare a method that waits for something.""")
changes_entries = _decorator(
    _DIE + _DONE, _TEXT + _VERDICT + _LOST, """Declare a method that changes an ACL or map.""")
changes_many = _decorator(
    _DIE + _DONE, _MANY, """Declare a method that changes many entries of an ACL or map.""")


def add_fields(docstring, parameter, fields):
    """Return a docstring with more fields, before its ``Usage::``.

    :param docstring: the docstring, None if the interpreter has dropped it.
    :param parameter: lines for a further parameter, put after its own parameters.
    :param fields: lines of further fields, put after its own ones.
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
    others = [number for number, line in enumerate(own)
              if line.startswith((indent + ':return', indent + ':rtype', indent + ':raises'))]
    place = min(others or [len(own)])
    if not any(line.startswith(indent + ':param') for line in own) and not others:
        own.append('')
        place = len(own)
    own[place:place] = [indent + line for line in parameter]
    own += [indent + line for line in fields]
    return '\n'.join(own + ([''] + usage if usage else []))
