"""A man in the middle of TLS connections."""

import contextlib
import selectors
import socket
import threading

#: Which way a record goes: from who has called, and back to it.
UP, DOWN = "up", "down"
#: Instead of a record: nothing comes any more this way, and TCP says so.
END = None
HEADER = 5


def untouched(way, number, record):
    """Pass it on."""
    return [record]


class Middle(threading.Thread):
    """
    Stands before a port, reads TLS records, and passes on what `change` makes of them.

    :param change: takes the way, which record of its connection it is on this way, and its
        octets; gives what goes on: a list of octets, or END.
    :param tls: False: there are no records; whatever comes together is one.
    :ivar records: all that came: way and octets.
    """

    def __init__(self, case, port, change=untouched, *, tls=True):
        super().__init__(daemon=True, name="man in the middle")
        self.change = change
        self.tls = tls
        self.records = []
        self._to = port
        self._selector = selectors.DefaultSelector()
        self._sockets = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._selector.register(self._server, selectors.EVENT_READ, self._accept)
        self._stopped = threading.Event()
        case.addCleanup(self.stop)
        self.start()

    def seen(self, way):
        """All octets that went this way."""
        return b"".join(octets for each, octets in list(self.records) if each == way)

    def stop(self):
        """Let go of everything."""
        self._stopped.set()
        self.join(5)
        for each in (self._server, *self._sockets):
            each.close()
        self._selector.close()

    def run(self):
        """Pass on, until told to stop."""
        while not self._stopped.is_set():
            for key, _ in self._selector.select(0.1):
                with contextlib.suppress(OSError):
                    key.data()

    def _accept(self):
        caller, _ = self._server.accept()
        self._sockets.append(caller)
        try:
            called = socket.create_connection(("127.0.0.1", self._to), 5)
        except OSError:
            caller.close()
            return
        self._sockets.append(called)
        up, down = _Pipe(self, UP, caller, called), _Pipe(self, DOWN, called, caller)
        up.other, down.other = down, up
        for pipe in (up, down):
            pipe.source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(pipe.source, selectors.EVENT_READ, pipe.ready)

    def let_go(self, source):
        """Read no more of this."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(source)


class _Pipe:
    """One way of one connection."""

    def __init__(self, middle, way, source, target):
        self._middle = middle
        self._way = way
        self.source, self._target = source, target
        self.other = None
        self._rest = b""
        self._number = 0
        self._ended = False

    def ready(self):
        """Something can be read, or the end."""
        try:
            data = self.source.recv(65536)
        except OSError:
            data = b""
        self._rest += data
        while (record := self._record()) is not None:
            self._middle.records.append((self._way, record))
            self._pass(self._middle.change(self._way, self._number, record))
            self._number += 1
        if not data:
            self._pass([self._rest, END])

    def _record(self):
        rest = self._rest
        if not self._middle.tls:
            self._rest = b""
            return rest or None
        if len(rest) < HEADER or len(rest) < HEADER + int.from_bytes(rest[3:HEADER], "big"):
            return None
        end = HEADER + int.from_bytes(rest[3:HEADER], "big")
        self._rest = rest[end:]
        return rest[:end]

    def _pass(self, octets):
        for each in octets:
            if self._ended:
                return
            if each is END:
                self._end()
            else:
                self._send(each)

    def _send(self, octets):
        try:
            self._target.sendall(octets)
        except OSError:
            self._end()

    def _end(self):
        self._ended = True
        self._middle.let_go(self.source)
        with contextlib.suppress(OSError):
            self._target.shutdown(socket.SHUT_WR)
        if self.other._ended:
            self.source.close()
            self._target.close()
