# SPDX-License-Identifier: Apache-2.0
"""internal/files.py: a file is replaced at once, whatever happens meanwhile."""
import errno
import os
import signal
import stat
import threading

import pytest

from haproxyadmin.internal import files

# The way that is taken where the system has unnamed files, and the other one.
WAYS = ['named'] + (['unnamed'] if files._UNNAMED is not None else [])


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    if request.param == 'named':
        monkeypatch.setattr(files, '_UNNAMED', None)
    return request.param


@pytest.fixture
def path(tmpdir):
    """A file with something in it."""
    target = tmpdir.join('servers.state')
    target.write('old')
    return str(target)


def content(path):
    with open(path, 'rb') as source:
        return source.read()


def others(path):
    """Return what else is in the directory."""
    return [name for name in os.listdir(os.path.dirname(path)) if name != os.path.basename(path)]


@pytest.mark.usefixtures('way')
class TestReplacing(object):

    def test_it_has_the_new_content_and_nothing_else_is_there(self, path):
        files.replace_file(path, [b'a', b'', b'b' * 100000])
        assert content(path) == b'a' + b'b' * 100000
        assert others(path) == []

    def test_a_new_file_has_the_usual_mode(self, tmpdir):
        path = str(tmpdir.join('new'))
        mask = os.umask(0o027)
        try:
            files.replace_file(path, [b'x'])
        finally:
            os.umask(mask)
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o640
        assert content(path) == b'x' and others(path) == []

    @pytest.mark.parametrize('mode', [0o600, 0o640, 0o666, 0o400])
    def test_it_keeps_the_mode(self, path, mode):
        os.chmod(path, mode)
        files.replace_file(path, [b'new'])
        assert stat.S_IMODE(os.stat(path).st_mode) == mode
        assert content(path) == b'new'

    @pytest.mark.skipif(os.geteuid() != 0, reason='only root gives files away')
    def test_it_keeps_the_owner(self, path):
        """[files]"""
        os.chown(path, 65534, 1234)
        os.chmod(path, 0o640)
        files.replace_file(path, [b'new'])
        found = os.stat(path)
        assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (65534, 1234, 0o640)

    def test_an_owner_that_cannot_be_kept_does_not_matter(self, path, monkeypatch):
        asked = []

        def refused(number, owner, group):
            asked.append((owner, group))
            raise OSError(errno.EPERM, 'not permitted')
        monkeypatch.setattr(os, 'fchown', refused)
        real = os.stat

        def other(name):
            found = list(real(name))
            found[4:6] = [65534, 1234]
            return os.stat_result(found)
        monkeypatch.setattr(os, 'stat', other)
        files.replace_file(path, [b'new'])
        monkeypatch.undo()
        assert asked == [(65534, 1234), (-1, 1234)]
        assert content(path) == b'new'

    def test_nobody_else_may_read_it_before_it_has_its_mode(self, path, monkeypatch):
        os.chmod(path, 0o600)
        modes = []
        fchmod = os.fchmod

        def noted(number, mode):
            modes.append(stat.S_IMODE(os.fstat(number).st_mode))
            fchmod(number, mode)
        monkeypatch.setattr(os, 'fchmod', noted)
        files.replace_file(path, [b'new'])
        assert modes == [0o600]

    def test_a_link_stays_a_link(self, path, tmpdir):
        link = str(tmpdir.mkdir('elsewhere').join('link'))
        os.symlink(path, link)
        files.replace_file(link, [b'new'])
        assert os.path.islink(link) and content(path) == b'new'
        assert others(link) == [] and others(path) == ['elsewhere']

    def test_a_link_to_what_is_not_there_yet(self, path, tmpdir):
        link = str(tmpdir.mkdir('elsewhere').join('link'))
        os.symlink('../new', link)
        files.replace_file(link, [b'new'])
        assert os.path.islink(link) and content(str(tmpdir.join('new'))) == b'new'

    def test_a_relative_path(self, path, tmpdir, monkeypatch):
        monkeypatch.chdir(str(tmpdir))
        for name in ('servers.state', './servers.state', '../{0}/servers.state'.format(
                tmpdir.basename)):
            files.replace_file(name, [name.encode('ascii')])
            assert content(path) == name.encode('ascii') and others(path) == []

    def test_a_reader_that_has_it_open_keeps_the_old_one(self, path):
        with open(path, 'rb') as reader:
            files.replace_file(path, [b'new'])
            assert reader.read() == b'old'

    def test_the_longest_name(self, tmpdir):
        path = str(tmpdir.join('n' * 255))
        files.replace_file(path, [b'new'])
        files.replace_file(path, [b'newer'])
        assert content(path) == b'newer' and others(path) == []

    def test_it_is_on_the_disk_before_it_takes_the_place(self, path, monkeypatch):
        """[files]"""
        done = []
        real = {'fsync': os.fsync, 'rename': os.rename}

        def watch(name):
            def watched(*arguments):
                done.append((name, content(path)))
                return real[name](*arguments)
            return watched
        for name in real:
            monkeypatch.setattr(os, name, watch(name))
        files.replace_file(path, [b'new'])
        assert done == [('fsync', b'old'), ('rename', b'old'), ('fsync', b'new')]


