# SPDX-License-Identifier: Apache-2.0
"""Draw a bar chart with a logarithmic scale, as SVG."""

import math
from xml.sax.saxutils import escape

WIDTH = 860
LABELS = 230
RIGHT = 76
BAR = 9
GAP = 10
TOP = 92
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
    drawn, top = [], TOP
    for label, entries in groups:
        height = len(entries) * BAR
        drawn.append(text(LABELS - 10, top + height / 2 + 4, label, 12, 'end'))
        for number, (subject, value, words) in enumerate(entries):
            y, x = top + number * BAR, scale.x(value)
            drawn.append(
                f"<rect x='{LABELS}' y='{y:.0f}' width='{x - LABELS:.1f}' "
                f"height='{BAR - 1.5}' fill='{colors[subject]}'/>"
            )
            drawn.append(text(x + 4, y + BAR - 1.5, words, 8.5, 'start', '#555'))
        top += height + GAP
    ticks = [tick(scale.x(value), top, words) for value, words in scale.ticks()]
    head = [
        text(16, 26, title, 15),
        text(16, 44, 'seconds, on a logarithmic scale', 11, fill='#777'),
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
        return LABELS + share * (WIDTH - LABELS - RIGHT)

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
    drawn, x = [], 16
    for words, color in legend:
        drawn.append(f"<rect x='{x:.0f}' y='58' width='11' height='11' fill='{color}'/>")
        drawn.append(text(x + 16, 68, words, 11))
        x += 40 + 5.9 * len(words)
    return drawn


def tick(x, bottom, words):
    """Return a line of the scale with its label."""
    return (
        f"<line x1='{x:.1f}' y1='{TOP - 8}' x2='{x:.1f}' y2='{bottom:.0f}' stroke='#e4e4e4'/>\n"
        + text(x, bottom + 14, words, 10, 'middle', '#777')
    )


def text(x, y, words, size, anchor='start', fill='#333'):
    """Return a line of text."""
    return (
        f"<text x='{x:.1f}' y='{y:.1f}' font-size='{size}' text-anchor='{anchor}' "
        f"fill='{fill}'>{escape(words)}</text>"
    )
