"""The policies of draft-dreibholz-rserpool-delay, and one that is declared elsewhere."""

from collections import Counter
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.handlespace.selection import selects
from rserpool.handlespace.selection.ranked import Ranked
from rserpool.wire import asap, policies
from rserpool.wire.delay import LeastUsedDPF, WeightedRandomDPF
from rserpool.wire.layout import UINT32, wire
from tests.handlespace.test_selection import Pooled
from tests.registrar.scene import registration
from tests.strategies import uint32
from tests.vectors import vectors

#: One percent of 2**32 for each millisecond.
PERCENT = 42949673


class LeastUsed(SynchronousTestCase):
    """Least Used with distance penalty."""

    def test_distance(self):
        """The distance counts as load: a far element is used when the near one is busier."""

        def member(percent, distance):
            return LeastUsedDPF(load=percent * PERCENT, dpf=PERCENT, distance=distance)

        pool = Pooled(member(0, 100), member(20, 50), member(80, 0))
        self.assertEqual(pool.select(), [2, 3, 1], "100, 70 and 80 percent")
        pool.put(2, member(95, 50))
        self.assertEqual(pool.select(), [3, 1, 2])

    def test_as_rsplib(self):
        """The order in which rspregistrar has answered."""
        for dpf, expected in ((0.002, [2, 1]), (0.004, [1, 2])):
            pool = Pooled(*(
                LeastUsedDPF(load=int(load * 2**32), dpf=int(dpf * 2**32), distance=distance)
                for load, distance in ((0.3, 0), (0.0, 100))
            ))  # fmt: skip
            self.assertEqual(pool.select(), expected)

    def test_near(self):
        """Where distances are equal, or cost nothing, it is least used."""
        for distance, dpf in ((50, PERCENT), (1000, 0)):
            pool = Pooled(
                *(LeastUsedDPF(load=load, dpf=dpf, distance=distance) for load in (5, 1, 1, 9))
            )
            self.assertEqual([pool.select(3) for _ in range(2)], [[2, 3, 1], [3, 2, 1]])

    @given(st.lists(st.tuples(uint32, uint32, uint32), min_size=1, max_size=20))
    def test_rank(self, values):
        """Whatever the values: in the order of load + distance x DPF."""
        pool = Pooled(*(LeastUsedDPF(load=a, dpf=b, distance=c) for a, b, c in values))
        ranks = [a + c * b for a, b, c in values]
        found = [ranks[number - 1] for number in pool.select()]
        self.assertEqual(found, sorted(ranks))


class Weighted(SynchronousTestCase):
    """Weighted Random with distance penalty."""

    def test_shares(self):
        """The chance is the weight's, less what the distance costs; 0 is never drawn."""

        def member(weight, distance):
            return WeightedRandomDPF(weight=weight, dpf=PERCENT, distance=distance)

        pool = Pooled(member(10, 0), member(10, 50), member(20, 75), member(0, 0), seed=7)
        firsts = Counter(pool.select(1)[0] for _ in range(20000))
        for number, expected in ((1, 0.5), (2, 0.25), (3, 0.25), (4, 0)):
            self.assertApproximates(firsts[number] / 20000, expected, 0.015)
        self.assertEqual(firsts[4], 0)

    def test_as_rsplib(self):
        """
        The same shares as rspregistrar has given, 3,000 times each.

        It gave 0.332, 0.192, 0.013, 0.826 and 0.043 of its answers to the second one.
        """
        for first, second, expected in (
            ((100, 0.005, 0), (100, 0.005, 100), 0.332),
            ((100, 0.005, 0), (100, 0.005, 150), 0.192),
            ((100, 0.02, 0), (100, 0.02, 100), 0.013),
            ((10, 0.005, 0), (100, 0.005, 100), 0.826),
            ((1000, 0.0, 0), (100, 0.005, 100), 0.043),
        ):
            pool = Pooled(*(
                WeightedRandomDPF(weight=weight, dpf=int(dpf * 2**32), distance=distance)
                for weight, dpf, distance in (first, second)
            ), seed=7)  # fmt: skip
            firsts = Counter(pool.select(1)[0] for _ in range(10000))
            self.assertApproximates(firsts[2] / 10000, expected, 0.02, second)

    def test_too_far(self):
        """Where all are so far that no weight is left, somebody is found all the same."""
        pool = Pooled(*[WeightedRandomDPF(weight=1, dpf=0xFFFFFFFF, distance=1000)] * 3)
        self.assertEqual(set(pool.select()), {1, 2, 3})


class Captured(SynchronousTestCase):
    """The private-use policies of rsplib, as it sent them."""

    def test_all(self):
        """Each is stored, and given to users, octet for octet, whether it is known or not."""
        seen = set()
        for name, data in vectors():
            if name != "ASAP" or data[0] != 1 or b"\xb0\x00" not in data:
                continue
            try:
                message = asap.decode(data).message
            except ValueError:
                continue  # scripted, without its distance
            number = policies.policy_number(message.element.policy)
            if number < 0xB0000000:
                continue
            seen.add(number)
            pool = Pooled(message.element.policy)
            [blob] = pool.space.pools[b"p"].select(9, 65000)
            value = policies.encode_policy(message.element.policy)
            self.assertIn(value, blob)
            self.assertIn(value, data)
        self.assertEqual({n & 0xFFFF for n in seen}, {0x1001, 0x1003, 0x2001, 0x2002, 0x2003})

    def test_fraction(self):
        """A penalty of 0.25 is a quarter of 2**32."""
        [registered] = {
            asap.decode(data).message
            for name, data in vectors()
            if name == "ASAP" and data[0] == 1 and b"LeastUsedDPF:0.25" in data
        }
        self.assertEqual(
            registered.element.policy, LeastUsedDPF(load=0, dpf=0x40000000, distance=0)
        )


class Elsewhere(SynchronousTestCase):
    """Ours are in no way special."""

    def test_plugin(self):
        """A policy that any module declares is decoded, sent, and selected by."""

        @policies.policy(0xBFFF0001, "test-shortest-queue")
        class ShortestQueue:
            """By the length of a queue."""

            NUMBER: ClassVar[int] = 0xBFFF0001
            queue: int = wire(UINT32)

        self.addCleanup(policies.forget, ShortestQueue)

        @selects(ShortestQueue.NUMBER)
        class ShortestQueueSelection(Ranked):
            """The shortest first."""

            def rank(self, element):
                """The length."""
                return element.policy.queue

        message = registration(1, policy=ShortestQueue(queue=7))
        self.assertEqual(asap.decode(asap.encode(message)).message, message)
        pool = Pooled(*(ShortestQueue(queue=length) for length in (5, 2, 9)))
        self.assertEqual(pool.select(), [2, 1, 3])
        for clash in ((0xBFFF0001, "other"), (0xBFFF0002, "test-shortest-queue")):
            with self.assertRaises(TypeError):
                policies.policy(*clash)(type("Other", (), {}))
