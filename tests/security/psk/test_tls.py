"""
TLS with keys and certificates, on each backend that this Python has.

The rules are the same for all of them; where the standard library can't follow one, the
test says so.
"""

import contextlib
import gc
import random
from types import ModuleType
from typing import Any, ClassVar
from unittest import mock

from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
)
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from rserpool.security.certificate import make
from rserpool.security.certificate.trust import verifying_client
from rserpool.security.decisions import Proof
from rserpool.security.psk import tls
from rserpool.security.psk.identity import fingerprint
from rserpool.security.psk.tls import NotAuthenticated, Reason
from tests.security.psk.hello import with_identities
from tests.security.psk.link import OTHER, SECRET, Link, backend

CA = make.authority("Test CA")
SHOWN = make.issue(CA, ["registrar.example"])
CLIENT = make.issue(CA, ["pu.example"], client=True)
STRANGER = make.issue(make.authority("Other CA"), ["pu.example"], client=True)
VERSIONS = ("1.3", "1.2")
OPENSSL = SSL.OPENSSL_VERSION_NUMBER >> 28


class Raw:
    """A client of pyOpenSSL's public interface, which believes every certificate."""

    def __init__(self, **settings: Any) -> None:
        self.context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self.session = None
        for name, value in settings.items():
            getattr(self.context, name)(value)

    def clientConnectionForTLS(self, protocol: object) -> SSL.Connection:
        """Make a connection, which offers the session that was left, if any."""
        connection = SSL.Connection(self.context, None)
        if self.session is not None:
            connection.set_session(self.session)
        return connection


