"""
Sending at once: a TCP transport that tries the socket before it asks the event loop.

Twisted's own write waits for the loop to say that the socket is writable, which it nearly
always is: that costs two system calls and a turn of the loop for each lone answer.
"""

import socket
from typing import Any

from twisted.internet import tcp


class DirectServer(tcp.Server):
    """
    One accepted connection.

    Twisted keeps what isn't sent in ``dataBuffer`` and ``_tempDataBuffer``; only when both
    are empty, and nothing is closing, may something be sent past them.
    """

    def write(self, data: bytes) -> None:
        """Send what the socket takes now, and leave the rest to the event loop."""
        if (
            self._tempDataBuffer
            or len(self.dataBuffer) != self.offset
            or not self.connected
            or self.disconnecting
            or self._writeDisconnected
        ):
            super().write(data)  # type: ignore[no-untyped-call]
            return
        try:
            sent = self.socket.send(data)
        except OSError:
            # Full, or broken: the event loop finds out which, and does what must be done.
            sent = 0
        if sent < len(data):
            super().write(data[sent:])  # type: ignore[no-untyped-call]


def send_at_once(port: Any) -> None:
    """Let a listening TCP port make connections of this kind."""
    if type(port) is tcp.Port:  # SCTP's, which is one as well, has transports of its own
        port.transport = DirectServer


def tune(transport: Any) -> None:
    """Set what each connection wants: no waiting for more to send, and signs of life."""
    if hasattr(transport, "setTcpNoDelay"):
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
        # Not getHandle(), which is OpenSSL's connection under TLS.
        handle = getattr(transport, "socket", None)
        if isinstance(handle, socket.socket) and hasattr(socket, "TCP_USER_TIMEOUT"):
            # A peer that vanished without a word is noticed in half a minute.
            handle.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
