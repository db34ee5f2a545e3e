"""What a server notes of one handshake."""

from hypothesis import given
from hypothesis import strategies as some
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.psk.handshake import MAXIMUM_OFFERED, ServerHandshake
from rserpool.security.psk.identity import fingerprint, stand_in

SECRET = b"s" * 32


class Handshake(SynchronousTestCase):
    """Being asked for keys."""

    def setUp(self) -> None:
        """Know one identity."""
        self.handshake = ServerHandshake({"pe-1": SECRET}.get)

    def test_known(self) -> None:
        """A known identity gets its key."""
        self.assertEqual(self.handshake.secret(b"pe-1"), SECRET)
        self.assertTrue(self.handshake.known)
        self.assertEqual(self.handshake.fingerprint, fingerprint(SECRET))

    def test_last_counts(self) -> None:
        """Of several the last counts: a HelloRetryRequest may bring another identity."""
        self.handshake.secret(b"pe-1")
        self.assertEqual(self.handshake.secret(b"pe-9"), stand_in(b"pe-9"))
        self.assertEqual(
            (self.handshake.identity, self.handshake.known, self.handshake.fingerprint),
            ("pe-9", False, None),
        )

    def test_ticket_forgets(self) -> None:
        """Something that is no identity leaves none behind."""
        self.handshake.secret(b"pe-1")
        self.assertEqual(self.handshake.secret(b"\xff" * 32), b"")
        self.assertIsNone(self.handshake.identity)
        self.assertFalse(self.handshake.known)

    def test_empty_secret(self) -> None:
        """An empty key is none."""
        handshake = ServerHandshake(lambda identity: b"")
        self.assertEqual(handshake.secret(b"pe-1"), stand_in(b"pe-1"))
        self.assertFalse(handshake.known)

    def test_no_lookup(self) -> None:
        """Without keys nothing is known."""
        self.assertEqual(ServerHandshake(None).secret(b"a"), stand_in(b"a"))

    def test_too_many(self) -> None:
        """After so many identities the next is too many."""
        taken = [self.handshake.one_more() for _ in range(MAXIMUM_OFFERED + 2)]
        self.assertEqual(taken.count(True), MAXIMUM_OFFERED)

    @given(some.binary(max_size=300))
    def test_anything(self, octets: bytes) -> None:
        """Whatever is offered, the answer is a key, a stand-in, or nothing; never an error."""
        answer = ServerHandshake({"pe-1": SECRET}.get).secret(octets)
        self.assertIn(answer, (SECRET, stand_in(octets), b""))

    def test_repr(self) -> None:
        """Notes of a handshake show no key."""
        self.handshake.secret(b"pe-1")
        self.assertNotIn("ssss", repr(self.handshake))
