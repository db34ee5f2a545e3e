"""Tables and updates read from their octets, beside the decoder that knows all shapes."""

import random
from ipaddress import ip_address

from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

from rserpool.handlespace.description import Description
from rserpool.registrar.told import Change, Listing, quick, value
from rserpool.wire import enrp
from rserpool.wire.errors import WireError
from rserpool.wire.parameters import PoolElement, PoolHandle, TCPTransport
from rserpool.wire.policies import RoundRobin, WeightedRoundRobin
from tests import strategies

HERE = ip_address("192.0.2.1")


def element(identifier: int, **fields: object) -> PoolElement:
    """An element as registrars describe it to each other."""
    described = {
        "home": 0x5E12BE12,
        "life": 300,
        "user_transport": TCPTransport(port=80, addresses=(HERE,)),
        "policy": RoundRobin(),
        "asap_transport": TCPTransport(port=4711, addresses=(HERE,)),
        "principal": "web-1",
        **fields,
    }
    return PoolElement(identifier=identifier, **described)  # type: ignore[arg-type]


def table(*parts: object) -> bytes:
    """A table response with two pools."""
    return enrp.encode(
        enrp.HandleTableResponse(
            more=True,
            sender=1,
            receiver=2,
            parts=(
                PoolHandle(handle=b"web"),
                element(1),
                element(2, principal=None),
                PoolHandle(handle=b"mail!"),
                element(3, asap_transport=None, policy=WeightedRoundRobin(weight=7)),
                element(4, asap_transport=None, principal=None),
                *parts,
            ),
        )
    )


def update(**fields: object) -> bytes:
    """An update of one element."""
    return enrp.encode(
        enrp.HandleUpdate(
            takeover_suggested=True, sender=1, action=enrp.DEL_PE, handle=b"mail!",
            element=element(5, **fields),
        )
    )  # fmt: skip


def facts(told: object) -> object:
    """All that is in it, to be compared."""
    if isinstance(told, Listing):
        return (
            told.sender, told.receiver, told.rejected, told.more,
            [(handle, facts(one)) for handle, one in told.elements],
        )  # fmt: skip
    if isinstance(told, Change):
        return (
            told.sender, told.receiver, told.action, told.suggested, told.handle,
            facts(told.element),
        )  # fmt: skip
    assert isinstance(told, Description)
    return [getattr(told, name) for name in Description.__slots__]


class Told(SynchronousTestCase):
    """Both ways to read a message come to the same."""

    def same(self, data: bytes) -> bool:
        """What is read quickly is what is decoded; whether it is read quickly at all."""
        told = quick(data)
        if told is None:
            return False
        decoded = enrp.decode(data)
        self.assertEqual(decoded.report, ())
        self.assertEqual(facts(told), facts(value(decoded.message)))
        return True

    def test_usual(self):
        """Messages of the usual shape are read from their octets."""
        self.assertTrue(self.same(table()))
        self.assertTrue(self.same(update()))
        self.assertTrue(self.same(update(principal=None)))
        empty = enrp.HandleTableResponse(rejected=True, sender=1)
        self.assertTrue(self.same(enrp.encode(empty)))

    def test_unusual(self):
        """What has another shape is decoded: IPv6, unknown parameters, other transports."""
        unusual = element(
            9, user_transport=TCPTransport(port=1, addresses=(ip_address("2001:db8::1"),))
        )
        self.assertFalse(self.same(table(unusual)))
        self.assertFalse(self.same(update(unknown=(b"\xbf\x00\x00\x04",))))

    def test_cut(self):
        """No beginning of a message is read as a whole one."""
        for data in (table(), update()):
            for end in range(1, data[2] << 8 | data[3]):
                self.assertIsNone(quick(data[:end]))

    def test_mutated(self):
        """What the decoder refuses isn't read quickly, either."""
        chance = random.Random(7)
        read = 0
        for _ in range(20_000):
            data = bytearray(chance.choice((table(), update())))
            for _ in range(chance.randint(1, 3)):
                data[chance.randrange(1, len(data))] = chance.choice((0, 1, 4, 8, 16, 255))
            try:
                read += self.same(bytes(data))
            except WireError as error:
                self.fail(f"{bytes(data).hex()}: {error}")
        self.assertGreater(read, 500)

    @settings(max_examples=200, deadline=None)
    @given(strategies.element)
    def test_any_element(self, described):
        """Whatever an element looks like, both ways agree on it."""
        message = enrp.HandleUpdate(
            sender=1, action=enrp.ADD_PE, handle=b"web", element=described
        )
        self.same(enrp.encode(message))
