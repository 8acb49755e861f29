# SPDX-License-Identifier: Apache-2.0
"""The directive ``measured``: show a file that a command of tools/ wrote, its tables as tables.

As text they are up to 279 characters wide, of which a phone shows 40. Other lines are wrapped if
none of them is indented, otherwise shown as they are.
"""
import os
import re

from docutils import nodes
from docutils.parsers.rst import Directive

RULE = re.compile(r'=+(  =+)+$')
CELLS = re.compile(r' {2,}')
# A table of three columns whose last one has longer cells is as wide as the screen.
LONG = 40


class Measured(Directive):
    """Show a file, whose path is relative to that of the page."""

    required_arguments = 1

    def run(self):
        """Return the nodes of the file."""
        environment = self.state.document.settings.env
        name, path = environment.relfn2path(self.arguments[0])
        environment.note_dependency(name)
        with open(path, encoding='utf-8') as file:
            parts = re.split(r'\n{2,}', file.read().strip('\n'))
        shown = []
        for lines in (part.split('\n') for part in parts):
            rows = [CELLS.split(line.strip()) for line in lines if not RULE.match(line)]
            if len(rows) > 2 and min(map(len, rows)) > 2:
                title = shown.pop() if shown and is_title(shown[-1]) else None
                shown.append(table(aligned(rows), title))
                if title:
                    self.identify(shown[-1], os.path.splitext(name)[0] + '-' + title.astext())
            elif len(lines) == 1:
                shown.append(nodes.paragraph('', lines[0].strip()))
            elif not any(line.startswith(' ') for line in lines):
                # Not as it is, so that a phone shows the ends of the lines.
                shown.append(nodes.line_block('', *(nodes.line('', each) for each in lines)))
            else:
                text = '\n'.join(lines)
                shown.append(nodes.literal_block(text, text, language='text'))
        return shown

    def identify(self, node, text):
        """Give a node an id, so that a link to it stays valid when others are added."""
        node['names'].append(nodes.fully_normalize_name(os.path.basename(text)))
        self.state.document.note_explicit_target(node)


def is_title(node):
    """Return whether a paragraph is the title of the table that follows it."""
    return isinstance(node, nodes.paragraph) and len(node.astext()) < 40


def aligned(rows):
    """Return rows of the same length: a header may lack its first cell, a row its last ones."""
    width = max(map(len, rows))
    if len(rows[0]) == width - 1:
        rows[0].insert(0, '')
    return [row + [''] * (width - len(row)) for row in rows]


def table(rows, title):
    """Return a table whose first row is its header.

    :param title: the paragraph with its title, or None.
    """
    group = nodes.tgroup(cols=len(rows[0]))
    group += [nodes.colspec(colwidth=1) for _ in rows[0]]
    group += nodes.thead('', line(rows[0]))
    group += nodes.tbody('', *map(line, rows[1:]))
    titles = [nodes.title('', title.astext())] if title else []
    wordy = len(rows[0]) == 3 and any(len(row[-1]) > LONG for row in rows)
    return nodes.table('', *titles, group, classes=['measured'] + ['words'] * wordy)


def line(cells):
    """Return a row of a table."""
    return nodes.row('', *(nodes.entry('', nodes.paragraph('', cell)) for cell in cells))


def name_once(app, doctree, name):
    """Take the id of a table from the box that the theme puts around it."""
    for box in doctree.findall(nodes.container):
        if 'table-wrapper' in box['classes']:
            box['ids'] = []


def setup(app):
    """Extend Sphinx."""
    app.add_directive('measured', Measured)
    app.connect('doctree-resolved', name_once)
    return {'parallel_read_safe': True}
