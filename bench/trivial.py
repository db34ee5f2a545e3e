"""
The yardstick: a server on the same transport that only frames and answers stored bytes.

``python -m bench.trivial PORT ANSWER-HEX [CERTIFICATE KEY]``
"""

import sys
import time
from pathlib import Path

from twisted.internet import reactor
from twisted.python.failure import Failure

from rserpool.security.psk.tls import ServerCreator
from rserpool.transport import endpoints
from rserpool.transport.allowance import Allowance, ConnectionLimits
from rserpool.transport.connection import Connection
from rserpool.transport.listener import Listener
from rserpool.transport.watch import Patience


class Stored:
    """Answers every message with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def opened(self, connection: Connection) -> None:
        """Nothing to settle."""

    def arrived(self, connection: Connection, messages: list[bytes]) -> None:
        """One answer for each message, in one write."""
        connection.write(self._answer * len(messages))

    def lost(self, connection: Connection, reason: Failure) -> None:
        """Nothing to forget."""


def main() -> None:
    """Serve until killed."""
    port, answer, *files = sys.argv[1:]
    creator = None
    if files:
        certificate, key = (Path(file).read_bytes() for file in files)
        creator = ServerCreator(certificate=certificate, private_key=key)
    limits = ConnectionLimits(connections=0, connections_per_address=0)
    listener = Listener(
        Stored(bytes.fromhex(answer)),
        Allowance(limits, time.monotonic),
        Patience(),
        clock=reactor,
        creator=creator,
    )
    listener.listen(endpoints.server(reactor, f"tcp:{port}:interface=127.0.0.1"))
    reactor.run()


if __name__ == "__main__":
    main()
