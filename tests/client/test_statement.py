"""What an element signs, and what registrars do with the signature (RFC 5355 section 2.17)."""

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rserpool.client.element import Element
from rserpool.client.statement import ELEMENT_SIGNATURE, signatures, signed, statement
from rserpool.security.signing.signature import Signature
from rserpool.wire import asap
from rserpool.wire.compiled import KNOWN
from rserpool.wire.delay import WeightedRandomDPF
from rserpool.wire.layout import tlv
from rserpool.wire.policies import LeastUsed
from tests.client.scene import HOME, element, granted, keep_alive, membership, sent
from tests.security.signing.signing import NOW, signer


class Statement(SynchronousTestCase):
    """The octets that are signed."""

    def test_parts(self):
        """Every part of it counts, and they can't be shifted into each other."""
        one = element(0x2A)
        transport = one.user_transport
        said = {
            statement(b"web", one),
            statement(b"we", one),
            statement(b"", one),
            statement(b"web\0\0\x01", one),
            statement(b"web", attrs.evolve(one, identifier=0x2B)),
            statement(b"web", attrs.evolve(one, policy=LeastUsed(load=1))),
            statement(b"web", attrs.evolve(one, policy=LeastUsed(load=2))),
            statement(
                b"web", attrs.evolve(one, user_transport=attrs.evolve(transport, port=1))
            ),
        }
        self.assertEqual(len(said), 8)

    def test_left_out(self):
        """Home, life and what is for registrars may change on the way."""
        one = element(0x2A)
        for changes in (
            {"home": 0}, {"life": -1}, {"principal": "web-1"},
            {"asap_transport": one.user_transport}, {"unknown": (tlv(0x8111, b"x"),)},
        ):  # fmt: skip
            self.assertEqual(
                statement(b"web", one), statement(b"web", attrs.evolve(one, **changes))
            )

    def test_distance(self):
        """So may the distance in a policy, which registrars measure; nothing else of it."""
        near, far, light = (
            statement(b"web", element(1, WeightedRandomDPF(weight=w, dpf=7, distance=d)))
            for w, d in ((5, 0), (5, 80), (4, 0))
        )
        self.assertEqual(near, far)
        self.assertNotEqual(near, light)

    def test_type(self):
        """Its type is of those that are skipped without a word, and is nobody else's."""
        self.assertEqual(ELEMENT_SIGNATURE >> 14, 0b10)
        self.assertNotIn(ELEMENT_SIGNATURE, KNOWN)

    def test_signed(self):
        """A fresh signature takes the place of the old one; other parameters stay."""
        one = attrs.evolve(element(0x2A), unknown=(tlv(0x8111, b"x"),))
        once = signed(b"web", one, signer())
        twice = signed(b"web", once, signer(now=NOW + 1))
        self.assertEqual([len(each.unknown) for each in (once, twice)], [2, 2])
        self.assertEqual(twice.unknown[0], one.unknown[0])
        [value] = signatures(twice)
        Signature.decode(value).check(signer().public, statement(b"web", one))


class Registering(SynchronousTestCase):
    """The element's machine."""

    def check(self, message, machine):
        """Its registration is signed, with what it says now."""
        [value] = signatures(message.element)
        Signature.decode(value).check(signer().public, statement(b"web", message.element))
        self.assertEqual(message.element.policy, machine.membership.policy)

    def test_each(self):
        """Each registration is signed, with the load that it tells."""
        machine = Element(membership(policy=LeastUsed(load=1)), signer=signer())
        machine.join()
        [first] = sent(machine.linked(0.0))
        self.check(first, machine)
        machine.arrived(asap.encode(granted()), 1.0)
        machine.arrived(asap.encode(keep_alive()), 1.0)
        changed = membership(policy=LeastUsed(load=2))
        [second] = sent(machine.update(changed))
        self.assertEqual(second.element.home, HOME)
        self.check(second, machine)
        [third] = sent(machine.rang("T4-reregistration"))
        self.check(third, machine)

    def test_unsigned(self):
        """Without a signer it registers as ever."""
        machine = Element(membership())
        machine.join()
        [message] = sent(machine.linked(0.0))
        self.assertEqual(message.element.unknown, ())
