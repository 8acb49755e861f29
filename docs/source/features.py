# SPDX-License-Identifier: Apache-2.0
"""Write what each version of HAProxy can do, as tables, from the one that the library uses."""
import csv
import os

from haproxyadmin.protocol import versions


def write(directory):
    """Write the tables.

    :param directory: where the CSV files are written.
    """
    for name, rows in [('features', features()), ('dangers', dangers())]:
        path = os.path.join(directory, name + '.csv')
        with open(path, 'w', newline='', encoding='utf-8') as table:
            csv.writer(table).writerows(rows)


def features():
    """Return what there is and since when, in the order of the versions."""
    found = [(feature.since, feature.shown, versions.format_version(feature.since))
             for feature in members(versions.Feature) if feature.shown]
    found += [((0,), name + ' in text', since(ranges)) for _, name, ranges in versions.UNSENDABLE]
    return [(shown, when) for _, shown, when in sorted(found)]


def dangers():
    """Return what is refused, and in which versions, in the order of the versions."""
    found = sorted((danger.ranges, danger.shown) for danger in members(versions.Danger))
    return [(shown, in_words(ranges)) for ranges, shown in found]


def members(kind):
    """Return all features, or all dangers."""
    return [value for value in vars(versions).values() if isinstance(value, kind)]


def since(ranges):
    """Return the versions that are in none of some ranges."""
    ends = [end for first, end in ranges if first == versions.FROM_THE_FIRST]
    gaps = [pair for pair in ranges if pair[0] != versions.FROM_THE_FIRST]
    start = versions.format_version(ends[0]) if ends else ''
    if not gaps:
        return start
    without = ', '.join('{0} to {1}'.format(*map(versions.format_version, (first, before(end))))
                        for first, end in gaps)
    return 'all {0}but {1}'.format('from {0} on '.format(start) if start else '', without)


def before(version):
    """Return the version before one, as HAProxy numbers them: 1.9 is before 2.0."""
    return version[:-1] + (version[-1] - 1,) if version[-1] else (version[0] - 1, 9)


def in_words(ranges):
    """Return ranges as text; the end of each is the first version that is not in it."""
    return ', '.join('{0} until {1}'.format(*map(versions.format_version, pair))
                     for pair in ranges)
