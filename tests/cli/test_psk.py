"""``rserpool psk add``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.psk import keyfile
from tests.cli.command import run, values


class Adding(SynchronousTestCase):
    """A registrar's key file, and those of elements."""

    def setUp(self):
        """One identity is there."""
        self.file, self.to = os.path.abspath(self.mktemp()), os.path.abspath(self.mktemp())
        keyfile.add(self.file, "web-1", b"k" * 32)

    def identities(self, path):
        """Who is in a file."""
        return [key.identity for key in keyfile.read(path).keys]

    def refused(self, *words):
        """Run it; nothing has changed, and why is returned."""
        done = run("psk", "add", *words)
        self.assertEqual((done.status, done.out), (2, ""))
        self.assertEqual(self.identities(self.file), ["web-1"])
        return done.err

    def test_both(self):
        """--to has the same key, without its restrictions."""
        values("psk", "add", self.file, "web-2", "--pool", "web", "--to", self.to)
        [copy] = keyfile.read(self.to).keys
        there = keyfile.read(self.file).keys[1]
        self.assertEqual((copy.identity, copy.secret), ("web-2", there.secret))
        self.assertEqual(there.restrictions.pools, frozenset({b"web"}))

    def test_identity(self):
        """What can't be an identity is told as such, and not as a fault of the key."""
        for identity in ("we:b", " web", "#web", "anonymous"):
            self.assertIn(f"identity {identity!r}", self.refused(self.file, identity))

    def test_no_copy(self):
        """When the element's file can't be written, the registrar's has no key for it."""
        self.assertIn("/nowhere", self.refused(self.file, "web-2", "--to", "/nowhere/web-2"))
        keyfile.add(self.to, "web-2", b"m" * 32)
        self.assertIn("already", self.refused(self.file, "web-2", "--to", self.to))
        self.assertEqual(self.identities(self.to), ["web-2"])

    def test_no_original(self):
        """When the registrar's can't be, the element's has no key that nobody knows."""
        self.assertIn("already", self.refused(self.file, "web-1", "--to", self.to))
        self.assertFalse(os.path.exists(self.to))
        keyfile.add(self.to, "other", b"m" * 32)
        self.refused(self.file, "web-1", "--to", self.to)
        self.assertEqual(self.identities(self.to), ["other"])

    def test_itself(self):
        """The element's file is another than the registrar's."""
        self.assertIn("--to", self.refused(self.file, "web-2", "--to", self.file))

    def test_pool(self):
        """A handle that would be read otherwise than it was given is refused."""
        for pool in ("a;b", " a", "a "):
            self.assertIn("--pool", self.refused(self.file, "web-2", "--pool", pool))

    def test_over(self):
        """A key that is over before it begins to be used is a slip."""
        words = self.refused(self.file, "web-2", "--not-after", "2020-01-01")
        self.assertIn("over already", words)
