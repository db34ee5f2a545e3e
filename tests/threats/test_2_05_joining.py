"""RFC 5355 section 2.5: a malicious registrar joins the group of the legitimate ones."""

import contextlib
import signal

from OpenSSL import SSL

from rserpool.client.security import Certified
from rserpool.security.certificate import make
from rserpool.security.psk import keyfile
from rserpool.security.psk.tls import PSKClientCreator, ServerCreator
from rserpool.wire import enrp
from tests.registrar.scene import registration
from tests.site import until
from tests.threats.answering import Answering
from tests.threats.impostor import Impostor
from tests.threats.middle import Middle
from tests.threats.scene import Line
from tests.threats.scope import ROGUE, Scoped, described, said_by_peers, update
from tests.threats.wrong import certificates, server

GUESS = b"k" * 32


class Joining(Scoped):
    """r1 and r2 are a scope, with an element; somebody else would be the third."""

    settings = ("--set", "timers.rehome-timeout=2")

    def setUp(self):
        super().setUp()
        Answering(self.line(self.key()), registration(1))
        until(lambda: self.digest_of("r2") == self.digest())

    def known(self, name="r1"):
        """The names of the registrars that a registrar knows."""
        return sorted(peer["name"] for peer in self.site.status_of(name)["peers"])

    def outsiders(self):
        """What somebody shows who is no registrar, or not this one; and what comes of it."""
        client = make.issue(make.authority("Rogue"), ["r3"], client=True)
        own = self.secret_between("r3", "r1")
        site = str(self.site.files / "ca.pem")
        yield "a guessed key", PSKClientCreator("r3@r1", GUESS), "wrong key"
        yield "another's name", PSKClientCreator("r2@r1", own), "wrong key"
        yield "its key for r2", self.peer_key(called="r2"), "unknown identity"
        yield "a new name", PSKClientCreator("r4@r1", GUESS), "unknown identity"
        yield "a bare name", PSKClientCreator("r3", own), "unknown identity"
        yield "a key of r1's own", self.peer_key("r1", "r2"), "unknown identity"
        yield "an element's key", self.key(), "unknown identity"
        yield "nothing", self.anonymous(), "nothing in common"
        yield (
            "a certificate",
            Certified(site, client=client).creator("127.0.0.1"),
            ("nothing in common"),
        )
        yield "no TLS", None, "nothing in common"

    def test_outsiders(self):
        """Who has no registrar's key of his own is not heard, whatever he shows."""
        port, said = self.site.enrp_port_of("r1"), said_by_peers()
        with self.unchanged():
            for number, (shown, creator, why) in enumerate(self.outsiders(), 100):
                source, answers = f"127.0.0.{number}", []
                with contextlib.suppress(SSL.Error, OSError):
                    with Line(port, creator, source=source, decode=enrp) as line:
                        answers = line.tell(*said)
                self.assertEqual(answers, [], shown)
                [told] = self.audited(what="handshake.refused", address=source)
                self.assertEqual((told["outcome"], told["proof"]), (why, "anonymous"), shown)
        for name, other in (("r1", "r2"), ("r2", "r1")):
            self.assertEqual(self.known(name), [other])
        self.assertIn("is this registrar's own", self.site.log("r1"))
        # The same by r3, with the key that it has for r1.
        with self.peer() as line:
            line.tell(enrp.Presence(sender=ROGUE), update(ROGUE, described(3, ROGUE)))
            until(lambda: self.known() == ["r2", "r3"])
            until(lambda: self.digest()["elements"] == 2)
        self.no_errors()

    def test_operator(self):
        """The key by which operators look at all registrars makes nobody a registrar."""
        key = self.secret_between("admin", "r1")
        line = self.peer(creator=PSKClientCreator("admin@r1", key))
        with self.unchanged():
            asked = (enrp.ListRequest(sender=0), enrp.HandleTableRequest(sender=0))
            answers = line.tell(*asked, want=2)
            self.assertEqual(
                [type(one) for one in answers], [enrp.ListResponse, enrp.HandleTableResponse]
            )
            for message in said_by_peers():
                [answer] = line.tell(message)
                self.refused(answer)
            self.assertEqual(self.known(), ["r2"])
        for what in ("presence", "list", "table", "update", "takeover"):
            self.audited(what=f"{what}.refused", principal="admin", proof="psk")
        self.no_errors()

    def test_place(self):
        """Nobody is another registrar: while that one is there, nor while it isn't."""
        r1, r2 = self.server_id("r1"), self.server_id("r2")
        stolen = (
            update(r2, described(7, r2)),
            update(r1, described(1, r1), enrp.DEL_PE),
            enrp.Presence(sender=r2, checksum=0, reply_required=True),
        )
        with self.unchanged():
            for message in stolen:
                with self.peer() as line:
                    self.assertNotIn(enrp.Presence, map(type, line.tell(message)[1:]))
            self.assertEqual(self.known(), ["r2"])
        self.running = ("r1",)
        self.site.kill("r2")
        until(lambda: self.audited(what="peer.lost"))
        with self.unchanged():
            for message in (stolen[0], stolen[2]):
                with self.peer() as line:
                    [answer] = line.tell(message)
                    self.refused(answer)
            self.assertEqual(self.known(), ["r2"])
        for what in ("update.refused", "presence.refused"):
            [told, *_] = self.audited(what=what, principal="r3")
            self.assertIn("'r2' already", told["outcome"])
        self.site.start("r2")
        self.running = ("r1", "r2")
        until(lambda: self.agrees("r1", 1) and self.agrees("r2", 1))
        self.assertEqual(self.digest_of("r2"), self.digest())

    def test_key_taken_away(self):
        """Who was a registrar isn't one any more when its key is taken away, or over."""
        file = str(self.site.scope / "r1" / "registrars.psk")
        secret = self.secret_between("r3", "r1")
        line = self.peer()
        line.tell(enrp.Presence(sender=ROGUE), update(ROGUE, described(3, ROGUE)))
        until(lambda: self.digest()["elements"] == 2)
        keyfile.remove(file, "r3@r1")
        self.registrar.send_signal(signal.SIGHUP)
        self.audited(what="session.revoked", principal="r3")
        until(lambda: line.read() == b"")
        for number, bound in enumerate(("", ";not-after=2020-01-01", ";not-before=2999-01-01")):
            if bound:
                with open(file, "a") as keys:
                    keys.write(f"r3@r1~{number}:{secret.hex()}{bound}\n")
                reloads = len(self.audited(what="reloaded"))
                self.registrar.send_signal(signal.SIGHUP)
                until(lambda n=reloads: len(self.audited(what="reloaded")) > n)
            name = f"r3@r1~{number}" if bound else "r3@r1"
            source = f"127.0.0.{120 + number}"
            with self.assertRaises(SSL.Error):
                self.peer(creator=PSKClientCreator(name, secret), source=source)
            [told] = self.audited(what="handshake.refused", address=source)
            self.assertEqual((told["principal"], told["outcome"]), (name, "unknown identity"))
        # What it has brought ends with it.
        until(lambda: self.digest()["elements"] == 1 == self.digest_of("r2")["elements"])
        self.no_errors()


