"""Sending at once, over real sockets."""

import socket

from twisted.internet import defer, reactor, task
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from rserpool.transport.direct import DirectServer, send_at_once


class Server(Protocol):
    """Hands itself to the test."""

    def connectionMade(self):
        """Hand over."""
        self.factory.made.callback(self)

    def connectionLost(self, reason):
        """Tell."""
        self.factory.lost.callback(None)


class Sending(TestCase):
    """All bytes arrive, in their order, however the socket takes them."""

    timeout = 20

    async def connect(self):
        """A server's protocol and a plain socket at the other end."""
        factory = Factory.forProtocol(Server)
        factory.made, factory.lost = defer.Deferred(), defer.Deferred()
        port = await TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(factory)
        send_at_once(port)
        self.addCleanup(port.stopListening)
        client = socket.create_connection(("127.0.0.1", port.getHost().port))
        client.setblocking(False)
        self.addCleanup(client.close)
        protocol = await factory.made
        self.assertIsInstance(protocol.transport, DirectServer)
        return protocol, client, factory.lost

    async def receive(self, client, count):
        """Read so many bytes, or up to the end."""
        found = b""
        while len(found) < count:
            try:
                part = client.recv(65536)
            except BlockingIOError:
                await task.deferLater(reactor, 0.001)
                continue
            if not part:
                break
            found += part
        return found

    async def test_at_once(self):
        """A small write is there before the event loop turns."""
        protocol, client, lost = await self.connect()
        protocol.transport.write(b"hello")
        self.assertEqual(client.recv(10), b"hello")
        protocol.transport.loseConnection()
        await lost

    async def test_more_than_fits(self):
        """What the socket doesn't take follows in order, with later writes behind it."""
        protocol, client, lost = await self.connect()
        parts = [bytes([n % 256]) * (200_000 + n) for n in range(30)]
        for part in parts:
            protocol.transport.write(part)
        whole = b"".join(parts)
        self.assertEqual(await self.receive(client, len(whole)), whole)
        protocol.transport.write(b"end")
        self.assertEqual(await self.receive(client, 3), b"end")
        protocol.transport.loseConnection()
        await lost

    async def test_close_with_data(self):
        """Closing sends what waits first."""
        protocol, client, lost = await self.connect()
        protocol.transport.write(bytes(5_000_000))
        protocol.transport.loseConnection()
        self.assertEqual(len(await self.receive(client, 6_000_000)), 5_000_000)
        await lost

    async def test_reset(self):
        """A peer that is gone ends the connection, and writing to it raises nothing."""
        protocol, client, lost = await self.connect()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.close()
        for _ in range(5):
            protocol.transport.write(b"hello")
            await task.deferLater(reactor, 0.01)
        await lost
        protocol.transport.write(b"hello")