@pytest.mark.usefixtures('way')
class TestFailing(object):
    """The old file remains, and nothing else is there."""

    @pytest.mark.parametrize('name', ['fsync', 'rename', 'fchmod'])
    @pytest.mark.parametrize('error', [
        OSError(errno.ENOSPC, 'No space left on device'), KeyboardInterrupt()],
        ids=['full', 'interrupted'])
    def test_the_system_refuses(self, path, monkeypatch, name, error):
        """[files]"""
        def refused(*arguments):
            raise error
        monkeypatch.setattr(os, name, refused)
        with pytest.raises(type(error)):
            files.replace_file(path, [b'new'])
        monkeypatch.undo()
        assert content(path) == b'old' and others(path) == []

    def test_a_full_disk_names_the_file(self, path, monkeypatch):
        def full(number):
            raise OSError(errno.ENOSPC, 'No space left on device')
        monkeypatch.setattr(os, 'fsync', full)
        with pytest.raises(OSError) as caught:
            files.replace_file(path, [b'new'])
        assert caught.value.filename == path and caught.value.errno == errno.ENOSPC

    def test_a_disk_that_is_really_full(self, path, monkeypatch):
        """/dev/full takes nothing."""
        full = os.open('/dev/full', os.O_WRONLY)
        dup = os.dup
        monkeypatch.setattr(os, 'dup', lambda number: dup(full))
        with pytest.raises(EnvironmentError) as caught:
            files.replace_file(path, [b'new'])
        monkeypatch.undo()
        os.close(full)
        assert caught.value.errno == errno.ENOSPC
        assert content(path) == b'old' and others(path) == []

    def test_what_writes_it_fails(self, path):
        def parts():
            yield b'half'
            raise RuntimeError('no more')
        with pytest.raises(RuntimeError):
            files.replace_file(path, parts())
        assert content(path) == b'old' and others(path) == []

    @pytest.mark.parametrize('place', ['missing/x', 'servers.state/x'])
    def test_no_such_directory(self, path, place):
        with pytest.raises(OSError):
            files.replace_file(os.path.join(os.path.dirname(path), place), [b'new'])
        assert others(path) == []

    @pytest.mark.parametrize('place', [
        'missing/../servers.state', 'missing/../new', 'servers.state/../servers.state'])
    def test_a_way_that_the_system_does_not_know(self, path, place):
        """[files] Such a path must not lead anywhere else: the one before ``..`` is no directory."""
        with pytest.raises(OSError) as caught:
            files.replace_file(os.path.join(os.path.dirname(path), place), [b'new'])
        assert caught.value.errno in (errno.ENOENT, errno.ENOTDIR)
        assert content(path) == b'old' and others(path) == []

    def test_a_link_to_such_a_way(self, path, tmpdir):
        link = str(tmpdir.mkdir('elsewhere').join('link'))
        os.symlink('missing/../../servers.state', link)
        with pytest.raises(OSError):
            files.replace_file(link, [b'new'])
        assert content(path) == b'old' and others(link) == []

    def test_a_link_to_itself(self, path, tmpdir):
        link = str(tmpdir.mkdir('elsewhere').join('link'))
        os.symlink('link', link)
        with pytest.raises(OSError) as caught:
            files.replace_file(link, [b'new'])
        assert caught.value.errno == errno.ELOOP and others(link) == []

    def test_not_a_file(self, path, tmpdir):
        pipe = str(tmpdir.join('pipe'))
        os.mkfifo(pipe)
        # Not a file of the system: if this failed, it would be gone.
        for wrong in (pipe, str(tmpdir), str(tmpdir) + os.sep, str(tmpdir.join('none')) + os.sep):
            with pytest.raises(ValueError) as caught:
                files.replace_file(wrong, [b'new'])
            assert 'not a regular file' in str(caught.value)
        assert stat.S_ISFIFO(os.stat(pipe).st_mode)


def killed(path, name, after=0):
    """Replace a file in a process that is killed as it calls a function of os; wait for it."""
    child = os.fork()
    if not child:
        calls = []
        real = getattr(os, name)

        def kill(*arguments, **options):
            if len(calls) == after:
                os.kill(os.getpid(), signal.SIGKILL)
            calls.append(1)
            return real(*arguments, **options)
        setattr(os, name, kill)
        try:
            files.replace_file(path, [b'new' * 100000])
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


class TestKilling(object):

    @pytest.mark.skipif(files._UNNAMED is None, reason='the system has no unnamed files')
    @pytest.mark.parametrize('name', ['fchmod', 'fsync', 'link'])
    def test_no_other_file_is_left(self, path, name):
        killed(path, name)
        assert content(path) == b'old' and others(path) == []

    @pytest.mark.parametrize('name, after', [('fchmod', 0), ('fsync', 0), ('rename', 0)])
    def test_what_is_left_is_used_by_the_next_call(self, path, way, name, after):
        killed(path, name, after)
        assert content(path) == b'old'
        assert others(path) in ([], ['.servers.state.new'])
        files.replace_file(path, [b'newer'])
        assert content(path) == b'newer' and others(path) == []

    def test_afterwards_it_is_there(self, path, way):
        killed(path, 'fsync', after=1)
        assert content(path) == b'new' * 100000 and others(path) == []


def test_many_writers_at_the_same_time(path, way):
    contents = [bytes(bytearray([65 + number])) * 50000 for number in range(8)]

    def write(text):
        for _ in range(10):
            files.replace_file(path, [text[:100], text[100:]])
    threads = [threading.Thread(target=write, args=(text,)) for text in contents]
    for thread in threads:
        thread.start()
    for _ in range(200):
        assert content(path) in contents + [b'old']
    for thread in threads:
        thread.join()
    assert content(path) in contents and others(path) == []


@pytest.mark.parametrize('wrong', ['', b'', 'a\0b', None, 5, ['x']])
def test_what_is_not_a_path(wrong):
    with pytest.raises(ValueError):
        files.check_file_name(wrong)


def test_a_file_that_is_not_there_has_no_content(tmpdir):
    assert files.read_file(str(tmpdir.join('none'))) is None
    with pytest.raises(EnvironmentError):
        files.read_file(str(tmpdir))
