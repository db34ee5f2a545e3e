"""Somebody who has recorded a connection, and says all of it again."""

import contextlib
import socket
import threading

from tests.threats.middle import DOWN, UP

#: Seconds that are waited for an answer before the next of what was recorded is said.
PATIENCE = 0.3


def record(middle, session):
    """Let a session go through a man in the middle; gives what went up, and what came down."""
    middle.records.clear()
    session()
    taken = list(middle.records)
    return [r for way, r in taken if way == UP], [r for way, r in taken if way == DOWN]


def replay(port, records, *, first=None):
    """
    Say it again on a new connection, and give back what is answered until it is hung up.

    :param first: so many records at first, whose answer is waited for; None: all at once.
    :raise TimeoutError: it isn't hung up.
    """
    answered = b""
    with socket.create_connection(("127.0.0.1", port), 10) as line:
        with contextlib.suppress(OSError):
            if first is not None:
                line.sendall(b"".join(records[:first]))
                line.settimeout(PATIENCE)
                with contextlib.suppress(TimeoutError):
                    answered += line.recv(65536)
            line.sendall(b"".join(records[first or 0 :]))
            line.shutdown(socket.SHUT_WR)
        line.settimeout(10)
        with contextlib.suppress(ConnectionError):
            while data := line.recv(65536):
                answered += data
    return answered


class Player(threading.Thread):
    """
    Says to whoever calls what another server has said to somebody else.

    :param records: what; None: it says back what it is told.
    :ivar calls: how many have called; `heard`: what the last of them has said.
    """

    def __init__(self, case, records):
        super().__init__(daemon=True, name="player")
        self.calls, self.heard = 0, b""
        self._records = records
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        case.addCleanup(self.stop)
        self.start()

    def stop(self):
        """Hang up."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.join(5)

    def run(self):
        """Take one call after the other."""
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self._server.accept()
                self.calls += 1
                with accepted, contextlib.suppress(OSError):
                    accepted.settimeout(5)
                    self.heard = b""
                    while data := accepted.recv(65536):
                        first, self.heard = not self.heard, self.heard + data
                        if self._records is None:
                            accepted.sendall(data)
                        elif first:
                            accepted.sendall(b"".join(self._records))
