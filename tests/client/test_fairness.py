"""Users that prove how they chose, and elements that check it (RFC 5355 section 2.17)."""

import functools
import random

from twisted.trial.unittest import SynchronousTestCase

from rserpool.client import draw, fairness
from rserpool.client.draw import MOST_DRAWS, PERIOD, Proof
from rserpool.client.drawing import Draws, Exhausted, Seeded
from rserpool.client.fairness import CLOCKS, EXCUSED, GRACE, Fairness, Fit, View, skipped
from rserpool.client.resolution import Resolution
from rserpool.wire.policies import LeastUsed, WeightedRandom
from rserpool.wire.policies import Random as RandomPolicy
from tests.client.scene import element

SIZE = 10
NONCES = Seeded(b"public").at
NAME = b"dns:pu.example"


class Case(SynchronousTestCase):
    """A pool of ten, each of which has proofs shown to it."""

    policy = RandomPolicy()

    def setUp(self):
        """At the beginning of a period."""
        self.now = 30_000_000.0 * PERIOD
        self.elements = [element(number, self.policy) for number in range(1, SIZE + 1)]
        self.weights = {one.identifier: draw.weight_of(one.policy) for one in self.elements}
        self.checkers = {
            one.identifier: Fairness(b"web", one.identifier, NONCES) for one in self.elements
        }

    def found(self, elements=None):
        """What a registrar tells."""
        return Resolution(b"web", self.policy, tuple(elements or self.elements))

    def draws(self, name=NAME, **how):
        """A user."""
        return Draws(b"web", name, NONCES, lambda: self.now, **how)

    def judged(self, identifier, proof, name=NAME):
        """What an element makes of a proof."""
        data = proof if isinstance(proof, bytes) else proof.encode()
        return self.checkers[identifier].judge(data, name, self.weights, self.now)

    def proof(self, index=0, number=None, name=NAME, excused=()):
        """What a user can make that keeps to nothing but the form."""
        number = draw.period(self.now) if number is None else number
        first = draw.first_link(NONCES(number), b"web", name)
        return Proof(number, index, draw.link_at(first, index), excused)

    def winner(self, proof):
        """Who is drawn by it."""
        able = [one for one in self.weights if one not in proof.excused]
        return functools.reduce(
            lambda one, other: (
                one if draw.beats(proof.link, one, other, self.weights) else other
            ),
            able,
        )


class Honest(Case):
    """A user that keeps to its draws."""

    def test_fits(self):
        """Each element that it goes to takes it, and all are gone to."""
        gone = set()
        for _ in range(5):
            draws = self.draws()
            for _ in range(MOST_DRAWS):
                drawn = draws.draw(self.found(random.sample(self.elements, SIZE)))
                chosen = drawn.choose()
                gone.add(chosen.identifier)
                self.assertIs(self.judged(chosen.identifier, drawn.proof()), Fit.FITS)
            self.now += PERIOD
        self.assertEqual(len(gone), SIZE)
        fits = sum(one.counts[Fit.FITS] for one in self.checkers.values())
        self.assertEqual(fits, 5 * MOST_DRAWS)

    def test_failed(self):
        """Where one has failed, the next takes it, and hears who it was."""
        drawn = self.draws().draw(self.found())
        failed = [drawn.choose().identifier]
        drawn.failed(failed[0])
        drawn.failed(failed[0])
        drawn.failed(999)
        chosen = drawn.choose().identifier
        self.assertEqual(draw.decode(drawn.proof()).excused, tuple(failed))
        self.assertIs(self.judged(chosen, drawn.proof()), Fit.FITS)
        self.assertEqual(dict(self.checkers[chosen].blamed), {failed[0]: 1})

    def test_all_failed(self):
        """When all have failed there is none."""
        drawn = self.draws().draw(self.found())
        for one in self.elements:
            drawn.failed(one.identifier)
        self.assertIsNone(drawn.choose())

    def test_exhausted(self):
        """It makes no draw that nobody would take; the next period brings new ones."""
        draws = self.draws(most=3)
        for _ in range(3):
            draws.draw(self.found())
        self.assertRaises(Exhausted, draws.draw, self.found())
        self.now += PERIOD
        draws.draw(self.found())

    def test_clocks(self):
        """Clocks may differ."""
        for ahead, fit in (
            (CLOCKS, Fit.FITS), (-CLOCKS - PERIOD + 1, Fit.FITS),
            (CLOCKS + PERIOD, Fit.UNTIMELY), (-CLOCKS - PERIOD - 1, Fit.UNTIMELY),
        ):  # fmt: skip
            self.setUp()
            proof = self.proof()
            self.now -= ahead
            self.assertIs(self.judged(self.winner(proof), proof), fit, ahead)

    def test_other_policies(self):
        """What has no fixed chance is chosen as ever."""
        for policy in (LeastUsed(load=1), self.policy):
            elements = [element(1, LeastUsed(load=1)), element(2, self.policy)]
            self.assertIsNone(self.draws().draw(Resolution(b"web", policy, tuple(elements))))


