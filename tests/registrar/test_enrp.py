"""ENRP from RFC 5353's text: one registrar among scripted peers."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.security.decisions import Proof
from rserpool.security.rules.file import parse
from rserpool.wire import asap, causes, enrp
from rserpool.wire.parameters import ServerInformation, TCPTransport
from tests.registrar.scope import ME, SETTINGS, Scope, added, described, removed, table

HERE = ServerInformation(identifier=ME, transport=SETTINGS["enrp_transport"])
SMALL, LARGE = 0x10, 0x90  # smaller and larger than ME


class Initializing(SynchronousTestCase):
    """Section 3.2."""

    def test_alone(self):
        """Without others to look for it serves at once."""
        self.assertTrue(Scope().serving)

    def test_mentor(self):
        """List, then handle table in parts; then it serves (3.2.2.2, 3.2.3)."""
        scope = Scope("r1=tcp:h:1")
        self.assertEqual((scope.serving, scope.dialled), (False, ["r1=tcp:h:1"]))
        mentor = scope.channel("r1", "r1=tcp:h:1")
        presence, asked = scope.said(mentor)
        self.assertTrue(presence.reply_required)
        self.assertEqual(asked, enrp.ListRequest(sender=ME))
        third = ServerInformation(identifier=7, transport=TCPTransport(port=9, addresses=(
            SETTINGS["enrp_transport"].addresses)))  # fmt: skip
        told = scope.say(mentor, enrp.ListResponse(sender=SMALL, servers=(third,)))
        self.assertIn(enrp.HandleTableRequest(sender=ME, receiver=SMALL), told)
        self.assertEqual(scope.known(), {SMALL, 7})
        told = scope.say(mentor, table(SMALL, described(1, SMALL), more=True))
        self.assertEqual(told, [enrp.HandleTableRequest(sender=ME, receiver=SMALL)])
        self.assertFalse(scope.serving)
        scope.say(mentor, table(SMALL, described(2, 7)))
        self.assertTrue(scope.serving)
        self.assertEqual(scope.homes(), {1: SMALL, 2: 7})
        scope.wait(1)
        self.assertIn("tcp:192.0.2.1:9", scope.dialled, "it calls whom the mentor knows")

    def test_rejected(self):
        """A mentor that rejects is asked again after a while, or another one is."""
        scope = Scope("r1=tcp:h:1", "r2=tcp:h:2")
        first = scope.channel("r1", "r1=tcp:h:1")
        scope.said(first)
        self.assertEqual(
            [], scope.say(first, enrp.ListResponse(sender=SMALL, rejected=True))[2:]
        )
        second = scope.channel("r2", "r2=tcp:h:2")
        scope.wait(2)
        asked = scope.said(first, enrp.ListRequest) + scope.said(second, enrp.ListRequest)
        self.assertTrue(asked)
        self.assertFalse(scope.serving)

    def test_silent_mentor(self):
        """A mentor that doesn't answer in MAX-TIME-NO-RESPONSE gives way to a backup."""
        scope = Scope("r1=tcp:h:1", "r2=tcp:h:2")
        scope.channel("r1", "r1=tcp:h:1")
        second = scope.channel("r2", "r2=tcp:h:2")
        self.assertEqual(scope.said(second, enrp.ListRequest), [])
        scope.wait(5.1)
        self.assertEqual(len(scope.said(second, enrp.ListRequest)), 1)

    def test_nobody_there(self):
        """When nobody can be reached it is alone."""
        scope = Scope("r1=tcp:h:1", "r2=tcp:h:2")
        scope.perform(scope.registrar.unreachable("r1=tcp:h:1", scope.now))
        self.assertFalse(scope.serving)
        scope.perform(scope.registrar.unreachable("r2=tcp:h:2", scope.now))
        self.assertTrue(scope.serving)

    def test_refuses_while_joining(self):
        """Until it is ready it gives nobody its list or table: R, and nothing else."""
        scope = Scope("r1=tcp:h:1")
        other = scope.channel("r9")
        told = scope.say(other, enrp.ListRequest(sender=LARGE))
        self.assertIn(enrp.ListResponse(sender=ME, receiver=LARGE, rejected=True), told)
        told = scope.say(other, enrp.HandleTableRequest(sender=LARGE))
        self.assertIn(enrp.HandleTableResponse(sender=ME, receiver=LARGE, rejected=True), told)


