"""A pool user that verifies what registrars tell (RFC 5355 section 2.17)."""

from ipaddress import ip_address
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

from rserpool.client import Resolution, Verifier, What, signers
from rserpool.client.effects import Tell
from rserpool.client.statement import signatures, signed
from rserpool.client.user import MOST_NAMED, User
from rserpool.security.decisions import Mode
from rserpool.security.signing.signature import SKEW, Doubt
from rserpool.wire import asap
from rserpool.wire.layout import tlv
from rserpool.wire.parameters import TCPTransport
from rserpool.wire.policies import LeastUsed, RoundRobin
from tests.client.scene import element, resolved
from tests.security.signing.signing import NOW, signer

ELSEWHERE = TCPTransport(port=666, addresses=(ip_address("203.0.113.66"),))


class Case(SynchronousTestCase):
    """A list with one key, and what registrars tell of its owner."""

    options = ""

    def setUp(self):
        """Two keys are believed."""
        self.now = NOW
        path = self.mktemp()
        names = [f"web-{n}:{signer(n).public.hex()}{self.options}\n" for n in (1, 2)]
        Path(path).write_text("".join(names))
        self.verifier = Verifier(signers(f"keys:{path}"), clock=lambda: self.now)

    def one(self, identifier=1, handle=b"web", policy=None, key=1):
        """An element, as it has signed it."""
        return signed(handle, element(identifier, policy), signer(key))

    def found(self, *elements, policy=None, handle=b"web"):
        """What becomes of a resolution."""
        return self.verifier(Resolution(handle, policy or RoundRobin(), elements))

    def doubt(self, one, **how):
        """Why the only element of a resolution isn't believed."""
        found = self.found(one, **how)
        self.assertEqual(found.elements, ())
        [distrusted] = found.distrusted
        self.assertEqual(distrusted.element, one)
        return distrusted.doubt


class Told(Case):
    """What a registrar tells, rightly or not."""

    def test_good(self):
        """What was signed is believed, from whichever home, with whatever life."""
        one = self.one()
        moved = attrs.evolve(self.one(2, key=2), home=0xBAD, life=5)
        told = Resolution(b"web", RoundRobin(), (one, moved))
        self.assertIs(self.verifier(told), told)

    def test_changed(self):
        """Nothing that users rely on can be changed."""
        one = self.one(policy=LeastUsed(load=0x80000000))
        least = LeastUsed(load=0)
        self.assertEqual(self.found(one, policy=least).distrusted, ())
        for changes in (
            {"policy": least}, {"policy": RoundRobin()}, {"identifier": 2},
            {"user_transport": ELSEWHERE},
        ):  # fmt: skip
            changed = attrs.evolve(one, **changes)
            self.assertIs(self.doubt(changed, policy=least), Doubt.FORGED, changes)
        # An element of one pool isn't one of another.
        self.assertIs(self.doubt(one, policy=least, handle=b"payments"), Doubt.FORGED)

    def test_without(self):
        """Who has signed nothing isn't believed, nor what is no signature."""
        self.assertIs(self.doubt(element(1)), Doubt.UNSIGNED)
        nonsense = attrs.evolve(element(1), unknown=(tlv(0x80F6, b"x"),))
        self.assertIs(self.doubt(nonsense), Doubt.MALFORMED)
        twice = attrs.evolve(self.one(), unknown=2 * self.one().unknown)
        self.assertIs(self.doubt(twice), Doubt.MALFORMED)

    def test_swapped(self):
        """The signature of one element doesn't do for another."""
        one, other = self.one(1), self.one(2, key=2)
        self.assertIs(self.doubt(attrs.evolve(one, unknown=other.unknown)), Doubt.FORGED)

    def test_stranger(self):
        """An element of the registrar's own making isn't believed."""
        self.assertIs(self.doubt(self.one(key=3)), Doubt.STRANGER)

    def test_replayed(self):
        """What an element has said once is believed until its registration would have ended."""
        one = self.one()
        self.now = NOW + 300 + SKEW - 1
        self.assertEqual(self.found(one).distrusted, ())
        self.now += 1
        self.assertIs(self.doubt(one), Doubt.EXPIRED)

    def test_pool_policy(self):
        """The policy of the pool is of the type that its elements have signed."""
        one = self.one(policy=LeastUsed(load=7))
        self.assertEqual(self.found(one, policy=LeastUsed(load=0)).distrusted, ())
        self.assertIs(self.doubt(one, policy=RoundRobin()), Doubt.POLICY)

    def test_mixed(self):
        """Only those who aren't believed are left out, in the registrar's order."""
        good = [self.one(1), self.one(3, key=2)]
        bad = [attrs.evolve(good[0], user_transport=ELSEWHERE), element(2)]
        found = self.found(bad[0], good[1], bad[1], good[0])
        self.assertEqual(found.elements, (good[1], good[0]))
        self.assertEqual([one.element for one in found.distrusted], bad)

    def test_report(self):
        """Told only: nobody is left out, and all is known."""
        self.verifier = attrs.evolve(self.verifier, mode=Mode.REPORT)
        elements = (self.one(), element(2))
        found = self.found(*elements)
        self.assertEqual(found.elements, elements)
        self.assertEqual([one.doubt for one in found.distrusted], [Doubt.UNSIGNED])


