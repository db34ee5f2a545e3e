"""``rserpool audit verify``."""

import contextlib
import io
import json
import os

from twisted.trial.unittest import SynchronousTestCase

from rserpool.cli.main import main
from rserpool.security.audit.journal import Journal


def run(*words):
    """Run the command; its exit status and what it printed."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(["audit", "verify", *words])
    return status, out.getvalue(), err.getvalue()


class Verifying(SynchronousTestCase):
    """An auditor's questions."""

    def setUp(self):
        self.path = self.mktemp()
        journal = Journal(self.path, 1500, 5, lambda: "now")
        journal.open()
        for number in range(30):
            journal.add({"what": "x", "n": number})
            journal.flush()
        self.head = str(journal.head)
        journal.close()

    def test_whole(self):
        """Rotated files are found by themselves; 0 is: whole."""
        status, out, _ = run(self.path, "--head", self.head, "--json")
        found = json.loads(out)
        self.assertEqual((status, found["whole"], found["head"]), (0, True, self.head))
        self.assertGreater(found["lines"], 30)

    def test_broken(self):
        """1 is: not whole; and where."""
        older = f"{self.path}.1"
        with open(older, "rb") as file:
            lines = file.readlines()
        with open(older, "wb") as file:
            file.writelines(lines[:2] + lines[3:])
        status, out, _ = run(self.path)
        self.assertEqual(status, 1)
        self.assertIn(f"{older}:3: 1 line before", out)
        self.assertIn("BROKEN", out)

    def test_cut_off(self):
        """A head that was kept elsewhere shows that the end was cut off."""
        os.unlink(self.path)
        os.rename(f"{self.path}.1", self.path)
        status, out, _ = run(self.path, "--head", self.head)
        self.assertEqual(status, 1)
        self.assertIn("cut off", out)

    def test_cannot_ask(self):
        """2 is: nobody can tell; and why."""
        for words, why in (
            (["/nonexistent"], "can't be read"),
            ([self.path, "--head", "x"], "SEQ:CHAIN"),
            ([self.path, "--status", "http://127.0.0.1:1/"], "refused"),
            ([self.path, "--status", "file:///etc/passwd"], "isn't an endpoint"),
        ):
            status, out, err = run(*words)
            self.assertEqual((status, out), (2, ""), words)
            self.assertIn(why, err)
