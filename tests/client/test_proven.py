"""Connections to pools whose elements are shown that they were chosen by chance."""

import attrs
from twisted.internet.defer import inlineCallbacks
from twisted.internet.protocol import Protocol

from rserpool.client import NoElement
from rserpool.client import draw as drawn
from rserpool.client.drawing import Draws, Seeded
from rserpool.client.fairness import Fairness, Fit
from rserpool.wire.policies import LeastUsed, Random
from tests.client.test_pool_connection import Scene

NAME = b"dns:pu.example"
NONCES = Seeded(b"public").at
NOW = 30_000_000.0 * drawn.PERIOD


class Proving(Protocol):
    """An application that shows its proof first."""

    def connectionMade(self):
        """Show it."""
        self.factory.built.append(self)
        self.transport.write(self.factory.connection.proof)


class Proven(Scene):
    """Three elements of a pool that is chosen from by chance."""

    def setUp(self):
        super().setUp()
        self.factory.protocol = Proving
        for number in (1, 2, 3):
            self.serve(number, plain=True)
        self.user.elements = [attrs.evolve(one, policy=Random()) for one in self.user.elements]
        self.weights = {1: 1, 2: 1, 3: 1}

    def proven(self, **how):
        """A connection that can prove."""
        draws = Draws(b"web", NAME, NONCES, lambda: NOW, **how)
        self.factory.connection = self.connection(draws=draws, downgrade=True)
        return self.factory.connection

    def judged(self, identifier):
        """What the element makes of what it was shown."""
        checker = Fairness(b"web", identifier, NONCES)
        shown = b"".join(self.servers[identifier].said)
        return checker.judge(shown, NAME, self.weights, NOW), drawn.decode(shown)

    @inlineCallbacks
    def test_shown(self):
        """Each element can see why it was chosen: the first, and those after a failover."""
        connection = self.proven()
        yield connection.start()
        used = []
        for index in range(2):
            yield self.until(lambda: len(self.factory.built) == len(used) + 1)
            one = connection.element.identifier
            yield self.until(lambda one=one: self.servers[one].said)
            fit, proof = self.judged(one)
            self.assertIs(fit, Fit.FITS)
            self.assertEqual((proof.index, set(proof.excused) - set(used)), (index, set()))
            used.append(one)
            if index == 0:
                self.kill(self.servers[one])
        self.assertNotEqual(*used)
        yield self.settle()

    @inlineCallbacks
    def test_unreachable(self):
        """Who can't be reached is named in the proof for the next."""
        link = drawn.first_link(NONCES(drawn.period(NOW)), b"web", NAME)
        order = sorted(self.weights, key=lambda one: drawn.waiting(link, one))
        yield self.servers[order[0]].port.stopListening()
        connection = self.proven()
        yield connection.start()
        self.assertEqual(connection.element.identifier, order[1])
        yield self.until(lambda: self.servers[order[1]].said)
        fit, proof = self.judged(order[1])
        self.assertEqual((fit, proof.excused), (Fit.FITS, (order[0],)))
        self.assertEqual(self.user.reported, [order[0]])
        yield self.settle()

    @inlineCallbacks
    def test_exhausted(self):
        """After all draws of the period nobody is called."""
        connection = self.proven(most=1)
        yield connection.start()
        yield self.settle()
        yield self.assertFailure(connection.start(), NoElement)

    @inlineCallbacks
    def test_other_policy(self):
        """Where the policy chooses otherwise there is no proof."""
        self.user.elements = [
            attrs.evolve(one, policy=LeastUsed(load=one.identifier))
            for one in self.user.elements
        ]
        connection = self.proven()
        yield connection.start()
        self.assertEqual((connection.element.identifier, connection.proof), (1, b""))
        yield self.settle()