class Entitled(Case):
    """A key that is good for something only."""

    options = ";pool=web;pe-id=1;addr=192.0.2.0/24"

    def test_limits(self):
        """It signs for its pool, its identifier and its addresses."""
        self.assertEqual(self.found(self.one()).distrusted, ())
        self.assertIs(self.doubt(self.one(handle=b"x"), handle=b"x"), Doubt.UNENTITLED)
        self.assertIs(self.doubt(self.one(2)), Doubt.UNENTITLED)
        moved = attrs.evolve(element(1), user_transport=ELSEWHERE)
        self.assertIs(self.doubt(signed(b"web", moved, signer())), Doubt.UNENTITLED)


class Asking(Case):
    """The user's machine with a verifier."""

    def setUp(self):
        """It is linked."""
        super().setUp()
        self.user = User(judge=self.verifier)
        self.user.linked(0.0)

    def hear(self, *elements, updates=False):
        """The registrar lists these."""
        message = attrs.evolve(resolved(1, updates=updates), elements=elements)
        return self.user.arrived(asap.encode(message), 1.0)

    def notice(self, effects):
        """The only one."""
        [found] = [effect.notice for effect in effects if isinstance(effect, Tell)]
        return found

    def test_answer(self):
        """The application never gets whom it can't believe, and is told so."""
        answers = []
        self.user.resolve(b"web", None, answers.append, 0.0)
        good = self.one()
        effects = self.hear(good, element(2))
        self.assertEqual(answers[0].elements, (good,))
        notice = self.notice(effects)
        self.assertIs(notice.what, What.DISTRUSTED)
        self.assertIn("0x00000002: there is no signature", notice.words)

    def test_update(self):
        """Nor one who watches a pool."""
        seen = []
        self.user.watch(b"web", seen.append)
        for _ in range(2):
            self.hear(self.one(), element(2), updates=True)
        self.assertEqual([len(one.elements) for one in seen], [1, 1])

    def test_many(self):
        """However many a registrar lists, one notice tells of a few."""
        self.user.resolve(b"web", None, lambda answer: None, 0.0)
        notice = self.notice(self.hear(*map(element, range(1, 101))))
        self.assertEqual(notice.words.count("no signature"), MOST_NAMED)
        self.assertIn("and 97 more", notice.words)

    def test_unasked(self):
        """What nobody asked for isn't worth the work of verifying."""
        looked = []
        self.user = User(judge=looked.append)
        self.user.linked(0.0)
        self.assertEqual(self.hear(element(1)), [])
        self.assertEqual(looked, [])

    def test_on_the_wire(self):
        """A signature comes back from the wire as it went."""
        message = attrs.evolve(resolved(1), elements=(self.one(),))
        [found] = asap.decode(asap.encode(message)).message.elements
        self.assertEqual(signatures(found), signatures(self.one()))
