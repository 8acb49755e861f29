# SPDX-License-Identifier: Apache-2.0
"""Objects with slots that can be pickled, on Python 2, too."""


class Slotted(object):
    """An object whose attributes are slots.

    A big configuration has tens of thousands of them, and slots keep them small.
    """

    __slots__ = ()

    def __getstate__(self):
        return [getattr(self, name) for name in _names(self)]

    def __setstate__(self, state):
        for name, value in zip(_names(self), state):
            setattr(self, name, value)


def _names(instance):
    return [name for kind in type(instance).__mro__ for name in getattr(kind, '__slots__', ())]