class Telling(SynchronousTestCase):
    """What a registrar gives others (3.2.2, 3.2.3, 3.3)."""

    def setUp(self):
        self.scope = Scope()
        self.peer = self.scope.peer(SMALL)

    def test_list(self):
        """The peers it knows, but not the one that asks."""
        where = ServerInformation(identifier=LARGE, transport=SETTINGS["enrp_transport"])
        other = self.scope.peer(LARGE)
        self.scope.say(other, enrp.Presence(sender=LARGE, server=where))
        [answer] = self.scope.say(self.peer, enrp.ListRequest(sender=SMALL))
        self.assertEqual(answer.servers, (where,))
        [answer] = self.scope.say(other, enrp.ListRequest(sender=LARGE))
        self.assertEqual(answer.servers, ())

    def test_table(self):
        """Parts with M, one for each request; W: only its own."""
        channel = self.scope.element()
        for identifier in range(1, 701):
            self.scope.register(channel, identifier)
        self.scope.say(self.peer, added(SMALL, 5000))
        sizes, more = [], True
        while more:
            [part] = self.scope.say(self.peer, enrp.HandleTableRequest(sender=SMALL))
            [entry] = enrp.entries(part)
            sizes.append(len(entry.elements))
            more = part.more
        self.assertEqual((sum(sizes), len(sizes)), (701, 3))
        own = enrp.HandleTableRequest(sender=SMALL, own_only=True)
        identifiers = set()
        for _ in range(3):
            [part] = self.scope.say(self.peer, own)
            [entry] = enrp.entries(part)
            identifiers |= {element.identifier for element in entry.elements}
        self.assertEqual(identifiers, set(range(1, 701)))
        self.assertFalse(part.more)
        [element, *_] = entry.elements
        self.assertEqual((element.home, element.asap_transport.port), (ME, 4711))

    def test_update_of_a_pool(self):
        """An update is asked of its pool and of who tells it; refused, it changes nothing."""
        policy = parse(
            '[roles.all]\nrules = ["enrp"]\n'
            '[gates."pool:web".roles.all]\nrules = ["!enrp.update"]\n', "rules",
        )  # fmt: skip
        asked = []

        def ask(subject, request, now):
            asked.append((request.permission, request.pool, request.peer))
            return policy.decide("r2", Proof.PSK, request)

        self.patch(self.scope.gate, "ask", ask)
        self.scope.say(self.peer, added(SMALL, 5000))
        self.assertEqual(asked, [("enrp.update", b"web", self.peer.subject.name)])
        self.assertEqual(len(self.scope.registrar.handlespace), 0)
        self.assertEqual(self.scope.audits[-1].what, "update.refused")
        self.assertEqual(self.scope.audits[-1].identifier, 5000)
        self.assertEqual(self.scope.audits[-1].pool, b"web")

    def test_session_ends(self):
        """A session that isn't asked on is forgotten, and a new one begins at the start."""
        channel = self.scope.element()
        for identifier in range(1, 401):
            self.scope.register(channel, identifier)
        [first] = self.scope.say(self.peer, enrp.HandleTableRequest(sender=SMALL))
        self.scope.wait(5.1)
        self.scope.said(self.peer)
        [again] = self.scope.say(self.peer, enrp.HandleTableRequest(sender=SMALL))
        self.assertEqual(first.parts, again.parts)

    def test_updates(self):
        """Registration, renewal and removal are announced to all, receiver 0 (3.3)."""
        other = self.scope.peer(LARGE)
        self.scope.said(self.peer)
        channel = self.scope.element()
        for action in (enrp.ADD_PE, enrp.ADD_PE):
            self.scope.register(channel)
            for peer in (self.peer, other):
                [update] = self.scope.said(peer, enrp.HandleUpdate)
                self.assertEqual(
                    (update.sender, update.receiver, update.action, update.handle),
                    (ME, 0, action, b"web"),
                )
                self.assertEqual(update.element.home, ME)
                self.assertEqual(update.element.principal, "web-1")
        self.scope.lose(channel)
        self.scope.wait(5.1)
        for peer in (self.peer, other):
            [update] = self.scope.said(peer, enrp.HandleUpdate)
            self.assertEqual((update.action, update.element.identifier), (enrp.DEL_PE, 1))

    def test_tool(self):
        """Sender ID 0 gets lists and tables, and makes no peer."""
        tool = self.scope.channel("admin")
        told = self.scope.say(tool, enrp.ListRequest(sender=0))
        told += self.scope.say(tool, enrp.HandleTableRequest(sender=0))
        self.assertEqual([type(m) for m in told], [enrp.ListResponse, enrp.HandleTableResponse])
        [error] = self.scope.say(tool, added(0, 1))
        self.assertIsInstance(error, enrp.Error)
        self.assertEqual(self.scope.known(), {SMALL})


