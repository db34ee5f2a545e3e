"""RFC 5355 section 2.8: what a legitimate entity has said before is said again by another."""

import contextlib
import json

from OpenSSL import SSL

from rserpool.wire import asap, enrp
from rserpool.wire.framing import Splitter
from tests.registrar.scene import registration
from tests.site import Site, until
from tests.threats import early
from tests.threats.middle import UP, Middle, untouched
from tests.threats.replaying import Player, record, replay
from tests.threats.scene import Attacked, Line
from tests.threats.scope import ROGUE, Scoped, described, update

#: Whoever replays hundreds of connections would be shut out soon; here each has to be tried,
#: and elements whose connection has broken stay for a while, so that states can be compared.
SETTINGS = (
    "--set", "limits.handshake-failures-per-second=0",
    "--set", "limits.connections-per-second=0",
    "--set", "timers.keep-alive-interval=3600", "--set", "timers.keep-alive-timeout=600",
)  # fmt: skip
#: Of the content types of TLS, the one of messages.
APPLICATION_DATA = 23
JOINING, LEAVING = registration(9), asap.Deregistration(handle=b"web", identifier=9)
JOINED = asap.RegistrationResponse(handle=b"web", identifier=9)
LEFT = asap.DeregistrationResponse(handle=b"web", identifier=9)
VERSIONS = ("1.3", "1.2")


def messages(records):
    """Those records that carry messages."""
    return [one for one in records if one[0] == APPLICATION_DATA]


