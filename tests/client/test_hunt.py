"""The server hunt (RFC 5352 section 3.6)."""

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from rserpool.client.effects import CancelTimer, Dial, HangUp
from rserpool.client.hunt import AGAIN, AT_ONCE, PAUSE, RETRAN_MAX, STEADY, T5, TIMER, Hunt
from tests.client.scene import Chance, timers


def dialled(effects):
    """Whom these effects call."""
    return [effect.index for effect in effects if type(effect) is Dial]


def hung_up(effects):
    """Whose calls these effects end."""
    return [effect.index for effect in effects if type(effect) is HangUp]


class Hunting(SynchronousTestCase):
    """From no registrar to one."""

    def test_three_at_once(self):
        """No more than three registrars are called at once (SH1), and T5 runs (SH2)."""
        effects = Hunt(10, Random(1)).start()
        self.assertEqual((len(dialled(effects)), timers(effects)), (AT_ONCE, {TIMER: T5}))

    def test_fewer(self):
        """Of two registrars, two are called."""
        self.assertEqual(set(dialled(Hunt(2, Random(1)).start())), {0, 1})

    def test_first_wins(self):
        """The first that answers is home; the other calls are ended and T5 stops (SH3, SH6)."""
        hunt = Hunt(3, Random(1))
        hunt.start()
        effects = hunt.reached(1, 0.0)
        self.assertEqual((hunt.home, hung_up(effects)), (1, [0, 2]))
        self.assertIn(CancelTimer(TIMER), effects)

    def test_second_is_late(self):
        """A registrar that answers when there is a home already is hung up on."""
        hunt = Hunt(3, Random(1))
        hunt.start()
        hunt.reached(1, 0.0)
        self.assertEqual((hung_up(hunt.reached(2, 0.0)), hunt.home), ([2], 1))

    def test_failure_gives_way(self):
        """A call that fails gives way to a registrar that hasn't been tried (SH4)."""
        hunt = Hunt(5, Random(1))
        first = dialled(hunt.start())
        [following] = dialled(hunt.failed(first[0]))
        self.assertNotIn(following, first)

    def test_one_hangs(self):
        """A call that hangs doesn't keep those that failed from being tried again."""
        hunt = Hunt(3, Chance())
        hunt.start()
        self.assertEqual(timers(hunt.failed(0)), {AGAIN: PAUSE * 0.75})
        self.assertEqual(timers(hunt.failed(2)), {})
        effects = hunt.rang(AGAIN)
        self.assertEqual((set(dialled(effects)), timers(effects)), ({0, 2}, {}))
        self.assertEqual(hung_up(hunt.rang(TIMER)), [0, 1, 2])

    def test_unknown_failure(self):
        """The failure of a call that was given up changes nothing."""
        hunt = Hunt(5, Random(1))
        [waiting, *_] = set(range(5)) - set(dialled(hunt.start()))
        self.assertEqual(hunt.failed(waiting), [])

    def test_timeout_takes_others(self):
        """When T5 rings, its calls end, it doubles, and other registrars come first (SH5)."""
        hunt = Hunt(6, Random(1))
        first = dialled(hunt.start())
        effects = hunt.rang(TIMER)
        self.assertEqual(sorted(hung_up(effects)), sorted(first))
        self.assertEqual(set(dialled(effects)), set(range(6)) - set(first))
        self.assertEqual(timers(effects), {TIMER: 2 * T5})

    def test_timeout_is_capped(self):
        """T5's doubling ends at RETRAN-MAX, however long the hunt goes on."""
        hunt = Hunt(1, Random(1))
        hunt.start()
        for _ in range(5000):
            effects = hunt.rang(TIMER)
        self.assertEqual(timers(effects), {TIMER: RETRAN_MAX})

    def test_all_fail(self):
        """When all have failed there is a pause, with jitter, that doubles up to RETRAN-MAX."""
        hunt = Hunt(2, Chance())
        effects = hunt.start()
        pauses = []
        for _ in range(5000):
            failures = [effect for one in dialled(effects) for effect in hunt.failed(one)]
            pauses.append(timers(failures)[AGAIN])
            effects = hunt.rang(AGAIN)
        self.assertEqual(pauses[:3], [PAUSE * 0.75, PAUSE * 1.5, PAUSE * 3])
        self.assertEqual(pauses[-1], RETRAN_MAX * 0.75)

    def test_jitter(self):
        """Two clients with other random numbers don't come back at the same time."""
        pauses = []
        for number in (0.0, 0.99):
            hunt = Hunt(1, Chance(0.5, number))
            hunt.start()
            pauses.append(timers(hunt.failed(0))[AGAIN])
        self.assertLess(pauses[0] + PAUSE / 3, pauses[1])

    def test_everybody_is_tried(self):
        """However the numbers fall, each registrar is called within a round."""
        for seed in range(20):
            hunt = Hunt(8, Random(seed))
            effects, seen = hunt.start(), set()
            while dialled(effects):
                seen.update(dialled(effects))
                effects = hunt.rang(TIMER) if len(seen) < 8 else []
            self.assertEqual(seen, set(range(8)))


