"""
Waiting for a hello: no TLS is made for a connection before its first record is whole.

OpenSSL takes some 50 KiB for each handshake that has begun.  Who opens connections and says
nothing on them, or half a hello, would have them for the cost of a socket.
"""

from collections.abc import Callable
from typing import Any

from OpenSSL import SSL

#: TLS's record type of a handshake (RFC 8446 section 5.1).
HANDSHAKE = 22
#: Octets before the content of a record.
HEADER = 5
#: Octets that the content of a first record may have; OpenSSL refuses longer ones.
LONGEST = 1 << 14


class Unbegun:
    """
    Stands where Twisted's TLS keeps its connection, until there is one.

    :param protocol: Twisted's side of it, which calls this as it would call OpenSSL.
    :param begin: makes the connection.
    """

    def __init__(self, protocol: Any, begin: Callable[[Any], SSL.Connection]) -> None:
        self._protocol = protocol
        self._begin = begin
        self._said = b""

    def bio_write(self, data: bytes) -> None:
        """Keep what has come, or go over to TLS with it."""
        self._said += data
        if _whole(self._said):
            protocol, said = self._protocol, self._said
            self._protocol, self._said = None, b""
            connection: Any = self._begin(protocol)
            protocol._tlsConnection = connection
            connection.set_accept_state()
            connection.set_app_data(protocol)
            connection.bio_write(said)

    def set_accept_state(self) -> None:
        """Who has begun nothing waits anyway."""

    def set_app_data(self, data: Any) -> None:
        """It is the protocol, which is known."""

    def do_handshake(self) -> None:
        """Nothing can be done yet."""
        raise SSL.WantReadError

    def bio_read(self, size: int) -> bytes:
        """Nothing is to be sent."""
        raise SSL.WantReadError

    def recv(self, size: int) -> bytes:
        """Nothing has been received."""
        raise SSL.WantReadError

    def bio_shutdown(self) -> None:
        """The peer has left before it has begun."""
        self._protocol = None

    def shutdown(self) -> bool:
        """What hasn't begun is over at once."""
        self._protocol = None
        return True


def _whole(said: bytes) -> bool:
    """Whether OpenSSL can say something to it: a record, or what will never be one."""
    if len(said) < HEADER:
        return bool(said) and said[0] != HANDSHAKE
    length = int.from_bytes(said[3:HEADER], "big")
    return said[0] != HANDSHAKE or length > LONGEST or len(said) >= HEADER + length
