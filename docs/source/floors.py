# SPDX-License-Identifier: Apache-2.0
"""Draw the floors of the package and their imports, as they are in the code."""
import ast
import os
from xml.sax.saxutils import escape

PACKAGE = 'haproxyadmin'
WIDTH, HEIGHT = 112, 32
GAP, STEP, ROW = 12, 64, 40
MARGIN = 8
# So that a phone shows it legibly.
WIDEST = 3

SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"
     font-family="sans-serif" font-size="13" text-anchor="middle">
<defs><marker id="tip" markerWidth="9" markerHeight="7" refX="8" refY="3.5" orient="auto">
<path d="M0,0 L9,3.5 L0,7 z" fill="#666"/></marker></defs>
{parts}
</svg>
"""


def draw(source, path):
    """Write the picture.

    :param source: the directory that contains the package.
    :param path: the SVG file.
    """
    imports = reduce(read_imports(os.path.join(source, PACKAGE)))
    places = arrange(imports)
    drawn = []
    for part, others in sorted(imports.items()):
        for other in sorted(others):
            (x, y), (to_x, to_y) = places[part], places[other]
            drawn.append(
                '<line x1="{0}" y1="{1}" x2="{2}" y2="{3}" stroke="#666" marker-end="url(#tip)"/>'
                .format(x, y + HEIGHT / 2, to_x, to_y - HEIGHT / 2 - 2))
    for part, (x, y) in sorted(places.items()):
        drawn.append(
            '<rect x="{0}" y="{1}" width="{2}" height="{3}" rx="4" fill="#eef3f8" '
            'stroke="#456"/><text x="{4}" y="{5}">{6}</text>'.format(
                x - WIDTH / 2, y - HEIGHT / 2, WIDTH, HEIGHT, x, y + 5, escape(part)))
    width = max(x for x, _ in places.values()) + WIDTH / 2 + MARGIN
    height = max(y for _, y in places.values()) + HEIGHT / 2 + MARGIN
    with open(path, 'w', encoding='utf-8') as file:
        file.write(SVG.format(width=width, height=height, parts='\n'.join(drawn)))


def read_imports(package):
    """Return what each part of the package imports; a part is a folder, or a module outside of one.

    :rtype: dict of set
    """
    imports = {}
    for directory, _, names in os.walk(package):
        for name in names:
            inside = os.path.relpath(os.path.join(directory, name), package).split(os.sep)
            part = inside[0] if len(inside) > 1 else os.path.splitext(name)[0]
            # A package imports nothing, whatever it shows to type checkers.
            if not name.endswith('.py') or name == '__init__.py':
                continue
            with open(os.path.join(directory, name), 'rb') as file:
                tree = ast.parse(file.read())
            found = imports.setdefault(part, set())
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module.split('.')[0] == PACKAGE:
                    inside = node.module.split('.')[1:]
                    found.update(inside[:1] or [alias.name for alias in node.names])
            found.discard(part)
    return imports


def reduce(imports):
    """Return the imports without those that follow from others."""
    below = {}

    def everything_below(part):
        if part not in below:
            below[part] = set(imports[part]).union(*map(everything_below, imports[part]))
        return below[part]
    return {part: {other for other in others
                   if not any(other in everything_below(third) for third in others)}
            for part, others in imports.items()}


def arrange(imports):
    """Return the center of each part: one floor, of some rows, for each step from the lowest."""
    floors = {}

    def floor_of(part):
        if part not in floors:
            floors[part] = 1 + max(map(floor_of, imports[part])) if imports[part] else 0
        return floors[part]
    places, y = {}, MARGIN + HEIGHT / 2
    for floor in range(max(map(floor_of, imports)), -1, -1):
        parts = sorted(part for part in imports if floors[part] == floor)
        for first in range(0, len(parts), WIDEST):
            row = parts[first:first + WIDEST]
            start = MARGIN + (WIDEST - len(row)) * (WIDTH + GAP) / 2 + WIDTH / 2
            for place, part in enumerate(row):
                places[part] = (start + place * (WIDTH + GAP), y)
            y += ROW
        y += STEP - ROW
    return places
