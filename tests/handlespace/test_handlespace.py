"""The database of pools and elements."""

import random
from ipaddress import ip_address

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from rserpool.handlespace.checksum import Checksums, element_words, words
from rserpool.handlespace.deadlines import Deadlines
from rserpool.handlespace.handlespace import Handlespace, How, Limits, Registered
from rserpool.wire import causes, parameters, policies
from rserpool.wire.parameters import PoolElement, SCTPTransport, TCPTransport

HOST = (ip_address("192.0.2.1"),)


def element(number=1, life=300, policy=None, **fields):
    """An element's description."""
    return PoolElement(
        identifier=number,
        life=life,
        user_transport=fields.pop("transport", TCPTransport(port=80, addresses=HOST)),
        policy=policy or policies.RoundRobin(),
        **fields,
    )


def from_nothing(space, home):
    """The checksum of RFC 5353 section 3.6.2 and RFC 1071, as they stand there."""
    data = b""
    for pool in space.pools.values():
        for one in pool.elements.values():
            if one.home == home:
                handle = pool.handle + bytes(-len(pool.handle) % 4)
                data += handle + one.identifier.to_bytes(4, "big")
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Registering(SynchronousTestCase):
    """RFC 5352 section 3.1."""

    def setUp(self):
        self.space = Handlespace(Limits(), random.Random(1))

    def register(self, description, handle=b"web", principal=None, now=0.0, home=7):
        """Register and give back the result."""
        return self.space.register(handle, description, home=home, principal=principal, now=now)

    def test_how(self):
        """Pools are made, joined; elements changed and renewed."""
        hows = [
            self.register(description).how
            for description in (element(), element(2), element(), element(life=99))
        ]
        self.assertEqual(hows, [How.NEW, How.JOINED, How.RENEWED, How.CHANGED])
        self.assertEqual(len(self.space), 2)

    def test_blob(self):
        """An element is kept as answers carry it: with its home, without ASAP transport."""
        asap = SCTPTransport(port=1, addresses=HOST)
        unknown = (bytes.fromhex("81110005ab"),)
        described = element(home=99, asap_transport=asap, unknown=unknown)
        found = parameters.decode(self.register(described).element.blob)
        self.assertEqual(found, element(home=7, unknown=unknown))

    def test_ownership(self):
        """An element belongs to its principal; one of nobody's may be claimed."""
        self.register(element(), principal="a")
        self.assertEqual(
            self.register(element(), principal="b"), causes.NonUniquePEIdentifier()
        )
        self.assertEqual(
            self.register(element(), principal=None), causes.NonUniquePEIdentifier()
        )
        self.register(element(2))
        self.assertIsInstance(self.register(element(2), principal="b"), Registered)
        self.assertEqual(
            self.register(element(2), principal="a"), causes.NonUniquePEIdentifier()
        )

    def test_pool_keeps_its_ways(self):
        """Policy type, transport type and use are the first element's, values are not."""
        first = element(policy=policies.LeastUsed(load=1))
        self.register(first)
        self.register(element(2, policy=policies.LeastUsed(load=9)))
        self.assertEqual(
            self.register(element(3)), causes.InconsistentPolicy(policy=first.policy)
        )
        other = SCTPTransport(port=1, addresses=HOST)
        self.assertEqual(
            self.register(element(3, policy=first.policy, transport=other)),
            causes.InconsistentTransport(transport=first.user_transport),
        )
        self.assertEqual(
            self.register(element()), causes.InconsistentPolicy(policy=first.policy)
        )

    def test_unknown_policies_differ(self):
        """Two private policies are different policies."""
        one, other = (policies.UnknownPolicy(number=n) for n in (0xB0000001, 0xB0000002))
        self.register(element(policy=one))
        self.assertEqual(
            self.register(element(2, policy=other)), causes.InconsistentPolicy(policy=one)
        )

    def test_invalid(self):
        """No life, or a life below -1, or an empty handle is invalid."""
        for life in (0, -2, -0x80000000):
            self.assertIsInstance(self.register(element(life=life)), causes.InvalidValues)
        self.assertIsInstance(self.register(element(), handle=b""), causes.InvalidValues)
        self.assertEqual(self.space.pools, {})

    def test_home(self):
        """A new home is written into the element, and both checksums follow."""
        found = self.register(element()).element
        self.space.set_home(found, 8)
        self.assertEqual(parameters.decode(found.blob).home, 8)
        self.assertEqual(self.space.checksum(7), 0xFFFF)
        self.assertEqual(self.space.checksum(8), from_nothing(self.space, 8))
        self.register(element(), home=7)
        self.assertEqual(parameters.decode(found.blob).home, 7)


