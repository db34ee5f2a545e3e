"""What is next for a principal's keys."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.interfaces import Key
from rserpool.security.psk.rotation import Step, carried_over, generation, generations, plan


def keys(*identities):
    """Keys of these identities."""
    return [Key(identity, b"k" * 32) for identity in identities]


class Planning(SynchronousTestCase):
    """From the generations that there are."""

    def test_add(self):
        """Of one generation, whichever it is, the next is added."""
        for identity, new in (("web-1", "web-1~2"), ("web-1~7", "web-1~8"), ("a@b", "a@b~2")):
            found = plan(keys("other", identity, "web-11"), identity)
            self.assertEqual((found.step, found.new), (Step.ADD, new))
            self.assertEqual(found.old.identity, identity)

    def test_retire(self):
        """Of two, the older one goes: by number, wherever they stand."""
        for order in (("web-1~10", "web-1~9"), ("web-1~9", "web-1~10")):
            found = plan(keys(*order), "web-1")
            self.assertEqual(found.step, Step.RETIRE)
            self.assertEqual((found.old.identity, found.new), ("web-1~9", "web-1~10"))

    def test_too_many(self):
        """More than two are refused, by name."""
        error = self.assertRaises(ValueError, plan, keys("a", "a~2", "a~3"), "a")
        self.assertIn("3 generations, 'a', 'a~2', 'a~3'", str(error))

    def test_the_same(self):
        """Two of one number can't be told apart."""
        self.assertRaisesRegex(ValueError, "one generation", plan, keys("a", "a~1"), "a")

    def test_nobody(self):
        """A principal without a key has nothing to rotate."""
        self.assertRaises(KeyError, plan, keys("web-11"), "web-1")

    def test_generations(self):
        """Any generation names its principal; a tilde elsewhere is part of a name."""
        found = generations(keys("a~2", "a", "a~b"), "a~2")
        self.assertEqual([key.identity for key in found], ["a", "a~2"])
        self.assertEqual([generation(key) for key in keys("a", "a~3", "a~b")], [1, 3, 1])

    def test_carried_over(self):
        """What stands behind a key is kept as it stands."""
        line = "web-1:00ff ; pool=a=b;pe-id=0x2a;pool=c;not-after=2027-01-31"
        self.assertEqual(
            carried_over(line),
            {"pool": ["a=b", "c"], "pe-id": ["0x2a"], "not-after": ["2027-01-31"]},
        )
