# -*- coding: utf-8 -*-
# SPDX-License-Identifier: Apache-2.0
"""parsers/pem.py: what is in a text of PEM, and what of it is sent."""
import base64
import hashlib
import pickle
import traceback

import pytest

from haproxyadmin.parsers import pem
from haproxyadmin.parsers.ocsp import parse_response
from tests.support.certificates import Authority


def block(label, der):
    """Return a block of PEM."""
    return '-----BEGIN {0}-----\n{1}\n-----END {0}-----\n'.format(
        label, base64.b64encode(der).decode('ascii'))


def der(*content):
    return bytes(bytearray((0x30, len(content)) + content))


LEAF, CHAIN = block('CERTIFICATE', der(2, 1, 1)), block('CERTIFICATE', der(2, 1, 2))
KEY = block('PRIVATE KEY', der(2, 1, 77, 4, 40, *range(40)))
SECRET = KEY.split('\n')[1]
LONG = block('CERTIFICATE', b'\x30\x82\x01\x00' + b'x' * 256)


def texts(content):
    return [line for line in content.decode('ascii').split('\n') if line]


@pytest.mark.parametrize('text, expected, chain', [
    (LEAF + KEY, LEAF + KEY, 0), (LEAF + CHAIN + KEY, LEAF + CHAIN + KEY, 1),
    (KEY + LEAF + CHAIN, KEY + LEAF + CHAIN, 1),
    (LEAF + KEY + KEY, LEAF + KEY, 0),
    (LEAF.replace('\n', '\r\n') + '\r\n\r\n' + KEY, LEAF + KEY, 0),
    ('\n\nshow info\n# a\n' + LEAF + '\n\nx y\n\n' + KEY + '\n\n', LEAF + KEY, 0),
    (LEAF.replace('\n', '\n\n \t\n') + KEY, LEAF + KEY, 0),
    (LEAF.strip() + '\n' + KEY.strip(), LEAF + KEY, 0),
    (LEAF + block('EC PARAMETERS', b'\x06\x05\x2b\x81\x04\x00\x22') + KEY, LEAF + KEY, 0),
    ('-----BEGIN X-----\nnot: base64 !\n-----END X-----\n' + LEAF + KEY, LEAF + KEY, 0),
    (LEAF + KEY + block('DH PARAMETERS', der(2, 1, 3)),
     LEAF + KEY + block('DH PARAMETERS', der(2, 1, 3)), 0),
    (LEAF.replace('CERT', 'X509 CERT') + KEY, LEAF + KEY, 0),
    (LEAF + KEY.replace('PRIVATE', 'EC PRIVATE'), LEAF + KEY.replace('PRIVATE', 'EC PRIVATE'), 0),
])
def test_what_is_sent(text, expected, chain):
    """[PEM] Certificates, parameters and the key, in their order, without anything else."""
    for form in [text, text.encode('ascii')]:
        bundle = pem.parse_bundle(form)
        assert texts(bundle.content) == texts(expected.encode('ascii'))
        assert b'\n\n' not in bundle.content and b'\r' not in bundle.content
        assert bundle.chain == chain
        assert bundle.fingerprint == hashlib.sha1(der(2, 1, 1)).hexdigest().upper()


def test_long_lines_are_wrapped():
    content = pem.parse_bundle(LONG + KEY).content
    assert max(map(len, content.split(b'\n'))) == 64
    assert pem.parse_bundle(content).content == content


