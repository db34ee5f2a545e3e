"""Looking at who can read and change files."""

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.doctor import permissions


class Looking(SynchronousTestCase):
    """At one file in one directory."""

    def setUp(self):
        """Make them."""
        self.dir = os.path.abspath(self.mktemp())
        os.mkdir(self.dir, 0o755)
        self.path = f"{self.dir}/file"
        Path(self.path).touch(0o600)

    def checks(self, found):
        """What was found, and how bad it is."""
        return [(finding.check, finding.severity.value) for finding in found]

    def test_secret(self):
        """Secrets are their owner's alone."""
        for mode, expected in (
            (0o600, []), (0o400, []), (0o640, [("file-open", "error")]),
            (0o602, [("file-open", "error")]),
        ):  # fmt: skip
            os.chmod(self.path, mode)
            found = list(permissions.look_secret(self.path, "keys"))
            self.assertEqual(self.checks(found), expected, oct(mode))
            for finding in found:
                self.assertEqual(finding.do, f"chmod 600 {self.path}")
                self.assertEqual(finding.where, self.path)
        self.assertEqual(list(permissions.look_secret("/nonexistent", "keys")), [])

    def test_decisive(self):
        """What decides may be read, but not changed."""
        for mode, expected in (
            (0o644, []), (0o664, [("file-writable", "warning")]),
            (0o646, [("file-writable", "error")]),
        ):  # fmt: skip
            os.chmod(self.path, mode)
            found = list(permissions.look_decisive(self.path, "the rules"))
            self.assertEqual(self.checks(found), expected, oct(mode))

    def test_audit(self):
        """The audit log isn't for everybody's eyes."""
        os.chmod(self.path, 0o640)
        self.assertEqual(list(permissions.look_audit(self.path)), [])
        os.chmod(self.path, 0o644)
        self.assertEqual(
            self.checks(permissions.look_audit(self.path)), [("file-readable", "warning")]
        )

    def test_authority(self):
        """The authority's key beside the registrar's is a note; one that is open, an error."""
        self.assertEqual(list(permissions.look_authority(self.dir)), [])
        key = Path(self.dir, "ca.key")
        key.touch(0o600)
        key.chmod(0o600)
        self.assertEqual(
            self.checks(permissions.look_authority(self.dir)), [("ca-key", "note")]
        )
        key.chmod(0o644)
        self.assertEqual(
            [check for check, _ in self.checks(permissions.look_authority(self.dir))],
            ["file-open", "ca-key"],
        )

    def found_in(self, mode):
        """What is found about the directory of this mode; those above are as they are."""
        os.chmod(self.dir, mode)
        return self.checks(
            finding for finding in permissions.look_directories([self.path])
            if finding.where == self.dir
        )  # fmt: skip

    def test_directories(self):
        """Who can change a directory can replace its files, unless it is sticky."""
        for mode, expected in (
            (0o755, []), (0o1777, []), (0o777, [("directory-writable", "error")]),
            (0o775, [("directory-writable", "warning")]),
        ):  # fmt: skip
            self.assertEqual(self.found_in(mode), expected, oct(mode))

    def test_above(self):
        """So can who changes one above it; each is told of once."""
        inner = f"{self.dir}/inner"
        os.mkdir(inner, 0o755)
        os.chmod(self.dir, 0o777)
        for name in ("a", "b"):
            Path(inner, name).touch()
        found = permissions.look_directories([f"{inner}/a", f"{inner}/b"])
        self.assertEqual([one.where for one in found if self.dir in one.where], [self.dir])
