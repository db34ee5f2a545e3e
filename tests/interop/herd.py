"""Many pool elements in the test's own process, which are one association with a registrar."""

import contextlib
import socket
import threading
from ipaddress import ip_address

from rserpool.wire import asap
from rserpool.wire.parameters import PoolElement, SCTPTransport
from rserpool.wire.policies import RoundRobin
from tests.interop.lan import ADDRESS
from tests.interop.peers import Peer
from tests.site import until

#: Milliseconds, in rsplib's ways: longer than any test.
LIFE = 3_600_000


class Herd(threading.Thread):
    """
    They register, answer keep-alives, and leave.

    :param registrar: its address.
    :ivar members: identifier and pool of those that are in, as the registrar has said.
    :ivar refused: identifiers of those that it has refused.
    """

    def __init__(self, registrar):
        super().__init__(daemon=True)
        self.members, self.refused = {}, []
        self._peer = until(lambda: _reached(registrar), 60)
        self._lock = threading.Lock()
        self._over = False
        self.start()

    def register(self, pool, *identifiers):
        """Register these."""
        for identifier in identifiers:
            element = PoolElement(
                identifier=identifier, life=LIFE, policy=RoundRobin(),
                user_transport=SCTPTransport(
                    port=identifier % 60_000 + 1024, use=1, addresses=(ip_address(ADDRESS),)
                ),
            )  # fmt: skip
            self._send(asap.Registration(handle=pool.encode(), element=element))

    def deregister(self, *identifiers):
        """Let these leave."""
        for identifier in identifiers:
            handle = self.members[identifier].encode()
            self._send(asap.Deregistration(handle=handle, identifier=identifier))

    def settled(self, count):
        """Wait until so many are in."""
        until(lambda: self.refused or len(self.members) == count, 60)
        assert not self.refused, self.refused

    def end(self):
        """Leave without a word: the association is shut down."""
        self._over = True
        with contextlib.suppress(OSError):
            self._peer.socket.shutdown(socket.SHUT_RDWR)
        self.join(60)
        self._peer.close()

    def run(self):
        """Hear answers, and answer keep-alives."""
        while not self._over:
            try:
                data, _ = self._peer.receive()
            except BlockingIOError:
                continue  # nothing has come for long
            except OSError:
                return
            if not data:
                return
            self._heed(asap.decode(data).message)

    def _heed(self, message):
        if isinstance(message, asap.RegistrationResponse):
            if message.rejected:
                self.refused.append(message.identifier)
            else:
                self.members[message.identifier] = message.handle.decode()
        elif isinstance(message, asap.DeregistrationResponse):
            self.members.pop(message.identifier, None)
        elif isinstance(message, asap.EndpointKeepAlive):
            mine = [message.identifier]
            if message.identifier is None:
                pool = message.handle.decode()
                mine = [one for one, where in self.members.items() if where == pool]
            for identifier in mine:
                self._send(
                    asap.EndpointKeepAliveAck(handle=message.handle, identifier=identifier)
                )

    def _send(self, message):
        with self._lock:
            self._peer.send(asap.encode(message))


def _reached(registrar):
    """An association with it, if it is there already."""
    with contextlib.suppress(OSError):
        return Peer([registrar], 3863, bound=[ADDRESS])
    return None
