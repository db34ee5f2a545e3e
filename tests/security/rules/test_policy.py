"""The order in which the rules decide, and what a rule matches."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.decisions import PERMISSIONS, Proof, Request
from rserpool.security.rules.policy import Gate, Policy, User
from rserpool.security.rules.rule import Rule, first

YES, NO = (Rule.parse("asap"),), (Rule.parse("!asap"),)
REQUEST = Request("asap.register.join", b"web")
#: The levels from the first to the last; each says yes or no, or nothing.
LEVELS = ("locked", "gate, user", "gate, role", "admin", "user", "role")


def policy(says):
    """A policy in which these levels say yes or no."""
    rules = {True: YES, False: NO, None: ()}

    def of(level):
        return rules[says.get(level)]

    return Policy(
        users={
            "web-1": User(
                of("user"), ("own",), says.get("admin", False), says.get("locked", False)
            )
        },
        roles={"own": of("role")},
        pools={b"web": Gate({"web-1": of("gate, user")}, {"own": of("gate, role")})},
    )


class Precedence(SynchronousTestCase):
    """locked > gate, user > gate, role > admin > user > role > deny."""

    def decide(self, says, name="web-1"):
        """The decision, and whose rule it was."""
        found = policy(says).decide(name, Proof.PSK, REQUEST)
        return found.allowed, found.source

    def test_alone(self):
        """Each level decides when no other says anything."""
        for level in LEVELS[1:3] + LEVELS[4:]:
            for verdict in (True, False):
                self.assertEqual(self.decide({level: verdict})[0], verdict, level)
        self.assertEqual(self.decide({"admin": True})[0], True)
        self.assertEqual(self.decide({"locked": True})[0], False)

    def test_pairs(self):
        """Of each two levels the earlier decides."""
        verdicts = {"locked": (True,), "admin": (True,)}
        for at, high in enumerate(LEVELS):
            for low in LEVELS[at + 1 :]:
                for above in verdicts.get(high, (True, False)):
                    for below in verdicts.get(low, (True, False)):
                        expected = above if high != "locked" else False
                        found, by = self.decide({high: above, low: below})
                        self.assertEqual(found, expected, (high, above, low, below, by))

    def test_nothing(self):
        """Nobody says anything: denied."""
        self.assertEqual(self.decide({})[0], False)
        self.assertEqual(self.decide({"role": True}, "web-2")[0], False)

    def test_by(self):
        """The decision names the rule's owner."""
        for level, words in (
            ("gate, user", "gates.'pool:web'.users.web-1"), ("gate, role", "roles.own"),
            ("user", "users.web-1"), ("role", "roles.own"), ("admin", "admin"),
            ("locked", "locked"),
        ):  # fmt: skip
            self.assertIn(words, self.decide({level: True})[1])

    def test_other_pool(self):
        """A gate is for its pool alone."""
        found = policy({"gate, user": False, "user": True})
        other = Request("asap.register.join", b"other")
        self.assertTrue(found.decide("web-1", Proof.PSK, other).allowed)


class Roles(SynchronousTestCase):
    """Who has which role by its proof."""

    def test_by_proof(self):
        """all, psk, certificate and anonymous."""
        everybody = Policy(roles={name: YES for name in ("psk",)})
        for proof, expected in (
            (Proof.PSK, True), (Proof.CERTIFICATE, False), (Proof.ANONYMOUS, False),
        ):  # fmt: skip
            self.assertEqual(everybody.decide("x", proof, REQUEST).allowed, expected)
        everybody = Policy(roles={"all": YES})
        for proof, expected in (
            (Proof.PSK, True), (Proof.CERTIFICATE, True), (Proof.ANONYMOUS, False),
        ):  # fmt: skip
            self.assertEqual(everybody.decide("x", proof, REQUEST).allowed, expected)

    def test_anonymous(self):
        """Who has proven nothing may resolve and report, unless the file says otherwise."""
        allowed = {
            p for p in PERMISSIONS
            if Policy().decide("anonymous", Proof.ANONYMOUS, Request(p, b"w")).allowed
        }  # fmt: skip
        self.assertEqual(allowed, {"asap.resolve", "asap.unreachable"})
        strict = Policy(roles={"anonymous": ()})
        request = Request("asap.resolve", b"w")
        self.assertFalse(strict.decide("anonymous", Proof.ANONYMOUS, request).allowed)

    def test_name_of_an_anonymous(self):
        """Who has proven nothing isn't a user, whatever the user's name."""
        found = Policy(users={"anonymous": User(YES, admin=True)})
        self.assertFalse(found.decide("anonymous", Proof.ANONYMOUS, REQUEST).allowed)


paths = st.sampled_from(
    ["asap", "asap.register", "asap.register.new", "asap.resolve", "enrp", "enrp.update"]
)
rule = st.builds(lambda path, no: Rule.parse(("!" if no else "") + path), paths, st.booleans())
rules = st.lists(rule, max_size=5)
permission = st.sampled_from(sorted(PERMISSIONS))


class Matching(SynchronousTestCase):
    """What a rule matches."""

    def test_by_element(self):
        """A prefix counts by whole elements."""
        self.assertTrue(Rule.parse("asap").matches(("asap", "register")))
        self.assertFalse(Rule.parse("asap").matches(("asapx", "register")))
        self.assertFalse(Rule.parse("asap.register.new").matches(("asap", "register")))

    def test_unknown(self):
        """A rule for what doesn't exist is a mistake."""
        for text in ("asapx", "asap.", "asap.regist", "", "!", "asap.register.new.more"):
            with self.assertRaises(ValueError):
                Rule.parse(text)

    @settings(deadline=None, derandomize=True)
    @given(rules, permission, st.integers(0, 5))
    def test_adding_a_denial(self, listed, asked, place):
        """Adding a denial, anywhere, never allows more."""
        path = tuple(asked.split("."))
        before = first(listed, path)
        for text in ("!asap", "!enrp.update", f"!{asked}"):
            more = [*listed[:place], Rule.parse(text), *listed[place:]]
            after = first(more, path)
            if after is not None and after.allow:
                self.assertTrue(before is not None and before.allow)

    @settings(deadline=None, derandomize=True)
    @given(rules, permission, st.randoms())
    def test_order_of_unrelated(self, listed, asked, chance):
        """The order of rules that don't match the same doesn't matter."""
        path = tuple(asked.split("."))
        matching = [one for one in listed if one.matches(path)]
        others = [one for one in listed if not one.matches(path)]
        chance.shuffle(others)
        mixed = list(matching)
        for one in others:
            mixed.insert(chance.randint(0, len(mixed)), one)
        found, expected = first(mixed, path), first(listed, path)
        self.assertEqual(found and found.allow, expected and expected.allow)
