"""What each connection's socket is set to, with TLS and without."""

import socket

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from rserpool.transport.direct import tune


class Tuned(StringTransport):
    """A TCP transport, perhaps with TLS in front of its socket."""

    def __init__(self, under_tls):
        super().__init__()
        self.socket = socket.socket()
        self.handle = object() if under_tls else self.socket

    def getHandle(self):
        """Under TLS it is OpenSSL's connection."""
        return self.handle

    def setTcpNoDelay(self, on):
        """Do it."""
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, on)

    def setTcpKeepAlive(self, on):
        """Do it."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, on)


class Tuning(SynchronousTestCase):
    """Small messages go at once, and a peer that vanished is noticed."""

    def test_socket(self):
        """The options are set on the socket itself, whatever is in front of it."""
        for under_tls in (False, True):
            transport = Tuned(under_tls)
            tune(transport)
            self.assertTrue(transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            if hasattr(socket, "TCP_USER_TIMEOUT"):
                found = transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
                self.assertEqual(found, 30_000)
            transport.socket.close()

    def test_others(self):
        """A transport without such options is left alone."""
        tune(StringTransport())
