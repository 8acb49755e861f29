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
        if not frame.f_globals.get('__name__', '').startswith(_PACKAGE):
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
    handlers = [signal.getsignal(number) for number in range(1, signal.NSIG)]
    # A method has a function, and what is neither a class whose method is called.
    functions = [getattr(handler, '__func__', handler) for handler in handlers if callable(handler)]
    return [getattr(function, '__code__', None) or getattr(
        getattr(type(function).__call__, '__func__', type(function).__call__), '__code__', None)
        for function in functions]