class Limited(SynchronousTestCase):
    """Each bound is refused with Lack of Resources, and nothing has changed."""

    def check(self, limits, *good, bad):
        """These are granted, the last one isn't, and is when one has gone."""
        space = Handlespace(limits, random.Random(1))
        granted = [
            space.register(handle, element(number), home=1, principal=who, now=0.0)
            for handle, number, who in good
        ]
        handle, number, who = bad
        refused = space.register(handle, element(number), home=1, principal=who, now=0.0)
        self.assertEqual(refused, causes.LackOfResources())
        self.assertEqual(len(space), len(good))
        for (again, same, owner), one in zip(good, granted, strict=True):
            result = space.register(again, element(same), home=1, principal=owner, now=0.0)
            self.assertIs(result.element, one.element)
        if limits.handle_bytes == 255:
            space.remove(granted[0].element)
            result = space.register(handle, element(number), home=1, principal=who, now=0.0)
            self.assertIsInstance(result, Registered)

    def test_pools(self):
        """So many pools."""
        self.check(Limits(pools=2), (b"a", 1, None), (b"b", 1, None), bad=(b"c", 1, None))

    def test_elements_per_pool(self):
        """So many elements in a pool."""
        self.check(
            Limits(elements_per_pool=2), (b"a", 1, None), (b"a", 2, None), bad=(b"a", 3, None)
        )

    def test_elements_per_principal(self):
        """So many elements of one principal, in whatever pools."""
        self.check(
            Limits(elements_per_principal=2),
            (b"a", 1, "x"), (b"b", 1, "x"), bad=(b"c", 1, "x"),
        )  # fmt: skip

    def test_handle(self):
        """So many octets of a handle; more of them won't do at any time, so: Invalid Values."""
        space = Handlespace(Limits(handle_bytes=3), random.Random(1))
        for handle, refused in ((b"abc", False), (b"abcd", True)):
            result = space.register(handle, element(), home=1, principal=None, now=0.0)
            self.assertIs(isinstance(result, Registered), not refused)
        self.assertEqual(
            result, causes.InvalidValues(parameter=bytes.fromhex("0009000861626364"))
        )
        self.assertEqual(set(space.pools), {b"abc"})

    def test_off(self):
        """0 is no limit."""
        none = Limits(pools=0, elements_per_pool=0, elements_per_principal=0, handle_bytes=0)
        space = Handlespace(none, random.Random(1))
        result = space.register(bytes(60000), element(), home=1, principal="x", now=0.0)
        self.assertIsInstance(result, Registered)


class Expiring(SynchronousTestCase):
    """Expiry by a given now."""

    def setUp(self):
        self.space = Handlespace(Limits(), random.Random(1))

    def put(self, number, life, now=0.0):
        """Register with a life."""
        return self.space.register(
            b"a", element(number, life), home=1, principal=None, now=now
        ).element

    def gone(self, now, at_most=100):
        """Who has expired; removes them as the registrar does."""
        found = self.space.expired(now, at_most)
        for one in found:
            self.space.remove(one)
        return {one.identifier for one in found}

    def test_order(self):
        """Nobody before its time, and nobody more than a second after it."""
        for number in range(1, 40):
            self.put(number, number)
        there, now = set(range(1, 40)), 0.0
        while there:
            now += 0.25
            for number in self.gone(now):
                self.assertTrue(number <= now < number + 1.5)
                there.discard(number)
        self.assertEqual(len(self.space), 0)

    def test_moved(self):
        """Longer, shorter, for ever: the last registration counts."""
        self.put(1, 10)
        self.put(1, 1000, now=5)
        self.assertEqual(self.gone(20), set())
        self.put(1, 5, now=20)
        self.assertEqual(self.gone(24.9), set())
        self.assertEqual(self.gone(27), {1})
        self.put(2, 5, now=30)
        self.put(2, -1, now=31)
        self.assertEqual(self.gone(1e6), set())

    def test_late(self):
        """One whose life was cut short is told once, however late who asks is."""
        self.put(1, 10)
        self.put(1, 5, now=1)
        self.assertEqual(self.gone(30), {1})

    def test_renewed(self):
        """A renewal moves the expiry."""
        found = self.put(1, 10)
        self.space.renew(found, 9.0)
        self.assertEqual(self.gone(12), set())
        self.assertEqual(self.gone(21), {1})

    def test_some_at_a_time(self):
        """The rest comes with the next call, at once."""
        for number in range(1, 11):
            self.put(number, 5)
        counts = [len(self.gone(7, at_most=4)) for _ in range(3)]
        self.assertEqual(counts, [4, 4, 2])

    def test_milliseconds(self):
        """A unit of life can be a millisecond, as rsplib has it."""
        space = Handlespace(Limits(), random.Random(1), life_unit=0.001)
        space.register(b"a", element(1, 5000), home=1, principal=None, now=0.0)
        self.assertEqual(space.expired(4.9, 9), [])
        self.assertEqual(len(space.expired(6.1, 9)), 1)

    def test_many_changes_take_no_room(self):
        """An element that changes its life all the time leaves nothing behind."""
        for life in range(100_000, 90_000, -1):
            self.put(1, life)
        entries = sum(len(items) for items in self.space._deadlines._items.values())
        self.assertLess(entries, 10)

    def test_deadlines(self):
        """The wheel gives back what is due, in slots, and says when to ask again."""
        wheel = Deadlines(0.5)
        chance = random.Random(1)
        times = {number: chance.uniform(0, 50) for number in range(500)}
        for number, when in times.items():
            wheel.put(when, number)
        found = {}
        while wheel.next() is not None:
            now = wheel.next()
            for number in wheel.due(now, 7):
                found[number] = now
        self.assertEqual(set(found), set(times))
        for number, when in times.items():
            self.assertTrue(when <= found[number] <= when + 0.5)


