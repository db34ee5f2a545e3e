"""The arithmetic of draws over a public nonce (RFC 5355 section 2.17)."""

import functools
import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.client import draw
from rserpool.client.draw import Proof
from rserpool.wire.compiled import KNOWN
from rserpool.wire.policies import LeastUsed, Random, RoundRobin, WeightedRandom

#: Chi-square that one set of honest draws in ten thousand exceeds, by degrees of freedom.  The
#: draws are the same in each run.
LIMITS = {9: 33.7, 4: 23.5}


def links(count, name=b"user"):
    """So many links of a user, each of another period, as good as chance."""
    return [
        draw.first_link(draw.seeded(b"seed", number), b"web", name) for number in range(count)
    ]


def winner(link, weights):
    """Who is drawn."""
    return functools.reduce(
        lambda one, other: one if draw.beats(link, one, other, weights) else other, weights
    )


class Distribution(SynchronousTestCase):
    """Who is drawn how often."""

    def check(self, weights, count):
        """Each by its weight, as far as chance goes."""
        found = Counter(winner(link, weights) for link in links(count))
        total = sum(weights.values())
        square = sum(
            (found[one] - count * weight / total) ** 2 / (count * weight / total)
            for one, weight in weights.items() if weight
        )  # fmt: skip
        self.assertLess(square, LIMITS[sum(map(bool, weights.values())) - 1])
        return found

    def test_uniform(self):
        """Random: each as often as any other."""
        self.check(dict.fromkeys(range(1, 11), 1), 2000)

    def test_weighted(self):
        """Weighted random: in proportion, and 0 never."""
        found = self.check({7: 1, 8: 2, 9: 4, 10: 8, 11: 16, 12: 0}, 2000)
        self.assertEqual(found[12], 0)

    def test_chain(self):
        """The links of one chain are as good as those of many."""
        weights = dict.fromkeys(range(1, 11), 1)
        link = links(1)[0]
        found = Counter()
        for _ in range(2000):
            found[winner(link, weights)] += 1
            link = draw.link_at(link, 1)
        square = sum((found[one] - 200) ** 2 / 200 for one in weights)
        self.assertLess(square, LIMITS[9])


class Arithmetic(SynchronousTestCase):
    """Numbers that all must come to."""

    def test_waiting(self):
        """It is minus the logarithm of the ticket, to the last bits."""
        for link in links(200):
            ticket = draw.sha256(link + b"\0\0\0\x07").digest()
            share = (int.from_bytes(ticket[:8], "big") + 1) / 2**64
            self.assertAlmostEqual(draw.waiting(link, 7) / 2**32, -math.log2(share), 6)

    def test_ends(self):
        """The smallest and the largest ticket, and those around a power of two, have one."""
        wait = {}
        for number in (0, 1, 2, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1):
            digest = number.to_bytes(8, "big") + bytes(24)

            class Made:
                """A hash by hand."""

                def __init__(self, data, digest=digest):
                    self.digest = lambda: digest

            self.patch(draw, "sha256", Made)
            wait[number] = draw.waiting(b"", 1)
        self.assertEqual(wait[0], 64 << 32)
        self.assertEqual(wait[1], 63 << 32)
        self.assertEqual(wait[2**63 - 1], 1 << 32)
        self.assertEqual(wait[2**64 - 1], 0)
        self.assertEqual(sorted(wait.values(), reverse=True), list(wait.values()))

    @given(st.dictionaries(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), min_size=2),
           st.binary(min_size=32, max_size=32))  # fmt: skip
    def test_order(self, weights, link):
        """Of two that can be drawn one beats the other, and not the reverse; 0 beats nobody."""
        one, other, *_ = weights
        ours, theirs = (draw.beats(link, *pair, weights) for pair in
                        ((one, other), (other, one)))  # fmt: skip
        self.assertEqual(ours or theirs, bool(weights[one] or weights[other]))
        self.assertFalse(ours and theirs)
        for beaten, wins in ((one, ours), (other, theirs)):
            if not weights[beaten]:
                self.assertFalse(wins)

    def test_parts(self):
        """Nonce, pool and name each make another chain, and can't be shifted."""
        said = {
            draw.first_link(b"n", b"web", b"a"), draw.first_link(b"m", b"web", b"a"),
            draw.first_link(b"n", b"we", b"ba"), draw.first_link(b"n", b"weba", b""),
            draw.first_link(b"n", b"web", b"b"), draw.first_link(b"nweb", b"", b"a"),
        }  # fmt: skip
        self.assertEqual(len(said), 6)
        self.assertNotEqual(draw.seeded(b"s", 1), draw.seeded(b"s", 2))

    def test_weights(self):
        """Only policies with a fixed chance can be proven."""
        self.assertEqual(draw.weight_of(Random()), 1)
        self.assertEqual(draw.weight_of(WeightedRandom(weight=5)), 5)
        for policy in (RoundRobin(), LeastUsed(load=5)):
            self.assertIsNone(draw.weight_of(policy))


class Encoded(SynchronousTestCase):
    """The proof as a parameter."""

    @given(
        st.builds(
            Proof,
            st.integers(0, 2**64 - 1),
            st.integers(0, 2**16 - 1),
            st.binary(min_size=32, max_size=32),
            st.lists(st.integers(0, 2**32 - 1), max_size=255).map(tuple),
        )
    )
    def test_round_trip(self, proof):
        """It comes back as it was, and no prefix of it does, nor with something behind it."""
        data = proof.encode()
        self.assertEqual(draw.decode(data), proof)
        self.assertEqual(len(data) % 4, 0)
        for wrong in (data[:-1], data[:-4], data + b"\0", data[:4], b""):
            self.assertIsNone(draw.decode(wrong))

    def test_wrong(self):
        """Another type, another version."""
        data = Proof(1, 2, bytes(32)).encode()
        self.assertIsNone(draw.decode(b"\x80\xf6" + data[2:]))
        self.assertIsNone(draw.decode(data[:4] + b"\2" + data[5:]))
        self.assertNotIn(draw.CHOICE_PROOF, KNOWN)
        self.assertEqual(draw.CHOICE_PROOF >> 14, 0b10)
