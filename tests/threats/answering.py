"""A healthy pool element of the test's own: it answers keep-alives, and counts them."""

import threading
import time

from OpenSSL import SSL

from rserpool.wire import asap
from rserpool.wire.framing import Splitter


class Answering(threading.Thread):
    """
    Registers by a `Line`, and answers whatever it is asked.

    :ivar asked: when keep-alives came.
    """

    def __init__(self, line, registration):
        super().__init__(daemon=True, name="element")
        self.asked = []
        self._line = line
        [answer] = line.tell(registration)
        if answer.rejected:
            raise ValueError(answer)
        self._ack = asap.encode(
            asap.EndpointKeepAliveAck(
                handle=registration.handle, identifier=registration.element.identifier
            )
        )
        line.socket.settimeout(None)
        self.start()

    def run(self):
        """Answer, until one side hangs up."""
        splitter = Splitter()
        try:
            while data := self._line.read():
                for each in splitter.feed(data):
                    if isinstance(asap.decode(each).message, asap.EndpointKeepAlive):
                        self.asked.append(time.monotonic())
                        self._line.write(self._ack)
        except (OSError, SSL.Error):
            pass