class Weighted(Honest):
    """The same with weights, one of them 0."""

    def setUp(self):
        super().setUp()
        self.elements = [element(n, WeightedRandom(weight=n - 1)) for n in range(2, SIZE + 2)]
        self.elements.append(element(1, WeightedRandom(weight=0)))
        self.weights = {one.identifier: one.policy.weight for one in self.elements}
        self.checkers = {n: Fairness(b"web", n, NONCES) for n in self.weights}

    policy = WeightedRandom(weight=1)

    def test_fits(self):
        """Each by its weight takes its share, and the one of weight 0 none."""
        draws = self.draws()
        for _ in range(MOST_DRAWS):
            drawn = draws.draw(self.found())
            chosen = drawn.choose().identifier
            self.assertNotEqual(chosen, 1)
            self.assertIs(self.judged(chosen, drawn.proof()), Fit.FITS)
        self.assertIs(self.judged(1, self.proof()), Fit.BEATEN)


class Cheating(Case):
    """A user that wants element 1, and no other."""

    def taken(self, proofs, name=NAME):
        """How many of these element 1 takes."""
        return sum(self.judged(1, proof, name) is Fit.FITS for proof in proofs)

    def test_regardless(self):
        """Who always goes to the one it likes is taken as often as the draw has it."""
        taken = 0
        for _ in range(20):
            taken += self.taken(self.proof(index) for index in range(MOST_DRAWS))
            self.now += PERIOD
        draws = 20 * MOST_DRAWS
        self.assertLess(abs(taken - draws / SIZE), 4 * (draws * 0.1 * 0.9) ** 0.5)
        self.assertEqual(self.checkers[1].counts[Fit.BEATEN], draws - taken)

    def test_own_nonce(self):
        """It can't choose the nonce: whatever it grinds, the element makes its own."""
        weights = self.weights
        for salt in range(1000):
            link = draw.first_link(salt.to_bytes(4, "big"), b"web", NAME)
            if all(draw.beats(link, 1, other, weights) for other in weights if other != 1):
                break
        ground = Proof(draw.period(self.now), 0, link)
        self.assertIs(self.judged(1, ground), Fit.FOREIGN)

    def test_other_period(self):
        """Nor look for a period in the past or in the future that suits it."""
        now = draw.period(self.now)
        suited = [n for n in range(now - 500, now + 500)
                  if self.winner(self.proof(number=n)) == 1 and abs(n - now) > 1]  # fmt: skip
        self.assertGreater(len(suited), 50)
        self.assertEqual({self.judged(1, self.proof(number=n)) for n in suited}, {Fit.UNTIMELY})

    def test_again(self):
        """A draw that was for this element is good once."""
        proof = next(p for p in map(self.proof, range(MOST_DRAWS)) if self.winner(p) == 1)
        found = [self.judged(1, proof) for _ in range(3)]
        self.assertEqual(found, [Fit.FITS, Fit.SPENT, Fit.SPENT])
        self.now += PERIOD  # in the time for clocks that differ, too
        self.assertIs(self.judged(1, proof), Fit.SPENT)

    def test_beyond(self):
        """There are no draws beyond those of the period, which bounds the work for one, too."""
        for index in (MOST_DRAWS, 0xFFFF):
            proof = Proof(draw.period(self.now), index, bytes(32))
            self.assertIs(self.judged(1, proof), Fit.SPENT)

    def test_borrowed(self):
        """Another's proof, or another pool's, is none."""
        for index in range(MOST_DRAWS):
            self.assertIs(self.judged(1, self.proof(index), b"somebody"), Fit.FOREIGN)

    def test_excuses(self):
        """To say that others failed is one more lot for each that may, and no more."""
        taken = draws = 0
        for _ in range(20):
            for index in range(MOST_DRAWS):
                proof, excused = self.proof(index), []
                while self.winner(proof) != 1 and len(excused) < EXCUSED:
                    excused.append(self.winner(proof))
                    proof = self.proof(index, excused=tuple(excused))
                taken += self.judged(1, proof) is Fit.FITS
                draws += 1
            self.now += PERIOD
        share = (EXCUSED + 1) / SIZE
        self.assertLess(abs(taken - draws * share), 4 * (draws * share * (1 - share)) ** 0.5)
        self.assertGreater(self.checkers[1].blamed.total(), draws / SIZE)
        everybody = self.proof(MOST_DRAWS - 1, excused=tuple(range(2, SIZE + 1)))
        self.assertIs(self.judged(1, everybody), Fit.EXCUSING)

    def test_thrown_away(self):
        """
        Throwing draws away isn't seen by one element, and is by all together.

        It doesn't pay: what it gets is its draws' share.
        """
        number = draw.period(self.now)
        for name, keep in ((b"honest", range(1, SIZE + 1)), (b"cheat", [1])):
            for index in range(MOST_DRAWS):
                proof = self.proof(index, name=name)
                if self.winner(proof) in keep:
                    fit = self.judged(self.winner(proof), proof, name)
                    self.assertIs(fit, Fit.FITS)
        seen = {
            name: [one.seen(name, number) for one in self.checkers.values()]
            for name in (b"honest", b"cheat")
        }
        self.assertEqual(skipped(seen[b"honest"]), (MOST_DRAWS, 0))
        made, missing = skipped(seen[b"cheat"])
        self.assertGreater(missing / made, 0.7)
        self.assertLess(seen[b"cheat"][0].bit_count(), MOST_DRAWS * 0.3)

    def test_many_names(self):
        """A limit: who has as many names as it likes isn't stopped, only counted."""
        names = (b"user %d" % number for number in range(1000))
        suited = [n for n in names if self.winner(self.proof(name=n)) == 1]
        self.assertEqual(
            {self.judged(1, self.proof(name=name), name) for name in suited}, {Fit.FITS}
        )
        self.assertGreater(len(suited), 50)

    def test_memory(self):
        """Names cost no more memory than that of so many users; old periods none."""
        self.patch(fairness, "MOST_USERS", 10)
        names = [b"user %d" % number for number in range(1000)]
        suited = [n for n in names if self.winner(self.proof(name=n)) == 1]
        found = [self.judged(1, self.proof(name=name), name) for name in suited]
        self.assertEqual(found, [Fit.FITS] * 10 + [Fit.CROWDED] * (len(suited) - 10))
        number = draw.period(self.now)
        self.now += 2 * PERIOD + CLOCKS
        proof = next(p for p in map(self.proof, range(MOST_DRAWS)) if self.winner(p) == 1)
        self.assertIs(self.judged(1, proof), Fit.FITS)
        self.assertEqual(self.checkers[1].seen(suited[0], number), 0)

    def test_nonsense(self):
        """What is no proof is counted as that."""
        for data in (b"", b"x" * 52, bytes(52)):
            self.assertIs(self.judged(1, data), Fit.MALFORMED)
        self.assertEqual(self.checkers[1].counts[Fit.MALFORMED], 3)