class Handshakes:
    """The rules."""

    name: ClassVar[str]

    def setUp(self) -> None:
        """Read the authority."""
        module, why = backend(self.name)
        if module is None:
            raise RuntimeError(why)
        self.module: ModuleType = module
        self.keys = {"pe-1": SECRET, "pe-2": bytes(32)}
        self.ca = self.mktemp()
        with open(self.ca, "wb") as file:
            file.write(CA.certificate)

    def server(self, certificate: bool = False, **terms: Any) -> tls.ServerCreator:
        """Make a server with the keys, and perhaps a certificate."""
        if certificate:
            terms.update(certificate=SHOWN.certificate, private_key=SHOWN.private_key)
        terms.setdefault("lookup", self.keys.get)
        return tls.ServerCreator(backend=self.module, **terms)

    def client(
        self,
        identity: str = "pe-1",
        secret: bytes = SECRET,
        version: str = "1.3",
        **terms: Any,
    ) -> tls.PSKClientCreator:
        """Make a client with a key, that speaks one version of TLS."""
        terms = {"minimum": version, "maximum": version, "backend": self.module, **terms}
        return tls.PSKClientCreator(identity, secret, **terms)

    # What goes well

    def test_interfaces(self) -> None:
        """Twisted takes both creators for what they are."""
        verifyObject(IOpenSSLServerConnectionCreator, self.server())
        verifyObject(IOpenSSLClientConnectionCreator, self.client())

    def test_key(self) -> None:
        """A client with a key is authenticated by it, in both versions."""
        for version in VERSIONS:
            link = Link(self.client(version=version), self.server(minimum="1.2")).shake()
            proven = link.proven
            self.assertEqual((proven.proof, proven.identity), (Proof.PSK, "pe-1"))
            self.assertEqual(proven.version, f"TLSv{version}")
            self.assertEqual(proven.address, "127.0.0.1")
            self.assertEqual(proven.fingerprint, fingerprint(SECRET))
            self.assertIsNone(proven.certificate)

    def test_client_knows(self) -> None:
        """The client knows that the server has the key, too."""
        for version in VERSIONS:
            link = Link(self.client(version=version), self.server(minimum="1.2")).shake()
            evidence = tls.authentication(link.client.connection)
            self.assertEqual((evidence.proof, evidence.identity), (Proof.PSK, "pe-1"))

    def test_forward_secrecy(self) -> None:
        """TLS 1.2 agrees on a suite with forward secrecy by itself."""
        link = Link(self.client(version="1.2"), self.server(minimum="1.2")).shake()
        self.assertTrue(link.proven.cipher.startswith("ECDHE-PSK-"), link.proven.cipher)

    def test_data(self) -> None:
        """What one end sends the other gets, and a goodbye is a goodbye."""
        link = Link(self.client(), self.server()).shake()
        client, server = link.client.connection, link.server.connection
        data = bytes(range(256)) * 64
        client.send(data)
        server.bio_write(link.client.out())
        self.assertEqual(link.server.read(), data)
        self.assertFalse(client.shutdown())
        server.bio_write(link.client.out())
        self.assertRaises(SSL.ZeroReturnError, server.recv, 1)
        self.assertTrue(server.shutdown())

    def test_lengths_of_keys(self) -> None:
        """Keys of 16 to 64 octets and identities of 1 to 128 work."""
        for octets in (16, 64):
            for identity in ("x", "é" * 64):
                self.keys[identity] = bytes(octets)
                link = Link(self.client(identity, bytes(octets)), self.server()).shake()
                self.assertEqual(link.proven.identity, identity)

    # What goes wrong

    def test_wrong_key(self) -> None:
        """A wrong key fails; we know that it was wrong, and whose."""
        for version in VERSIONS:
            server = self.server(minimum="1.2")
            link = Link(self.client(secret=OTHER, version=version), server).shake()
            self.assertEqual(link.server.failure[:2], (Reason.WRONG_KEY, "pe-1"))
            self.assertEqual(link.client.failure[:2], (Reason.REFUSED, "pe-1"))
            self.assertRaises(NotAuthenticated, tls.authentication, link.server.connection)

    def test_unknown_identity(self) -> None:
        """An unknown identity fails; we know that it was unknown."""
        for version in VERSIONS:
            server = self.server(minimum="1.2")
            link = Link(self.client("pe-9", version=version), server).shake()
            self.assertEqual(link.server.failure[:2], (Reason.UNKNOWN_IDENTITY, "pe-9"))
            self.assertEqual(link.client.failure[0], Reason.REFUSED)

    def test_alike(self) -> None:
        """To the peer a wrong key and an unknown identity are the same, octet by octet."""
        for version in VERSIONS:
            server, seen = self.server(minimum="1.2"), []
            for identity, secret in (("pe-1", OTHER), ("pe-9", SECRET)):
                link = Link(self.client(identity, secret, version), server).shake()
                words = link.client.failure[2].replace("pe-9", "pe-1")
                alert = link.sent["server"] if version == "1.3" else link.sent["server"][-7:]
                seen.append((alert, len(link.sent["server"]), words))
            self.assertEqual(seen[0], seen[1])

    def test_not_hidden(self) -> None:
        """On demand an unknown identity is told from a wrong key (for finding faults)."""
        server = self.server(minimum="1.2", hide_unknown=False)
        link = Link(self.client("pe-9", version="1.2"), server).shake()
        self.assertEqual(link.server.failure[:2], (Reason.UNKNOWN_IDENTITY, "pe-9"))
        self.assertIn("unknown psk identity", link.client.failure[2])

    def test_lookup_fails(self) -> None:
        """Whatever a lookup raises, the peer sees an unknown identity, and we see the fault."""
        for error in (KeyError("secret"), RuntimeError, SystemExit, KeyboardInterrupt):
            lookup = mock.Mock(side_effect=error)
            for version in VERSIONS:
                server = self.server(minimum="1.2", lookup=lookup)
                link = Link(self.client(version=version), server).shake()
                reason, identity, text = link.server.failure
                self.assertEqual((reason, identity), (Reason.LOOKUP_FAILED, "pe-1"))
                self.assertNotIn("secret", text)
                self.assertEqual(link.client.failure[0], Reason.REFUSED)

    def test_nothing_in_common(self) -> None:
        """A client without a key, or too old, is told from one with a wrong key."""
        for client, server in (
            (Raw(), self.server()),
            (self.client(version="1.2"), self.server()),
        ):
            link = Link(client, server).shake()
            self.assertEqual(link.server.failure[:2], (Reason.INCOMPATIBLE, None))

    def test_garbage(self) -> None:
        """What isn't TLS at all fails, without a reason that blames a key."""
        link = Link(self.client(), self.server())
        link.server.connection.bio_write(b"GET / HTTP/1.1\r\n\r\n")
        link.server.step()
        self.assertIn(link.server.failure[0], (Reason.OTHER, Reason.INCOMPATIBLE))
        self.assertIsNone(link.server.failure[1])

    def test_unfinished(self) -> None:
        """Nothing is proven before the handshake is finished."""
        link = Link(self.client(), self.server())
        self.assertRaises(NotAuthenticated, tls.authentication, link.server.connection)
        link.turn()  # the binder is verified, the client's Finished still to come
        self.assertFalse(link.server.done)
        self.assertRaises(NotAuthenticated, tls.authentication, link.server.connection)

    # Identities

    def forged(self, identities: list[bytes], server: tls.ServerCreator) -> Link:
        """Let a server read a hello with these identities, whose binders prove nothing."""
        link = Link(self.client(), server)
        link.client.step()
        link.server.connection.bio_write(with_identities(link.client.out(), identities))
        link.server.step()
        return link

    def test_stale_ticket(self) -> None:
        """An identity that is no text is passed over, and gets no stand-in key."""
        link = self.forged([b"\xff" * 32], self.server(certificate=True))
        self.assertIsNone(link.server.error)
        self.assertFalse(link.server.connection.handshake.known)

    def test_later_identity(self) -> None:
        """Behind a stale ticket the identity is found."""
        link = self.forged([b"\xff" * 32, b"pe-2"], self.server())
        self.assertEqual(link.server.failure[:2], (Reason.WRONG_KEY, "pe-2"))

    def test_many_identities(self) -> None:
        """A hello with very many identities is refused before they are all looked up."""
        lookup = mock.Mock(return_value=None)
        names = [b"\xff%d" % n for n in range(1000)]
        link = self.forged(names, self.server(lookup=lookup))
        self.assertIsNotNone(link.server.error)
        self.assertLessEqual(link.server.connection.handshake.foreign, 16)

    def test_name_with_quotes(self) -> None:
        """An identity may hold what would be special elsewhere; it comes as it is."""
        for identity in ("a b", 'a"b', "a'b", "a\\b", "%s", "{0}", "日本"):
            self.keys[identity] = SECRET
            link = Link(self.client(identity), self.server()).shake()
            self.assertEqual(link.proven.identity, identity)

    def test_bad_client(self) -> None:
        """A client can't be made with what no server would take."""
        for identity, secret in (("", SECRET), ("x" * 129, SECRET), ("a", bytes(15))):
            self.assertRaises(ValueError, self.client, identity, secret)
        self.assertRaises(ValueError, self.client, version="1.1")

    def test_no_secret_in_repr(self) -> None:
        """Neither creators nor what hangs on connections show keys."""
        link = Link(self.client(), self.server())
        for value in (self.client(), link.client.connection.handshake):
            self.assertNotIn(repr(SECRET)[2:20], repr(value))

    # Keys and certificates on one listener

    def test_certificate_client(self) -> None:
        """Beside keys, a client that checks our certificate comes in as anonymous."""
        for version in VERSIONS:
            server = self.server(certificate=True, minimum="1.2", maximum=version)
            client = verifying_client("registrar.example", self.ca, minimum="1.2")
            link = Link(client, server).shake()
            self.assertEqual((link.proven.proof, link.proven.identity), (Proof.ANONYMOUS, ""))
            self.assertEqual(
                tls.authentication(link.client.connection).identity, "dns:registrar.example"
            )

    def test_client_certificate(self) -> None:
        """A client certificate of the authorities' is proven, by its alternative name."""
        for version in VERSIONS:
            server = self.server(
                certificate=True, authorities=CA.certificate, minimum="1.2", maximum=version
            )
            client = verifying_client(
                "registrar.example", self.ca, client=CLIENT, minimum="1.2"
            )
            proven = Link(client, server).shake().proven
            self.assertEqual(
                (proven.proof, proven.identity), (Proof.CERTIFICATE, "dns:pu.example")
            )
            self.assertIsNotNone(proven.certificate)
            self.assertEqual(proven.chain[0], proven.certificate)
            self.assertEqual(
                [each.subject.rfc4514_string() for each in proven.chain[1:]], ["CN=Test CA"]
            )

    def test_rogue_certificate(self) -> None:
        """A client certificate of others is refused, and the log says why."""
        for version in VERSIONS:
            server = self.server(
                certificate=True, authorities=CA.certificate, minimum="1.2", maximum=version
            )
            client = verifying_client(
                "registrar.example", self.ca, client=STRANGER, minimum="1.2"
            )
            link = Link(client, server).shake()
            reason, identity, text = link.server.failure
            self.assertEqual((reason, identity), (Reason.UNTRUSTED, None))
            self.assertIn("an authority that isn't in", text)
            self.assertRaises(NotAuthenticated, tls.authentication, link.server.connection)

    def test_certificates_alone(self) -> None:
        """A listener without keys serves certificate clients; one with a key gets nowhere."""
        server = self.server(certificate=True, lookup=None)
        client = verifying_client("registrar.example", self.ca)
        self.assertEqual(Link(client, server).shake().proven.proof, Proof.ANONYMOUS)
        link = Link(self.client(), server).shake()
        self.assertEqual(link.client.failure[0], Reason.UNTRUSTED)
        self.assertFalse(link.server.done)

    def test_server_without_the_key(self) -> None:
        """
        A client with a key sends nothing to a server that has only a certificate.

        Not even if an authority that everybody trusts has issued it.
        """
        for version in VERSIONS:
            rogue = self.server(certificate=True, lookup=None, minimum="1.2")
            link = Link(self.client(version=version), rogue).shake()
            self.assertFalse(link.client.done)
            self.assertRaises(NotAuthenticated, tls.authentication, link.client.connection)

    def test_client_checks_again(self) -> None:
        """Even a finished handshake is refused by a client if the key wasn't used."""
        server = self.server(certificate=True, lookup=None)
        link = Link(Raw(), server).shake()
        self.assertTrue(link.client.done)
        # As if the client's own verification had been off.
        link.client.connection.handshake = self.client().clientConnectionForTLS(None).handshake
        link.client.connection.session_reused = lambda: False
        self.assertRaises(NotAuthenticated, tls.authentication, link.client.connection)

    # Sessions

    def test_no_resumption(self) -> None:
        """A certificate client that kept its session comes in anew, and is let in."""
        for version in (SSL.TLS1_3_VERSION, SSL.TLS1_2_VERSION):
            server = self.server(certificate=True, minimum="1.2")
            client = Raw(set_max_proto_version=version)
            for _ in range(3):
                link = Link(client, server).shake()
                self.assertEqual(link.proven.proof, Proof.ANONYMOUS)
                self.assertFalse(link.server.connection.session_reused())
                self.offered(link, client.session is not None)
                client.session = link.client.connection.get_session()

    def offered(self, link: Link, session: bool) -> None:
        """Check that a session that was kept was also offered, where it can be seen."""

    def test_revoked_key(self) -> None:
        """Once its key is gone a client can't come back by the session it kept."""
        for version in VERSIONS:
            for certificate in (False, True):
                self.keys["pe-1"] = SECRET
                server = self.server(certificate=certificate, minimum="1.2")
                client = self.keeping(version)
                link = Link(client, server).shake()
                self.assertEqual(link.proven.identity, "pe-1")
                client.session = link.client.connection.get_session()
                del self.keys["pe-1"]
                link = Link(client, server).shake()
                if link.server.done:
                    self.assertEqual(link.proven.proof, Proof.ANONYMOUS)
                self.assertFalse(link.server.connection.session_reused())

    def keeping(self, version: str) -> Any:
        """Make a client with a key that offers its kept session again."""
        module, _ = backend("tls_pyopenssl")

        class Keeping(tls.PSKClientCreator):
            session = None

            def clientConnectionForTLS(self, protocol: object) -> SSL.Connection:
                connection = super().clientConnectionForTLS(protocol)
                connection.set_verify(SSL.VERIFY_NONE)
                if self.session is not None:
                    connection.set_session(self.session)
                return connection

        return Keeping("pe-1", SECRET, minimum=version, maximum=version, backend=module)

    # Attribution, memory

    def test_interleaved(self) -> None:
        """Handshakes that go on at the same time are told apart."""
        dice = random.Random(7)
        server, links = self.server(minimum="1.2"), []
        for number in range(60):
            identity = f"pe-{number:03}"
            self.keys[identity] = number.to_bytes(32)
            right = number % 5 != 0
            secret = self.keys[identity] if right else OTHER
            client = self.client(identity, secret, VERSIONS[number % 2])
            links.append((identity, right, Link(client, server)))
        for _ in range(10):
            dice.shuffle(links)
            for _identity, _right, link in links:
                link.turn()
        for identity, right, link in links:
            if right:
                self.assertEqual(link.proven.identity, identity)
            else:
                self.assertEqual(link.server.failure[:2], (Reason.WRONG_KEY, identity))

    def test_first_write_drives(self) -> None:
        """A write before the handshake drives it, and the key is found all the same."""
        for version in VERSIONS:
            link = Link(self.client(version=version), self.server(minimum="1.2"))
            for _ in range(4):
                for end, other in ((link.client, link.server), (link.server, link.client)):
                    with contextlib.suppress(SSL.WantReadError):
                        end.connection.send(b"early")
                    other.connection.bio_write(end.out())
            self.assertEqual(link.proven.identity, "pe-1")
            self.assertIn(b"early", link.server.read())

    def test_garbage_collection(self) -> None:
        """Creators and their callbacks may be dropped while handshakes go on."""
        for version in VERSIONS:
            links = [
                Link(self.client(version=version), self.server(minimum="1.2"))
                for _ in range(20)
            ]
            gc.collect()
            for link in links:
                self.assertEqual(link.shake().proven.identity, "pe-1")

    def test_replace(self) -> None:
        """New terms hold for new connections, and bad ones change nothing."""
        server = self.server()
        before = Link(self.client(), server)
        before.turn()
        server.replace(lookup={"pe-3": SECRET}.get)
        self.assertEqual(before.shake().proven.identity, "pe-1")
        self.assertEqual(Link(self.client("pe-3"), server).shake().proven.identity, "pe-3")
        self.assertRaises(ValueError, server.replace, lookup=None)
        self.assertRaises(ValueError, server.replace, certificate=b"x", private_key=b"y")
        self.assertEqual(Link(self.client("pe-3"), server).shake().proven.identity, "pe-3")
        self.assertFalse(Link(self.client("pe-1"), server).shake().server.done)

    def test_legacy(self) -> None:
        """RFC 5352's CBC suites are there on demand only."""
        for legacy in (False, True):
            server = self.server(minimum="1.2", legacy_suites=legacy)
            client = self.client(version="1.2", legacy_suites=True)
            with mock.patch.object(self.module, "client_suites", return_value=LEGACY):
                client = self.client(version="1.2")
            link = Link(client, server).shake()
            self.assertEqual(link.server.done, legacy)
            if legacy:
                self.assertEqual(link.proven.cipher, LEGACY)

    def test_hello_retry(self) -> None:
        """A HelloRetryRequest asks for the key a second time, and the proof is right."""
        server = self.server()
        self.only_p384(server)
        link = Link(self.client(), server).shake()
        self.assertEqual(link.proven.identity, "pe-1")
        self.assertGreater(link.server.connection.handshake.offered, 1)

    def only_p384(self, server: tls.ServerCreator) -> None:
        """Let a server know no group for which clients send a share unasked."""
        raise NotImplementedError


