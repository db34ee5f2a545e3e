"""RFC 5355 section 2.3: somebody registers or leaves in the place of another element."""

import contextlib
from ipaddress import ip_address

from OpenSSL import SSL

from rserpool.client.security import Certified
from rserpool.security.certificate import make
from rserpool.security.psk.suites import SUITES_13
from rserpool.wire import asap
from rserpool.wire.causes import NonUniquePEIdentifier
from rserpool.wire.transports import (
    DCCPTransport,
    SCTPTransport,
    TCPTransport,
    UDPLiteTransport,
    UDPTransport,
)
from tests.registrar.scene import registration
from tests.site import until
from tests.threats.answering import Answering
from tests.threats.scene import Attacked, Line
from tests.threats.scope import Scoped

#: Where the attacker calls from: his lines in the audit log are told apart by it.
ATTACKER = "127.0.0.66"
LEAVING = asap.Deregistration(handle=b"web", identifier=1)
#: Of a host that is to be flooded by all users of the pool.
VICTIM = ip_address("203.0.113.66")
RESOLUTION = asap.HandleResolution(handle=b"web")


def spoofs():
    """What is said in the name of element 1, and the cause of each refusal; None: 0x0a."""
    redirected = registration(1, address=ATTACKER)
    yield redirected, NonUniquePEIdentifier()
    yield registration(1), None  # just as the element itself did, octet for octet
    yield LEAVING, None


class OfAnother(Scoped):
    """web-1 is an element of r1; web-2 has a key of its own, and speaks for web-1."""

    def setUp(self):
        super().setUp()
        self.element = Answering(self.line(self.key()), registration(1))
        until(lambda: self.digest_of("r2") == self.digest())

    def at(self, name, creator, source=ATTACKER):
        """Call a registrar as an element."""
        return self.line(creator, port=self.site.port_of(name), source=source)

    def lines_of(self, name, **wanted):
        """The lines of a registrar's audit log."""
        self.audit_file = self.site.scratch / f"{name}.audit"
        return self.audited(**wanted)

    def test_element(self):
        """Nobody but itself renews an element, moves it or takes it out, at any registrar."""
        with self.unchanged():
            for name in self.running:
                for message, cause in spoofs():
                    line = self.at(name, self.key("web-2"))
                    [answer] = line.tell(message)
                    if cause is None:
                        self.refused(answer)
                    else:
                        self.assertEqual(answer.error.causes, (cause,))
                    line.close()
                for what, action in (
                    ("registration.refused", "asap.register.join"),
                    ("deregistration.refused", "asap.deregister"),
                ):
                    [told, *_] = self.lines_of(
                        name, what=what, principal="web-2", address=ATTACKER
                    )
                    self.assertEqual(
                        (told["proof"], told["pool"], told["pe-id"], told["action"]),
                        ("psk", "web", "0x00000001", action),
                    )
                    self.assertIn("belongs to another principal", told["outcome"])
            # From the element's own host, too, where the address is right.
            [answer] = self.at("r1", self.key("web-2"), "127.0.0.1").tell(registration(1))
            self.assertEqual(answer.error.causes, (NonUniquePEIdentifier(),))
        # The same deeds by web-1, by another connection than before.
        [answer] = self.at("r1", self.key(), "127.0.0.1").tell(registration(1))
        self.assertFalse(answer.rejected)
        [answer] = self.at("r1", self.key()).tell(LEAVING)
        self.assertIsNone(answer.error)
        until(lambda: self.digest()["elements"] == self.digest_of("r2")["elements"] == 0)
        self.no_errors()

    def test_orphan(self):
        """An element whose home has died is its own still: nobody is quicker than itself."""
        self.site.kill("r1")
        [before] = self.at("r2", self.key("web-2")).tell(RESOLUTION)
        for message, _ in spoofs():
            [answer] = self.at("r2", self.key("web-2")).tell(message)
            self.assertIsNotNone(answer.error, message)
        [answer] = self.at("r2", self.key("web-2"), "127.0.0.1").tell(registration(1))
        self.assertEqual(answer.error.causes, (NonUniquePEIdentifier(),))
        self.assertEqual(self.at("r2", self.key("web-2")).tell(RESOLUTION), [before])
        self.lines_of("r2", what="registration.refused", principal="web-2")
        [answer] = self.at("r2", self.key(), "127.0.0.1").tell(registration(1))
        self.assertFalse(answer.rejected)

    def test_said(self):
        """Whose an element is it doesn't say itself, at no registrar; nor which its home is."""
        r2 = self.server_id("r2")
        spoofed = registration(2, principal="web-1", home=r2)
        spoofer = Answering(self.at("r1", self.key("web-2"), "127.0.0.1"), spoofed)
        until(lambda: self.digest_of("r2") == self.digest())
        [known] = [p for p in self.site.status_of("r2")["peers"] if p["name"] == "r1"]
        self.assertEqual(known["elements"], 2)
        [answer] = self.at("r2", self.anonymous()).tell(RESOLUTION)
        self.assertEqual({one.principal for one in answer.elements}, {None})
        leaving = asap.Deregistration(handle=b"web", identifier=2)
        with self.unchanged():
            for name in self.running:
                [answer] = self.at(name, self.key()).tell(leaving)
                self.refused(answer)
        self.site.kill("r1")
        spoofer.join(10)
        [answer] = self.at("r2", self.key(), "127.0.0.1").tell(registration(2))
        self.assertEqual(answer.error.causes, (NonUniquePEIdentifier(),))
        [answer] = self.at("r2", self.key("web-2"), "127.0.0.1").tell(registration(2))
        self.assertFalse(answer.rejected)

    def test_sign_of_life(self):
        """Nobody keeps another's element in the pool when it has fallen silent."""
        silent = self.at("r1", self.key("web-3"), "127.0.0.1")
        [answer] = silent.tell(registration(3))
        self.assertFalse(answer.rejected)
        spoofer = Answering(self.at("r1", self.key("web-2"), "127.0.0.1"), registration(2))
        alive = asap.encode(asap.EndpointKeepAliveAck(handle=b"web", identifier=3))

        def gone():
            with contextlib.suppress(OSError):
                spoofer._line.write(alive)
            return self.digest()["elements"] == 2

        until(gone)
        self.lines_of("r1", what="element.silent", pe_id="0x00000003")
        [left] = self.at("r1", self.key()).tell(RESOLUTION)
        self.assertEqual({one.identifier for one in left.elements}, {1, 2})