class Replayed(Attacked):
    """An element's session with a registrar, which somebody has recorded."""

    settings = (*SETTINGS, "--tls-minimum", "1.2")

    def keyed(self, version, name="web-1"):
        """TLS of one version with a key."""
        return self.key(name, minimum=version, maximum=version)

    def session(self, port, version):
        """An element joins its pool, and leaves it."""
        with Line(port, self.keyed(version)) as line:
            self.assertEqual([line.tell(JOINING), line.tell(LEAVING)], [[JOINED], [LEFT]])

    def recorded(self, version):
        """What went up, and what came down."""
        middle = Middle(self, self.site.port)
        up, down = record(middle, lambda: self.session(middle.port, version))
        middle.stop()
        self.assertGreaterEqual(len(messages(up)), 2)
        return up, down

    def nothing(self, version, up, down=()):
        """Say it again in every way: nothing that was said is done, nor answered."""
        with self.unchanged():
            for octets in (
                replay(self.site.port, up),
                replay(self.site.port, up, first=1),
                *(replay(self.site.port, up[:1]) for _ in range(5)),
                replay(self.site.port, messages(up)),
                *([replay(self.site.port, down)] if down else []),
            ):
                self.assertFalse(any(one in octets for one in messages(down)), version)

    def test_new_connection(self):
        """A whole session, or a part of it, said by another, is nothing; nor is it later."""
        recorded = {version: self.recorded(version) for version in VERSIONS}
        for version, (up, down) in recorded.items():
            self.nothing(version, up, down)
        # To leave is worse than to join, where the element is there again.
        with self.line(self.key()) as element:
            self.assertEqual(element.tell(JOINING), [JOINED])
            for version, (up, _) in recorded.items():
                self.nothing(version, up)
            self.assertEqual(self.digest()["elements"], 1)
        # TLS 1.2 can't tell it from a wrong key.
        for why in ("not of this handshake", "wrong key"):
            [line, *_] = self.audited(what="handshake.refused", principal="web-1", outcome=why)
            self.assertEqual((line["proof"], line["address"]), ("anonymous", "127.0.0.1"))
        self.assertEqual(self.site.status()["counters"]["registrations_new"], 3)
        # After a restart the registrar has forgotten what it has heard, and still isn't fooled.
        self.no_errors()
        self.registrar.kill()
        self.registrar.wait()
        self.registrar = self.site.registrar(
            "--set", f"audit.file={self.audit_file}", *self.settings
        )
        for version, (up, _) in recorded.items():
            self.nothing(version, up)
            self.session(self.site.port, version)
        self.assertEqual(self.digest()["elements"], 0)
        self.no_errors()

    def changes(self, first):
        """
        What is said again within a connection, and which answers there are nevertheless.

        :param first: the number of the first of the three messages.
        """
        kept = {}

        def again(before, after):
            """After one message, another one that was said before it (or at once)."""

            def change(way, number, octets):
                if way == UP:
                    kept[number] = octets
                    if number == after:
                        return [octets, kept[before]]
                return [octets]

            return change

        yield "hello twice", again(0, 0), 0
        yield "the handshake's last twice", again(first - 1, first - 1), 0
        yield "hello, after all", again(0, first), 1
        yield "joining twice", again(first, first), 1
        yield "joining, after it has left", again(first, first + 1), 2
        yield "leaving, after it has joined again", again(first + 1, first + 2), 3

    def test_same_connection(self):
        """A record that comes a second time ends its session, and isn't done a second time."""
        for version in VERSIONS:
            first = len(self.recorded(version)[0]) - len(messages(self.recorded(version)[0]))
            first += version == "1.3"  # Finished looks like a message from outside
            middle = Middle(self, self.site.port)
            for name, change, heard in self.changes(first):
                where = f"{version}: {name}"
                middle.change = change
                answers, known = [], self.digest()
                try:
                    with Line(middle.port, self.keyed(version)) as line:
                        for message in (JOINING, LEAVING, JOINING):
                            answers += line.tell(message, patience=2)
                        self.assertTrue(line.closed(), where)
                except (SSL.Error, OSError):
                    pass
                there = len(answers) in {1, 3}
                self.assertEqual(self.digest()["elements"], known["elements"] + there, where)
                self.assertLessEqual(len(answers), heard, where)
                self.assertEqual(answers, [JOINED, LEFT, JOINED][: len(answers)], where)
                with self.line(self.key()) as rightful:
                    self.assertEqual(rightful.tell(LEAVING), [LEFT], where)
                self.assertEqual(self.digest(), known, where)
            middle.stop()
        self.broken("web-1")
        self.no_errors()

    def broken(self, principal):
        """The audit log says whose session it was, and that it broke."""
        [line, *_] = self.audited(what="session.broken", principal=principal)
        self.assertEqual((line["proof"], line["address"]), ("psk", "127.0.0.1"))
        self.assertIn("bad record mac", line["outcome"])

    def spliced(self, version):
        """Say a record of one session in another one."""
        middle, kept = Middle(self, self.site.port), []

        def keep(way, number, octets):
            if way == UP and octets[0] == APPLICATION_DATA:
                kept.append(octets)
            return [octets]

        middle.change = keep
        one, other = (self.line(self.keyed(version), port=middle.port) for _ in range(2))
        self.assertEqual([one.tell(JOINING), one.tell(LEAVING)], [[JOINED], [LEFT]])
        middle.change = lambda way, number, octets: (
            [kept[-2], octets] if way == UP else [octets]
        )
        with self.unchanged():
            with contextlib.suppress(SSL.Error):
                self.assertEqual(other.tell(asap.HandleResolution(handle=b"web")), [])
            self.assertTrue(other.closed())
        middle.change = untouched
        self.assertEqual([one.tell(JOINING), one.tell(LEAVING)], [[JOINED], [LEFT]])

    def test_other_connection(self):
        """What was said in one session is nothing in another one, of the same element even."""
        for version in VERSIONS:
            self.spliced(version)
        self.broken("web-1")
        self.no_errors()

    def test_to_the_element(self):
        """A registrar's answers, or an element's own words, said to it again: no use."""
        for version in VERSIONS:
            up, down = self.recorded(version)
            for records in (down, None, up):
                player = Player(self, records)
                with self.assertRaises((SSL.Error, OSError)):
                    Line(player.port, self.keyed(version)).tell(JOINING)
                self.assertFalse(messages(up)[-1] in player.heard)
                player.stop()
            # An answer that comes twice within a session.
            middle = Middle(self, self.site.port)
            middle.change = lambda way, number, octets: (
                [octets] if way == UP or octets[0] != APPLICATION_DATA else [octets, octets]
            )
            answers = []
            try:
                with Line(middle.port, self.keyed(version)) as line:
                    answers += line.tell(JOINING, want=2, patience=2)
                    answers += line.tell(LEAVING, patience=2)
            except (SSL.Error, OSError):
                pass
            self.assertIn(answers, ([], [JOINED]))
            middle.stop()
            with self.line(self.key()) as rightful:
                self.assertEqual(rightful.tell(LEAVING), [LEFT])
        # So does the program: it calls again and again, and never thinks that it is registered.
        player = Player(self, self.recorded("1.3")[1])
        self.site.port, real = player.port, self.site.port
        self.site.element("web-2", 80, "--check", "none")
        until(lambda: player.calls > 1)
        self.assertNotIn("registered with", self.site.log("web-2"))
        self.assertIn(f"127.0.0.1:{player.port}", self.site.log("web-2"))
        player.stop()
        self.site.port = real
        self.no_errors()


