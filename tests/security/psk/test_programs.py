"""
TLS with keys and certificates against other stacks: openssl's and GnuTLS's programs.

Each program runs for a moment on the loopback and is killed after some seconds.
"""

import contextlib
import os
import re
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectionRefusedError, ProcessExitedAlready  # noqa: A004
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.procutils import which
from twisted.trial.unittest import TestCase

from rserpool.security.certificate import make
from rserpool.security.decisions import Proof
from rserpool.security.psk import tls
from tests.programs import requires
from tests.security.psk.link import OTHER, SECRET
from tests.security.psk.serving import PATIENCE, Talk, Talks, listen


class Program(ProcessProtocol):
    """
    A program that runs.

    :ivar ended: fires with all of its output.
    """

    def __init__(self) -> None:
        self.output = b""
        self.ended: Deferred[bytes] = Deferred()
        self._wanted: list[tuple[bytes, Deferred[re.Match[bytes]]]] = []

    def outReceived(self, data: bytes) -> None:
        """Keep what it says."""
        self.output += data
        for wanted in list(self._wanted):
            found = re.search(wanted[0], self.output)
            if found:
                self._wanted.remove(wanted)
                wanted[1].callback(found)

    errReceived = outReceived  # noqa: N815 - Twisted's name

    def says(self, pattern: bytes) -> "Deferred[re.Match[bytes]]":
        """Wait until it says this."""
        said: Deferred[re.Match[bytes]] = Deferred()
        self._wanted.append((pattern, said))
        self.outReceived(b"")
        return said

    def processEnded(self, reason: object) -> None:
        """Tell what it said."""
        self.ended.callback(self.output)

    def kill(self) -> "Deferred[bytes]":
        """End it."""
        with contextlib.suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")
        return self.ended


class Peers(TestCase):
    """A listener with keys and a certificate, a client with a key, and the others."""

    timeout = PATIENCE
    CA = make.authority("Test CA")
    OWN = make.issue(CA, ["registrar.example"])

    def setUp(self) -> None:
        """Write the files that programs read."""
        self.keys = {"pe-1": SECRET}
        self.directory = self.mktemp()
        os.mkdir(self.directory)
        self.ca, self.pem, self.key = (self.path(n) for n in ("ca.pem", "a.pem", "a.key"))
        make.write(self.CA, self.ca, self.path("ca.key"))
        make.write(self.OWN, self.pem, self.key)

    def path(self, name: str) -> str:
        """Return the path of a file."""
        return os.path.abspath(os.path.join(self.directory, name))

    def run_program(self, *words: str) -> Program:
        """Run a program; it is killed at the end of the test."""
        program = Program()
        reactor.spawnProcess(program, which(words[0])[0], words, env={"PATH": os.defpath})
        late = reactor.callLater(PATIENCE / 2, program.kill)

        def on_time(output: bytes) -> bytes:
            if late.active():
                late.cancel()
            return output

        program.ended.addCallback(on_time)
        self.addCleanup(program.kill)
        return program

    def serve(self, certificate: bool = True, **terms: Any) -> tuple[Talks, int]:
        """Listen, with a certificate beside the keys or without."""
        if certificate:
            own = {"certificate": self.OWN.certificate, "private_key": self.OWN.private_key}
            terms = {**own, **terms}
        talks = Talks(reactor, answer=b"hello\n")
        creator = tls.ServerCreator(self.keys.get, **terms)
        port = listen(reactor, creator, talks)
        self.addCleanup(port.stopListening)
        return talks, port.getHost().port

    async def visit(self, talks: Talks, *words: str) -> tuple[Talk, bytes]:
        """Let a program call us; return our end of it, and what it said."""
        talk = talks.next
        program = self.run_program(*words)
        ended = await gatherResults([talk, program.ended], consumeErrors=True)
        return ended[0], ended[1]

    async def call(self, port: int, **terms: Any) -> Talk:
        """Call a program with our key; return our end when it is over."""
        talks = Talks(reactor, first=b"hello\n", enough=1)
        ended = talks.next
        creator = tls.PSKClientCreator("pe-1", terms.pop("secret", SECRET), **terms)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port, timeout=PATIENCE / 4)
        for _ in range(20):
            # gnutls-serv says that it listens a moment before it does
            with contextlib.suppress(ConnectionRefusedError):
                await wrapClientTLS(creator, endpoint).connect(talks)
                break
            await deferLater(reactor, 0.1)
        return await ended

    def proven(self, talk: Talk, *, version: str = "TLSv1.3", suite: str = "") -> None:
        """Check that a key was proven, in this version."""
        self.assertIsNotNone(talk.evidence, talk.failure)
        self.assertEqual((talk.evidence.proof, talk.evidence.identity), (Proof.PSK, "pe-1"))
        self.assertEqual(talk.evidence.version, version)
        self.assertIn(suite, talk.evidence.cipher)


