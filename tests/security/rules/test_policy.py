"""The order in which the rules decide, and what a rule matches."""

import itertools

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.decisions import PERMISSIONS, Proof, Request
from rserpool.security.rules.file import parse
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

    def test_as_a_file(self):
        """A rules file that says the same decides the same, with one more level or without."""

        def listed(verdict):
            return {True: "rules = ['asap']", False: "rules = ['!asap']", None: ""}[verdict]

        def text(says):
            return "\n".join((
                "[users.web-1]", "roles = ['own']", listed(says.get("user")),
                f"admin = {str(says.get('admin', False)).lower()}",
                f"locked = {str(says.get('locked', False)).lower()}",
                "[roles.own]", listed(says.get("role")),
                "[gates.'pool:web'.users.web-1]", listed(says.get("gate, user")),
                "[gates.'pool:web'.roles.own]", listed(says.get("gate, role")),
            ))  # fmt: skip

        answers = [(True, None) if one in ("locked", "admin") else (True, False, None)
                   for one in LEVELS]  # fmt: skip
        for verdicts in itertools.product(*answers):
            says = {one: verdict for one, verdict in zip(LEVELS, verdicts, strict=True)
                    if verdict is not None}  # fmt: skip
            found = parse(text(says), "r").decide("web-1", Proof.PSK, REQUEST)
            first = next(iter(says.items()), ("", False))
            self.assertEqual(found.allowed, first[0] != "locked" and first[1], says)
            self.assertEqual(found, policy(says).decide("web-1", Proof.PSK, REQUEST), says)

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
        """Who has proven nothing is the user of that name, and nobody else is."""
        found = Policy(users={"anonymous": User(YES, admin=True), "web-1": User(YES)})
        for name, proof, expected in (
            ("anonymous", Proof.ANONYMOUS, True), ("anonymous", Proof.PSK, False),
            ("anonymous", Proof.CERTIFICATE, False), ("web-1", Proof.ANONYMOUS, False),
        ):  # fmt: skip
            self.assertEqual(
                found.decide(name, proof, REQUEST).allowed, expected, (name, proof)
            )
        request = Request("asap.resolve", b"web")
        for user in (User(locked=True), User(rules=NO)):
            found = Policy(users={"anonymous": user})
            self.assertFalse(found.decide("anonymous", Proof.ANONYMOUS, request).allowed)

    def test_both_gates(self):
        """An update is asked of its pool and of the registrar that tells of it."""
        request = Request("enrp.update", b"web", "r2")
        no = (Rule.parse("!enrp"),)
        for pools, peers in (({b"web": Gate({"r2": no})}, {}), ({}, {"r2": Gate({"r2": no})})):
            found = Policy({"r2": User((Rule.parse("enrp"),))}, pools=pools, peers=peers)
            self.assertFalse(found.decide("r2", Proof.PSK, request).allowed)
            other = attrs.evolve(request, pool=b"x", peer="r3")
            self.assertTrue(found.decide("r2", Proof.PSK, other).allowed)


paths = st.sampled_from(
    ["asap", "asap.register", "asap.register.new", "asap.resolve", "enrp", "enrp.update"]
)
rule = st.builds(lambda path, no: Rule.parse(("!" if no else "") + path), paths, st.booleans())
rules = st.lists(rule, max_size=5)
permission = st.sampled_from(sorted(PERMISSIONS))


names = st.sampled_from(["web-1", "web-2", "anonymous"])
roles = st.sampled_from(["all", "psk", "own"])
gates = st.builds(
    Gate,
    st.dictionaries(names, rules.map(tuple), max_size=2),
    st.dictionaries(roles, rules.map(tuple), max_size=2),
)
policies = st.builds(
    Policy,
    users=st.dictionaries(
        names,
        st.builds(
            User, rules.map(tuple), st.lists(roles, max_size=2).map(tuple),
            st.booleans(), st.booleans(),
        ),
    ),
    roles=st.dictionaries(roles, rules.map(tuple)),
    pools=st.dictionaries(st.sampled_from([b"web", b"other"]), gates),
)  # fmt: skip
who = st.one_of(
    st.tuples(st.sampled_from(["web-1", "web-2"]), st.sampled_from(list(Proof))),
    st.just(("anonymous", Proof.ANONYMOUS)),
)
questions = st.builds(
    lambda who, request: (*who, request),
    who,
    st.builds(Request, permission, st.sampled_from([b"web", b"other", None])),
)  # fmt: skip


