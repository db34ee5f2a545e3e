"""
Somebody who resolves a pool at one registrar all the time, and misses nobody.

Written without the package's client: sockets, TLS by the standard library, octets.
"""

import socket
import ssl
import struct
import threading
import time

_REQUEST = struct.Struct("!BBH")
#: Seconds between two resolutions.
PAUSE = 0.02


class Watcher(threading.Thread):
    """
    Resolves at one registrar until told to stop.

    :param expected: identifiers that every answer must hold; may be replaced at any time.
    :ivar missed: what was missing, when.
    :ivar homes: the home of each element in the last answer, or None while it has none.
    """

    def __init__(self, name, port, handle, authority=None):
        super().__init__(daemon=True, name=name)
        self.port = port
        self.expected = frozenset()
        self.missed = []
        self.homes = None
        self.answers = 0
        self.longest = 0.0
        self._pool = handle
        self._context = None
        if authority is not None:
            self._context = ssl.create_default_context(cafile=str(authority))
        self._stopped = threading.Event()

    def stop(self):
        """Let it end."""
        self._stopped.set()

    def run(self):
        """Resolve, and connect again when the connection is lost."""
        while not self._stopped.is_set():
            try:
                with self._connected() as line:
                    while not self._stopped.is_set():
                        self._resolve(line)
                        time.sleep(PAUSE)
            except OSError:
                self.homes = None
                time.sleep(0.05)

    def _connected(self):
        line = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is None:
            return line
        return self._context.wrap_socket(line, server_hostname="127.0.0.1")

    def _resolve(self, line):
        handle = struct.pack("!HH", 9, 4 + len(self._pool)) + self._pool
        padded = handle + bytes(-len(handle) % 4)
        expected, began = self.expected, time.monotonic()
        line.sendall(_REQUEST.pack(5, 0, 4 + len(handle)) + padded)
        answer = self._message(line)
        self.longest = max(self.longest, time.monotonic() - began)
        if answer[0] != 6:
            return
        homes = self._homes(answer)
        self.answers += 1
        gone = expected - homes.keys()
        if gone:
            self.missed.append((time.monotonic(), self.name, sorted(gone)[:5], len(homes)))
        self.homes = homes

    @staticmethod
    def _message(line):
        data = b""
        while len(data) < 4 or len(data) < (struct.unpack("!H", data[2:4])[0] + 3) & ~3:
            more = line.recv(65536)
            if not more:
                raise OSError("closed")
            data += more
        return data

    @staticmethod
    def _homes(answer):
        homes, at = {}, 4
        end = struct.unpack("!H", answer[2:4])[0]
        while at < end:
            kind, length = struct.unpack_from("!HH", answer, at)
            if kind == 10:
                identifier, home = struct.unpack_from("!II", answer, at + 4)
                homes[identifier] = home
            at += (length + 3) & ~3
        return homes
