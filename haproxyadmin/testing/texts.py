# SPDX-License-Identifier: Apache-2.0
"""Text and bytes as they pass through a socket: UTF-8, anything else as surrogates."""
import six


def text(raw_text):
    """Return bytes as a native string."""
    return six.ensure_str(raw_text, 'utf-8', 'surrogateescape')


def raw(any_text):
    """Return text as bytes."""
    return six.ensure_binary(any_text, 'utf-8', 'surrogateescape')