class Hearing(SynchronousTestCase):
    """What peers tell (3.3, 3.6)."""

    def setUp(self):
        self.scope = Scope()
        self.peer = self.scope.peer(SMALL, "r1")

    def test_add_and_remove(self):
        """ADD makes pool and element, replaces; DEL removes both; unknown ones don't matter."""
        self.scope.say(self.peer, added(SMALL, 1))
        self.assertEqual(self.scope.homes(), {1: SMALL})
        self.scope.say(self.peer, added(SMALL, 2))
        self.assertEqual(self.scope.homes(), {1: SMALL, 2: SMALL})
        self.assertEqual(self.scope.say(self.peer, removed(SMALL, 1)), [])
        self.assertEqual(self.scope.say(self.peer, removed(SMALL, 1)), [])
        self.scope.say(self.peer, removed(SMALL, 2))
        self.assertEqual(self.scope.registrar.handlespace.pools, {})

    def test_third_home(self):
        """Nobody speaks for elements of a third registrar: refused, and written down."""
        other = self.scope.peer(LARGE, "r9")
        self.scope.say(other, added(LARGE, 1))
        for attempt in (
            added(SMALL, 1, home=LARGE),
            added(SMALL, 2, home=LARGE),
            removed(SMALL, 1, home=LARGE),
            removed(SMALL, 1),
        ):
            told = self.scope.say(self.peer, attempt)
            [error] = [m for m in told if isinstance(m, enrp.Error)]
            self.assertEqual(error.error.causes, (causes.RejectedForSecurity(),))
            self.assertEqual(self.scope.homes(), {1: LARGE})
        self.assertEqual(self.scope.audited("update.refused"), 4)

    def test_theft(self):
        """An element of a living registrar isn't another's because that one says so."""
        other = self.scope.peer(LARGE, "r9")
        self.scope.say(other, added(LARGE, 1))
        self.scope.say(self.peer, added(SMALL, 1))
        self.assertEqual(self.scope.homes(), {1: LARGE})
        # when its home lets it go, it is
        self.scope.say(other, added(LARGE, 1, home=SMALL))
        self.assertEqual(self.scope.homes(), {1: SMALL})

    def test_dead_home(self):
        """An element whose home isn't connected any more may come to another."""
        other = self.scope.peer(LARGE, "r9")
        self.scope.say(other, added(LARGE, 1))
        self.scope.lose(other)
        self.scope.say(self.peer, added(SMALL, 1))
        self.assertEqual(self.scope.homes(), {1: SMALL})

    def test_ours(self):
        """An element that is connected here is asked before it is another's."""
        channel = self.scope.element()
        self.scope.register(channel)
        self.scope.said(self.peer)
        self.scope.say(self.peer, added(SMALL, 1))
        self.assertEqual(self.scope.homes(), {1: ME})
        [asked] = self.scope.said(channel, asap.EndpointKeepAlive)
        self.assertFalse(asked.new_home)
        self.scope.wait(5.1)
        self.assertEqual(self.scope.homes(), {1: SMALL}, "it didn't answer")

    def test_principal(self):
        """An element is its principal's at every registrar."""
        self.scope.say(self.peer, added(SMALL, 1, principal="web-1"))
        refused = self.scope.register(self.scope.element("web-2"))
        self.assertTrue(refused.rejected)
        self.assertEqual(self.scope.homes(), {1: SMALL})
        self.assertFalse(self.scope.register(self.scope.element("web-1")).rejected)
        self.assertEqual(self.scope.homes(), {1: ME})

    def test_unsolicited_table(self):
        """A table that nobody asked for is refused."""
        told = self.scope.say(self.peer, table(SMALL, described(1, SMALL)))
        self.assertIsInstance(told[0], enrp.Error)
        self.assertEqual(self.scope.homes(), {})

    def test_audit(self):
        """Another checksum: its list is asked for, and what isn't in it is taken out."""
        self.scope.say(self.peer, added(SMALL, 1), added(SMALL, 2))
        same = self.scope.registrar.handlespace.checksum(SMALL)
        self.scope.wait(1)
        told = self.scope.say(self.peer, enrp.Presence(sender=SMALL, checksum=same))
        self.assertEqual(told, [])
        told = self.scope.say(self.peer, enrp.Presence(sender=SMALL, checksum=same ^ 1))
        wanted = enrp.HandleTableRequest(sender=ME, receiver=SMALL, own_only=True)
        self.assertEqual(told, [wanted])
        told = self.scope.say(self.peer, table(SMALL, described(2, SMALL), more=True))
        self.assertEqual(told, [wanted])
        self.scope.say(self.peer, table(SMALL, described(3, SMALL)))
        self.assertEqual(self.scope.homes(), {2: SMALL, 3: SMALL})

    def test_no_endless_audit(self):
        """A difference that a download doesn't mend isn't asked about at each heartbeat."""
        asked = 0
        for _ in range(8):
            self.scope.wait(1)
            told = self.scope.say(self.peer, enrp.Presence(sender=SMALL, checksum=0x1234))
            if told and isinstance(told[-1], enrp.HandleTableRequest):
                asked += 1
                self.scope.say(self.peer, table(SMALL))
        self.assertIn(asked, (1, 2, 3))

    def test_presence(self):
        """A reply-required presence is answered with checksum and server information."""
        [reply] = self.scope.say(self.peer, enrp.Presence(sender=SMALL, reply_required=True))
        self.assertEqual((reply.sender, reply.receiver), (ME, SMALL))
        self.assertEqual((reply.checksum, reply.server), (0xFFFF, HERE))
        self.assertFalse(reply.reply_required)

    def test_heartbeat(self):
        """One presence each PEER-HEARTBEAT-CYCLE, which asks for nothing."""
        for _ in range(4):
            self.scope.wait(30)
            told = self.scope.said(self.peer, enrp.Presence)
            self.assertEqual([presence.reply_required for presence in told], [False])
            self.scope.say(self.peer, enrp.ListRequest(sender=SMALL))