class Unproven(Attacked):
    """Somebody says that he is web-1, and can't prove it."""

    def prepare(self):
        """Certificates are believed as well, of another authority than the registrar's."""
        files = self.site.files
        self.authority = make.authority("Elements")
        (files / "elements.pem").write_bytes(self.authority.certificate)
        self.settings = ("--auth", f"psk:{files}/elements.psk",
                         "--auth", f"certificate:{files}/elements.pem")  # fmt: skip
        with open(files / "rules.toml", "a") as rules:
            rules.write('[roles.certificate]\nrules = ["asap.register", "asap.deregister"]\n')

    def certified(self, authority, name="web-1"):
        """TLS with a client certificate for this name."""
        client = make.issue(authority, [name], client=True)
        return Certified(str(self.site.files / "ca.pem"), client=client).creator("127.0.0.1")

    def unproven(self):
        """Ways to be somebody, and why the handshake fails; None: nobody is proven."""
        guess = b"k" * 32
        other = ("TLS_AES_256_GCM_SHA384",)
        self.assertNotIn(other[0], SUITES_13)
        yield self.key(secret=guess), "wrong key"
        yield self.key("web-1~2", secret=self.secret()), "unknown identity"
        yield self.key("web-9", secret=guess), "unknown identity"
        yield self.key(secret=self.secret("web-2")), "wrong key"
        # The key isn't looked at where its hash doesn't fit the suite.
        yield self.key(secret=guess, suites_13=other), "nothing in common"
        yield self.key(minimum="1.2", maximum="1.2"), "nothing in common"
        yield self.certified(make.authority("Elements")), "untrusted certificate"
        yield self.anonymous(), None

    def test_nobody(self):
        """No way of saying who one is lets anybody in but who proves it."""
        [answer] = self.line(self.key()).tell(registration(1))
        self.assertFalse(answer.rejected)
        words = (registration(1), LEAVING, registration(2))
        with self.unchanged():
            for number, (creator, why) in enumerate(self.unproven(), 100):
                source = f"127.0.0.{number}"
                answers = []
                with contextlib.suppress(SSL.Error, OSError):
                    with Line(self.site.port, creator, source=source) as line:
                        answers = line.tell(*words, want=3)
                if why is None:
                    self.assertEqual(len(answers), 3)
                    for answer in answers:
                        self.refused(answer)
                    self.audited(what="registration.refused", address=source,
                                 proof="anonymous")  # fmt: skip
                    continue
                self.assertEqual(answers, [], why)
                [told] = self.audited(what="handshake.refused", address=source)
                self.assertEqual((told["outcome"], told["proof"]), (why, "anonymous"))
            # Without TLS nothing is heard at all.
            with Line(self.site.port, source="127.0.0.99") as plain:
                self.assertEqual(plain.tell(*words, want=3), [])
            self.audited(what="handshake.refused", address="127.0.0.99")
        self.no_errors()

    def test_namesake(self):
        """A certificate for the same name isn't the same principal as who has the key."""
        self.line(self.key()).tell(registration(1))
        namesake = self.line(self.certified(self.authority))
        with self.unchanged():
            renewed, left = namesake.tell(registration(1), LEAVING, want=2)
            self.assertEqual(renewed.error.causes, (NonUniquePEIdentifier(),))
            self.refused(left)
        self.audited(what="registration.refused", principal="dns:web-1", proof="certificate")
        [answer] = namesake.tell(registration(4))
        self.assertFalse(answer.rejected)


