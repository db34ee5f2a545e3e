"""The round-trip time of a connection, from the kernel."""

import socket

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from rserpool.transport.distance import smoothed


class Smoothed(SynchronousTestCase):
    """`smoothed`."""

    def pair(self):
        """The two ends of a connection, over which something went."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            client = socket.create_connection(server.getsockname())
            self.addCleanup(client.close)
            other, _ = server.accept()
            self.addCleanup(other.close)
        client.sendall(b"?")
        other.recv(1)
        other.sendall(b"!")
        client.recv(1)
        return client, other

    def test_tcp(self):
        """On loopback it is more than nothing, and less than a second."""
        if not hasattr(socket, "TCP_INFO"):
            self.assertIsNone(smoothed(StringTransport()))
            return
        transport = StringTransport()
        transport.socket, _ = self.pair()
        self.assertTrue(0 < smoothed(transport) < 1, smoothed(transport))

    def test_unknown(self):
        """What isn't TCP, or has ended, has none."""
        self.assertIsNone(smoothed(None))
        self.assertIsNone(smoothed(StringTransport()))
        transport = StringTransport()
        transport.socket, other = socket.socketpair()
        self.addCleanup(other.close)
        self.assertIsNone(smoothed(transport))
        transport.socket.close()
        self.assertIsNone(smoothed(transport))
