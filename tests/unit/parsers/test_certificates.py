# SPDX-License-Identifier: Apache-2.0
"""parsers/certificates.py: lists of certificates, and one of them."""
import pytest

from haproxyadmin.exceptions import CommandFailed
from haproxyadmin.parsers.certificates import parse_certificate, parse_list
from haproxyadmin.parsers.lines import split_lines
from haproxyadmin.protocol import replies
from haproxyadmin.testing.texts import raw

# Of HAProxy 2.2.9, and of 3.2.26.
OLD = """\
Filename: /etc/haproxy/www.pem
Status: Used
Serial: 1000
notBefore: Nov 24 19:08:31 2026 GMT
Subject Alternative Name: DNS:site1.test, DNS:alt1.test
Subject: /CN=site1.test
Chain Subject: /C=FR/O=Facts/CN=Facts CA
Chain Issuer: /C=FR/O=Facts/CN=Facts CA

"""
NEW = """\
Filename: /etc/haproxy/www.pem
Crt filename: /etc/haproxy/www.pem
Status: Used
Serial: 1001
Subject: /CN=a: b
Chain Subject: /CN=one
Chain Issuer: /CN=two
Chain Subject: /CN=two
Chain Issuer: /CN=three
OCSP Response Key: 

"""  # noqa: W291


def lines_of(reply):
    return split_lines(raw(reply))


@pytest.mark.parametrize('reply, names', [
    ('# filename\n/a.pem\n/b c.pem\n\n', ['/a.pem', '/b c.pem']),
    ('# transaction\n*/a.pem\n# filename\n/a.pem\n\n', ['/a.pem']),
    ('# transaction\n*/a.pem\n\n', []), ('# filename\n\n', []),
    # Without any certificate.
    ('\n', []),
])
def test_the_names_of_certificates(reply, names):
    assert parse_list(lines_of(reply)).names == names


def test_what_haproxy_says_about_one():
    assert parse_certificate(lines_of(OLD)) == [
        ('Filename', '/etc/haproxy/www.pem'), ('Status', 'Used'), ('Serial', '1000'),
        ('notBefore', 'Nov 24 19:08:31 2026 GMT'),
        ('Subject Alternative Name', 'DNS:site1.test, DNS:alt1.test'),
        ('Subject', '/CN=site1.test'), ('Chain Subject', '/C=FR/O=Facts/CN=Facts CA'),
        ('Chain Issuer', '/C=FR/O=Facts/CN=Facts CA')]
    assert parse_certificate(lines_of(NEW)) == [
        ('Filename', '/etc/haproxy/www.pem'), ('Crt filename', '/etc/haproxy/www.pem'),
        ('Status', 'Used'), ('Serial', '1001'), ('Subject', '/CN=a: b'),
        ('Chain Subject', '/CN=one'), ('Chain Issuer', '/CN=two'),
        ('Chain Subject', '/CN=two'), ('Chain Issuer', '/CN=three'), ('OCSP Response Key', '')]


@pytest.mark.parametrize('parse', [parse_list, parse_certificate])
@pytest.mark.parametrize('reply, error', [
    ("Can't allocate memory!\n\n", CommandFailed),
    ('Unknown command. Please enter one of the following commands only :\n\n', CommandFailed),
    ('0x55d key\n\n', replies.Malformed), ('# pxname,svname\n\n', replies.Malformed)])
def test_a_refusal_is_an_error(parse, reply, error):
    """[errors are not data]"""
    with pytest.raises(error):
        parse(lines_of(reply))


def test_a_certificate_that_is_not_there():
    line = "Can't display the certificate: Not found or the certificate is a bundle!"
    assert replies.is_unknown_file(line)
    with pytest.raises(CommandFailed):
        parse_certificate([line])
    with pytest.raises(CommandFailed):
        parse_certificate([])
