# SPDX-License-Identifier: Apache-2.0
"""Sphinx; tools/docs builds with it."""
import os
import sys

from docutils import nodes
from sphinx import addnodes

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
# Commands and text of HAProxy are quoted as they are typed.
smartquotes = False
extensions = ['sphinx.ext.autodoc', 'sphinx_copybutton', 'blocks', 'measured']
autodoc_default_options = {'member-order': 'bysource'}
python_maximum_signature_line_length = 72
toc_object_entries_show_parents = 'hide'

html_theme = 'furo'
html_title = 'haproxyadmin ' + version
html_static_path = ['_static']
html_css_files = ['pages.css']
html_show_copyright = False
html_copy_source = False
# What is copied is what one types, without prompts and what they print.
copybutton_prompt_text = r'>>> |\.\.\. |\$ '
copybutton_prompt_is_regexp = True
copybutton_selector = 'div:not(.highlight-text) > div.highlight > pre'

# The tables of the page "What each version can do", and the picture of "Architecture".
features.write(os.path.join(HERE, 'figures'))
floors.draw(ROOT, os.path.join(HERE, 'figures', 'floors.svg'))


def shorten(app, doctree):
    """Show the last part of a name in the fields of a docstring, which say where it leads."""
    for field in doctree.findall(nodes.field):
        for text in list(field.findall(nodes.Text)):
            shown = text.replace(' -- ', ' \N{EN DASH} ')
            reference = text.parent.parent
            if isinstance(reference, addnodes.pending_xref) and shown == reference['reftarget']:
                shown = shown.split('.')[-1]
            text.parent.replace(text, nodes.Text(shown))


def setup(app):
    """Extend Sphinx."""
    app.connect('doctree-read', shorten)
