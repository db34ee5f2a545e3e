"""The gate fails closed."""

from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from rserpool.security.budgets import Budgets, Rate, Rates
from rserpool.security.decisions import (
    ALLOW,
    PERMISSIONS,
    REGISTER_NEW,
    RESOLVE,
    UNREACHABLE,
    Decision,
    Mode,
    Proof,
    Request,
    Restrictions,
    Subject,
    deny,
)
from rserpool.security.failing import RaiseAlways, RefuseAll
from rserpool.security.gate import Gate
from rserpool.security.interfaces import IAuthorizer, IGate, IRateLimit
from rserpool.security.proven import AllowProven


@implementer(IAuthorizer, IRateLimit)
class Says:
    """Gives the answer it is told to give, whatever it is."""

    def __init__(self, answer):
        self.answer = answer

    def decide(self, subject, request):
        """Answer."""
        return self.answer

    def spend(self, subject, request, now):
        """Answer."""
        return self.answer


def subject(proof=Proof.PSK, name="web-1", restrictions=None):
    """Somebody."""
    return Subject(name, proof, "192.0.2.1", restrictions=restrictions or Restrictions())


class FailsClosed(SynchronousTestCase):
    """RFC 5355: what isn't allowed by somebody is denied."""

    def ask(self, authorizer, limits, who=None, permission=RESOLVE, **options):
        """Ask a gate of these."""
        gate = Gate(authorizer, limits, **{"required": True, **options})
        return gate.ask(who or subject(), Request(permission, b"web"), 1.0)

    def test_interfaces(self):
        """The parts are what they claim to be."""
        verifyObject(IGate, Gate(None, None, required=True))
        for authorizer in (AllowProven(), RefuseAll(), RaiseAlways()):
            verifyObject(IAuthorizer, authorizer)
        verifyObject(IRateLimit, Budgets(Rates()))

    def test_both_must_allow(self):
        """Authorizer and limits must both allow."""
        no = deny("no")
        for first, second, expected in (
            (ALLOW, ALLOW, True), (ALLOW, no, False), (no, ALLOW, False), (no, no, False),
        ):  # fmt: skip
            self.assertIs(self.ask(Says(first), Says(second)).allowed, expected)

    def test_denied_again_and_again(self):
        """A denial is paid for as well: who is denied too often is over a limit (2.1)."""
        nobody = subject(Proof.ANONYMOUS, "anonymous")
        rates = Rates(registrations=Rate(1, 2))
        for mode, third in ((Mode.ENFORCE, "limits"), (Mode.REPORT, "")):
            for who in (nobody, subject(Proof.PLAIN, "plain")):
                gate = Gate(Says(deny("no")), Budgets(rates), required=True, limiting=mode)
                told = []
                gate.on_reported = lambda *what, told=told: told.append(what)
                request = Request(REGISTER_NEW, b"web")
                found = [gate.ask(who, request, 1.0) for _ in range(3)]
                self.assertEqual([one.allowed for one in found], [False] * 3)
                by = "gate" if who.proof is Proof.PLAIN else "invariant"
                self.assertEqual([one.by for one in found], [by, by, third or by])
                self.assertEqual(gate.over_limit[REGISTER_NEW], 1)
                self.assertEqual(told, [], "it was denied, whatever the limits do")

    def test_nothing_configured(self):
        """Without authorizer or limits there is nobody to allow."""
        self.assertFalse(self.ask(None, Says(ALLOW)).allowed)
        self.assertFalse(self.ask(Says(ALLOW), None).allowed)
        self.assertFalse(self.ask(None, None).allowed)

    def test_exceptions(self):
        """An exception is a denial, and the log has it."""
        self.assertFalse(self.ask(RaiseAlways(), Says(ALLOW)).allowed)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_no_decision(self):
        """What isn't a decision is a denial, on either side, however much it looks like one."""
        alike = SimpleNamespace(allowed=True, reason="yes", by="x", source="x")
        for odd in (None, True, "yes", 1, object(), alike):
            for pair in ((Says(odd), Says(ALLOW)), (Says(ALLOW), Says(odd))):
                for mode in Mode:
                    found = self.ask(*pair, authorization=mode, limiting=mode)
                    self.assertIs(found.allowed, False, odd)

    def test_the_rule(self):
        """What is allowed comes with the authorizer's decision: by which rule, and whose."""
        decision = Decision(True, "yes", "rules", "asap", "roles.all")
        self.assertIs(self.ask(Says(decision), Says(ALLOW)), decision)

    def test_unproven(self):
        """Whatever the authorizer says, who has proven nothing resolves and reports at most."""
        nobody = subject(Proof.ANONYMOUS, "anonymous")
        for mode in Mode:
            for permission in PERMISSIONS:
                found = self.ask(
                    Says(ALLOW), Says(ALLOW), nobody, permission, authorization=mode
                )
                self.assertEqual(found.allowed, permission in (RESOLVE, UNREACHABLE))
                self.assertTrue(found.allowed or found.by == "invariant", found)

    def test_truthy_is_not_true(self):
        """A decision whose `allowed` isn't True is none."""
        self.assertIsNot(self.ask(Says(deny("x")), Says(ALLOW)).allowed, True)

    def test_plain_on_a_secure_registrar(self):
        """A plain connection may nothing, and resolve only where that is configured."""
        plain = subject(Proof.PLAIN, "plain")
        yes = Says(ALLOW)
        for permission in PERMISSIONS:
            self.assertFalse(self.ask(yes, yes, plain, permission).allowed)
            allowed = self.ask(yes, yes, plain, permission, plain_resolution=True).allowed
            self.assertEqual(allowed, permission == RESOLVE)

    def test_plain_on_an_insecure_registrar(self):
        """There plain connections aren't asked for, but pay."""
        plain = subject(Proof.PLAIN, "plain")
        self.assertTrue(self.ask(None, Says(ALLOW), plain, required=False).allowed)
        self.assertFalse(self.ask(None, Says(deny("no")), plain, required=False).allowed)

    def test_restricted_to_pools(self):
        """A key for other pools resolves here, and does nothing else."""
        who = subject(restrictions=Restrictions(pools=frozenset({b"other"})))
        yes = Says(ALLOW)
        for permission in PERMISSIONS:
            allowed = self.ask(yes, yes, who, permission).allowed
            self.assertEqual(allowed, permission == RESOLVE)

    def test_allow_proven(self):
        """Without rules, who has proven a name may all, and who hasn't may resolve."""
        for proof, allowed in (
            (Proof.PSK, PERMISSIONS), (Proof.CERTIFICATE, PERMISSIONS),
            (Proof.ANONYMOUS, {RESOLVE, UNREACHABLE}), (Proof.PLAIN, set()),
        ):  # fmt: skip
            found = {
                p
                for p in PERMISSIONS
                if AllowProven().decide(subject(proof), Request(p, b"web")).allowed
            }
            self.assertEqual(found, set(allowed))

    def test_allowed_by_no_decision(self):
        """What looks like a decision and isn't denies, for whoever looks at it."""
        for odd in ("yes", 1, None):
            answer = Says(Decision(odd, "odd"))
            found = self.ask(answer, Says(ALLOW))
            self.assertIs(found.allowed, False, odd)
            found = self.ask(Says(ALLOW), answer)
            self.assertIs(found.allowed, False, odd)

    def test_report(self):
        """Trying rules out: a denial is told and counted, and nothing else is let through."""
        who, told = subject(), []
        gate = Gate(Says(deny("no")), Says(ALLOW), required=True, authorization=Mode.REPORT)
        gate.on_reported = lambda *what: told.append(what)
        request = Request(RESOLVE, b"web")
        self.assertTrue(gate.ask(who, request, 1.0).allowed)
        self.assertEqual(told, [(who, request, deny("no"))])
        self.assertEqual(gate.reported[RESOLVE], 1)
        self.assertFalse(gate.ask(subject(Proof.PLAIN, "plain"), request, 1.0).allowed)
        other = subject(restrictions=Restrictions(pools=frozenset({b"other"})))
        self.assertFalse(gate.ask(other, Request(UNREACHABLE, b"web"), 1.0).allowed)
        for broken in (None, RaiseAlways(), Says(None)):
            gate.authorizer = broken
            self.assertFalse(gate.ask(who, request, 1.0).allowed)
        self.flushLoggedErrors()

    def test_report_limits(self):
        """The same for limits."""
        gate = Gate(Says(ALLOW), Says(deny("often")), required=True, limiting=Mode.REPORT)
        told = []
        gate.on_reported = lambda *what: told.append(what[2])
        self.assertTrue(gate.ask(subject(), Request(RESOLVE), 1.0).allowed)
        self.assertEqual((told, gate.over_limit[RESOLVE]), ([deny("often")], 1))
        gate.limits = Says("odd")
        self.assertFalse(gate.ask(subject(), Request(RESOLVE), 1.0).allowed)
        self.flushLoggedErrors()

    def test_told(self):
        """What is allowed is told, with the decision that allowed it."""
        yes = Decision(True, "a rule allows it", "rules", "asap", "roles.all")
        gate = Gate(Says(yes), Says(ALLOW), required=True)
        told = []
        gate.on_allowed = lambda *what: told.append(what[2])
        gate.ask(subject(), Request(RESOLVE), 1.0)
        gate.limits = Says(deny("often"))
        gate.ask(subject(), Request(RESOLVE), 1.0)
        self.assertEqual((told, gate.over_limit[RESOLVE]), ([yes], 1))

    def test_refuse_all(self):
        """The plugin that refuses, refuses."""
        self.assertFalse(self.ask(RefuseAll(), Says(ALLOW)).allowed)


