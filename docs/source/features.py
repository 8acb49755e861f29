# SPDX-License-Identifier: Apache-2.0
"""Write the table of what each version of HAProxy can do, from the one that the library uses."""
import csv

from haproxyadmin.protocol import versions

ALWAYS = 'every version'


def write(path):
    """Write the table.

    :param path: the CSV file.
    """
    with open(path, 'w', newline='', encoding='utf-8') as table:
        csv.writer(table).writerows(rows())


def rows():
    """Return what there is and since when, in the order of the versions."""
    found = [(feature.since, feature.shown, versions.format_version(feature.since))
             for feature in members(versions.Feature) if feature.shown]
    found += [((0,), danger.shown, without(danger.ranges)) for danger in members(versions.Danger)]
    found += [((0,), name + ' in text', without(ranges))
              for _, name, ranges in versions.UNSENDABLE]
    return [(shown, since) for _, shown, since in sorted(found)]


def members(kind):
    """Return all features, or all dangers."""
    return [value for value in vars(versions).values() if isinstance(value, kind)]


def without(ranges):
    """Return the versions that are in none of some ranges, in words."""
    gaps = ['from {0} to below {1}'.format(*map(versions.format_version, pair))
            for pair in ranges if pair[0] != versions.FROM_THE_FIRST]
    since = [versions.format_version(end) for first, end in ranges
             if first == versions.FROM_THE_FIRST]
    start = since[0] if since else ALWAYS
    return start + ', except ' + ', '.join(gaps) if gaps else start
