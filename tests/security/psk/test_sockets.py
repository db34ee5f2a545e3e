"""TLS with keys in Twisted's own TLS, over real sockets."""

import os
from typing import ClassVar

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, wrapClientTLS
from twisted.trial.unittest import TestCase

from rserpool.security.decisions import Proof
from rserpool.security.psk import tls
from tests.security.psk.link import OTHER, SECRET, backend
from tests.security.psk.serving import PATIENCE, Talk, Talks, listen


class Sockets:
    """The rules, for each backend."""

    timeout = PATIENCE
    name: ClassVar[str]

    async def talk(
        self,
        secret: bytes = SECRET,
        *,
        version: str = "1.3",
        client_says: bytes = b"",
        server_says: bytes = b"",
        answer: bytes = b"hello",
        enough: int = 0,
    ) -> tuple[Talk, Talk]:
        """Let a client and a server talk; return both when it is over."""
        module, why = backend(self.name)
        assert module is not None, why
        keys = {"pe-1": SECRET}
        server = tls.ServerCreator(keys.get, minimum="1.2", backend=module)
        client = tls.PSKClientCreator(
            "pe-1", secret, minimum=version, maximum=version, backend=module
        )
        serving = Talks(reactor, server_says, answer)
        calling = Talks(reactor, client_says, enough=enough)
        port = listen(reactor, server, serving)
        self.addCleanup(port.stopListening)
        ended = gatherResults([calling.next, serving.next])
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        await wrapClientTLS(client, endpoint).connect(calling)
        return tuple(await ended)

    async def test_greeting(self) -> None:
        """Both know who the other is, and what one says the other hears."""
        for version in ("1.3", "1.2"):
            client, server = await self.talk(version=version)
            self.assertEqual(client.got, b"hello")
            for evidence in (client.evidence, server.evidence):
                self.assertEqual((evidence.proof, evidence.identity), (Proof.PSK, "pe-1"))

    async def test_large_first_write(self) -> None:
        """A first write of more than 64000 octets, which drives the handshake, is no matter."""
        data = os.urandom(200_000)
        for version in ("1.3", "1.2"):
            client, server = await self.talk(
                version=version, server_says=data, answer=b"", enough=len(data)
            )
            self.assertEqual(client.got, data)
            self.assertEqual(server.evidence.identity, "pe-1")
            client, server = await self.talk(version=version, client_says=data, enough=5)
            self.assertEqual(client.got, b"hello")
            self.assertEqual(server.got, data[: len(server.got)])
            self.assertEqual(server.evidence.identity, "pe-1")

    async def test_wrong_key(self) -> None:
        """Both sides say what each of them can know, and nothing was sent."""
        client, server = await self.talk(OTHER, client_says=b"x" * 100_000)
        self.assertEqual(server.failure[:2], (tls.Reason.WRONG_KEY, "pe-1"))
        self.assertEqual(client.failure[0], tls.Reason.REFUSED)
        self.assertEqual((client.got, server.got), (b"", b""))


class OnPyOpenSSL(Sockets, TestCase):
    """On pyOpenSSL."""

    name = "tls_pyopenssl"
    skip = backend(name)[1] or None


class OnTheStandardLibrary(Sockets, TestCase):
    """On the standard library."""

    name = "tls_stdlib"
    skip = backend(name)[1] or None