class EarlyData(Attacked):
    """What is said before the registrar has said anything could be said again by anybody."""

    settings = SETTINGS

    def client(self, message):
        """Somebody who has the key, and says this early."""
        return early.Client(b"web-1", self.secret(), asap.encode(message))

    def records(self, line):
        """The registrar's records, one after the other."""
        data = b""
        while True:
            while len(data) < 5 or len(data) < 5 + int.from_bytes(data[3:5], "big"):
                more = line.read()
                assert more, "hung up"
                data += more
            end = 5 + int.from_bytes(data[3:5], "big")
            yield data[:end]
            data = data[end:]

    def finished(self, line, client):
        """Bring the handshake to its end; gives the keys for what comes after it."""
        line.put(client.hello + client.early)
        records = self.records(line)
        taken, last, ours, theirs = client.finish(records)
        self.assertIs(taken, False, "early data was taken")
        line.put(last)

        def heard():
            while True:
                kind, data = theirs.open(next(records))
                if (
                    kind == early.APPLICATION_DATA
                ):  # and not a ticket, which is good for nothing
                    [one] = Splitter().feed(data)
                    return asap.decode(one).message

        return last, ours, heard

    def test_not_taken(self):
        """Early data is refused and never done, however often; what is said in time is."""
        for message, late, answer in ((JOINING, JOINING, JOINED), (LEAVING, LEAVING, LEFT)):
            client = self.client(message)
            with self.line() as line:
                with self.unchanged():
                    last, ours, heard = self.finished(line, client)
                    for records in ([client.hello, client.early],
                                    [client.hello, client.early, last]):  # fmt: skip
                        for first in (None, 1, 2):
                            for _ in range(3):
                                replay(self.site.port, records, first=first)
                spoken = ours.seal(early.APPLICATION_DATA, asap.encode(late))
                line.put(spoken)
                self.assertEqual(heard(), answer)
                with self.unchanged():
                    everything = [client.hello, client.early, last, spoken]
                    for first in (None, 1, 2):
                        replay(self.site.port, everything, first=first)
        # TLS passes over all that it can't read then, so that he hangs up in the end.
        self.audited(what="handshake.refused", principal="web-1", outcome="the peer left")
        self.assertEqual(self.digest()["elements"], 0)
        self.no_errors()


