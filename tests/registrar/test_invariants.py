"""Invariants that no rule and no admin can lift, tried with the most generous rules."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.budgets import Budgets, Rate, Rates
from rserpool.security.decisions import Proof, Restrictions
from rserpool.security.gate import Gate
from rserpool.security.rules.file import parse
from rserpool.wire import asap
from tests.registrar.scene import Scene, registration

#: Everybody may everything, in every way in which a file can say so.
EVERYTHING = """
[roles.all]
rules = ["asap", "enrp", "admin"]
[roles.psk]
rules = ["asap", "enrp", "admin"]
[roles.certificate]
rules = ["asap", "enrp", "admin"]
[roles.anonymous]
rules = ["asap", "enrp", "admin"]
[users.anonymous]
admin = true
[users.plain]
admin = true
[users.web-1]
admin = true
rules = ["asap", "enrp"]
[users.web-2]
admin = true
rules = ["asap", "enrp"]
[gates."pool:web".users.anonymous]
rules = ["asap", "enrp"]
[gates."pool:web".users.web-2]
rules = ["asap", "enrp"]
[gates."pool:web".roles.anonymous]
rules = ["asap", "enrp"]
"""


class Whoever:
    """Asks the policy."""

    policy = parse(EVERYTHING, "rules")

    def decide(self, subject, request):
        """As the rules say."""
        return self.policy.decide(subject.name, subject.proof, request)


class Lifted(SynchronousTestCase):
    """With the most generous rules there are."""

    def setUp(self):
        limits = Budgets(Rates(registrations=Rate(1, 50)))
        self.scene = Scene(gate=Gate(Whoever(), limits, required=True))
        self.owner = self.scene.channel("web-1")
        self.scene.register(self.owner, 1)
        self.before = self.state()

    def state(self):
        """What the handlespace holds."""
        return {
            (handle, identifier, element.blob, element.principal)
            for handle, pool in self.scene.registrar.handlespace.pools.items()
            for identifier, element in pool.elements.items()
        }

    def refused(self, channel, message):
        """It is refused, and changes nothing."""
        [answer] = self.scene.tell(channel, message)
        self.assertIsNotNone(answer.error, message)
        self.assertEqual(self.state(), self.before)

    def test_plain(self):
        """A plain connection of a secure registrar gets nothing."""
        plain = self.scene.channel("plain", Proof.PLAIN)
        self.refused(plain, registration(2))
        self.refused(plain, asap.Deregistration(handle=b"web", identifier=1))
        self.refused(plain, asap.HandleResolution(handle=b"web"))

    def test_anonymous(self):
        """Who has proven no name registers nothing, and takes nothing out."""
        channel = self.scene.channel("anonymous", Proof.ANONYMOUS)
        self.refused(channel, registration(2))
        self.refused(channel, asap.Deregistration(handle=b"web", identifier=1))

    def test_of_another(self):
        """An admin doesn't renew, change or remove the element of another."""
        admin = self.scene.channel("web-2")
        self.refused(admin, registration(1))
        self.refused(admin, registration(1, life=10))
        self.refused(admin, asap.Deregistration(handle=b"web", identifier=1))

    def test_address(self):
        """An admin registers no address that isn't its connection's."""
        self.refused(self.scene.channel("web-2"), registration(2, address="192.0.2.99"))

    def test_restrictions(self):
        """A key for other pools, or other elements, stays one."""
        for restrictions in (
            Restrictions(pools=frozenset({b"other"})),
            Restrictions(pe_ids=frozenset({9})),
        ):
            channel = self.scene.channel("web-2", restrictions=restrictions)
            self.refused(channel, registration(2))

    def test_limits(self):
        """An admin's registrations are counted as anybody's."""
        admin = self.scene.channel("web-2")
        answers = [self.scene.tell(admin, registration(9))[0] for _ in range(60)]
        self.assertEqual(sum(answer.rejected for answer in answers), 10)

    def test_rightful(self):
        """The same deeds by whom they belong to are done."""
        [answer] = self.scene.tell(self.owner, registration(1, life=10))
        self.assertFalse(answer.rejected)
        [answer] = self.scene.tell(self.owner, asap.Deregistration(handle=b"web", identifier=1))
        self.assertIsNone(answer.error)