class Spending(SynchronousTestCase):
    """Budgets (RFC 5355 sections 2.1, 2.13)."""

    def setUp(self):
        self.budgets = Budgets(Rates(
            registrations=Rate(1, 3), resolutions=Rate(0, 0), unreachables=Rate(2, 1)
        ))  # fmt: skip

    def spend(self, permission, now, who=None):
        """Spend one; whether there was one."""
        return self.budgets.spend(who or subject(), Request(permission), now).allowed

    def test_burst_and_rate(self):
        """So many at once, and then so many a second."""
        results = [self.spend("asap.register.new", 0.0) for _ in range(5)]
        self.assertEqual(results, [True] * 3 + [False] * 2)
        self.assertEqual([self.spend("asap.register.renew", t) for t in (0.9, 1.0, 1.1, 2.1)],
                         [False, True, False, True])  # fmt: skip
        self.assertEqual(sum(self.spend("asap.register.join", 100.0) for _ in range(9)), 3)

    def test_denied_costs_nothing(self):
        """Who is denied isn't punished for asking: it gets the rate, not less."""
        granted = sum(self.spend("asap.register.new", t / 100) for t in range(1000))
        self.assertIn(granted, range(12, 14))

    def test_off(self):
        """A rate of 0 is no limit."""
        self.assertTrue(all(self.spend(RESOLVE, 0.0) for _ in range(10000)))

    def test_kinds_are_separate(self):
        """Reports don't cost registrations."""
        while self.spend(UNREACHABLE, 0.0):
            pass
        self.assertTrue(self.spend("asap.register.new", 0.0))

    def test_by_principal(self):
        """A principal has one budget on all its connections; others have theirs."""
        while self.spend("asap.register.new", 0.0):
            pass
        self.assertFalse(self.spend("asap.register.new", 0.0, subject()))
        self.assertTrue(self.spend("asap.register.new", 0.0, subject(name="web-2")))

    def test_anonymous_by_address(self):
        """Who has proven nothing pays by address; a host of IPv6 has many, and one budget."""
        many = [Subject("anonymous", Proof.ANONYMOUS, f"2001:db8::{n}").key for n in (1, 2)]
        self.assertEqual(many, ["address:2001:db8::"] * 2)
        self.assertEqual(subject(Proof.ANONYMOUS, "anonymous").key, "address:192.0.2.1")
        self.assertEqual(subject(Proof.PLAIN, "plain").key, "address:192.0.2.1")

    def test_bounded(self):
        """Any number of addresses takes bounded memory, and nobody gains by it."""
        from rserpool.security import budgets

        self.patch(budgets, "MAXIMUM_BUDGETS", 100)
        poor = subject()
        while self.spend("asap.register.new", 0.0, poor):
            pass
        for number in range(10_000):
            self.spend("asap.register.new", number * 1e-6, subject(name=f"n{number}"))
        self.assertLessEqual(len(self.budgets._kinds["asap.register.new"]._full), 100)
        self.assertFalse(self.spend("asap.register.new", 0.02, poor))