LEGACY = "PSK-AES128-CBC-SHA"


class OnPyOpenSSL(Handshakes, SynchronousTestCase):
    """The rules on pyOpenSSL's private bindings."""

    name = "tls_pyopenssl"
    skip = backend(name)[1] or None

    def offered(self, link: Link, session: bool) -> None:
        """See there: in TLS 1.3 a ticket is offered as an identity."""
        if link.proven.version == "TLSv1.3":
            self.assertEqual(link.server.connection.handshake.foreign, int(session))

    def only_p384(self, server: tls.ServerCreator) -> None:
        """See there."""
        server._context.set_tmp_ecdh(ec.SECP384R1())

    def test_key_beside_a_certificate(self) -> None:
        """A client with a key is authenticated by it where a certificate could be shown."""
        for version in VERSIONS:
            server = self.server(certificate=True, minimum="1.2")
            link = Link(self.client(version=version), server).shake()
            self.assertEqual((link.proven.proof, link.proven.identity), (Proof.PSK, "pe-1"))

    def test_alike_beside_a_certificate(self) -> None:
        """There, too, an unknown identity fails as a wrong key does."""
        for version in VERSIONS:
            server, seen = self.server(certificate=True, minimum="1.2"), []
            for identity, secret in (("pe-1", OTHER), ("pe-9", SECRET)):
                link = Link(self.client(identity, secret, version), server).shake()
                self.assertFalse(link.server.done)
                seen.append((link.client.failure[0], len(link.sent["server"])))
            self.assertEqual(seen[0], seen[1])

    def test_finite_field(self) -> None:
        """DHE-PSK works for peers that know the groups of RFC 7919."""
        suite = "DHE-PSK-AES128-GCM-SHA256"
        with mock.patch.object(self.module, "client_suites", return_value=suite):
            client = self.client(version="1.2")
        proven = Link(client, self.server(minimum="1.2")).shake().proven
        self.assertEqual((proven.cipher, proven.identity), (suite, "pe-1"))

    if OPENSSL < 4:
        test_finite_field.skip = "OpenSSL 4 is the first that offers these groups in TLS 1.2"

    def test_group(self) -> None:
        """The evidence has the group of the key exchange."""
        self.assertIsNotNone(Link(self.client(), self.server()).shake().proven.group)

    def named(self, **settings: Any) -> Link:
        """Let a client that has no key name pe-1 to a server that has its key."""
        client = self.client(secret=OTHER)
        client._context = self.module._context(SSL.TLS_CLIENT_METHOD, client._terms, "PSK")
        self.module._lib.SSL_CTX_set_psk_client_callback(
            client._context._context, self.module._CLIENT_KEY
        )
        client._context.set_tls13_ciphersuites(b"TLS_AES_256_GCM_SHA384")
        return Link(client, self.server(certificate=True, **settings))

    def test_named_without_the_key(self) -> None:
        """To name an identity and to offer no suite that fits its key leads nowhere."""
        link = self.named().shake()
        self.assertEqual(link.server.failure[0], Reason.INCOMPATIBLE)
        self.assertFalse(link.server.done)

    def test_named_on_a_careless_server(self) -> None:
        """Even where suites of SHA-384 are accepted, to name an identity proves nothing."""
        every = ("TLS_AES_256_GCM_SHA384",)
        with mock.patch.object(self.module, "SUITES_13", every):
            link = self.named().shake()
        handshake = link.server.connection.handshake
        self.assertEqual((handshake.identity, handshake.known), ("pe-1", True))
        self.assertTrue(link.server.done)
        self.assertEqual((link.proven.proof, link.proven.identity), (Proof.ANONYMOUS, ""))

    def test_octet_behind_a_nul(self) -> None:
        """The identity ``pe-1``, a NUL and more is not ``pe-1``, whatever C makes of it."""
        link = self.forged([b"pe-1\0x"], self.server())
        self.assertEqual(link.server.failure[:2], (Reason.INCOMPATIBLE, None))
        self.assertFalse(link.server.connection.handshake.known)

    def test_long_identity(self) -> None:
        """An identity longer than any of ours is not looked up, nor cut."""
        lookup = mock.Mock(return_value=None)
        for octets in (129, 255, 256, 60_000):
            self.forged([b"x" * octets], self.server(lookup=lookup))
        lookup.assert_not_called()

    def test_resumed_is_not_proven(self) -> None:
        """If something was resumed in spite of all, nothing is proven by it."""
        link = Link(Raw(), self.server(certificate=True)).shake()
        link.server.connection.session_reused = lambda: True
        self.assertRaises(NotAuthenticated, tls.authentication, link.server.connection)

    def test_no_growth(self) -> None:
        """Connections leave nothing behind, failed or not."""
        gc.collect()
        before = len(self.module._connections)
        server = self.server()
        for secret in (SECRET, OTHER):
            for _ in range(20):
                Link(self.client(secret=secret), server).shake()
        gc.collect()
        self.assertEqual(len(self.module._connections), before)


