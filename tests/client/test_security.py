"""How a client proves itself, from files."""

import os

from twisted.trial.unittest import SynchronousTestCase

from rserpool.client import Certified, Plain, PreSharedKey
from rserpool.security.certificate import make
from rserpool.security.decisions import Proof

KEY, OTHER = "00" * 32, "11" * 32


class KeyFile(SynchronousTestCase):
    """A key from a key file."""

    def write(self, *lines):
        """Write a key file."""
        path = self.mktemp()
        with open(path, "w") as file:
            file.write("".join(f"{line}\n" for line in lines))
        os.chmod(path, 0o600)
        return path

    def refused(self, identity, *lines):
        """What is said of a file that doesn't do."""
        path = self.write(*lines)
        with self.assertRaises(ValueError) as caught:
            PreSharedKey.from_file(path, identity)
        self.assertIn(path, str(caught.exception))
        return str(caught.exception)

    def test_only_one(self):
        """Of a file with one identity, nobody need say which."""
        security = PreSharedKey.from_file(self.write(f"web-1:{KEY}"), None)
        self.assertEqual((security.identity, security.key), ("web-1", bytes(32)))

    def test_which(self):
        """Of several, it must be said, and they are named."""
        words = self.refused(None, f"web-1:{KEY}", f"web-2:{KEY}")
        self.assertIn("web-1, web-2", words)

    def test_newest(self):
        """The newest generation is taken."""
        path = self.write(f"web-1:{KEY}", f"web-1~10:{OTHER}", f"web-1~9:{KEY}")
        self.assertEqual(PreSharedKey.from_file(path, "web-1").identity, "web-1~10")

    def test_in_force(self):
        """A generation that isn't in force yet, or no longer, isn't taken."""
        path = self.write(
            f"web-1:{KEY};not-after=2001-01-01",
            f"web-1~2:{KEY}",
            f"web-1~3:{KEY};not-before=2999-01-01",
        )
        self.assertEqual(PreSharedKey.from_file(path, "web-1").identity, "web-1~2")

    def test_none_in_force(self):
        """When none is in force, that is said."""
        for end in ("2001-01-01", "1970-01-01T00:00:00Z"):
            words = self.refused("web-1", f"web-1:{KEY};not-after={end}")
            self.assertIn("in force", words)

    def test_unknown(self):
        """When there is no such identity, those that are there are named."""
        self.assertIn("it has web-1", self.refused("web-9", f"web-1:{KEY}"))

    def test_wrong_file(self):
        """A file that isn't a key file is refused with the line."""
        self.assertIn(":1:", self.refused("web-1", "-----BEGIN CERTIFICATE-----"))

    def test_no_file(self):
        """A file that isn't there is an OSError that names it."""
        with self.assertRaises(OSError):
            PreSharedKey.from_file("/nowhere/web-1.psk", None)

    def test_secret(self):
        """The key is in no repr."""
        self.assertNotIn("\\x01", repr(PreSharedKey("web-1", b"\x01" * 32)))


class Certificates(SynchronousTestCase):
    """A certificate of one's own."""

    def test_files(self):
        """It is read from PEM files."""
        certificate, key = self.mktemp(), self.mktemp()
        authority = make.authority("an authority of tests")
        make.write(make.issue(authority, ["web-1.example"], client=True), certificate, key)
        security = Certified.with_files(None, "registrar.example", certificate, key, "1.2")
        self.assertEqual((security.name, security.minimum), ("registrar.example", "1.2"))
        self.assertNotIn("PRIVATE", repr(security))

    def test_swapped(self):
        """Files that don't belong together are refused."""
        certificate, key = self.mktemp(), self.mktemp()
        make.write(make.authority("an authority of tests"), certificate, key)
        self.assertRaises(ValueError, Certified.with_files, None, None, key, certificate)

    def test_proofs(self):
        """Each way says what a registrar must prove."""
        self.assertEqual(
            (Plain().proof, PreSharedKey("a", bytes(32)).proof, Certified().proof),
            (Proof.PLAIN, Proof.PSK, Proof.CERTIFICATE),
        )
        self.assertIsNone(Plain().creator("registrar.example"))