class Registrar(Case):
    """Registrars that tell users of some elements only."""

    def test_subset(self):
        """A user that was told of one element only is refused there: it has been misled."""
        draws = self.draws()
        found = []
        for _ in range(MOST_DRAWS):
            drawn = draws.draw(self.found(self.elements[:1]))
            self.assertEqual(drawn.choose().identifier, 1)
            found.append(self.judged(1, drawn.proof()))
        self.assertEqual(set(found), {Fit.FITS, Fit.BEATEN})
        self.assertGreater(found.count(Fit.BEATEN), MOST_DRAWS * 0.7)

    def test_gone(self):
        """An element that the pool doesn't have any more takes nobody."""
        proof = next(p for p in map(self.proof, range(MOST_DRAWS)) if self.winner(p) == 1)
        del self.weights[1]
        self.assertIs(self.judged(1, proof), Fit.BEATEN)


class Viewed(Case):
    """What an element knows of its pool."""

    def test_new(self):
        """Who is new, or weighs otherwise, counts after a while; who has left, not at all."""
        view = View()
        view.changed(self.found(), 0.0)
        self.assertEqual(view.weights(0.0, 1), {1: 1})
        self.assertEqual(view.weights(GRACE, 1), self.weights)
        view.changed(self.found([*self.elements[1:], element(99, self.policy)]), GRACE)
        self.assertEqual(set(view.weights(GRACE, 1)), set(range(2, SIZE + 1)))
        self.assertIn(99, view.weights(2 * GRACE, 1))
        changed = element(2, WeightedRandom(weight=7))
        view.changed(self.found([changed]), 3 * GRACE)
        self.assertEqual(view.weights(3 * GRACE, 3), {})
        self.assertEqual(view.weights(4 * GRACE, 3), {2: 7})

    def test_unfit(self):
        """Elements without a fixed chance are none of it."""
        view = View(grace=0)
        view.changed(self.found([element(1, LeastUsed(load=0))]), 0.0)
        self.assertEqual(view.weights(0.0, 1), {})
