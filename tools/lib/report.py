# SPDX-License-Identifier: Apache-2.0
"""Goals, and the tables in which figures are printed."""

import collections
import sys

Goal = collections.namedtuple('Goal', 'text value limit unit at_most')


def ratio(text, times, ours, floor, limit):
    """Return the goal to be at most ``limit`` times as slow as the floor."""
    return Goal(text, times[ours] / times[floor], limit, '', True)


def verdict(goal):
    """Return whether a goal is met, as text."""
    factor = goal.value / goal.limit if goal.at_most else goal.limit / goal.value
    return 'met' if factor <= 1 else f'missed by a factor of {factor:.2f}'


def goal_rows(goals):
    """Return the table of some goals.

    :type goals: list of :class:`Goal`
    """
    rows = [['goal', 'measured', 'limit', 'result']]
    for goal in goals:
        rows.append(
            [
                goal.text,
                number_in_words(goal.value) + goal.unit,
                ('at most ' if goal.at_most else 'at least ')
                + number_in_words(goal.limit)
                + goal.unit,
                verdict(goal),
            ]
        )
    return rows


def say_table(title, rows):
    """Print a table in the format that the documentation uses."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    rule = '  '.join('=' * width for width in widths)
    print(f'{title}\n')
    for number, row in enumerate(rows):
        if number < 2:
            print(rule)
        print('  '.join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())
    print(rule + '\n')


def seconds_in_words(seconds):
    """Return a time as text, with two or three significant digits."""
    if seconds is None:
        return '-'
    for unit, factor in (('s', 1), ('ms', 1e3)):
        if seconds * factor >= 1:
            return f'{number_in_words(seconds * factor)} {unit}'
    return f'{number_in_words(seconds * 1e6)} us'


def megabytes_in_words(size):
    """Return a number of bytes as text."""
    return '-' if size is None else f'{size / 1e6:.1f} MB'


def times_in_words(above, below):
    """Return a ratio as text."""
    return '-' if above is None or below is None else number_in_words(above / below)


def number_in_words(number):
    """Return a number as text, with three significant digits or as an integer."""
    if abs(number) >= 100:
        return f'{number:,.0f}'
    return f'{number:.3g}'


def progress(text):
    """Print the current step to stderr."""
    if sys.stderr.isatty():
        print(f'\r\033[K{text}', end='', file=sys.stderr, flush=True)