class BetweenRegistrars(Scoped):
    """What registrars say to each other, recorded on its way."""

    settings = SETTINGS

    def prepare(self):
        """Who calls the other meets somebody else first."""
        self.middles = {"r2": self.between("r1", "r2"), "r1": self.between("r2", "r1")}

    def agreed(self):
        """Both are there, know each other, and have the same."""
        return all(self.agrees(name, 1) for name in self.running) and (
            self.digest_of("r1") == self.digest_of("r2")
        )

    def test_updates(self):
        """Updates of a real session: twice in it, in new ones, at either, after a restart."""
        line = self.line(self.key())
        for message in (JOINING, LEAVING, JOINING):
            line.tell(message)
        until(self.agreed)
        called, middle = next(
            (name, middle) for name, middle in self.middles.items() if middle.seen(UP)
        )
        sent = [octets for way, octets in list(middle.records) if way == UP]
        self.assertGreater(len(messages(sent)), 2)
        ports = [self.site.enrp_port_of(name) for name in self.running]
        with self.unchanged():
            for port in (*ports, self.site.port):
                replay(port, sent)
                replay(port, sent, first=1)
                replay(port, sent[:1])
        until(lambda: "handshake.refused" in self.audits(called))
        # Within the session: each record twice, as long as it takes them.
        seen = len(messages(sent))
        for each in self.middles.values():
            each.change = lambda way, number, octets: [octets, octets]
        until(lambda: "session.broken" in self.audits("r1", "r2"))
        for each in self.middles.values():
            each.change = untouched
        until(self.agreed)
        self.assertEqual(self.digest()["elements"], 1)
        self.assertGreater(seen, 0)
        self.no_errors()

    def elsewhere(self):
        """What an element has said to r1 is nothing at r2, which has the same keys."""
        middle = Middle(self, self.site.port)

        def session():
            with Line(middle.port, self.key()) as line:
                self.assertEqual([line.tell(JOINING), line.tell(LEAVING)], [[JOINED], [LEFT]])

        up, _ = record(middle, session)
        until(self.agreed)
        with self.unchanged():
            for first in (None, 1):
                replay(self.site.port_of("r2"), up, first=first)
        until(lambda: "handshake.refused" in self.audits("r2"))

    def audits(self, *names):
        """What stands in the audit logs of these."""
        found = set()
        for name in names:
            text = (self.site.scratch / f"{name}.audit").read_text()
            found |= {json.loads(line)["what"] for line in text.splitlines()}
        return found

    def test_by_a_peer(self):
        """What r3 has told r1 is nothing if somebody else says it: to r1, r2, or back to r3."""
        middle = Middle(self, self.site.enrp_port_of("r1"))
        there, gone = (
            update(ROGUE, described(5, ROGUE), action) for action in (enrp.ADD_PE, enrp.DEL_PE)
        )

        def session():
            with Line(middle.port, self.peer_key(), decode=enrp) as peer:
                peer.tell(there, patience=1)
                until(lambda: self.digest()["elements"] == 1, 5)
                peer.tell(gone, patience=1)
                until(lambda: self.digest()["elements"] == 0, 5)

        up, down = record(middle, session)
        with self.unchanged():
            for name in self.running:
                for records in (up, down, messages(up)):
                    replay(self.site.enrp_port_of(name), records)
                replay(self.site.enrp_port_of(name), up, first=1)
        [line, *_] = self.audited(what="handshake.refused", principal="r3@r1")
        self.assertEqual(line["proof"], "anonymous")
        for records in (down, None, up):
            player = Player(self, records)
            with self.assertRaises((SSL.Error, OSError)):
                Line(player.port, self.peer_key(), decode=enrp).tell(there)
            player.stop()
        self.elsewhere()
        self.no_errors()


class Insecure(Attacked):
    """Where security is none, it can be said again: so what is tried above is an attack."""

    def setUp(self):
        self.site = Site(self, secure=False)
        self.registrar = self.site.registrar(*SETTINGS)

    def test_replayed(self):
        """The same without TLS."""
        middle = Middle(self, self.site.port, tls=False)

        def session(*said):
            with Line(middle.port) as line:
                for message in said:
                    line.tell(message)

        joining, _ = record(middle, lambda: session(JOINING))
        leaving, _ = record(middle, lambda: session(LEAVING))
        self.assertEqual(self.digest()["elements"], 0)
        for said, count in ((joining, 1), (leaving, 0)):
            replay(self.site.port, said)
            self.assertEqual(self.digest()["elements"], count)
        self.no_errors()