class OnTheStandardLibrary(Handshakes, SynchronousTestCase):
    """The rules on Python's own ssl."""

    name = "tls_stdlib"
    skip = backend(name)[1] or None

    def only_p384(self, server: tls.ServerCreator) -> None:
        """See there."""
        server._context._one.set_ecdh_curve("secp384r1")

    def test_named_without_the_key(self) -> None:
        """To name an identity whose key one hasn't proves nothing."""
        client = Raw(set_tls13_ciphersuites=b"TLS_AES_256_GCM_SHA384")
        link = Link(client, self.server(certificate=True)).shake()
        self.assertEqual(link.proven.proof, Proof.ANONYMOUS)

    def test_client_with_its_own_order(self) -> None:
        """Beside a certificate, a client that prefers SHA-384 isn't let in, and says so."""
        link = Link(self.client(), self.server(certificate=True)).shake()
        self.assertEqual(link.client.failure[0], Reason.UNTRUSTED)
        self.assertFalse(link.server.done)

    def test_between_backends(self) -> None:
        """The backends understand each other, beside a certificate, too."""
        other, _ = backend("tls_pyopenssl")
        for version in VERSIONS:
            for certificate in (False, True):
                server = self.server(certificate=certificate, minimum="1.2")
                link = Link(self.client(version=version, backend=other), server).shake()
                self.assertEqual((link.proven.proof, link.proven.identity), (Proof.PSK, "pe-1"))
            server = tls.ServerCreator(
                self.keys.get,
                certificate=SHOWN.certificate,
                private_key=SHOWN.private_key,
                minimum="1.2",
                backend=other,
            )
            link = Link(self.client(version=version), server).shake()
            self.assertEqual(link.proven.identity, "pe-1")


class Choice(SynchronousTestCase):
    """Which backend is taken."""

    def test_first(self) -> None:
        """The first is taken where it will do."""
        self.assertEqual(tls.choose().__name__, "rserpool.security.psk.tls_pyopenssl")

    def test_none(self) -> None:
        """Without any the error says what each lacks."""
        missing = tls.PSKUnavailable("no such thing")
        with mock.patch.object(tls, "import_module", side_effect=missing):
            error = self.assertRaises(tls.PSKUnavailable, tls.choose)
        self.assertEqual(str(error).count("no such thing"), 2)

    def test_second(self) -> None:
        """The second is taken where the first isn't to be had."""
        second = mock.sentinel.second
        answers = [tls.PSKUnavailable("no"), second]
        with mock.patch.object(tls, "import_module", side_effect=answers):
            self.assertIs(tls.choose(), second)
