# SPDX-License-Identifier: Apache-2.0
"""Sphinx; tools/docs builds with it."""
import os
import sys

sys.path.insert(0, os.path.abspath('../..'))

import haproxyadmin  # noqa: E402 (the checkout is on the path only now)

project = 'haproxyadmin'
author = 'The haproxyadmin authors'
copyright = author
version = release = haproxyadmin.__version__

master_doc = 'index'
extensions = ['sphinx.ext.autodoc']
autodoc_default_options = {'member-order': 'bysource'}

html_theme = 'alabaster'
html_theme_options = {'description': 'Manage HAProxy through its stats sockets'}
html_show_copyright = False
