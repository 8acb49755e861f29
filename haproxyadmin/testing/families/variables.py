# SPDX-License-Identifier: Apache-2.0
"""The variables of the fake's process: ``get var``, ``set var``."""
import re

from haproxyadmin.testing.families.family import Family, command, message

_EXPRESSION = re.compile(r'(int|str|bool)\((.*)\)\Z')
_TYPES = {'int': 'sint', 'str': 'str', 'bool': 'bool'}


class Variables(Family):
    """Variables of the process.

    :ivar values: a dict of names, ``'proc.x'`` for example, and pairs of the type and the value
        that HAProxy prints.
    """

    name = 'variables'

    def __init__(self, process, configuration):
        super(Variables, self).__init__(process, configuration)
        self.values = {}
        for line in configuration.settings.all('set-var'):
            self._set(*(line.words + ['', ''])[:2])

    def _set(self, name, expression):
        """Set a variable; return False for an expression that the fake cannot evaluate."""
        found = _EXPRESSION.match(expression)
        if found:
            kind, value = found.groups()
            if kind == 'bool':
                value = str(int(value in ('true', '1')))
            self.values[name] = (_TYPES[kind], value)
        return bool(found)

    @command('get var', level='operator', since=(2, 4))
    def get_var(self, call):
        """Show a variable."""
        if not call.rest:
            return message('Missing process-wide variable identifier.')
        name = call.rest[0]
        if name not in self.values:
            return message('Variable not found.')
        reply = '{0}: type={1} value=<{2}>\n'.format(name, *self.values[name])
        return reply + '\n' if self.has(3, 0) else reply

    @command('set var', level='admin', since=(2, 4))
    def set_var(self, call):
        """Set a variable."""
        if not call.connection.is_experimental:
            return message('This command is restricted to experimental mode only.')
        name, expression = (call.rest + ['', ''])[:2]
        if not expression:
            return message("Missing either 'expr', 'fmt' or expression.")
        if not self._set(name, expression):
            self.process.problem('the fake cannot evaluate {0!r}'.format(expression))
        return '\n'