class Another(Scoped):
    """Registrars of somebody else's, who knows of ours all but the keys."""

    def prepare(self):
        """He has made a scope just like ours, and runs its r3."""
        site = self.site
        self.theirs = site.scratch / "theirs"
        made = site.command(
            "init", str(self.theirs), "--registrars", "3", "--name", "127.0.0.1",
            "--interface", "127.0.0.1", "--port", str(site.base), "--enrp-port", str(site.enrp),
        )  # fmt: skip
        self.assertEqual(made.returncode, 0, made.stderr)

    def test_registrar(self):
        """It calls ours and is called by them; they have nothing to do with each other."""
        Answering(self.line(self.key()), registration(1))
        until(lambda: self.digest_of("r2") == self.digest())
        site = self.site
        with self.unchanged():
            config = str(self.theirs / "r3" / "registrar.toml")
            rogue = site.twistd("rogue", "rserpool-enrp", "--config", config,
                                "--status", f"tcp:{site.status_ports['r3']}")  # fmt: skip
            until(lambda: site.status_of("r3")["serving"])
            # An element of its own: there it is, and nowhere else.
            keys = {
                line.partition(":")[0]: bytes.fromhex(line.partition(":")[2].partition(";")[0])
                for line in (self.theirs / "elements.psk").read_text().splitlines()
                if line and not line.startswith("#")
            }
            creator = PSKClientCreator("web-1", keys["web-1"])
            with Line(site.port_of("r3"), creator) as line:
                [answer] = line.tell(registration(9))
                self.assertFalse(answer.rejected)
            for name in self.running:
                self.audit_file = site.scratch / f"{name}.audit"
                [told, *_] = self.audited(20, what="handshake.refused", principal=f"r3@{name}")
                self.assertEqual(told["outcome"], "wrong key")
                [told, *_] = self.audited(20, what="peer.unproven", principal="r3")
                self.assertIn("another key", told["outcome"])
            self.assertEqual(site.status_of("r3")["peers"], [])
        rogue.terminate()
        rogue.wait()
        site.start("r3")
        until(lambda: all(self.agrees(name, 2) for name in site.NAMES))
        self.assertEqual(self.digest_of("r3"), self.digest())
        self.no_errors()


