# SPDX-License-Identifier: Apache-2.0
"""A private key that was made is found in a text."""
import random

import pytest

from tests.support import certificates

CHARACTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/'


@pytest.fixture
def key(monkeypatch):
    """The text of a key, whose secret is the second half."""
    for name in ('_PARTS', '_HALVES'):
        monkeypatch.setattr(certificates, name, set())
    chance = random.Random(1)
    body = ''.join(chance.choice(CHARACTERS) for _ in range(800))
    certificates.remember(
        '-----BEGIN RSA PRIVATE KEY-----\n' + body + '\n-----END RSA PRIVATE KEY-----\n')
    return body


def test_a_part_of_a_key_is_found_wherever_it_is(key):
    for place in range(400, len(key) - 24):
        part = key[place:place + 24]
        for before in ('', '<', 'z' * (place % 13)):
            for after in ('!', 'b' * 30):
                found = certificates.leaked('a' + before + part + after)
                assert found and found in key


def test_what_is_no_part_of_one_is_not(key):
    assert certificates.leaked('z' * 16000) is None
    assert certificates.leaked(key[:400]) is None
    assert certificates.leaked(key[500:523] + '!' + key[523:540]) is None
    assert certificates.leaked('-----BEGIN PRIVATE KEY-----') == 'PRIVATE KEY'