REFUSED = [
    ('', 'not PEM'), ('/etc/haproxy/www.pem', 'not PEM'), (u'\xfc', 'not PEM'),
    (None, 'got an object of type NoneType'), (7, 'type int'), ([LEAF], 'type list'),
    (LEAF, 'no private key'), (KEY, 'no certificate'),
    (LEAF + KEY + block('PRIVATE KEY', der(2, 1, 5)), '2 private keys'),
    (LEAF + KEY.replace('PRIV', 'ENCRYPTED PRIV'), 'is encrypted'),
    (LEAF + KEY.replace('KEY-----\n', 'KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES,00\n\n', 1),
     'is encrypted'),
    (LEAF + KEY[:-10], 'block 2 of the PEM has no end'), (LEAF[:40], 'has no end'),
    (LEAF + KEY.replace(SECRET, SECRET[:-8]), 'cut short'),
    (LEAF + KEY.replace(SECRET, SECRET[:-1]), 'not base64'),
    (LEAF + KEY.replace(SECRET, SECRET[:9] + '!' + SECRET[9:]), 'not base64'),
    (LEAF + KEY.replace(SECRET, SECRET[:9] + u'\xfc' + SECRET[9:]), 'not base64'),
    (LEAF + KEY.replace(SECRET, ''), 'cut short'),
    (LEAF + block('PRIVATE KEY', b'abc'), 'no DER'), (LEAF + block('PRIVATE KEY', b'0'), 'no DER'),
    (LEAF + block('PRIVATE KEY', b'\x30\x80'), 'no DER'), (b'\x30\x03\x02\x01\x05', 'this is DER'),
]


@pytest.mark.parametrize('text, message', REFUSED)
def test_what_is_refused(text, message):
    """[PEM; secrets] The exception contains nothing of the text."""
    with pytest.raises(ValueError) as caught:
        pem.parse_bundle(text)
    error = caught.value
    assert message in str(error)
    told = [str(error), repr(error), repr(pickle.dumps(error)), ''.join(
        traceback.format_exception_only(type(error), error))]
    while getattr(error, '__context__', None) is not None:
        error = error.__context__
        told += [str(error), repr(error.args)]
    for text in told:
        assert SECRET[:12] not in text and SECRET[-12:] not in text and 'PRIVATE KEY' not in text


@pytest.mark.skipif(str is bytes, reason='Python 2 encodes it')
def test_a_text_that_cannot_be_encoded():
    """[secrets] The exception of Python contains all of it."""
    with pytest.raises(ValueError) as caught:
        pem.parse_bundle(u'\ud800' + LEAF + KEY)
    assert not isinstance(caught.value, UnicodeError) and caught.value.__context__ is None


def test_a_bundle_does_not_show_its_key():
    """[secrets] Nor does what it is made of."""
    bundle = pem.parse_bundle(LEAF + KEY)
    for text in [repr(bundle), str(bundle), '{0}'.format(bundle), '%s' % (bundle,), repr([bundle]),
                 repr(pem._parse(KEY))]:
        assert SECRET[:12] not in text and 'PRIVATE' not in text.replace("b'PRIVATE KEY'", '').replace(
            "'PRIVATE KEY'", '')


@pytest.mark.parametrize('name', [KEY, KEY.encode('ascii'), [KEY], 'x' + LEAF])
def test_no_name(name):
    """[secrets] A text that is passed as a name is not shown."""
    with pytest.raises(ValueError) as caught:
        pem.check_no_pem(name)
    assert SECRET[:12] not in repr(caught.value)


@pytest.mark.parametrize('name', ['www.pem', b'www.pem', None, 7, u'\xfc', '-----', 'BEGIN'])
def test_names(name):
    assert pem.check_no_pem(name) is None


def test_an_ocsp_response_of_another_certificate(tmpdir):
    """[OCSP] Without the issuer, a commit would fail half-way; another response is not sent."""
    authorities = [Authority(str(tmpdir.mkdir(name))) for name in ('one', 'two')]
    one, same = [authority.issue('www.test') for authority in authorities]
    another = authorities[0].issue('www.test', kind='rsa')
    assert one.serial == same.serial
    response, _ = parse_response(authorities[0].ocsp(one))
    bundle = pem.parse_bundle(one.pem)
    pem.check_ocsp(bundle, response)
    pem.check_ocsp(pem.parse_bundle(one.crt + same.chain + one.chain + one.key), response)
    with pytest.raises(ValueError, match='serial number'):
        pem.check_ocsp(bundle, parse_response(authorities[0].ocsp(another))[0])
    # The other authority has the same name, and another key.
    for text in (one.crt + one.key, one.crt + same.chain + one.key):
        with pytest.raises(ValueError, match='certificate of the issuer'):
            pem.check_ocsp(pem.parse_bundle(text), response)
    with pytest.raises(ValueError, match='certificate of the issuer'):
        pem.check_ocsp(bundle, parse_response(authorities[1].ocsp(same))[0])
