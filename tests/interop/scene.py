"""A listener of ours that answers, in this process, and what it has seen."""

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from rserpool.security.budgets import Rate
from rserpool.transport import endpoints
from rserpool.transport.allowance import Allowance, ConnectionLimits
from rserpool.transport.listener import Listener
from rserpool.transport.sctp.payload import Payload
from rserpool.transport.watch import Patience


def message(length, mark=0):
    """A message of so many octets, with its padding."""
    header = bytes((0x41, mark, length >> 8, length & 0xFF))
    return (header + bytes((mark,)) * (length - 4)).ljust((length + 3) & ~3, b"\0")


class Echo:
    """
    Answers each message by itself.

    :ivar answer: makes an answer.
    """

    def __init__(self):
        self.connections, self.messages, self.lost_ones = [], [], []
        self.answer = lambda data: data

    def opened(self, connection):
        """One more."""
        self.connections.append(connection)

    def arrived(self, connection, messages):
        """Answer, all in one write."""
        self.messages += messages
        connection.write(b"".join(map(self.answer, messages)))

    def lost(self, connection, reason):
        """One less."""
        self.lost_ones.append(connection)


class Serving(TestCase):
    """Has a listener."""

    timeout = 60

    def setUp(self):
        """Answer what comes."""
        self.echo = Echo()

    @inlineCallbacks
    def listen(self, description, payload=Payload.ASAP, creator=None, patience=None):
        """Listen there; the port."""
        limits = ConnectionLimits(connections_per_address=0, rate=Rate(10_000, 10_000))
        allowance = Allowance(limits, reactor.seconds)
        listener = Listener(self.echo, allowance, patience or Patience(), clock=reactor,
                            creator=creator)  # fmt: skip
        self.listener = listener
        endpoint = endpoints.server(reactor, description, payload.under(creator is not None))
        port = yield listener.listen(endpoint)
        self.addCleanup(listener.stop)
        return port

    @inlineCallbacks
    def until(self, holds, seconds=20.0):
        """Wait until something holds."""
        end = reactor.seconds() + seconds
        while not holds():
            self.assertLess(reactor.seconds(), end, "not in time")
            yield deferLater(reactor, 0.02)
