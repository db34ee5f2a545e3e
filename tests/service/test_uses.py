"""Which credentials are in use."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.decisions import Proof, Subject
from rserpool.service import uses


def subject(name, identity="", proof=Proof.PSK):
    """Somebody."""
    return Subject(name, proof, "192.0.2.1", identity=identity or name)


class Using(SynchronousTestCase):
    """Sessions by proof and by credential."""

    def setUp(self):
        self.now = 1000.0
        self.uses = uses.Uses(lambda: self.now)

    def told(self):
        """Who, by which identity, how many are open, and when it was last."""
        return [(u.subject.name, u.subject.identity, u.open, u.last) for u in self.uses]

    def test_generations(self):
        """The generations of a key are told apart: the old one may go when none is open."""
        old, new = subject("web-1"), subject("web-1", "web-1~2")
        self.uses.opened(old)
        self.uses.opened(new)
        self.uses.opened(new)
        self.uses.closed(old)
        self.assertEqual(
            self.told(), [("web-1", "web-1~2", 2, 0.0), ("web-1", "web-1", 0, 1000.0)]
        )
        self.now = 2000.0
        self.uses.closed(new)
        self.uses.closed(new)
        self.assertEqual(self.told()[0], ("web-1", "web-1~2", 0, 2000.0))

    def test_by_proof(self):
        """Sessions are counted by proof; who has proven nothing isn't remembered."""
        for proof in Proof:
            self.uses.opened(subject("x", proof=proof))
        self.assertEqual(set(self.uses.by_proof.values()), {1})
        self.assertEqual(len(self.told()), 2)
        for proof in Proof:
            self.uses.closed(subject("x", proof=proof))
        self.assertEqual(set(self.uses.by_proof.values()), {0})

    def test_bounded(self):
        """Of too many credentials, those of longest ago are forgotten."""
        self.patch(uses, "MAXIMUM_REMEMBERED", 3)
        for number in range(10):
            self.uses.opened(subject(f"web-{number}"))
        self.assertEqual([name for name, *_ in self.told()], ["web-9", "web-8", "web-7"])
        self.uses.closed(subject("web-0"))
        self.assertEqual(self.uses.by_proof[Proof.PSK], 9)
        self.assertEqual(len(self.told()), 3)

    def test_in_use_is_kept(self):
        """Who is connected isn't forgotten for those who come and go."""
        self.patch(uses, "MAXIMUM_REMEMBERED", 3)
        self.uses.opened(subject("web-1"))
        for number in range(2, 10):
            self.now += 1
            passing = subject(f"web-{number}")
            self.uses.opened(passing)
            self.uses.closed(passing)
        self.assertEqual(
            self.told(),
            [("web-1", "web-1", 1, 0.0), ("web-9", "web-9", 0, 1008.0),
             ("web-8", "web-8", 0, 1007.0)],
        )  # fmt: skip
