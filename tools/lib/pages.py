# SPDX-License-Identifier: Apache-2.0
"""Check that no id is twice on a page, and in a browser that no page is wider than the screen.

Chromium opens one page, which loads all others into frames of the width of a screen, and sends
back which are too wide. Frames, because no window of Chromium is as narrow as a phone.
"""

import collections
import contextlib
import functools
import html.parser
import http.server
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import time

WIDTHS = (390, 1280)
BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')
OPTIONS = (
    '--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking '
    '--disable-component-update --disable-sync --disable-extensions --disable-dev-shm-usage '
    '--hide-scrollbars'
).split()
# A browser that has not answered after so many seconds does not answer any more.
PATIENCE = 300

# An element is too wide if it or its text ends beyond the right edge, unless it is in a box of the
# article that scrolls by itself. The article is in such a box, too, so that the width of the page
# says little.
CHECK = """<!DOCTYPE html><meta charset="utf-8"><body><script>
const pages = %s, widths = %s;

function scrolls(element, view) {
    for (let box = element.parentElement; box && box.closest('article'); box = box.parentElement)
        if (/auto|scroll|hidden/.test(view.getComputedStyle(box).overflowX)) return true;
    return false;
}

function tooWide(frame) {
    const view = frame.contentWindow;
    return [...frame.contentDocument.querySelectorAll('body *')].filter(element => {
        const box = element.getBoundingClientRect();
        const inside = view.getComputedStyle(element).overflowX == 'visible'
            ? element.scrollWidth : 0;
        return Math.max(box.right, box.left + inside) > view.innerWidth + 1 && box.width > 0
            && !element.closest('.toc-drawer, .sidebar-drawer, svg') && !scrolls(element, view);
    }).map(element => element.cloneNode().outerHTML.slice(0, 120)
        + ' ' + element.textContent.trim().slice(0, 60));
}

function look(page) {
    return new Promise(done => {
        const frame = document.createElement('iframe'), found = [];
        frame.style = 'border: none; height: 900px';
        frame.onload = () => {
            for (const width of widths) {
                frame.style.width = width + 'px';
                const root = frame.contentDocument.documentElement, elements = tooWide(frame);
                if (elements.length || root.scrollWidth > width)
                    found.push([page, width, root.scrollWidth, elements.slice(-3)]);
            }
            frame.remove();
            done(found);
        };
        frame.src = page;
        document.body.append(frame);
    });
}

async function run() {
    const found = [];
    for (const page of pages)
        found.push(await look(page));
    await fetch('/found', {method: 'POST', body: JSON.stringify(found)});
}
run();
</script>"""


class Failed(Exception):
    """The pages could not be checked; the message says why."""


def find_browser():
    """Return the path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def pages_in(directory):
    """Return the paths of the HTML pages, relative to their directory."""
    return sorted(
        os.path.relpath(os.path.join(where, name), directory)
        for where, _, names in os.walk(directory)
        for name in names
        if name.endswith('.html')
    )


def repeated_ids(directory):
    """Return a line of text for each page with elements that have the same id.

    :param directory: the HTML pages
    """
    found = []
    for page in pages_in(directory):
        ids = Ids()
        with open(os.path.join(directory, page), encoding='utf-8') as text:
            ids.feed(text.read())
        repeated = sorted(name for name, count in ids.counts.items() if count > 1)
        if repeated:
            found.append('%s has more than once: %s' % (page, ', '.join(repeated)))
    return found


class Ids(html.parser.HTMLParser):
    """Counts the ids of a page."""

    def __init__(self):
        super().__init__()
        self.counts = collections.Counter()

    def handle_starttag(self, tag, attrs):
        """Count the id of an element."""
        self.counts.update(value for name, value in attrs if name == 'id')


def too_wide(browser, directory):
    """Return a line of text for each page that is too wide, and the number of pages.

    :param browser: the path of a Chromium
    :param directory: the HTML pages
    """
    pages = pages_in(directory)
    answers = queue.Queue()
    handler = functools.partial(Handler, answers, CHECK % (json.dumps(pages), list(WIDTHS)))
    handler = functools.partial(handler, directory=directory)
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            found = answer_of(browser, 'http://127.0.0.1:%d/check' % server.server_port, answers)
        finally:
            server.shutdown()
    if len(found) != len(pages):
        raise Failed('%s looked at %d of the pages' % (browser, len(found)))
    return [
        '%s at %d pixels is %d wide: %s' % (page, width, wide, '; '.join(elements))
        for of_page in found
        for page, width, wide, elements in of_page
    ], len(pages)


def answer_of(browser, address, answers):
    """Have a browser open a page, and return what it sends back."""
    with tempfile.TemporaryDirectory() as profile:
        command = [browser] + OPTIONS + ['--user-data-dir=' + profile, '--remote-debugging-port=0']
        with open(os.path.join(profile, 'log'), 'w+') as log:
            process = subprocess.Popen(command + [address], stdout=log, stderr=log)
            try:
                deadline = time.monotonic() + PATIENCE
                while process.poll() is None and time.monotonic() < deadline:
                    with contextlib.suppress(queue.Empty):
                        return answers.get(timeout=1)
                log.seek(0)
                raise Failed('%s does not answer: %s' % (browser, log.read()[-500:]))
            finally:
                process.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(10)
                process.kill()
                process.wait()


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serve the pages and the one that checks them; accept what it sends back."""

    def __init__(self, answers, check, *args, **kwargs):
        self._answers = answers
        self._check = check.encode()
        super().__init__(*args, **kwargs)

    def do_GET(self):
        """Serve a page."""
        if self.path != '/check':
            super().do_GET()
            return
        self.send_response(200)
        self.send_header('Content-Type', 'text/html')
        self.end_headers()
        self.wfile.write(self._check)

    def do_POST(self):
        """Accept what was found."""
        body = self.rfile.read(int(self.headers['Content-Length']))
        self._answers.put(json.loads(body.decode()))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        """Say nothing."""
