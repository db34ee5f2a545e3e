"""Peers that are nothing but a socket: they do what no honest peer does."""

import socket
import struct
from ipaddress import ip_address

from rserpool.transport.sctp import addresses, options
from rserpool.transport.sctp.options import Times

#: Seconds that anything may take.
PATIENCE = 30


class Peer:
    """
    One association, blocking: for threads and other processes than the one under test.

    :param bound: addresses of its own, and its port.
    """

    def __init__(self, hosts, port, *, bound=(), bound_port=0, receive_buffer=None):
        where = [ip_address(host) for host in hosts]
        local = [ip_address(host) for host in bound]
        self.socket = options.make(addresses.family([*where, *local]), Times())
        self.socket.setblocking(True)
        # Not settimeout, with which Python makes it one that doesn't block.
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.socket.setsockopt(socket.SOL_SOCKET, option, struct.pack("=qq", PATIENCE, 0))
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            if local:
                addresses.bind(self.socket, local, bound_port)
            addresses.connect(self.socket, where, port)
        except OSError:
            self.socket.close()
            raise

    def send(self, data, identifier=11):
        """Send one user message with this payload protocol identifier."""
        self.socket.sendmsg([data], options.sent_with(identifier))

    def receive(self):
        """One user message, and its payload protocol identifier; nothing at the end."""
        data = b""
        while True:
            part, ancillary, flags, _ = self.socket.recvmsg(1 << 17, 256)
            if flags & options.NOTIFICATION:
                continue
            if not part:
                return b"", None
            data += part
            if flags & options.END_OF_MESSAGE:
                [(_, kind, value)] = ancillary
                assert kind == options.RCVINFO
                return data, socket.ntohl(int.from_bytes(value[8:12], "little"))

    def ending(self):
        """How it ends: ``closed`` or ``aborted``."""
        try:
            while self.receive()[0]:
                pass
        except ConnectionResetError:
            return "aborted"
        return "closed"

    def abort(self):
        """End it at once."""
        options.abort(self.socket)

    def close(self):
        """End it in an orderly way."""
        self.socket.close()
