"""RFC 5355 section 2.17: a registrar that is one, and has been turned against the others."""

import time
from ipaddress import ip_address

from rserpool.wire import asap, enrp
from rserpool.wire.parameters import PoolHandle, TCPTransport
from tests.registrar.scene import registration
from tests.site import until
from tests.threats.answering import Answering
from tests.threats.scene import Line
from tests.threats.scope import ROGUE, Scoped, described, update

RESOLUTION = asap.HandleResolution(handle=b"web")
#: Where the rogue registrar would like users to go.
ELSEWHERE = TCPTransport(port=666, addresses=(ip_address("203.0.113.66"),))


class Insider(Scoped):
    """r3 has all its keys, and speaks; web-1 is an element of r1, and alive."""

    settings = (
        "--set", "limits.peer-updates-per-second=100", "--set", "limits.peer-updates-burst=500",
        "--set", "timers.rehome-timeout=1",
    )  # fmt: skip

    def setUp(self):
        super().setUp()
        self.ids = {name: self.server_id(name) for name in self.running}
        self.element = Answering(self.line(self.key()), registration(1))
        until(lambda: self.digest_of("r2") == self.digest())
        self.rogue = {name: self.peer(name) for name in self.running}
        for line in self.rogue.values():
            line.tell(enrp.Presence(sender=ROGUE))

    def line_to(self, name):
        """A user of a registrar."""
        line = Line(self.site.port_of(name), self.anonymous())
        self.addCleanup(line.close)
        return line

    def answers(self):
        """What users are told, by each registrar."""
        return {
            name: [e.user_transport for e in self.line_to(name).tell(RESOLUTION)[0].elements]
            for name in self.running
        }

    def refusals(self, name, *messages):
        """Say these to a registrar: each is refused by cause 0x0a."""
        answers = self.rogue[name].tell(*messages, want=99, patience=1.0)
        errors = [answer for answer in answers if isinstance(answer, enrp.Error)]
        self.assertEqual(len(errors), len(messages), answers)
        for error in errors:
            self.refused(error)

    def log_of(self, name, what, patience=10.0):
        """The lines of a registrar's audit log."""
        self.audit_file = self.site.scratch / f"{name}.audit"
        return self.audited(patience, what=what)

    def test_rightful(self):
        """Of its own elements a registrar tells, and is believed; the dead it takes over."""
        self.rogue["r1"].tell(
            update(ROGUE, described(3, ROGUE)), enrp.ListRequest(sender=ROGUE)
        )
        until(lambda: self.digest()["elements"] == 2)
        self.rogue["r1"].tell(
            update(ROGUE, described(3, ROGUE), enrp.DEL_PE), enrp.ListRequest(sender=ROGUE)
        )
        self.assertEqual(self.digest()["elements"], 1)
        self.site.kill("r2")
        until(lambda: self.log_of("r1", "peer.lost"))
        message = enrp.InitTakeover(sender=ROGUE, target=self.ids["r2"])
        answers = self.rogue["r1"].tell(message, want=99, patience=1.0)
        self.assertIn(
            enrp.InitTakeoverAck(sender=self.ids["r1"], receiver=ROGUE, target=self.ids["r2"]),
            answers,
        )

    def test_claims(self):
        """An element that is alive stays its home's, and users go where they went."""
        before = self.answers()
        stolen = described(1, ROGUE)
        stolen = type(stolen)(
            identifier=1, home=ROGUE, life=300, policy=stolen.policy, user_transport=ELSEWHERE
        )
        with self.unchanged():
            for line in self.rogue.values():
                line.write(enrp.encode(update(ROGUE, stolen)))
            self.log_of("r2", "element.claimed")
            self.log_of("r1", "element.kept")
            # By its list, too: its checksum says that ours of it is wrong.
            for name, line in self.rogue.items():
                said = line.tell(
                    enrp.Presence(sender=ROGUE, checksum=0x1234), want=99, patience=1
                )
                asked = [m for m in said if isinstance(m, enrp.HandleTableRequest)]
                self.assertTrue(asked, name)
                listed = (PoolHandle(handle=b"web"), stolen)
                line.write(enrp.encode(enrp.HandleTableResponse(sender=ROGUE, parts=listed)))
            time.sleep(0.5)
            self.assertEqual(self.answers(), before)
        self.assertTrue(self.element.asked, "r1 has asked the element")
        for line in self.rogue.values():
            line.close()
        until(lambda: self.digest_of("r2") == self.digest())
        self.assertEqual(self.answers(), before)
        self.no_errors()

    def test_for_others(self):
        """It speaks for nobody else: not for another home, not under another ID."""
        r1, r2 = self.ids["r1"], self.ids["r2"]
        with self.unchanged():
            self.refusals(
                "r1",
                update(ROGUE, described(7, r2)),  # an element of r2
                update(ROGUE, described(7, 0xDEAD)),  # of nobody
                update(ROGUE, described(1, r1), enrp.DEL_PE),  # one of r1 has left
            )
            self.refusals("r2", update(ROGUE, described(1, r1), enrp.DEL_PE))
            self.refusals(
                "r1",
                update(r2, described(7, r2)),
                enrp.Presence(sender=r2, checksum=0),
                enrp.TakeoverServer(sender=r2, target=ROGUE),
            )
        for what in ("update.refused", "presence.refused", "takeover.refused"):
            for line in self.log_of("r1", what):
                self.assertEqual(line["principal"], "r3", line)
        known = {peer["server-id"]: peer["name"] for peer in self.site.status()["peers"]}
        self.assertEqual(known, {f"{r2:#010x}": "r2", f"{ROGUE:#010x}": "r3"})
        self.no_errors()

    def test_takeover(self):
        """It takes over nobody who is alive: not proposed, and not simply done."""
        r1, r2 = self.ids["r1"], self.ids["r2"]
        with self.unchanged():
            self.refusals("r1", enrp.TakeoverServer(sender=ROGUE, target=r2))
            self.refusals("r1", enrp.TakeoverServer(sender=ROGUE, target=r1))
            self.refusals("r2", enrp.TakeoverServer(sender=ROGUE, target=r1))
            answers = self.rogue["r1"].tell(
                enrp.InitTakeover(sender=ROGUE, target=r2),
                enrp.InitTakeover(sender=ROGUE, target=r1),
                want=99, patience=2.0,
            )  # fmt: skip
            self.assertFalse([a for a in answers if isinstance(a, enrp.InitTakeoverAck)])
        outcomes = " ".join(line["outcome"] for line in self.log_of("r1", "takeover.refused"))
        self.assertIn("which is alive", outcomes)
        self.assertTrue(self.agrees("r1", 1), "r1 and r2 are what they were")
        self.no_errors()

    def test_floods(self):
        """It may say so much, and no more, by however many connections; others are served."""
        user = self.line_to("r1")
        floods = {
            "enrp.update": [update(ROGUE, described(100 + i, ROGUE)) for i in range(700)],
            "enrp.takeover": 150 * [enrp.TakeoverServer(sender=ROGUE, target=self.ids["r2"])],
            "enrp.presence": 700 * [enrp.Presence(sender=ROGUE, reply_required=True)],
            "enrp.list": 200 * [enrp.ListRequest(sender=ROGUE)],
        }
        with self.unchanged():
            for permission, flood in floods.items():
                for _ in range(2):
                    line = self.peer()
                    line.write(b"".join(enrp.encode(message) for message in flood))
                    began = time.monotonic()
                    [answer] = user.tell(RESOLUTION)
                    self.assertLess(time.monotonic() - began, 1.0)
                    self.assertTrue(answer.elements)
                    line.tell(want=10_000)
                    self.assertEqual(line.read(), b"", "r1 has had enough of it")
                self.assertGreater(until(lambda p=permission: self.over(p)), 100)
            self.assertLess(self.digest()["elements"], 700)
            kinds = {line["action"]: line for line in self.log_of("r1", "update.refused")}
            self.assertEqual(kinds["enrp.update"]["rule"], "limits")
            # What it has brought goes when it is gone.
            for line in self.rogue.values():
                line.close()
            until(
                lambda: self.digest()["elements"] == 1 == self.digest_of("r2")["elements"], 20
            )
        self.no_errors()

    def over(self, permission):
        """How much was over a limit."""
        return self.site.status()["limits"]["over"].get(permission, 0)
