"""The file of a pool's cookie keys."""

import os
import stat
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security import cookie_keys
from rserpool.security.cookies import SKEW, CookieKeyring, UnknownKey
from rserpool.security.psk.keyfile import KeyFileError

NOW, LIFE, DELAY = 1_800_000_000.0, 600.0, 60.0


class Case(SynchronousTestCase):
    """A file."""

    def setUp(self):
        """It is made."""
        self.path = self.mktemp()
        cookie_keys.make(self.path)

    def ring(self):
        """A keyring of what it has now."""
        return CookieKeyring(cookie_keys.read(self.path), life=LIFE, clock=lambda: NOW)

    def rotate(self, now):
        """Rotate it."""
        return cookie_keys.rotate(self.path, now, life=LIFE, delay=DELAY)


class Making(Case):
    """Making and reading."""

    def test_made(self):
        """It has one key, is its owner's alone, and never two files are alike."""
        [key] = cookie_keys.read(self.path)
        self.assertEqual(key.number, 1)
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        other = self.mktemp()
        cookie_keys.make(other)
        self.assertNotEqual(cookie_keys.read(other)[0].secret, key.secret)

    def test_not_twice(self):
        """A file that is there isn't made again."""
        before = cookie_keys.read(self.path)
        self.assertRaises(FileExistsError, cookie_keys.make, self.path)
        self.assertEqual(cookie_keys.read(self.path), before)

    def test_too_open(self):
        """One that others may read is refused."""
        os.chmod(self.path, 0o640)
        with self.assertRaises(KeyFileError) as caught:
            cookie_keys.read(self.path)
        self.assertIn("chmod 600", str(caught.exception))

    def test_not_for_cookies(self):
        """A file of elements' keys, one with a short key or without any is refused."""
        for text in (f"web-1:{'ab' * 32}\n", f"cookie:{'ab' * 16}\n", "# nothing\n",
                     f"cookie:{'ab' * 32}\ncookie~1:{'cd' * 32}\n"):  # fmt: skip
            path = self.mktemp()
            with open(path, "w") as file:
                file.write(text)
            os.chmod(path, 0o600)
            with self.assertRaises(KeyFileError) as caught:
                cookie_keys.read(path)
            self.assertIn(path, str(caught.exception))
            self.assertNotIn("abab", str(caught.exception))


class Rotating(Case):
    """A new key."""

    def test_no_gap(self):
        """While elements change from the old file to the new, each reads all cookies."""
        old = self.ring()
        self.assertEqual(self.rotate(NOW), 2)
        new = self.ring()
        for now in (NOW, NOW + DELAY - 1):
            self.assertEqual(old.open(b"web", new.seal(b"web", b"x", now), now), b"x")
            self.assertEqual(new.open(b"web", old.seal(b"web", b"x", now), now), b"x")
        later = NOW + DELAY + 1
        cookie = new.seal(b"web", b"x", later)
        self.assertRaises(UnknownKey, old.open, b"web", cookie, later)
        last = old.seal(b"web", b"x", NOW + DELAY)
        self.assertEqual(new.open(b"web", last, NOW + DELAY + LIFE - 1), b"x")

    def test_out(self):
        """The key before ends with the last cookie that it sealed, and then leaves the file."""
        cookie = self.ring().seal(b"web", b"x")
        self.rotate(NOW)
        end = NOW + DELAY + LIFE + SKEW
        [old, new] = cookie_keys.read(self.path)
        self.assertEqual((old.not_after, new.not_before), (end, NOW + DELAY))
        self.assertRaises(UnknownKey, self.ring().open, b"web", cookie, end)
        self.assertEqual(self.rotate(end), 3)
        self.assertEqual([key.number for key in cookie_keys.read(self.path)], [2, 3])
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)

    def test_one_at_a_time(self):
        """Before the new key has begun there is no newer one."""
        self.rotate(NOW)
        self.assertRaises(ValueError, self.rotate, NOW + 1)
        self.assertEqual(self.rotate(NOW + DELAY), 3)

    def test_bad_file(self):
        """A file with faults isn't rotated, and stays as it is."""
        with open(self.path, "a") as file:
            file.write("nonsense\n")
        before = Path(self.path).read_text()
        self.assertRaises(ValueError, self.rotate, NOW)
        self.assertEqual(Path(self.path).read_text(), before)