class Identity(SynchronousTestCase):
    """Who may speak as whom (RFC 5355 sections 2.5, 2.10)."""

    def test_new_peer(self):
        """A message from an unknown registrar makes it a peer, which is asked (3.4.1)."""
        scope = Scope()
        channel = scope.channel("r1")
        self.assertEqual(scope.said(channel), [], "who has called speaks first")
        told = scope.say(channel, enrp.ListRequest(sender=SMALL))
        self.assertTrue(any(isinstance(m, enrp.Presence) and m.reply_required for m in told))
        self.assertEqual(scope.known(), {SMALL})

    def test_other_id(self):
        """A connection speaks for one ID alone."""
        scope = Scope()
        channel = scope.peer(SMALL)
        [error] = scope.say(channel, added(LARGE, 1))
        self.assertEqual(error.error.causes, (causes.RejectedForSecurity(),))
        self.assertEqual((scope.homes(), scope.known()), ({}, {SMALL}))

    def test_stolen_id(self):
        """The ID of a connected registrar is nobody else's."""
        scope = Scope()
        scope.peer(SMALL, "r1")
        rogue = scope.channel("rogue")
        told = scope.say(rogue, enrp.Presence(sender=SMALL))
        self.assertIsInstance(told[-1], enrp.Error)

    def test_vacant_id(self):
        """Nor is that of one that isn't connected, until it is taken over."""
        scope = Scope()
        channel = scope.peer(SMALL, "r1")
        scope.say(channel, added(SMALL, 1))
        scope.lose(channel)
        rogue = scope.channel("rogue")
        for message in (enrp.Presence(sender=SMALL), removed(SMALL, 1)):
            [error] = scope.say(rogue, message)
            self.assertEqual(error.error.causes, (causes.RejectedForSecurity(),))
        self.assertEqual(scope.homes(), {1: SMALL})
        scope.say(scope.channel("r1"), removed(SMALL, 1))
        self.assertEqual((scope.homes(), scope.known()), ({}, {SMALL}))

    def test_nameless_id(self):
        """One that was called by where it is may come by its name later."""
        scope = Scope("tcp:h:1")
        channel = scope.channel("tcp:h:1", "tcp:h:1")
        scope.say(channel, enrp.Presence(sender=SMALL))
        scope.lose(channel)
        named = scope.channel("r1")
        told = scope.say(named, added(SMALL, 1))
        self.assertFalse(any(isinstance(one, enrp.Error) for one in told), told)
        self.assertEqual(scope.homes(), {1: SMALL})
        scope.lose(named)
        again = scope.channel("tcp:h:1", "tcp:h:1")
        scope.say(again, enrp.Presence(sender=SMALL), added(SMALL, 2))
        self.assertEqual(scope.homes(), {1: SMALL, 2: SMALL})

    def test_ourselves(self):
        """A connection that turns out to be ourselves is closed."""
        scope = Scope()
        channel = scope.channel("r1")
        scope.say(channel, enrp.Presence(sender=ME))
        self.assertEqual(scope.closed, [channel])
        self.assertEqual(scope.known(), set())

    def test_crossing_calls(self):
        """Of two connections that cross, the one that the smaller ID has made is kept."""
        for other, kept in ((SMALL, "theirs"), (LARGE, "ours")):
            scope = Scope("rX=tcp:h:1")
            ours = scope.channel("rX", "rX=tcp:h:1")
            theirs = scope.channel("rX")
            scope.say(ours, enrp.Presence(sender=other))
            scope.say(theirs, enrp.Presence(sender=other))
            self.assertEqual(scope.closed, [ours if kept == "theirs" else theirs])

    def test_gate(self):
        """The gate is asked for every message, and its denial changes nothing."""
        scope = Scope()
        channel = scope.peer(SMALL)
        for permission, message in (
            ("enrp.presence", enrp.Presence(sender=SMALL)),
            ("enrp.list", enrp.ListRequest(sender=SMALL)),
            ("enrp.table", enrp.HandleTableRequest(sender=SMALL)),
            ("enrp.update", added(SMALL, 1)),
            ("enrp.takeover", enrp.InitTakeover(sender=SMALL, target=LARGE)),
            ("enrp.takeover", enrp.TakeoverServer(sender=SMALL, target=LARGE)),
        ):
            scope.gate.denied = {permission}
            [error] = scope.say(channel, message)
            self.assertEqual(error.error.causes, (causes.RejectedForSecurity(),))
        self.assertEqual(scope.homes(), {})

    def test_no_registrar(self):
        """Who may not show its presence isn't a registrar, whatever else it may say."""
        scope = Scope()
        scope.gate.denied = {"enrp.presence"}
        channel = scope.channel("admin")
        for message in (
            enrp.ListRequest(sender=SMALL),
            enrp.HandleTableRequest(sender=SMALL),
            added(SMALL, 1),
            enrp.InitTakeover(sender=SMALL, target=LARGE),
        ):
            [error] = scope.say(channel, message)
            self.assertEqual(error.error.causes, (causes.RejectedForSecurity(),))
        self.assertEqual((scope.homes(), scope.known()), ({}, set()))
        [answer] = scope.say(channel, enrp.ListRequest(sender=0))
        self.assertIsInstance(answer, enrp.ListResponse)

    def test_malformed(self):
        """What can't be read gets ENRP_ERROR; an ENRP_ERROR gets nothing; too many end it."""
        scope = Scope()
        channel = scope.peer(SMALL)
        bad = b"\x04\x00\x00\x08\x00\x00\x00\x10"
        [error] = scope.say(channel, bad)
        self.assertIsInstance(error, enrp.Error)
        self.assertEqual(scope.say(channel, error), [])
        for _ in range(120):
            scope.say(channel, bad)
        self.assertEqual(scope.closed, [channel])

    def test_plain(self):
        """In an insecure scope names are nothing, and all else holds."""
        scope = Scope()
        one = scope.peer(SMALL, "plain", proof=Proof.PLAIN)
        scope.peer(LARGE, "plain", proof=Proof.PLAIN)
        scope.say(one, added(SMALL, 1))
        self.assertEqual((scope.homes(), scope.known()), ({1: SMALL}, {SMALL, LARGE}))


