"""RFC 5355 section 2.17: a registrar tells of elements what these have never said."""

import json
from ipaddress import ip_address

import attrs
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from rserpool.client import Resolution, Verifier, signers
from rserpool.client.statement import signed
from rserpool.security.psk.tls import ServerCreator
from rserpool.security.signing.signature import Doubt
from rserpool.security.signing.signer import Signer
from rserpool.wire import asap, enrp
from rserpool.wire.parameters import TCPTransport
from rserpool.wire.policies import RoundRobin, WeightedRoundRobin
from tests.site import until
from tests.threats.impostor import Impostor
from tests.threats.scene import Attacked, Line
from tests.threats.scope import ROGUE, Scoped, described, update

ELSEWHERE = TCPTransport(port=666, addresses=(ip_address("203.0.113.66"),))
POLICY = WeightedRoundRobin(weight=3)


def issued(site, directory, name, pool="web"):
    """Give an element a key that may sign for a pool; the options by which it signs."""
    base = site.scratch / name
    made = site.command("certificate", "issue", str(directory), "--name", f"{name}.example",
                        "--pool", pool, "--out", str(base))  # fmt: skip
    assert made.returncode == 0, made.stderr
    return ("--signing-key", f"{base}.key", "--signing-certificate", f"{base}.pem")


def judged(answer, ca):
    """Whom a user believes that verifies nothing; whom one that does, and why not others."""
    found = Resolution(answer.handle, answer.policy, answer.elements)
    verified = Verifier(signers(f"certificate:{ca}"))(found)
    return (
        {one.user_transport.port for one in found.elements},
        {one.user_transport.port for one in verified.elements},
        {one.doubt for one in verified.distrusted},
    )


def outcome(answer):
    """What the command tells: who serves, and why others don't."""
    value = json.loads(answer.stdout)
    return (
        {one["transport"]["port"] for one in value["elements"]},
        {one["doubt"] for one in value.get("distrusted", ())},
    )