class Losing(SynchronousTestCase):
    """From a registrar to the next one."""

    def lost(self, count, after, seed=1):
        """A hunt whose home was lost so many seconds after it was found."""
        hunt = Hunt(count, Random(seed))
        hunt.start()
        hunt.reached(0, 100.0) if count < 4 else hunt.reached(min(hunt._dialled), 100.0)
        home = hunt.home
        return hunt, home, hunt.lost(100.0 + after)

    def test_others_at_once(self):
        """When a home that held is lost, others are called at once, three at most (SH1)."""
        for count in (2, 3, 4, 9):
            _, home, effects = self.lost(count, STEADY)
            self.assertEqual(len(dialled(effects)), min(count - 1, AT_ONCE))
            self.assertNotIn(home, dialled(effects))
            self.assertEqual(timers(effects)[TIMER], T5)

    def test_lost_one_after_a_pause(self):
        """The registrar that was just lost is called, too, after a pause with jitter."""
        hunt, home, effects = self.lost(3, STEADY)
        self.assertLessEqual(PAUSE / 2, timers(effects)[AGAIN])
        self.assertLessEqual(timers(effects)[AGAIN], PAUSE)
        self.assertEqual(dialled(hunt.rang(AGAIN)), [home])

    def test_lost_one_comes_last(self):
        """Where there are many, the one that was just lost is called after all others."""
        for seed in range(20):
            hunt, home, effects = self.lost(6, STEADY, seed)
            order = dialled(effects)
            for index in order:
                effects = hunt.failed(index)
                order += dialled(effects)
            self.assertEqual(sorted(order), sorted(set(range(6)) - {home}))

    def test_only_one(self):
        """The only registrar is called again after a pause, though it was just lost."""
        hunt, _, effects = self.lost(1, STEADY)
        self.assertEqual((dialled(effects), list(timers(effects))), ([], [AGAIN]))
        self.assertEqual(dialled(hunt.rang(AGAIN)), [0])

    def test_starting_up(self):
        """One that takes the call only to end it has had its turn: the next one, at once."""
        hunt, home, effects = self.lost(3, 0.01)
        for _ in range(2):
            following, *_ = dialled(effects)
            self.assertNotEqual(following, home)
            hunt.reached(following, 100.0)
            effects = hunt.lost(100.01)
        self.assertEqual((dialled(effects), list(timers(effects))), ([], [AGAIN]))

    def test_all_starting_up(self):
        """All that do so are called once in a round, and the pause between rounds doubles."""
        hunt = Hunt(3, Chance())
        effects, calls, pauses = hunt.start(), [], []
        for _ in range(12):
            calls.append(0)
            while found := dialled(effects):
                calls[-1] += 1
                hunt.reached(found[0], 0.0)
                effects = hunt.lost(0.01)
            pauses.append(timers(effects)[AGAIN])
            effects = hunt.rang(AGAIN)
        self.assertEqual(set(calls), {3})
        self.assertEqual(pauses[:3], [PAUSE * 0.75, PAUSE * 1.5, PAUSE * 3])
        self.assertEqual(pauses[-1], RETRAN_MAX * 0.75)

    def test_home_that_hangs_up(self):
        """A registrar that takes each connection and closes it is called ever more rarely."""
        hunt = Hunt(1, Chance())
        hunt.start()
        pauses = []
        for _ in range(20):
            hunt.reached(0, 0.0)
            pauses.append(timers(hunt.lost(0.1))[AGAIN])
            hunt.rang(AGAIN)
        self.assertEqual(pauses[:2], [PAUSE * 0.75, PAUSE * 1.5])
        self.assertEqual(pauses[-1], RETRAN_MAX * 0.75)

    def test_steady_home(self):
        """A home that held makes the pause short again."""
        hunt = Hunt(1, Chance())
        hunt.start()
        for _ in range(5):
            hunt.failed(0)
            hunt.rang(AGAIN)
        hunt.reached(0, 100.0)
        self.assertEqual(timers(hunt.lost(100.0 + STEADY)), {AGAIN: PAUSE * 0.75})

    def test_late_ring(self):
        """A timer of the hunt that rings when there is a home does nothing."""
        hunt = Hunt(2, Random(1))
        hunt.start()
        hunt.reached(0, 0.0)
        self.assertEqual((hunt.rang(TIMER), hunt.rang(AGAIN)), ([], []))

    def test_start_anew(self):
        """A hunt that is started again forgets what it was doing."""
        hunt = Hunt(2, Random(1))
        hunt.start()
        self.assertEqual(hung_up(hunt.start()), [0, 1])


