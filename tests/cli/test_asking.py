"""Whom the commands ask: what is wrong with how they are told."""

from twisted.trial.unittest import SynchronousTestCase

from tests.cli.command import run


class Wrong(SynchronousTestCase):
    """Numbers that aren't."""

    def test_timeout(self):
        """A time limit is a number of seconds: whatever else was given is told that."""
        for text in ("x", "0", "-1", "nan", "1e9"):
            done = run("resolve", "web", f"--timeout={text}")
            self.assertEqual(done.status, 2)
            self.assertIn("--timeout: must be a number of seconds", done.err)

    def test_two_proofs(self):
        """A key and a certificate at once are refused: only one of them would be shown."""
        words = ("--registrar", "tcp:127.0.0.1:1", "--psk", "a", "--certificate", "b")
        done = run("resolve", "web", *words)
        self.assertEqual(done.status, 2)
        self.assertIn("--psk and --certificate contradict", done.err)


class Announced(SynchronousTestCase):
    """``--announce``."""

    def refused(self, *words):
        """Why nobody is asked."""
        done = run("resolve", "web", "--timeout", "0.1", *words)
        self.assertEqual(done.status, 2)
        return done.err

    def test_groups(self):
        """What is no group, or no interface, is told."""
        for words, told in (
            (("--announce", "192.0.2.1"), "isn't a multicast address"),
            (("--announce", "somewhere"), "iana, iana6, rsplib"),
            (("--announce", "iana", "--announce-interface", "a b"), "isn't an interface"),
        ):
            self.assertIn(told, self.refused("--security", "none", *words))

    def test_anybody(self):
        """By certificates of public authorities alone nobody is believed."""
        self.assertIn("give ca", self.refused("--announce", "iana"))

    def test_nobody(self):
        """Neither registrars nor groups: it says what to give."""
        self.assertIn("which registrar?", self.refused("--security", "none"))