class OpenSSL(Peers):
    """The program ``openssl``."""

    skip = requires("openssl")

    def client(self, port: int, *words: str) -> tuple[str, ...]:
        """Return the words of a client that waits for our goodbye."""
        where = f"127.0.0.1:{port}"
        return ("openssl", "s_client", "-connect", where, "-quiet", "-ign_eof", *words)

    def keyed(self, secret: bytes = SECRET, identity: str = "pe-1") -> tuple[str, ...]:
        """Return the words for a key."""
        return ("-psk", secret.hex(), "-psk_identity", identity)

    async def test_key(self) -> None:
        """A client with a key is known by it, in both versions, with every kind of suite."""
        talks, port = self.serve(minimum="1.2")
        for words, version, suite in (
            (("-tls1_3",), "TLSv1.3", ""),
            (("-tls1_2",), "TLSv1.2", "ECDHE-PSK-"),
            (("-tls1_2", "-cipher", "PSK-AES128-GCM-SHA256"), "TLSv1.2", "PSK-AES128-GCM"),
        ):
            talk, said = await self.visit(talks, *self.client(port, *self.keyed(), *words))
            self.proven(talk, version=version, suite=suite)
            self.assertIn(b"hello", said)

    async def test_wrong_and_unknown(self) -> None:
        """A wrong key and an unknown identity look alike there, and not here."""
        for certificate in (True, False):
            talks, port = self.serve(certificate, minimum="1.2")
            for version in ("-tls1_3", "-tls1_2"):
                alerts = []
                for keyed, reason in (
                    (self.keyed(OTHER), tls.Reason.WRONG_KEY),
                    (self.keyed(identity="pe-9"), tls.Reason.UNKNOWN_IDENTITY),
                ):
                    words = self.client(port, *keyed, version)
                    talk, said = await self.visit(talks, *words)
                    self.assertEqual(talk.failure[0], reason, said)
                    alerts.append(re.findall(rb"SSL alert number (\d+)", said))
                self.assertEqual(alerts[0], alerts[1])
                self.assertTrue(alerts[0], said)

    async def test_certificate(self) -> None:
        """A client that checks certificates is served on the same port, as anonymous."""
        talks, port = self.serve(minimum="1.2")
        check = ("-CAfile", self.ca, "-verify_return_error", "-verify_hostname")
        for version in ("-tls1_3", "-tls1_2"):
            words = self.client(port, *check, "registrar.example", version)
            talk, said = await self.visit(talks, *words)
            self.assertEqual(talk.evidence.proof, Proof.ANONYMOUS)
            self.assertIn(b"hello", said)
        words = self.client(port, *check, "other.example")
        talk, said = await self.visit(talks, *words)
        self.assertEqual(talk.failure[0], tls.Reason.REFUSED)

    async def test_client_certificate(self) -> None:
        """A client certificate is proven by name."""
        issued = make.issue(self.CA, ["pu.example"], client=True)
        make.write(issued, self.path("pu.pem"), self.path("pu.key"))
        talks, port = self.serve(authorities=self.CA.certificate)
        own = ("-cert", self.path("pu.pem"), "-key", self.path("pu.key"))
        talk, _ = await self.visit(talks, *self.client(port, *own))
        self.assertEqual(
            (talk.evidence.proof, talk.evidence.identity),
            (Proof.CERTIFICATE, "dns:pu.example"),
        )

    async def test_stale_ticket(self) -> None:
        """A session that a client kept is of no use, and in nobody's way."""
        talks, port = self.serve(minimum="1.2")
        kept = self.path("session")
        for way in ("-sess_out", "-sess_in"):
            words = self.client(port, "-tls1_3", way, kept)
            talk, said = await self.visit(talks, *words)
            self.assertEqual(talk.evidence.proof, Proof.ANONYMOUS, said)
            self.assertIn(b"hello", said)
        kept = self.path("session of TLS 1.2")
        await self.visit(talks, *self.client(port, "-tls1_2", "-sess_out", kept))
        self.assertFalse(os.path.exists(kept), "TLS 1.2 leaves nothing to resume")

    async def test_session_of_a_revoked_key(self) -> None:
        """When the key is gone, the session that it made doesn't bring its owner back."""
        talks, port = self.serve(minimum="1.2")
        for version in ("-tls1_3", "-tls1_2"):
            self.keys["pe-1"] = SECRET
            kept = self.path(f"session{version}")
            words = self.client(port, *self.keyed(), version, "-sess_out", kept)
            self.proven(
                (await self.visit(talks, *words))[0],
                version="TLSv1." + version[-1],
            )
            del self.keys["pe-1"]
            if os.path.exists(kept):
                words = self.client(port, version, "-sess_in", kept)
                talk, _ = await self.visit(talks, *words)
                if talk.evidence is not None:
                    self.assertEqual(talk.evidence.proof, Proof.ANONYMOUS)

    async def test_suites_of_sha384_alone(self) -> None:
        """A client that offers nothing of SHA-256 has nothing in common with us."""
        talks, port = self.serve()
        suites = ("-ciphersuites", "TLS_AES_256_GCM_SHA384")
        talk, _ = await self.visit(talks, *self.client(port, *self.keyed(), *suites))
        self.assertEqual(talk.failure[0], tls.Reason.INCOMPATIBLE)

    async def test_legacy(self) -> None:
        """What RFC 5352 section 9.2 makes mandatory works on demand, and only then."""
        key = ("-tls1_2", "-cipher", "PSK-AES128-CBC-SHA", *self.keyed())
        for legacy in (False, True):
            talks, port = self.serve(minimum="1.2", legacy_suites=legacy)
            talk, _ = await self.visit(talks, *self.client(port, *key))
            self.assertEqual(talk.evidence is not None, legacy)

    async def server(self, *words: str) -> int:
        """Let it listen, and echo in reverse; return the port."""
        program = self.run_program(
            "openssl", "s_server", "-accept", "127.0.0.1:0", "-rev", "-naccept", "1", *words
        )
        found = await program.says(rb"ACCEPT 127\.0\.0\.1:(\d+)")
        return int(found[1])

    async def test_server(self) -> None:
        """Its server and our client know each other by the key, in both versions."""
        for version in ("1.3", "1.2"):
            for own in (("-nocert",), ("-cert", self.pem, "-key", self.key)):
                port = await self.server(*self.keyed(), *own)
                talk = await self.call(port, minimum=version, maximum=version)
                self.proven(talk, version=f"TLSv{version}")
                self.assertEqual(talk.got, b"olleh\n")

    async def test_server_without_the_key(self) -> None:
        """A server with another key, or with a certificate alone, gets nothing from us."""
        for words in (
            (*self.keyed(OTHER), "-nocert"),
            ("-cert", self.pem, "-key", self.key),
        ):
            port = await self.server(*words)
            talk = await self.call(port)
            self.assertIsNone(talk.evidence)
            self.assertIn(talk.failure[0], (tls.Reason.REFUSED, tls.Reason.UNTRUSTED))


