"""How a failed handshake is explained."""

from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.certificate.refusal import CertificateRefused
from rserpool.security.psk.handshake import ClientHandshake, ServerHandshake
from rserpool.security.psk.outcome import Reason, handshake_failure, no_tls


class Somebody:
    """A connection, as far as it matters here."""

    def __init__(self, handshake: object) -> None:
        self.handshake = handshake


def said(words: str) -> SSL.Error:
    """Return OpenSSL's error with these words."""
    return SSL.Error([("SSL routines", "", words)])


class Strangers(SynchronousTestCase):
    """Who speaks something else."""

    def test_no_tls(self) -> None:
        """What isn't TLS is known by what any version of OpenSSL says of it."""
        for words in ("wrong version number", "packet length too long; record layer failure"):
            self.assertTrue(no_tls(words))
        self.assertFalse(no_tls("decryption failed or bad record mac; record layer failure"))


class Server(SynchronousTestCase):
    """At the server."""

    def reason(self, error: BaseException | None, *identities: bytes, **keys: bytes) -> Any:
        """Tell of a handshake in which these identities were offered."""
        handshake = ServerHandshake(keys.get)
        for identity in identities:
            handshake.secret(identity)
        return handshake_failure(Somebody(handshake), error)

    def test_versions_of_openssl(self) -> None:
        """The words of OpenSSL 3 and 4, and of both versions of TLS, mean the same."""
        for words in (
            "binder does not verify",
            "decryption failed or bad record mac",
            "psk identity not found",
        ):
            self.assertEqual(self.reason(said(words), b"a")[:2], (Reason.UNKNOWN_IDENTITY, "a"))
            known = self.reason(said(words), b"a", a=b"x")
            self.assertEqual(known[:2], (Reason.WRONG_KEY, "a"))

    def test_replayed(self) -> None:
        """In TLS 1.3 the key is proven by the hello: what doesn't fit later is another's."""
        handshake = ServerHandshake({"a": b"x"}.get)
        handshake.secret(b"a")
        somebody = Somebody(handshake)
        words = "decryption failed or bad record mac"
        for version, reason in (("TLSv1.3", Reason.STALE), ("TLSv1.2", Reason.WRONG_KEY)):
            somebody.get_protocol_version_name = lambda version=version: version
            found = handshake_failure(somebody, said(words))
            self.assertEqual(found[:2], (reason, "a"))
        found = handshake_failure(somebody, said("binder does not verify"))
        self.assertEqual(found[0], Reason.WRONG_KEY)

    def test_left(self) -> None:
        """A peer that just left isn't said to have had a wrong key."""
        for error in (ConnectionDone(), ConnectionLost(), None):
            self.assertEqual(self.reason(error, b"a")[0], Reason.LEFT)

    def test_refused(self) -> None:
        """An alert of the peer's is its refusal."""
        for words in ("tlsv1 alert unknown ca", "ssl/tls alert bad certificate"):
            self.assertEqual(self.reason(said(words))[:2], (Reason.REFUSED, None))

    def test_incompatible(self) -> None:
        """With nothing in common no key is to blame, even if a stale ticket was offered."""
        for offered in ((), (b"\xff" * 32,)):
            for words in ("no shared cipher", "unsupported protocol"):
                reason, identity, _ = self.reason(said(words), *offered)
                self.assertEqual((reason, identity), (Reason.INCOMPATIBLE, None))

    def test_other(self) -> None:
        """What isn't known is something else, with its words."""
        self.assertEqual(
            self.reason(said("internal error"), b"a", a=b"x"),
            (Reason.OTHER, "a", "internal error"),
        )
        self.assertEqual(self.reason(RuntimeError("x"))[0], Reason.OTHER)

    def test_without_handshake(self) -> None:
        """A connection that isn't ours, or none at all, is explained by its error alone."""
        for connection in (object(), None):
            failure = handshake_failure(connection, said("certificate verify failed"))
            self.assertEqual(failure[:2], (Reason.UNTRUSTED, None))


class Client(SynchronousTestCase):
    """At the client."""

    def reason(self, error: BaseException) -> Any:
        """Tell of a client's handshake."""
        return handshake_failure(Somebody(ClientHandshake(b"pe-1", b"s" * 32)), error)

    def test_refused(self) -> None:
        """An alert means that the server doesn't take the key; it doesn't say why."""
        for words in (
            "tlsv1 alert decrypt error",
            "sslv3 alert illegal parameter",
            "tls alert bad record mac",
        ):
            reason, identity, text = self.reason(said(words))
            self.assertEqual((reason, identity), (Reason.REFUSED, "pe-1"))
            self.assertIn("doesn't know it, or has another key", text)

    def test_certificate_instead(self) -> None:
        """A certificate in place of the key is not believed."""
        reason, _, text = self.reason(said("certificate verify failed"))
        self.assertEqual(reason, Reason.UNTRUSTED)
        self.assertIn("doesn't use the key", text)

    def test_other_key(self) -> None:
        """In TLS 1.2 the client can be the one who sees that the keys differ."""
        self.assertEqual(
            self.reason(said("decryption failed or bad record mac"))[0], Reason.WRONG_KEY
        )

    def test_checked_certificate(self) -> None:
        """A client that checks certificates says what was wrong with one."""
        error = CertificateRefused([], "the certificate is for a, not b")
        self.assertEqual(
            handshake_failure(None, error), (Reason.UNTRUSTED, None, error.sentence)
        )