class Checksum(SynchronousTestCase):
    """RFC 5353 section 3.6.2."""

    def test_known(self):
        """None is 0xffff; the reference implementation's value for ten elements is ours."""
        self.assertEqual(Checksums().of(1), 0xFFFF)
        sums = Checksums()
        sums.add(1, element_words(words(b"EchoPool"), 0x12345678))
        data = b"EchoPool\x12\x34\x56\x78"
        total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, 12, 2))
        self.assertEqual(sums.of(1), ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF)

    def test_odd_handle(self):
        """A handle is padded with zeros to a multiple of four."""
        self.assertEqual(words(b"abc"), words(b"abc\0"))
        self.assertEqual(words(b"a"), 0x6100)


class Machine(RuleBasedStateMachine):
    """Any sequence of operations against a model that is a dictionary."""

    def __init__(self):
        super().__init__()
        self.space = Handlespace(Limits(), random.Random(1))
        self.model = {}
        self.now = 0.0

    handles = st.sampled_from([b"a", b"bc", b"def", b"\xff\x00odd"])
    numbers = st.integers(1, 4)
    homes = st.sampled_from([1, 2, 3])

    @rule(handle=handles, number=numbers, home=homes, who=st.sampled_from([None, "x", "y"]),
          life=st.integers(1, 50))  # fmt: skip
    def register(self, handle, number, home, who, life):
        """Register, as somebody."""
        key = handle, number
        owner = self.model.get(key, (None,) * 3)[1]
        result = self.space.register(
            handle, element(number, life), home=home, principal=who, now=self.now
        )
        if owner not in (None, who):
            assert result == causes.NonUniquePEIdentifier()
        else:
            assert isinstance(result, Registered)
            self.model[key] = home, who, self.now + life

    @rule(handle=handles, number=numbers)
    def remove(self, handle, number):
        """De-register."""
        found = self.space.find(handle, number)
        assert (found is not None) == ((handle, number) in self.model)
        if found is not None:
            self.space.remove(found)
            del self.model[handle, number]

    @rule(handle=handles, number=numbers, home=homes)
    def take_over(self, handle, number, home):
        """Another registrar becomes home."""
        found = self.space.find(handle, number)
        if found is not None:
            self.space.set_home(found, home)
            self.model[handle, number] = home, *self.model[handle, number][1:]

    @rule(seconds=st.floats(0, 20))
    def wait(self, seconds):
        """Time passes; a second after its life nobody is left."""
        self.now += seconds
        for found in self.space.expired(self.now, 1000):
            assert self.model.pop((found.pool.handle, found.identifier))[2] <= self.now
            self.space.remove(found)
        assert all(until > self.now - 1.0 for _, _, until in self.model.values())

    @invariant()
    def agrees(self):
        """What is there is what the model has, and the checksums are those from nothing."""
        there = {
            (pool.handle, one.identifier): (one.home, one.principal)
            for pool in self.space.pools.values()
            for one in pool.elements.values()
        }
        assert there == {key: value[:2] for key, value in self.model.items()}
        assert len(self.space) == len(there)
        for home in (1, 2, 3):
            assert self.space.checksum(home) == from_nothing(self.space, home)
        for pool in self.space.pools.values():
            assert len(pool.select(100, 65000)) == len(pool.elements) > 0


class AnySequence(SynchronousTestCase):
    """The whole against a model."""

    def test_model(self):
        """However it is used, the database has what a dictionary would have."""
        run_state_machine_as_test(
            Machine,
            settings=settings(
                max_examples=60, stateful_step_count=40, deadline=None, derandomize=True
            ),
        )