class Lying(Attacked):
    """
    A registrar, by all its proofs, that changes what it tells.

    It knows what the real one knows, and `lie` makes of an answer what it says instead.
    """

    def setUp(self):
        super().setUp()
        files = self.site.files
        self.ca = str(files / "ca.pem")
        self.port = self.site.server("web-1")
        signing = issued(self.site, files, "web-1")
        self.site.element("web-1", self.port, *signing,
                          "--policy", "weighted-round-robin:weight=3")  # fmt: skip
        until(lambda: self.site.elements() == {self.port})
        self.lie = lambda answer: answer
        shown = [(files / f"registrar.{kind}").read_bytes() for kind in ("pem", "key")]
        creator = ServerCreator(certificate=shown[0], private_key=shown[1])
        self.rogue = Impostor(self, creator, self.answer)

    def answer(self, caller, message):
        """Tell a user what the real registrar would, but for the lie."""
        with self.line(self.anonymous()) as real:
            [answer] = real.tell(asap.HandleResolution(handle=b"web"))
        caller.say(self.lie(answer))

    def resolve(self, *words, at=None):
        """A user asks the rogue."""
        where = at or self.rogue.endpoint
        return self.site.command("resolve", "web", "--json", "--ca", self.ca,
                                 "--registrar", where, *words)  # fmt: skip

    def verified(self, *words, **how):
        """One that verifies signatures."""
        return self.resolve("--signers", f"certificate:{self.ca}", *words, **how)

    def asked(self, handle=b"web"):
        """The same in this process: who is believed without signatures, and who with them."""
        with self.line(self.anonymous(), port=self.rogue.port) as line:
            [answer] = line.tell(asap.HandleResolution(handle=handle))
        self.assertEqual(answer.handle, handle)
        return judged(answer, self.ca)

    def changed(self, **changes):
        """A lie about the element."""
        return lambda answer: attrs.evolve(
            answer, elements=tuple(attrs.evolve(one, **changes) for one in answer.elements)
        )

    def test_command(self):
        """What an element has said is believed, whoever passes it on; a lie is told of."""
        for where in (self.site.endpoint, self.rogue.endpoint):
            found = self.verified(at=where)
            self.assertEqual(found.returncode, 0, found.stderr)
            self.assertEqual(outcome(found), ({self.port}, set()))
        # A list of keys does as well.
        shown = self.site.command("certificate", "show", "--json",
                                  str(self.site.scratch / "web-1.pem"))  # fmt: skip
        [certificate] = json.loads(shown.stdout)["certificates"]
        keys = self.site.scratch / "signers.keys"
        keys.write_text(certificate["signs-for"] + "\n")
        found = self.resolve("--signers", f"keys:{keys}")
        self.assertEqual(outcome(found), ({self.port}, set()), found.stderr)
        self.lie = self.changed(user_transport=ELSEWHERE)
        self.assertEqual(outcome(self.resolve()), ({666}, set()))
        found = self.verified()
        self.assertEqual((found.returncode, outcome(found)), (1, (set(), {"forged"})))
        self.assertIn("has signed what the registrar tells", found.stderr)
        told = self.verified("--signatures", "report")
        self.assertEqual((told.returncode, outcome(told)), (0, ({666}, {"forged"})))
        self.no_errors()

    def test_lies(self):
        """No lie about policy, transport, identifier, handle or pool policy is believed."""
        self.assertEqual(self.asked(), ({self.port}, {self.port}, set()))
        own = Signer(Ed25519PrivateKey.generate())

        def made_up(answer):
            one = signed(b"web", described(9, 1, 666), own)
            return attrs.evolve(answer, elements=(one,), policy=RoundRobin())

        for lie, doubt in (
            (self.changed(policy=attrs.evolve(POLICY, weight=300)), Doubt.FORGED),
            (self.changed(user_transport=ELSEWHERE), Doubt.FORGED),
            (self.changed(identifier=666), Doubt.FORGED),
            (self.changed(unknown=()), Doubt.UNSIGNED),
            (lambda answer: attrs.evolve(answer, policy=RoundRobin()), Doubt.POLICY),
            (made_up, Doubt.STRANGER),
        ):
            self.lie = lie
            # Who doesn't verify believes it: the registrar has proven itself.
            believed, verified, doubts = self.asked()
            self.assertEqual((len(believed), verified, doubts), (1, set(), {doubt}))
        # An element of one pool isn't one of another.
        self.lie = lambda answer: attrs.evolve(answer, handle=b"payments")
        self.assertEqual(self.asked(b"payments"), ({self.port}, set(), {Doubt.FORGED}))
        # Nor can an element sign for a pool that its certificate doesn't name.
        files = [str(self.site.scratch / f"web-1.{kind}") for kind in ("key", "pem")]
        other = signed(b"payments", described(9, 1, 666), Signer.from_files(*files))
        self.lie = lambda answer: attrs.evolve(
            answer, handle=b"payments", policy=RoundRobin(), elements=(other,)
        )
        self.assertEqual(self.asked(b"payments"), ({666}, set(), {Doubt.UNENTITLED}))


class Planted(Scoped):
    """r3 has all its keys, and brings elements of its own into a pool whose elements sign."""

    settings = ("--set", "timers.rehome-timeout=120")

    def asked(self, name):
        """Whom users of a registrar believe."""
        with Line(self.site.port_of(name), self.anonymous()) as line:
            [answer] = line.tell(asap.HandleResolution(handle=b"web"))
        homes = {one.user_transport.port: one.home for one in answer.elements}
        return homes, judged(answer, self.site.files / "ca.pem")

    def test_planted(self):
        """Users find the element that has signed, at each registrar, not the planted one."""
        port = self.site.server("web-1")
        signing = issued(self.site, self.site.scope, "web-1")
        key = next(self.site.scope.rglob("web-1.psk"))
        second = f"tcp:127.0.0.1:{self.site.port_of('r2')}"
        self.site.element("web-1", port, *signing, "--registrar", second, key=key)
        until(lambda: self.digest()["elements"] == 1)
        until(lambda: self.digest_of("r2") == self.digest())
        rogues = [self.peer(called=name) for name in self.running]
        for rogue in rogues:
            rogue.write(enrp.encode(enrp.Presence(sender=ROGUE)))
            rogue.write(enrp.encode(update(ROGUE, described(9, ROGUE, 666))))
        until(lambda: all(self.digest_of(n)["elements"] == 2 for n in self.running))
        for name in self.running:  # one of them has the signature from the other
            homes, found = self.asked(name)
            self.assertEqual(found, ({port, 666}, {port}, {Doubt.UNSIGNED}), name)
        # The home dies, and the other one has it, with what it has signed.
        [home] = [name for name in self.running if self.server_id(name) == homes[port]]
        [other] = [name for name in self.running if name != home]
        own = self.server_id(other)
        self.site.kill(home)
        until(lambda: self.asked(other)[0].get(port) == own, 60)
        self.assertEqual(self.asked(other)[1][1], {port})