class GnuTLS(Peers):
    """The programs ``gnutls-cli`` and ``gnutls-serv``."""

    skip = requires("gnutls-cli", "gnutls-serv")

    #: By version: `gnutls-cli` 3.7 crashes after a handshake with (EC)DHE-PSK in TLS 1.2.
    CLIENT = {
        "TLSv1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3:+ECDHE-PSK:+DHE-PSK",
        "TLSv1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+PSK",
    }
    SERVER = {
        "TLSv1.3": "NORMAL:-VERS-ALL:+VERS-TLS1.3:+ECDHE-PSK:+DHE-PSK",
        "TLSv1.2": "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-PSK",
    }

    def client(self, port: int, *words: str) -> tuple[str, ...]:
        """Return the words of a client."""
        return ("gnutls-cli", "--port", str(port), *words, "127.0.0.1")

    def keyed(self, secret: bytes = SECRET, identity: str = "pe-1") -> tuple[str, ...]:
        """Return the words for a key."""
        return ("--pskkey", secret.hex(), "--pskusername", identity)

    async def test_key(self) -> None:
        """A client with a key is known by it, in both versions."""
        talks, port = self.serve(minimum="1.2")
        for version, priority in self.CLIENT.items():
            words = self.client(port, *self.keyed(), "--priority", priority)
            talk, said = await self.visit(talks, *words)
            self.proven(talk, version=version)
            self.assertIn(b"hello", said)

    async def test_wrong_and_unknown(self) -> None:
        """A wrong key and an unknown identity look alike there, and not here."""
        talks, port = self.serve(False, minimum="1.2")
        for priority in self.CLIENT.values():
            alerts = []
            for keyed, reason in (
                (self.keyed(OTHER), tls.Reason.WRONG_KEY),
                (self.keyed(identity="pe-9"), tls.Reason.UNKNOWN_IDENTITY),
            ):
                words = self.client(port, *keyed, "--priority", priority)
                talk, said = await self.visit(talks, *words)
                self.assertEqual(talk.failure[0], reason, said)
                alerts.append(re.findall(rb"alert \[(\d+)\]", said))
            self.assertEqual(alerts[0], alerts[1])
            self.assertTrue(alerts[0], said)

    async def test_no_forward_secrecy(self) -> None:
        """In TLS 1.3 a client that wants no key exchange beside its key isn't let in by it."""
        talks, port = self.serve(False)
        priority = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+PSK"
        words = self.client(port, *self.keyed(), "--priority", priority)
        talk, _ = await self.visit(talks, *words)
        self.assertIsNone(talk.evidence)

    async def test_certificate(self) -> None:
        """A client that checks certificates is served on the same port, as anonymous."""
        talks, port = self.serve()
        check = ("--x509cafile", self.ca, "--verify-hostname", "registrar.example")
        talk, said = await self.visit(talks, *self.client(port, *check))
        self.assertEqual(talk.evidence.proof, Proof.ANONYMOUS)
        self.assertIn(b"hello", said)

    async def server(self, priority: str, secret: bytes) -> int:
        """Let it listen, and echo; return the port."""
        with open(self.path("psk"), "w", encoding="ascii") as file:
            file.write(f"pe-1:{secret.hex()}\n")
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            port = chosen.getsockname()[1]
        program = self.run_program(
            "gnutls-serv", "--port", str(port), "--echo", "--priority", priority,
            "--pskpasswd", self.path("psk"),
        )  # fmt: skip
        await program.says(rb"listening on IPv4")
        return int(port)

    async def test_server(self) -> None:
        """Its server and our client know each other by the key, in both versions."""
        for version, priority in self.SERVER.items():
            port = await self.server(priority, SECRET)
            number = version.removeprefix("TLSv")
            talk = await self.call(port, minimum=number, maximum=number)
            self.proven(talk, version=version)
            self.assertEqual(talk.got, b"hello\n")

    async def test_server_with_another_key(self) -> None:
        """A server with another key gets nothing from us."""
        port = await self.server(self.SERVER["TLSv1.3"], OTHER)
        talk = await self.call(port)
        self.assertEqual(talk.failure[0], tls.Reason.REFUSED)