class Called(Scoped):
    """r1 calls others, and somebody else answers."""

    running = ("r1",)

    def prepare(self):
        """At the places of x1 and so on are impostors; r2's is its own."""
        r1 = self.site.scope / "r1"
        pair = self.secret_between("r1", "r3")
        rogue = make.authority("Rogue")
        shown = make.load(str(r1 / "registrar.pem"), str(r1 / "registrar.key"))
        reflecting = Middle(self, self.site.enrp_port_of("r1"))

        def plainly(caller, message):
            caller.say(*said_by_peers())

        self.impostors = {
            "another key": Impostor(self, ServerCreator(lambda identity: GUESS), decode=enrp),
            "r3's key": Impostor(self, ServerCreator(lambda identity: pair), decode=enrp),
            "his own certificate": Impostor(
                self, server(make.issue(rogue, ["127.0.0.1"])), decode=enrp
            ),
            "our certificate": Impostor(self, server(shown), decode=enrp),
            "no TLS": Impostor(self, answer=plainly, decode=enrp),
        }
        ports = [each.port for each in self.impostors.values()] + [reflecting.port]
        self.names = [f"x{number}" for number in range(1, len(ports) + 1)]
        for name in self.names:
            keyfile.add(str(r1 / "registrars.psk"), f"r1@{name}", name.encode() * 16)
        for name, port in zip(self.names, ports, strict=True):
            self.settings = (*self.settings, "--peer", f"{name}=tcp:127.0.0.1:{port}")
        there = f"r2=tcp:127.0.0.1:{self.site.enrp_port_of('r2')}"
        self.settings = (*self.settings, "--peer", there)

    def test_called(self):
        """None of them hears a word, and none is a peer; the real one is."""
        Answering(self.line(self.key()), registration(1))
        with self.unchanged():
            found = {
                name: self.audited(20, what="peer.unproven", principal=name)[0]["outcome"]
                for name in self.names
            }
            for (kind, one), name in zip(self.impostors.items(), self.names, strict=False):
                self.assertTrue(one.calls, kind)
                self.assertEqual(one.heard, [], kind)
                self.assertEqual(one.entered if kind != "no TLS" else 0, 0, kind)
                self.assertTrue(found[name], kind)
        self.assertIn("shows a certificate", found["x3"])
        self.assertIn("speaks no TLS", found["x5"])
        # What was turned back on it is refused at its own door.
        self.audited(what="handshake.refused", principal=f"r1@{self.names[-1]}")
        self.assertEqual(self.site.status()["peers"], [])
        self.site.start("r2")
        until(lambda: self.agrees("r1", 1) and self.agrees("r2", 1))
        self.assertEqual(self.digest_of("r2"), self.digest())
        self.no_errors()


