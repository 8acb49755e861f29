# SPDX-License-Identifier: Apache-2.0
"""Sphinx; tools/docs builds with it."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [ROOT, HERE]

import features  # noqa: E402 (these are on the path only now)
import floors  # noqa: E402
import haproxyadmin  # noqa: E402

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

# The table of the page "Versions", and the picture of the page "Architecture".
features.write(os.path.join(HERE, 'figures', 'features.csv'))
floors.draw(ROOT, os.path.join(HERE, 'figures', 'floors.svg'))
