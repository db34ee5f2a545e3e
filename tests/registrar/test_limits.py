"""``[limits]`` at the registrar: each kind of request, by the names of its settings."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.budgets import Budgets
from rserpool.security.decisions import RESOLVE, Proof, Request, Subject
from rserpool.security.gate import Gate
from rserpool.security.proven import AllowProven
from rserpool.service.config import load
from rserpool.service.settings import parse_set
from rserpool.wire import asap, causes, enrp
from tests.registrar.scene import Scene, registration
from tests.registrar.scope import ME, Scope, added

SECURE = ("registrar.asap-tls=tcp:3864", "registrar.auth=psk:elements.psk")
BURST, EACH = 3, 10.0  # requests at once, and seconds until there is one more
PEER, OTHER = 0x90, 0x91

ASAP = {
    "registrations": registration,
    "deregistrations": lambda n: asap.Deregistration(handle=b"web", identifier=n),
    "resolutions": lambda n: asap.HandleResolution(subscribe=False, handle=b"web", items=n),
    "unreachables": lambda n: asap.EndpointUnreachable(handle=b"web", identifier=n),
}
ENRP = {
    "peer-presences": lambda sender, n: enrp.Presence(sender=sender, checksum=0xFFFF),
    "peer-lists": lambda sender, n: enrp.ListRequest(sender=sender, receiver=ME),
    "peer-tables": lambda sender, n: enrp.HandleTableRequest(sender=sender, receiver=ME),
    "peer-updates": lambda sender, n: added(sender, n + sender),
    "peer-takeovers": lambda sender, n: enrp.InitTakeover(sender=sender, target=7),
}


def limited(kind, *more):
    """A gate as it is configured, where one kind of request has a small budget."""
    settings = (*SECURE, f"limits.{kind}-per-second={1 / EACH}", f"limits.{kind}-burst={BURST}")
    config = load(None, [parse_set(one) for one in (*settings, *more)])
    return Gate(AllowProven(), Budgets(config.rates), required=True, limiting=config.limiting)


def refused(answers):
    """Whether something was refused for security."""
    found = [getattr(answer, "error", None) for answer in answers]
    return any(causes.RejectedForSecurity() in one.causes for one in found if one is not None)


class OfElementsAndUsers(SynchronousTestCase):
    """ASAP."""

    def scene(self, kind, *more):
        """A registrar with this limit."""
        self.gate = limited(kind, *more)
        self.scene_ = Scene(gate=self.gate)
        return self.scene_

    def denied(self, channel, message):
        """Whether it was over the limit, which is answered with 0xa if it is answered."""
        before = sum(self.gate.over_limit.values())
        answers = self.scene_.tell(channel, message)
        over = sum(self.gate.over_limit.values()) - before
        if isinstance(message, asap.EndpointUnreachable):
            self.assertEqual(answers, [])
        else:
            self.assertEqual(refused(answers), over == 1, "counted once, and answered")
        return over == 1

    def test_each(self):
        """A burst, then refusals, reconnected or not; others aren't touched, and time heals."""
        for kind, make in ASAP.items():
            scene = self.scene(kind)
            first, again = scene.channel("web-1"), scene.channel("web-1")
            for number in range(1, BURST + 1):
                self.assertFalse(self.denied(first, make(number)), kind)
            members = scene.members()
            for channel in (first, again, scene.channel("web-1", address="192.0.2.9")):
                self.assertTrue(self.denied(channel, make(9)), f"{kind}: reconnecting gains")
            self.assertEqual(scene.members(), members, "nothing has changed")
            self.assertFalse(self.denied(scene.channel("web-2"), make(8)), kind)
            scene.now += EACH * 1.01
            self.assertFalse(self.denied(again, make(9)), kind)
            self.assertTrue(self.denied(again, make(9)), kind)

    def test_report(self):
        """With mode "report" what is over is counted, and done all the same."""
        for kind, make in ASAP.items():
            scene = self.scene(kind, "limits.mode=report")
            channel = scene.channel("web-1")
            answers = [scene.tell(channel, make(number)) for number in range(1, BURST + 3)]
            self.assertFalse(any(map(refused, answers)), kind)
            self.assertEqual(sum(self.gate.over_limit.values()), 2, kind)

    def test_off(self):
        """With mode "off", or a rate of 0, nothing is counted."""
        for kind, make in ASAP.items():
            for off in ("limits.mode=off", f"limits.{kind}-per-second=0"):
                scene = self.scene(kind, off)
                channel = scene.channel("web-1")
                for number in range(1, 50):
                    self.assertFalse(self.denied(channel, make(number)), kind)


class OfRegistrars(SynchronousTestCase):
    """ENRP."""

    def test_each(self):
        """Who is over a limit gets 0xa, by a new connection as well; other peers don't."""
        for kind, make in ENRP.items():
            gate = limited(kind)
            scope = Scope(gate=gate)
            channel = scope.peer(PEER, "r1")
            answers = [refused(scope.say(channel, make(PEER, n))) for n in range(1, 9)]
            # Who has introduced itself has spent one of some kinds.
            self.assertIn(answers.index(True), (BURST - 1, BURST), kind)
            self.assertEqual(set(answers[BURST:]), {True}, kind)
            count = sum(gate.over_limit.values())
            self.assertEqual(count, answers.count(True), "each counted")
            homes = scope.homes()
            scope.lose(channel)
            again = scope.channel("r1")
            self.assertTrue(refused(scope.say(again, make(PEER, 10))), kind)
            self.assertLessEqual(scope.homes().items(), homes.items(), kind)
            other = scope.peer(OTHER, "r2")
            self.assertFalse(refused(scope.say(other, make(OTHER, 11))), kind)
            scope.now += EACH * 1.01
            self.assertFalse(refused(scope.say(again, make(PEER, 12))), kind)

    def test_report(self):
        """With mode "report" it is counted only."""
        for kind, make in ENRP.items():
            gate = limited(kind, "limits.mode=report")
            scope = Scope(gate=gate)
            channel = scope.peer(PEER, "r1")
            answers = [scope.say(channel, make(PEER, number)) for number in range(1, 9)]
            self.assertFalse(any(map(refused, answers)), kind)
            self.assertGreaterEqual(sum(gate.over_limit.values()), 8 - BURST, kind)


class OfNobody(SynchronousTestCase):
    """Who has proven nothing is counted by address."""

    def test_network(self):
        """One host of IPv6 has many addresses, and one budget; the next network has another."""
        budgets = Budgets(load(None, [parse_set(one) for one in (
            *SECURE, "limits.resolutions-per-second=0.1", "limits.resolutions-burst=2",
        )]).rates)  # fmt: skip

        def spend(address):
            subject = Subject("anonymous", Proof.ANONYMOUS, address)
            return budgets.spend(subject, Request(RESOLVE, b"web"), 0.0).allowed

        self.assertTrue(spend("2001:db8::1"))
        self.assertTrue(spend("2001:db8::2"))
        self.assertFalse(spend("2001:db8::ffff:3"))
        self.assertTrue(spend("2001:db8:0:1::1"))
        self.assertTrue(spend("192.0.2.1"))