def with_denial(found, where, denial):
    """The same policy with one more denial, in one of the places where rules stand."""
    kind, name, at = where

    def more(listed):
        return (*listed[:at], denial, *listed[at:])

    def put(table, key, empty=()):
        return {**table, key: more(table.get(key, empty))}

    if kind == "role":
        return attrs.evolve(found, roles=put(found.roles, name))
    if kind == "user":
        user = found.users.get(name, User())
        changed = attrs.evolve(user, rules=more(user.rules))
        return attrs.evolve(found, users={**found.users, name: changed})
    gate = found.pools.get(b"web", Gate())
    part = "users" if kind == "gate, user" else "roles"
    changed = attrs.evolve(gate, **{part: put(getattr(gate, part), name)})
    return attrs.evolve(found, pools={**found.pools, b"web": changed})


places = st.one_of(
    st.tuples(st.sampled_from(["user", "gate, user"]), names, st.integers(0, 3)),
    st.tuples(st.sampled_from(["role", "gate, role"]), roles, st.integers(0, 3)),
)


class Whole(SynchronousTestCase):
    """What holds of any rules file."""

    @settings(deadline=None, derandomize=True, max_examples=400)
    @given(policies, questions, places, paths)
    def test_more_denials(self, found, question, place, path):
        """One more denial, anywhere in the file, never allows what was denied."""
        name, proof, request = question
        more = with_denial(found, place, Rule.parse(f"!{path}"))
        if more.decide(name, proof, request).allowed:
            before = found.decide(name, proof, request)
            # A role `anonymous` takes the place of what anonymous ones may by default.
            self.assertTrue(before.allowed, before)

    @settings(deadline=None, derandomize=True, max_examples=200)
    @given(policies, questions)
    def test_says_why(self, found, question):
        """Each decision says why, and the rule that it names says the same by itself."""
        decision = found.decide(*question)
        self.assertTrue(decision.reason)
        self.assertEqual(decision, found.decide(*question))
        if decision.rule:
            rule = Rule.parse(decision.rule)
            self.assertTrue(rule.matches(question[2].permission.split(".")))
            self.assertEqual(rule.allow, decision.allowed)

    @settings(deadline=None, derandomize=True, max_examples=200)
    @given(policies, questions)
    def test_locked(self, found, question):
        """A locked user may nothing, whatever else the file says."""
        name, _, request = question
        locked = attrs.evolve(found.users.get(name, User()), locked=True)
        changed = attrs.evolve(found, users={**found.users, name: locked})
        self.assertFalse(changed.decide(name, Proof.PSK, request).allowed)


class Matching(SynchronousTestCase):
    """What a rule matches."""

    def test_by_element(self):
        """A prefix counts by whole elements."""
        self.assertTrue(Rule.parse("asap").matches(("asap", "register")))
        self.assertFalse(Rule.parse("asap").matches(("asapx", "register")))
        self.assertFalse(Rule.parse("asap.register.new").matches(("asap", "register")))

    def test_unknown(self):
        """A rule for what doesn't exist is a mistake."""
        for text in (
            "asapx", "asap.", "asap.regist", "", "!", "asap.register.new.more", "!!asap",
            " asap", "admin.", "admin..x", "adminx", "*", "asap.*", "admin.x.*",
        ):  # fmt: skip
            with self.assertRaises(ValueError):
                Rule.parse(text)
        error = self.assertRaises(ValueError, Rule.parse, "asap.register.*")
        self.assertIn("write 'asap.register'", str(error))

    def test_admin(self):
        """The permissions of administration may have any names; a star says the same."""
        for text in ("admin", "admin.*"):
            self.assertTrue(Rule.parse(text).matches(("admin", "dump")))
        self.assertFalse(Rule.parse("admin.dump").matches(("admin", "reload")))

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