class Dying(SynchronousTestCase):
    """Sections 3.4.3 and 3.5."""

    def setUp(self):
        self.scope = Scope()
        self.target = self.scope.peer(0x33, "r3")
        self.scope.say(self.target, added(0x33, 1), added(0x33, 2))

    def alive(self, channel, sender, seconds):
        """Time passes, in which this peer shows that it lives."""
        for _ in range(int(seconds)):
            self.scope.wait(1)
            self.scope.sent[channel] += self.scope.say(channel, enrp.Presence(sender=sender))

    def test_silence(self):
        """After MAX-TIME-LAST-HEARD it is asked, after MAX-TIME-NO-RESPONSE it is dead."""
        self.scope.wait(60)
        self.scope.said(self.target)
        self.scope.wait(1.5)
        asked = self.scope.said(self.target, enrp.Presence)
        self.assertTrue(any(presence.reply_required for presence in asked))
        self.assertEqual(self.scope.audited("takeover.started"), 0)
        self.scope.wait(5)
        self.assertEqual(self.scope.audited("takeover.won"), 1, "nobody else has to agree")
        self.assertEqual(self.scope.homes(), {1: ME, 2: ME})
        self.assertEqual(self.scope.known(), set())

    def test_answer_in_time(self):
        """A sign of life ends the question."""
        self.scope.wait(62)
        self.scope.say(self.target, enrp.Presence(sender=0x33))
        self.scope.wait(10)
        self.assertEqual(self.scope.audited("takeover.started"), 0)

    def test_agreement(self):
        """All others have to agree; then all are told, and the target is off the list."""
        other = self.scope.peer(LARGE)
        self.scope.lose(self.target)
        self.scope.sent[other] = []
        for _ in range(67):
            self.scope.wait(1)
            self.scope.perform(
                self.scope.registrar.arrived(
                    other, [enrp.encode(enrp.ListRequest(sender=LARGE))], self.scope.now
                )
            )
        told = self.scope.said(other)
        self.assertIn(enrp.InitTakeover(sender=ME, receiver=LARGE, target=0x33), told)
        self.assertEqual(self.scope.homes(), {1: 0x33, 2: 0x33})
        told = self.scope.say(other, enrp.InitTakeoverAck(sender=LARGE, target=0x33))
        self.assertEqual(told, [enrp.TakeoverServer(sender=ME, target=0x33)])
        self.assertEqual(self.scope.homes(), {1: ME, 2: ME})
        self.assertEqual(self.scope.known(), {LARGE})
        self.scope.wait(1)
        self.assertEqual({r.element for r in self.scope.reached}, {(b"web", 1), (b"web", 2)})
        [message, *_] = [asap.decode(r.data).message for r in self.scope.reached]
        self.assertEqual((message.new_home, message.server), (True, ME))
        # those that don't come are taken out, and all are told
        for _ in range(61):
            self.scope.wait(1)
            self.scope.sent[other] += self.scope.say(other, enrp.Presence(sender=LARGE))
        self.assertEqual(self.scope.homes(), {})

    def test_neither(self):
        """Asked to agree to the takeover of one that isn't connected: it agrees (3)."""
        other = self.scope.peer(LARGE)
        self.scope.lose(self.target)
        told = self.scope.say(other, enrp.InitTakeover(sender=LARGE, target=0x33))
        self.assertEqual(told, [enrp.InitTakeoverAck(sender=ME, receiver=LARGE, target=0x33)])
        self.scope.say(other, enrp.TakeoverServer(sender=LARGE, target=0x33))
        self.assertEqual(self.scope.homes(), {1: LARGE, 2: LARGE})
        self.assertEqual(self.scope.known(), {LARGE})

    def test_alive(self):
        """One that is heard well is asked first, and its answer ends the takeover."""
        other = self.scope.peer(LARGE)
        self.scope.said(self.target)
        told = self.scope.say(other, enrp.InitTakeover(sender=LARGE, target=0x33))
        self.assertEqual(told, [])
        [asked] = self.scope.said(self.target, enrp.Presence)
        self.assertTrue(asked.reply_required)
        self.scope.say(self.target, enrp.Presence(sender=0x33))
        told = self.scope.say(other, enrp.TakeoverServer(sender=LARGE, target=0x33))
        self.assertIsInstance(told[-1], enrp.Error)
        self.assertEqual(self.scope.homes(), {1: 0x33, 2: 0x33})

    def test_target(self):
        """We are the target: a presence to all, at once (1)."""
        other = self.scope.peer(LARGE)
        self.scope.said(self.target)
        [presence] = self.scope.say(other, enrp.InitTakeover(sender=LARGE, target=ME))
        self.assertIsInstance(presence, enrp.Presence)
        [presence] = self.scope.said(self.target)
        self.assertIsInstance(presence, enrp.Presence)
        told = self.scope.say(other, enrp.TakeoverServer(sender=LARGE, target=ME))
        self.assertIsInstance(told[-1], enrp.Error)

    def arbitrate(self, identifier, **settings):
        """Both of us want to take over the same one; whether the other is agreed to."""
        scope = Scope(**settings)
        target = scope.peer(0x33, "r3")
        other = scope.peer(identifier, "rX")
        scope.lose(target)
        for _ in range(67):
            scope.wait(1)
            scope.say(other, enrp.ListRequest(sender=identifier))
        self.assertEqual(scope.audited("takeover.started"), 1)
        told = scope.say(other, enrp.InitTakeover(sender=identifier, target=0x33))
        return any(isinstance(message, enrp.InitTakeoverAck) for message in told)

    def test_arbitration(self):
        """The larger ID goes on (2 A, B); with rsplib's way the smaller one does."""
        self.assertTrue(self.arbitrate(LARGE))
        self.assertFalse(self.arbitrate(SMALL))
        self.assertFalse(self.arbitrate(LARGE, lower_id_wins=True))
        self.assertTrue(self.arbitrate(SMALL, lower_id_wins=True))

    def test_new_id(self):
        """The same principal under another ID: the old one is dead without waiting."""
        self.scope.lose(self.target)
        again = self.scope.peer(0x34, "r3")
        self.scope.wait(6)
        told = self.scope.said(again, enrp.InitTakeover)
        self.assertEqual(told, [enrp.InitTakeover(sender=ME, receiver=0x34, target=0x33)])
        self.scope.say(again, enrp.InitTakeoverAck(sender=0x34, target=0x33))
        self.assertEqual(self.scope.homes(), {1: ME, 2: ME})
        self.assertEqual(self.scope.known(), {0x34})
