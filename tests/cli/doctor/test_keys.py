"""Looking at key files."""

import os
from datetime import UTC, datetime, timedelta

from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.doctor import keys
from rserpool.cli.doctor.finding import Severity
from rserpool.cli.usage import REMEMBERED, Status
from rserpool.security.psk import keyfile


def status(*uses):
    """A registrar that tells of these identities, and how many connections each has."""
    return Status("http://r/status.json", {"credentials": [
        {"identity": name, "proof": "psk", "open": count, "last": "2027"}
        for name, count in uses
    ]})  # fmt: skip


def day(days):
    """A time, so many days from now."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")


class Looking(SynchronousTestCase):
    """At files of the test."""

    def setUp(self):
        """None has a key yet."""
        self.file = os.path.abspath(self.mktemp())

    def add(self, identity, secret=None, options="", file=None):
        """Add a key."""
        keyfile.add(file or self.file, identity, secret or os.urandom(32), options)

    def found(self, *statuses, files=()):
        """What is found: its check and where it is."""
        held, wrong = keys.read([self.file, *files])
        self.assertEqual(wrong, [])
        return list(keys.look(held, statuses))

    def one(self, *statuses):
        """The only thing that is found."""
        [finding] = self.found(*statuses)
        return finding

    def test_well(self):
        """Of a good key that is used there is nothing to tell."""
        self.add("web-1")
        self.assertEqual(self.found(status(("web-1", 1))), [])
        self.assertEqual(self.found(), [])

    def test_weak(self):
        """A key under 32 octets is weak; what to do is said, and the key isn't."""
        self.add("web-1")
        self.add("web-2", b"\xab" * 16)
        finding = self.one()
        self.assertEqual((finding.check, finding.severity), ("key-weak", Severity.WARNING))
        self.assertEqual(finding.where, f"{self.file}:2")
        self.assertIn("128 bits", finding.what)
        self.assertIn("rotate", finding.do)
        self.assertNotIn("abab", repr(finding))

    def test_life(self):
        """Keys that are over, will be, or aren't good yet, each in its way."""
        self.add("over", options=f"not-after={day(-1)}")
        self.add("soon", options=f"not-after={day(29)}")
        self.add("late", options=f"not-after={day(31)}")
        self.add("coming", options=f"not-before={day(1)}")
        self.assertEqual(
            [(f.check, f.where.rpartition(":")[2], f.wrong) for f in self.found()],
            [("key-over", "1", True), ("key-ends", "2", True), ("key-not-yet", "4", False)],
        )

    def test_shared(self):
        """One key for two is told of, across files as well; a copy of the same line isn't."""
        other = os.path.abspath(self.mktemp())
        secret = os.urandom(32)
        self.add("web-1", secret)
        self.add("web-1", secret, file=other)
        self.assertEqual(self.found(files=[other]), [])
        self.add("web-2", secret, file=other)
        [finding] = self.found(files=[other])
        self.assertEqual((finding.check, finding.where), ("key-shared", f"{other}:2"))
        self.assertIn(f"{self.file}:1", finding.what)

    def test_unused(self):
        """A key that no registrar knows of is worth a note, unless one may have forgotten."""
        self.add("web-1")
        finding = self.one(status(), status(("web-2", 1)))
        self.assertEqual((finding.check, finding.wrong), ("key-unused", False))
        self.assertEqual(self.found(status(), status(("web-1", 0))), [])
        many = status(*((f"x{n}", 0) for n in range(REMEMBERED)))
        self.assertEqual(self.found(status(), many), [])

    def test_generations(self):
        """Two generations are a rotation, more are too many."""
        self.add("web-1")
        self.add("web-1~2")
        self.assertEqual((self.one().check, self.one().wrong), ("key-rotating", False))
        self.add("web-1~3")
        self.assertEqual((self.one().check, self.one().wrong), ("key-generations", True))

    def test_file(self):
        """Files that can't be read, or are open to others, are found with what is wrong."""
        self.add("web-1")
        os.chmod(self.file, 0o644)
        held, [finding, other] = keys.read([self.file, "/nonexistent"])
        self.assertEqual(held, [])
        self.assertIn("chmod 600", finding.what)
        self.assertIn("No such file", other.what)

    def test_to_try(self):
        """A listener is tried with a key that is used, and never with our own."""
        self.add("over", options=f"not-after={day(-1)}")
        for name in ("r1@r2", "r2@r1", "r3@r1"):
            self.add(name)
        held, _ = keys.read([self.file])
        self.assertEqual(keys.to_try(held, [], "r1").key.identity, "r2@r1")
        used = status(("r3@r1", 1), ("r2@r1", 0))
        self.assertEqual(keys.to_try(held, [used], "r1").key.identity, "r3@r1")
        self.assertEqual(keys.to_try(held, [], None).key.identity, "r1@r2")
        self.assertIsNone(keys.to_try([], [], None))
