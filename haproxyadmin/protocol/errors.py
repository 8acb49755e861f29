# SPDX-License-Identifier: Apache-2.0
"""What errors of a connection are: the system's, TLS's, or those of the program itself."""
import sys


class TlsError(Exception):
    """What TLS says about a connection that it does not trust, or that is broken.

    :param text: what it says.
    :param is_final: (optional) True if trying again cannot help: a certificate does not fit, or is
        missing.
    """

    def __init__(self, text, is_final=False):
        super(TlsError, self).__init__(text)
        self.is_final = is_final


# Where the frames of this library are.
_PACKAGE = __name__[:-len('protocol.errors')]


def is_ours():
    """Return False if the current exception was raised by a signal handler.

    Such an exception is the caller's, whatever its class. A handler is recognized by its second
    argument, which is the frame that it interrupts and returns to, or by its code if it deletes
    that.
    """
    trace = sys.exc_info()[2].tb_next
    while trace is not None:
        frame = trace.tb_frame
        # Nothing of this library handles signals.
        if not str(frame.f_globals.get('__name__')).startswith(_PACKAGE):
            for value in frame.f_locals.values():
                if value is frame.f_back or (type(value) is tuple and frame.f_back in value):
                    return False
            if frame.f_code in _handlers():
                return False
        trace = trace.tb_next
    return True


def _handlers():
    """Return the code of the functions that handle signals now."""
    signal = sys.modules.get('signal')
    if signal is None:
        # Then nothing has set a handler.
        return []
    found = []
    for number in range(1, signal.NSIG):
        handler = signal.getsignal(number)
        if callable(handler):
            # A function, a method, or an object, whose class has the method that is called.
            for called in (handler, type(handler).__call__):
                function = getattr(called, '__func__', called)
                if hasattr(function, '__code__'):
                    found.append(function.__code__)
    return found