class Elsewhere(Attacked):
    """web-2 has a key, and would send users to hosts that aren't its own."""

    def prepare(self):
        """Each key is bound to something: an identifier, a pool, some hosts."""
        file = self.site.files / "elements.psk"
        bounds = {"web-1": "pe-id=1", "web-2": "pool=web", "web-3": "addr=203.0.113.64/28"}
        lines = [
            f"{line};{bounds[name]}" if (name := line.partition(":")[0]) in bounds else line
            for line in file.read_text().splitlines()
        ]
        file.write_text("\n".join(lines) + "\n")

    def refusals(self, line, *messages, principal, outcome):
        """Say these: each is refused by cause 0x0a, leaves nothing, and is written down."""
        with self.unchanged():
            for answer in line.tell(*messages, want=len(messages)):
                self.assertTrue(answer.rejected)
                self.refused(answer)
        [told, *_] = self.audited(what="registration.refused", principal=principal)
        self.assertIn(outcome, told["outcome"])
        self.assertEqual(line.tell(RESOLUTION)[0].elements, ())

    def test_victim(self):
        """No transport of any kind names a host that the connection doesn't come from."""
        both = (ip_address("127.0.0.1"), VICTIM)
        others = (VICTIM, ip_address("0.0.0.0"), ip_address("255.255.255.255"),
                  ip_address("127.0.0.2"), ip_address("::ffff:127.0.0.1"),
                  ip_address("2001:db8::66"))  # fmt: skip
        transports = [TCPTransport(port=80, addresses=(one,)) for one in others]
        transports += [
            UDPTransport(port=80, addresses=(VICTIM,)),
            UDPLiteTransport(port=80, addresses=(VICTIM,)),
            DCCPTransport(port=80, service_code=0, addresses=(VICTIM,)),
            SCTPTransport(port=80, addresses=(VICTIM,)),
            SCTPTransport(port=80, addresses=both),
        ]
        spoofed = [registration(2, transport=one) for one in transports]
        line = self.line(self.key("web-2"))
        self.refusals(
            line, *spoofed, principal="web-2", outcome="is not an address of the connection"
        )
        self.assertEqual(self.site.status()["counters"]["registrations_refused"], len(spoofed))
        [answer] = line.tell(registration(2))
        self.assertFalse(answer.rejected)
        with self.unchanged():  # nor does an element that is in move there
            [answer] = line.tell(registration(2, transport=transports[0]))
            self.refused(answer)

    def test_bound(self):
        """A key that is bound to an identifier, a pool or hosts speaks for these alone."""
        there = TCPTransport(port=80, addresses=(VICTIM,))
        beside = TCPTransport(port=80, addresses=(ip_address("203.0.113.80"),))
        for name, message, outcome in (
            ("web-1", registration(2), "the key is for other element identifiers"),
            ("web-2", registration(2, b"other"), "the credential is for other pools"),
            ("web-3", registration(3, transport=beside), "is not an address of the connection"),
        ):
            self.refusals(self.line(self.key(name)), message, principal=name, outcome=outcome)
        for name, message in (
            ("web-1", registration(1)),
            ("web-2", registration(2)),
            ("web-3", registration(3, transport=there)),
        ):
            [answer] = self.line(self.key(name)).tell(message)
            self.assertFalse(answer.rejected, name)
        [found] = self.line(self.anonymous()).tell(RESOLUTION)
        self.assertEqual(
            {e.user_transport.addresses[0] for e in found.elements},
            {VICTIM, ip_address("127.0.0.1")},
        )
