# SPDX-License-Identifier: Apache-2.0
"""Pure parsers, one module for each kind of reply; nothing in here is public.

To read another kind of reply, add a module with a sample of it and a function that takes lines (or
bytes) and returns a value, or raises :func:`haproxyadmin.parsers.lines.refusal_of` the reply.
"""
