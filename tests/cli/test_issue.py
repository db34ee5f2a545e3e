"""``rserpool certificate issue``."""

import os

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.command import run, values


class Issuing(SynchronousTestCase):
    """By an authority that ``rserpool init`` has made."""

    def setUp(self):
        """Make it."""
        self.dir = os.path.abspath(self.mktemp())
        values("init", self.dir, "--name", "registrar.example")
        self.base = f"{self.dir}/made"

    def issue(self, *words):
        """Issue one."""
        return run("certificate", "issue", self.dir, "--out", self.base, *words)

    def test_principal(self):
        """Whom rules call the holder is told: the first DNS name, else the first URI."""
        for number, (given, who) in enumerate((
            (["pe.example", "b.example"], "dns:pe.example"),
            (["spiffe://example/x", "b.example"], "dns:b.example"),
            (["spiffe://example/x"], "uri:spiffe://example/x"),
            (["192.0.2.1", "PE.example"], "dns:pe.example"),
        )):  # fmt: skip
            names = [word for name in given for word in ("--name", name)]
            found = values("certificate", "issue", self.dir, "--client", *names,
                           "--out", f"{self.base}-{number}")  # fmt: skip
            self.assertEqual(found["principal"], who)

    def test_nobody(self):
        """A client's certificate that names nobody isn't made: it would let nobody in."""
        for name in ("192.0.2.1", "*.example"):
            done = self.issue("--client", "--name", name)
            self.assertEqual(done.status, 2)
            self.assertIn("would not be let in", done.err)
        self.assertFalse(os.path.exists(f"{self.base}.pem"))
        self.assertEqual(self.issue("--name", "192.0.2.1").status, 0)

    def test_days(self):
        """A life that is over, or longer than the calendar, is a slip."""
        for days in ("0", "-5", "99999999", "nan", "x"):
            done = self.issue("--name", "a.example", f"--days={days}")
            self.assertEqual(done.status, 2)
            self.assertNotIn("Traceback", done.err)
        self.assertFalse(os.path.exists(f"{self.base}.pem"))

    def test_nowhere(self):
        """Where it can't be written is said by the name that was given."""
        done = run("certificate", "issue", self.dir, "--name", "a", "--out", "/nowhere/a")
        self.assertEqual(done.status, 2)
        self.assertIn("/nowhere/a.key: No such file", done.err)