class Announced(SynchronousTestCase):
    """Registrars that announce themselves."""

    def test_nobody_yet(self):
        """Where nobody is known the first that announces himself is called at once."""
        hunt = Hunt(0, Random(1))
        self.assertEqual(dialled(hunt.start()), [])
        effects = hunt.learn(0)
        self.assertEqual((dialled(effects), timers(effects)), ([0], {TIMER: T5}))
        self.assertEqual(dialled(hunt.rang(TIMER)), [0])

    def test_configured_first(self):
        """However the numbers fall, those that are configured are called first."""
        for seed in range(20):
            hunt = Hunt(3, Random(seed))
            for index in range(3, 30):
                self.assertEqual(hunt.learn(index), [])
            effects = hunt.start()
            self.assertEqual(set(dialled(effects)), {0, 1, 2})
            [following] = dialled(hunt.failed(0))
            self.assertGreater(following, 2)
            hunt.rang(AGAIN)
            hunt.reached(1, 0.0)
            self.assertEqual(set(dialled(hunt.lost(STEADY))[:2]), {0, 2})

    def test_three_at_once(self):
        """Those that announce themselves in a hunt wait for their turn."""
        hunt = Hunt(1, Random(1))
        hunt.start()
        calls = [index for new in range(1, 10) for index in dialled(hunt.learn(new))]
        self.assertEqual(calls, [1, 2])
        self.assertEqual(dialled(hunt.failed(2)), [3])

    def test_home(self):
        """Where there is a home nobody is called."""
        hunt = Hunt(1, Random(1))
        hunt.start()
        hunt.reached(0, 0.0)
        self.assertEqual(hunt.learn(1), [])
        self.assertEqual(dialled(hunt.lost(STEADY)), [1])

    def test_forgotten(self):
        """One that is outdated isn't called; a call to it ends, and gives way."""
        hunt = Hunt(0, Random(1))
        hunt.start()
        for index in range(6):
            hunt.learn(index)
        self.assertEqual(hunt.forget(4), [])
        effects = hunt.forget(1)
        self.assertEqual((hung_up(effects), dialled(effects)), ([1], [3]))
        calls = []
        for index in (0, 2, 3, 5):
            calls += dialled(hunt.failed(index))
        self.assertEqual(calls, [5])
        hunt.forget(0)
        self.assertEqual(set(dialled(hunt.rang(AGAIN))), {2, 3, 5})

    def test_all_forgotten(self):
        """When nobody is known any more, the hunt waits for the next one."""
        hunt = Hunt(0, Random(1))
        hunt.start()
        hunt.learn(0)
        hunt.forget(0)
        for name in (AGAIN, TIMER, TIMER):
            self.assertEqual(dialled(hunt.rang(name)), [])
        self.assertEqual(dialled(hunt.learn(1)), [1])

    def test_flood(self):
        """Each that fails is called once in a round, whose pauses double."""
        hunt, calls = Hunt(0, Chance()), 0
        hunt.start()
        for index in range(32):
            calls += len(dialled(hunt.learn(index)))
            calls += sum(len(dialled(hunt.failed(index))) for _ in range(2))
        self.assertEqual(calls, 32)
        calls = 0
        for _ in range(3):
            found = dialled(hunt.rang(AGAIN))
            while found:
                calls += len(found)
                found = [call for index in found for call in dialled(hunt.failed(index))]
        self.assertEqual(calls, 96)
