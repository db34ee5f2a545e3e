"""Files changed at once."""

import contextlib
import os
import stat
import subprocess
import sys
import time
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security import atomic
from rserpool.security.psk import keyfile

_CHANGE_FOR_EVER = """
import sys
from rserpool.security.psk import keyfile
print("begun", flush=True)
while True:
    keyfile.add(sys.argv[1], "more", b"m" * 32)
    keyfile.remove(sys.argv[1], "more")
"""


class Replace(SynchronousTestCase):
    """Putting new content in the place of a file."""

    def setUp(self) -> None:
        """Make a directory."""
        self.directory = self.mktemp()
        os.mkdir(self.directory)
        self.path = os.path.join(self.directory, "keys")

    def content(self) -> bytes:
        """Return what the file has."""
        with open(self.path, "rb") as file:
            return file.read()

    def test_mode(self) -> None:
        """The file has the mode that was wanted, whatever it had before."""
        with open(self.path, "wb"):
            os.chmod(self.path, 0o644)
        atomic.replace(self.path, b"new", 0o600)
        self.assertEqual(self.content(), b"new")
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)

    def test_failure_changes_nothing(self) -> None:
        """When writing fails the old file stays, and nothing is left beside it."""
        atomic.replace(self.path, b"old", 0o600)
        with mock.patch("os.fsync", side_effect=OSError("full")):
            self.assertRaises(OSError, atomic.replace, self.path, b"new", 0o600)
        self.assertEqual(self.content(), b"old")
        self.assertEqual(os.listdir(self.directory), ["keys"])

    def test_killed(self) -> None:
        """Whoever is killed while changing a key file leaves it whole: as before, or after."""
        path = os.path.abspath(self.path)
        for number in range(200):
            keyfile.add(path, f"web-{number}", os.urandom(32))
        for delay in (0.0, 0.003, 0.007, 0.012, 0.02):
            with subprocess.Popen(
                [sys.executable, "-c", _CHANGE_FOR_EVER, path], stdout=subprocess.PIPE
            ) as changing:
                assert changing.stdout is not None
                changing.stdout.readline()
                time.sleep(delay)
                changing.kill()
            names = [key.identity for key in keyfile.read(path).keys]
            self.assertEqual(tuple(name for name in names if name != "more"), self.all_of_them)
            with contextlib.suppress(KeyError):
                keyfile.remove(path, "more")

    all_of_them = tuple(f"web-{number}" for number in range(200))

    def test_link(self) -> None:
        """A link stays one: what it points to is replaced."""
        link = os.path.join(self.directory, "link")
        os.symlink("keys", link)
        atomic.replace(link, b"new", 0o600)
        self.assertEqual(self.content(), b"new")
        self.assertTrue(os.path.islink(link))

    def test_owner(self) -> None:
        """The owner is kept, so that root's change leaves the daemon's file readable to it."""
        atomic.replace(self.path, b"old", 0o600)
        before = os.stat(self.path)
        with mock.patch("os.stat") as looked, mock.patch("os.fchown") as owned:
            looked.return_value = mock.Mock(st_uid=before.st_uid + 1, st_gid=before.st_gid)
            atomic.replace(self.path, b"new", 0o600)
        self.assertEqual(owned.call_args[0][1:], (before.st_uid + 1, before.st_gid))

    def test_exclusively(self) -> None:
        """While one changes files of a directory, another can't begin to."""
        import fcntl

        with atomic.exclusively(self.path):
            descriptor = os.open(self.directory, os.O_RDONLY)
            self.addCleanup(os.close, descriptor)
            self.assertRaises(
                BlockingIOError, fcntl.flock, descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB
            )
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
