"""Whose registrars they are."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.client import PROFILES, RFC, RSPLIB


class Dialects(SynchronousTestCase):
    """Lives and handles."""

    def test_profiles(self):
        """There is one for each profile."""
        self.assertEqual(PROFILES, {"rfc": RFC, "rsplib": RSPLIB})

    @given(st.sampled_from([RFC, RSPLIB]), st.integers(-1, 2_000_000))
    def test_there_and_back(self, dialect, seconds):
        """A life that is sent is the same life when it comes back, and a whole number."""
        found = dialect.seconds(dialect.life(seconds))
        self.assertEqual(found, seconds)
        self.assertIsInstance(found, int)

    def test_parts(self):
        """Parts of a second are shown as such."""
        self.assertEqual(RSPLIB.seconds(1500), 1.5)
        self.assertEqual(RSPLIB.seconds(-1), -1)
        self.assertEqual(RFC.seconds(1500), 1500)

    def test_handles(self):
        """Rsplib bears 32 octets."""
        self.assertEqual(RSPLIB.objection(bytes(32)), "")
        self.assertIn("33 octets", RSPLIB.objection(bytes(33)))
        self.assertEqual(RFC.objection(bytes(65000)), "")
