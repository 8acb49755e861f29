# SPDX-License-Identifier: Apache-2.0
"""Find out what the code blocks of the documentation are, so that each is highlighted for it.

A block of ``::``, in a page, a docstring or README.rst, is a console session, a Python program,
shell commands, HAProxy's configuration or JSON. What looks like none of them needs a directive
such as ``.. code-block:: text``: it is a warning, with which tools/docs fails.
"""
import ast
import json
import re

from docutils import nodes
from pygments import token
from pygments.lexer import RegexLexer, bygroups
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

LOG = logging.getLogger(__name__)

SECTIONS = ('backend', 'cache', 'crt-store', 'defaults', 'frontend', 'global', 'listen', 'mailers',
            'peers', 'program', 'resolvers', 'ring', 'userlist')
SETTINGS = ('bind', 'cli', 'server', 'server-state-file', 'server-template', 'stats',
            'load-server-state-from-file')
COMMANDS = re.compile(r"""
    (sudo\ )? (acme.sh|apt|apt-get|cat|cd|certbot|chmod|cp|dpkg-buildpackage|echo|export|git|
    haproxy|install|ls|mkdir|openssl|pip|pip3|pytest|python|python3|rpmbuild|socat|ssh|systemctl|
    twine|usermod|virtualenv) (\ |$) |
    \.ci/ | tools/ | [A-Z_]+=\S*\ \S | ([*\d/,-]+\ +){5}""", re.VERBOSE)
# What HAProxy or an exception says: "NAME: TEXT".
MESSAGE = re.compile(r'[\w.]+: \S')


class HAProxyLexer(RegexLexer):
    """HAProxy's configuration: sections, keywords, text in quotes, variables and comments."""

    name = 'HAProxy'
    aliases = ['haproxy']
    tokens = {
        'root': [
            (r'\s+', token.Whitespace),
            (r'#.*', token.Comment.Single),
            (r'^({0})\b([^\n#]*)'.format('|'.join(SECTIONS)),
             bygroups(token.Keyword.Namespace, token.Name.Class)),
            (r'(?<=\n)([ \t]+)([\w.-]+)', bygroups(token.Whitespace, token.Keyword), 'words'),
            (r'[\w.-]+', token.Keyword, 'words'),
            (r'.', token.Text),
        ],
        'words': [
            (r'(?=\n)', token.Whitespace, '#pop'),
            (r'[ \t]+', token.Whitespace),
            (r'#.*', token.Comment.Single),
            (r'"(\\.|[^"\\\n])*"|\'[^\'\n]*\'', token.String),
            (r'%?\[[^\]\n]*\]', token.Name.Variable),
            (r'\d[\w.]*(?=\s|$)', token.Number),
            (r'[^\s#"\'%\[]+|.', token.Text),
        ],
    }


class BlockLanguages(SphinxTransform):
    """Set the language of each block that does not have one."""

    default_priority = 450

    def apply(self, **kwargs):
        """Go through the blocks of a page."""
        for node in self.document.findall(nodes.literal_block):
            # Parsed literals contain markup, and are shown as they are.
            if 'language' in node or node.rawsource != node.astext():
                continue
            node['language'] = language_of(node.astext())
            if not node['language']:
                node['language'] = 'text'
                LOG.warning('nothing says what this block is; use ".. code-block:: LANGUAGE":\n%s',
                            node.astext(), location=node)


def language_of(text):
    """Return the language of a block, or None."""
    lines = [line for line in text.split('\n') if line.strip() and not line.startswith('#')]
    first = (lines or text.split('\n'))[0]
    word = first.split(' ')[0]
    if first.startswith('>>> '):
        return 'pycon'
    if first.startswith('$ '):
        return 'console'
    if word in SECTIONS or first.split()[0] in SETTINGS:
        return 'haproxy'
    if is_python(text):
        return 'python'
    if COMMANDS.match(first):
        return 'sh'
    if MESSAGE.match(first):
        return 'text'
    return 'json' if first[0] in '[{' and is_json(text) else None


def is_python(text):
    """Return whether a block is a program: a word or a sentence is none."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return False
    return any(isinstance(node, (ast.Call, ast.Import, ast.ImportFrom, ast.Assign))
               for node in ast.walk(tree))


def is_json(text):
    """Return whether a block is JSON."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def setup(app):
    """Extend Sphinx."""
    app.add_lexer('haproxy', HAProxyLexer)
    app.add_transform(BlockLanguages)
    return {'parallel_read_safe': True}
