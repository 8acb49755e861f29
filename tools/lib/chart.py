# SPDX-License-Identifier: Apache-2.0
"""Draw a bar chart with a logarithmic scale, as SVG; narrow, so that a phone shows it legibly."""

import math
from xml.sax.saxutils import escape

WIDTH = 460
LEFT = 16
RIGHT = 70
BAR = 14
LABEL = 22
GAP = 12
LINE = 20
HEAD = 66
FONT = "font-family='Helvetica, Arial, sans-serif'"
UNITS = [(1e-6, 'us'), (1e-3, 'ms'), (1, 's')]


def bars(title, legend, groups, colors):
    """Return the chart as text.

    :param legend: list of (text, color)
    :param groups: list of (label, list of (subject, seconds, seconds in words))
    :param colors: dictionary of the color of each subject
    """
    seconds = [value for _, entries in groups for _, value, _ in entries]
    scale = Scale(min(seconds), max(seconds))
    start = HEAD + len(legend) * LINE
    drawn, top = [], start
    for label, entries in groups:
        drawn.append(text(LEFT, top + 15, label, 15))
        top += LABEL
        for subject, value, words in entries:
            x = scale.x(value)
            drawn.append(
                f"<rect x='{LEFT}' y='{top:.0f}' width='{x - LEFT:.1f}' "
                f"height='{BAR - 2}' fill='{colors[subject]}'/>"
            )
            drawn.append(text(x + 4, top + BAR - 3, words, 13, fill='#555'))
            top += BAR
        top += GAP
    ticks = [tick(scale.x(value), start, top, words) for value, words in scale.ticks()]
    head = [
        text(LEFT, 24, title, 15),
        text(LEFT, 44, 'seconds, on a logarithmic scale', 13, fill='#777'),
    ]
    return '\n'.join([frame(top + 24)] + head + keys(legend) + ticks + drawn + ['</svg>']) + '\n'


class Scale:
    """A logarithmic scale of seconds, with a whole power of ten at each end."""

    def __init__(self, least, most):
        self._first = math.floor(math.log10(least))
        self._last = math.ceil(math.log10(most))

    def x(self, seconds):
        """Return the x coordinate of a number of seconds."""
        share = (math.log10(seconds) - self._first) / (self._last - self._first)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def ticks(self):
        """Return (seconds, text) for each power of ten."""
        return [
            (10.0**power, in_words(10.0**power)) for power in range(self._first, self._last + 1)
        ]


def in_words(seconds):
    """Return a number of seconds, a power of ten, as text."""
    factor, unit = [(factor, unit) for factor, unit in UNITS if seconds >= factor * 0.99][-1]
    return f'{seconds / factor:.0f} {unit}'


def frame(height):
    """Return the beginning of the drawing."""
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height:.0f}' "
        f"viewBox='0 0 {WIDTH} {height:.0f}' {FONT}>\n"
        f"<rect width='{WIDTH}' height='{height:.0f}' fill='#fff'/>"
    )


def keys(legend):
    """Return the legend of the colors."""
    drawn = []
    for number, (words, color) in enumerate(legend):
        y = HEAD - 10 + number * LINE
        drawn.append(f"<rect x='{LEFT}' y='{y}' width='12' height='12' fill='{color}'/>")
        drawn.append(text(LEFT + 20, y + 11, words, 14))
    return drawn


def tick(x, top, bottom, words):
    """Return a line of the scale with its label."""
    return (
        f"<line x1='{x:.1f}' y1='{top}' x2='{x:.1f}' y2='{bottom:.0f}' stroke='#e4e4e4'/>\n"
        + text(x, bottom + 16, words, 12, 'middle', '#777')
    )


def text(x, y, words, size, anchor='start', fill='#333'):
    """Return a line of text."""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' text-anchor='{anchor}' "
        f"fill='{fill}'>{escape(words)}</text>"
    )