class ByCertificate(Scoped):
    """Registrars that prove themselves by certificates of an authority of their own."""

    running = ("r1",)

    def prepare(self):
        """r1 believes that authority and its list, and calls impostors; r3 is a registrar."""
        self.authority = make.authority("Believed")
        self.wrong = certificates("r3.example", self.authority)
        faults = list(self.wrong.shown)
        there = {}
        for number, fault in enumerate(faults):
            name = f"x{number}.example"
            issued = self.wrong if fault == "revoked" else certificates(name, self.authority)
            name = "r3.example" if fault == "revoked" else name
            there[fault] = name, server(issued.shown[fault])
        ours = make.issue(self.authority, ["y.example"])
        there["in order"] = "y.example", server(ours)
        self.impostors = {}
        for fault, (name, creator) in there.items():
            impostor = self.impostors[fault] = Impostor(self, creator, decode=enrp)
            self.settings = (*self.settings, "--peer", f"{name}={impostor.endpoint}")
        self.names = {fault: name for fault, (name, _) in there.items()}
        base = self.site.scope / "r1" / "peers"
        base.with_suffix(".pem").write_bytes(self.wrong.authorities)
        base.with_suffix(".crl").write_bytes(self.wrong.crl)
        auth = f"certificate:{base}.pem;crl={base}.crl"
        self.settings = (*self.settings, "--enrp-auth", auth)
        with open(self.site.scope / "r1" / "rules.toml", "a") as rules:
            rules.write('[users."dns:r3.example"]\nroles = ["registrars"]\n')

    def shows(self, issued, source="127.0.0.1"):
        """Call r1 with this certificate."""
        trusted = str(self.site.files / "ca.pem")
        creator = Certified(trusted, client=issued).creator("127.0.0.1")
        return Line(self.site.enrp_port_of("r1"), creator, decode=enrp, source=source)

    def test_calling(self):
        """A certificate with anything wrong lets nobody in as a registrar."""
        refused = {
            "of another authority": "untrusted certificate",
            "signed by itself": "untrusted certificate",
            "over": "untrusted certificate",
            "by who may not issue": "untrusted certificate",
            "revoked": "revoked",
        }
        with self.unchanged():
            for number, (fault, why) in enumerate(refused.items(), 100):
                source, answers = f"127.0.0.{number}", []
                with contextlib.suppress(SSL.Error, OSError):
                    with self.shows(self.wrong.shown[fault], source) as line:
                        answers = line.tell(*said_by_peers())
                self.assertEqual(answers, [], fault)
                what = "session.refused" if fault == "revoked" else "handshake.refused"
                [told] = self.audited(what=what, address=source)
                self.assertIn(why, told["outcome"], fault)
            # In order, but somebody else's: he is known, and may nothing.
            with self.shows(self.wrong.shown["for another name"]) as line:
                for message in said_by_peers():
                    [answer] = line.tell(message)
                    self.refused(answer)
            self.audited(what="update.refused", principal="dns:rogue.example")
        self.assertEqual(self.site.status()["peers"], [])
        with self.shows(self.wrong.right) as line:
            line.tell(enrp.Presence(sender=ROGUE), update(ROGUE, described(3, ROGUE)))
            until(lambda: self.digest()["elements"] == 1)
        self.no_errors()

    def test_called(self):
        """Nor does r1 say a word to who shows one; to who shows the right one it does."""
        right = self.impostors.pop("in order")
        until(lambda: right.heard)
        self.assertIsInstance(right.heard[0], enrp.Presence)
        for fault, one in self.impostors.items():
            name = self.names[fault]
            [told, *_] = self.audited(20, what="peer.unproven", principal=name)
            self.assertTrue(told["outcome"], fault)
            self.assertTrue(one.calls, fault)
            self.assertEqual(one.heard, [], fault)
        self.assertEqual(self.site.status()["peers"], [])
        self.no_errors()
