"""Somebody who sends forged announcements to a group, by the thousand."""

import itertools
import socket
import threading
import time

from rserpool.wire import asap, enrp
from rserpool.wire.parameters import ServerInformation, TCPTransport
from tests.fleet import HERE

#: Datagrams between two pauses, and seconds of one: some thousands in a second.
AT_ONCE, PAUSE = 20, 0.005
#: The first of the addresses that they are sent from: whoever forges presences is called there.
FIRST = "127.0.1.1"


def announcements(ports):
    """Of ever other registrars: at these ports, anywhere, at privileged ports, or silent."""
    for number in itertools.count(1):
        port = ports[number % len(ports)] if number % 3 else 2000 + number % 60_000
        where = TCPTransport(port=port if number % 17 else 25, addresses=(HERE,))
        transports = () if number % 19 == 0 else (where,)
        yield asap.encode(asap.ServerAnnounce(server=number, transports=transports))


def presences(ports):
    """The same for registrars: each wants an answer."""
    for number in itertools.count(0x10000):
        port = ports[number % len(ports)] if number % 3 else 2000 + number % 60_000
        where = TCPTransport(port=port, addresses=(HERE,))
        yield enrp.encode(
            enrp.Presence(
                sender=number,
                checksum=number & 0xFFFF,
                reply_required=True,
                server=ServerInformation(identifier=number, transport=where),
            )
        )


class Forger(threading.Thread):
    """
    Sends without end, from some addresses in turn.

    :ivar sent: how many datagrams.
    """

    def __init__(self, case, group, datagrams, addresses=5):
        super().__init__(daemon=True, name="forger")
        self.sent = 0
        self._datagrams = datagrams
        self._where = str(group.address), group.port
        self._sockets = [self._socket(f"127.0.1.{n + 1}") for n in range(addresses)]
        self._ended = threading.Event()
        case.addCleanup(self.stop)
        self.start()

    def _socket(self, source):
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((source, 0))
        made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, HERE.packed)
        return made

    def run(self):
        """Send."""
        while not self._ended.is_set():
            for _ in range(AT_ONCE):
                sender = self._sockets[self.sent % len(self._sockets)]
                sender.sendto(next(self._datagrams), self._where)
                self.sent += 1
            time.sleep(PAUSE)

    def stop(self):
        """Send no more."""
        self._ended.set()
        self.join(5)
        for each in self._sockets:
            each.close()
