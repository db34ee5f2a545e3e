"""Somebody who is called as if he were a registrar."""

import contextlib
import socket
import threading

from OpenSSL import SSL

from rserpool.wire import asap
from rserpool.wire.framing import Splitter
from tests.threats.scene import Line

HOST = "127.0.0.1"


class Caller(Line):
    """Who has called: the other end of a `Line`."""

    def __init__(self, accepted, creator, decode):
        self.socket = accepted
        self.sent, self.received = [], []
        self._splitter = Splitter()
        self._decode = decode.decode
        self._encode = decode.encode
        self.tls = None
        if creator is not None:
            self.tls = creator.serverConnectionForTLS(None)
            self.tls.set_accept_state()
            self._drive(self.tls.do_handshake)
            self._flush()

    def messages(self):
        """What it says, until it hangs up; None for what is no message."""
        while data := self.read():
            yield from (self._decode(one).message for one in self._splitter.feed(data))

    def say(self, *messages):
        """Say something."""
        self.write(b"".join(self._encode(message) for message in messages))


class Impostor(threading.Thread):
    """
    Listens, and writes down who calls and what is said.

    :param creator: makes the server's side of TLS; None: he speaks plainly.
    :param answer: takes a `Caller` and a message, and says to it what it likes.
    :ivar calls: how many have connected; `entered`: how many then spoke TLS with him.
    :ivar heard: the messages that were said to him; `refusals`: what TLS said instead.
    """

    def __init__(self, case, creator=None, answer=None, decode=asap, *, port=0, host=HOST):
        super().__init__(daemon=True, name="impostor")
        self.calls, self.entered, self.heard, self.refusals = 0, 0, [], []
        self._creator = creator
        self._answer = answer
        self._decode = decode
        self._server = socket.create_server((host, port))
        self.port = self._server.getsockname()[1]
        self._open = []
        case.addCleanup(self.stop)
        self.start()

    @property
    def endpoint(self):
        """Where he is called."""
        return f"tcp:{self._server.getsockname()[0]}:{self.port}"

    def stop(self):
        """Hang up everywhere."""
        for each in (self._server, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self.join(5)

    def run(self):
        """Take every call."""
        with contextlib.suppress(OSError):
            while True:
                accepted, _ = self._server.accept()
                self.calls += 1
                self._open.append(accepted)
                threading.Thread(target=self._take, args=(accepted,), daemon=True).start()

    def _take(self, accepted):
        with contextlib.suppress(OSError, SSL.Error, ValueError):
            try:
                caller = Caller(accepted, self._creator, self._decode)
                self.entered += 1
                for message in caller.messages():
                    if message is not None:
                        self.heard.append(message)
                    if self._answer is not None:
                        self._answer(caller, message)
            except SSL.Error as error:
                self.refusals.append(str(error))
            finally:
                accepted.close()
