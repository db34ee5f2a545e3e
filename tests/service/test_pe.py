"""The wrapper: registers a server in a pool while it works."""

import os
import signal
import time
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks, succeed
from twisted.internet.task import deferLater
from twisted.logger import LogLevel
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rserpool.client import Certified, Notice, Plain, PreSharedKey, Signer, What
from rserpool.security.certificate import make
from rserpool.security.certificate.name import when
from rserpool.security.psk import keyfile
from rserpool.service import pe
from rserpool.service.load import FULL
from rserpool.service.own import Own
from rserpool.service.pe import LINES, ElementService
from rserpool.service.pe_options import ElementTable, load
from rserpool.service.settings import Override
from rserpool.wire import asap, causes
from rserpool.wire.policies import LeastUsed
from tests.client.scene import Town, granted, keep_alive, rejected, removed
from tests.client.scripted import ScriptedRegistrar


def table(**changes):
    """A configuration."""
    overrides = [Override("element", "pool", "web"), Override("element", "security", "none")]
    overrides += [Override("element", "service", "tcp:127.0.0.1:80")]
    overrides += [Override("element", "registrar", one) for one in Town().endpoints(2)]
    made: ElementTable = load(None, overrides)[0]
    return attrs.evolve(made, **changes)


class Written:
    """A log that keeps what is written."""

    def __init__(self):
        self.lines = []

    def emit(self, level, form, **values):
        """Keep it."""
        self.lines.append(form.format(**values))

    def info(self, form, **values):
        """Keep it."""
        self.emit(LogLevel.info, form, **values)

    error = critical = warn = debug = info


class Case(SynchronousTestCase):
    """A wrapper on a clock, whose checks and loads the test decides."""

    def setUp(self):
        """It is started."""
        self.town = Town()
        self.wrong = ""
        self.load = 0
        self.patch(pe, "ask_load", lambda reactor, command: succeed(self.load))
        self.make()

    def make(self, **changes):
        """Make and start a wrapper."""
        self.service = ElementService(self.town.reactor, table(**changes), Plain())
        self.service._check = lambda: succeed(self.wrong)
        self.service._log = self.log = Written()

    def pass_time(self, seconds):
        """Let time pass, by checks."""
        self.town.reactor.pump([1.0] * int(seconds))

    def registered(self):
        """Start it, and grant it what it wants; return its home."""
        self.service.startService()
        home = self.town.answer(1)
        home.received()
        home.send(granted(identifier=self.identifier))
        return home

    @property
    def identifier(self):
        """Its PE identifier."""
        return self.service._element.membership.identifier

    def said(self, words):
        """Whether the log has such a line."""
        return any(words in line for line in self.log.lines)

    def kinds(self, home):
        """What a registrar has heard."""
        return [type(message) for message in home.received()]


class Checking(Case):
    """Only while its check holds."""

    def test_works(self):
        """A service that works is registered at once, and the log says where and as what."""
        self.registered()
        self.assertTrue(
            self.said(f"registered in pool web with tcp:127.0.0.1:1 as {self.identifier:#010x}")
        )

    def test_not_yet(self):
        """A service that isn't there yet is waited for, without any call to a registrar."""
        self.wrong = "nobody listens"
        self.service.startService()
        self.pass_time(60)
        self.assertEqual(self.town.calls(), [])
        self.assertTrue(self.said("doesn't work yet: nobody listens"))
        self.wrong = ""
        self.pass_time(2)
        self.assertEqual(sorted(self.town.calls()), [1, 2])

    def test_one_failure(self):
        """One failed check changes nothing."""
        home = self.registered()
        self.wrong = "no answer"
        self.pass_time(2)
        self.wrong = ""
        self.pass_time(10)
        self.assertEqual(self.kinds(home), [])

    def test_fails(self):
        """Two in a row take it out of the pool; the first success brings it back."""
        home = self.registered()
        self.wrong = "no answer"
        self.pass_time(4)
        self.assertEqual(self.kinds(home), [asap.Deregistration])
        home.send(removed(identifier=self.identifier))
        self.assertTrue(self.said("the service doesn't work: no answer"))
        self.assertTrue(self.said("left pool web"))
        self.pass_time(10)
        self.wrong = ""
        self.pass_time(2)
        self.assertEqual(self.kinds(home), [asap.Registration])

    def test_fails_while_hunting(self):
        """A service that fails while there is no home isn't registered when one is found."""
        self.service.startService()
        self.town.calls()
        self.wrong = "no answer"
        self.pass_time(4)
        self.assertEqual(self.kinds(self.town.answer(1)), [])

    def test_slow_check(self):
        """A check that hangs isn't joined by another one."""
        self.asked = 0
        slow = Deferred()

        def check():
            self.asked += 1
            return slow

        self.service._check = check
        self.service.startService()
        self.pass_time(30)
        self.assertEqual(self.asked, 1)

    def test_refused(self):
        """A refusal is told with what to do, and isn't tried again."""
        self.service.startService()
        home = self.town.answer(1)
        home.received()
        home.send(rejected(causes.NonUniquePEIdentifier(), identifier=self.identifier))
        self.assertTrue(self.said("belongs to another element (cause 0x4)"))
        self.pass_time(100)
        self.assertEqual(self.kinds(home), [])


class Wandering(Case):
    """From one registrar to the next."""

    def test_home_lost(self):
        """When its home is lost, the log says so, whom it tries, and where it is then."""
        home = self.registered()
        self.pass_time(20)
        home.transport.end()
        self.town.reactor.advance(0)  # and no later: it may be taken for dead
        other = self.town.answer(2)
        other.send(
            granted(identifier=self.identifier),
            keep_alive(server=0x22222222),
            keep_alive(server=0x33333333, new_home=True),
        )
        expected = [
            "the home registrar was lost: tcp:127.0.0.1:1: the connection was lost",
            "trying registrar tcp:127.0.0.1:2",
            "the home registrar is tcp:127.0.0.1:2",
            f"registered in pool web with tcp:127.0.0.1:2 as {self.identifier:#010x}, again",
            "the server ID of tcp:127.0.0.1:2 is 0x22222222",
            "adopted: tcp:127.0.0.1:2, server ID 0x33333333, is the home registrar now",
        ]
        found = [line for line in self.log.lines if line.startswith(tuple(expected))]
        self.assertEqual(
            [f.startswith(e) for f, e in zip(found[-6:], expected, strict=True)], [True] * 6
        )

    def test_still_starting(self):
        """A registrar that takes a connection only to end it is told as such."""
        home = self.registered()
        home.transport.end()
        self.pass_time(2)
        self.town.answer(2).transport.end()
        self.pass_time(1)
        self.assertTrue(self.said("tcp:127.0.0.1:2: it hung up before it said anything"))

    def test_registrar_gone(self):
        """A registrar that can't be reached is told with the reason."""
        self.service.startService()
        self.town.refuse(1)
        self.assertTrue(self.said("not reached: tcp:127.0.0.1:1: nobody listens there"))

    def test_every_notice_has_a_line(self):
        """Whatever may happen, the log has words for it."""
        self.assertEqual(set(LINES), set(What))


class Loading(Case):
    """Adaptive policies."""

    def setUp(self):
        """With a load."""
        super().setUp()
        self.make(policy=LeastUsed(load=0))

    def loads(self, home):
        """The loads that a registrar has heard of."""
        return [message.element.policy.load for message in home.received()]

    def test_first(self):
        """The first registration has a fresh load."""
        self.load = 77
        self.service.startService()
        self.assertEqual(self.loads(self.town.answer(1)), [77])

    def test_first_takes_a_while(self):
        """The first registration waits for a measurement that is under way."""
        asked = Deferred()
        self.patch(pe, "ask_load", lambda reactor, command: asked)
        self.service.startService()
        self.pass_time(3)
        self.assertEqual(self.town.calls(), [])
        asked.callback(77)
        self.assertEqual(self.loads(self.town.answer(1)), [77])

    def test_little_change(self):
        """A load that changes little is told by the next renewal."""
        home = self.registered()
        self.load = FULL // 20
        self.pass_time(100)
        self.assertEqual(self.loads(home), [])
        self.pass_time(200)
        self.assertEqual(self.loads(home), [FULL // 20])

    def test_notable_change(self):
        """A load that changes notably is told at once, once."""
        home = self.registered()
        self.load = FULL // 2
        self.pass_time(2)
        self.assertEqual(self.loads(home), [FULL // 2])
        home.send(granted(identifier=self.identifier))
        self.pass_time(20)
        self.assertEqual(self.loads(home), [])
        self.assertTrue(self.said("the load is 50 % now"))

    def test_failing_command(self):
        """A load command that fails is told once, and the last load stays."""
        home = self.registered()

        def fail(reactor, command):
            failed = Deferred()
            failed.errback(ValueError("no sensor"))
            return failed

        self.patch(pe, "ask_load", fail)
        self.pass_time(20)
        self.assertEqual((self.loads(home), sum("no sensor" in x for x in self.log.lines)),
                         ([], 1))  # fmt: skip

    def test_failing_at_first(self):
        """A load command that fails from the beginning doesn't keep the service out."""

        def fail(reactor, command):
            failed = Deferred()
            failed.errback(ValueError("no sensor"))
            return failed

        self.patch(pe, "ask_load", fail)
        self.service.startService()
        self.assertEqual(self.loads(self.town.answer(1)), [0])

    def test_hanging_command(self):
        """A load command that hangs doesn't hold up the checks."""
        home = self.registered()
        self.patch(pe, "ask_load", lambda reactor, command: Deferred())
        self.pass_time(2)
        self.wrong = "no answer"
        self.pass_time(4)
        self.assertEqual(self.kinds(home), [asap.Deregistration])

    def test_other_policies(self):
        """For a policy without loads nothing is measured."""
        self.patch(pe, "ask_load", lambda reactor, command: self.fail("measured"))
        self.make()
        self.registered()
        self.pass_time(20)


class Stopping(Case):
    """A clean end."""

    def test_leaves(self):
        """It de-registers before it ends, and leaves nothing behind."""
        home = self.registered()
        stopped = self.service.stopService()
        self.assertEqual(self.kinds(home), [asap.Deregistration])
        self.assertNoResult(stopped)
        home.send(removed(identifier=self.identifier))
        self.town.reactor.pump([0, 0, 0])
        self.successResultOf(stopped)
        self.assertEqual(self.town.reactor.getDelayedCalls(), [])

    def test_silent_registrar(self):
        """A registrar that doesn't answer delays the end for a few seconds at most."""
        self.registered()
        stopped = self.service.stopService()
        self.pass_time(pe.GOODBYE + 1)
        self.town.reactor.pump([0, 0])
        self.successResultOf(stopped)

    def test_never_registered(self):
        """One that was never registered ends at once."""
        self.wrong = "nobody listens"
        self.service.startService()
        self.successResultOf(self.service.stopService())
        self.assertFalse(self.said("left pool"))

    def test_while_measuring(self):
        """A load command that runs is ended."""
        cancelled = []
        self.patch(pe, "ask_load", lambda reactor, command: Deferred(cancelled.append))
        self.make(policy=LeastUsed(load=0))
        self.service.startService()
        self.service.stopService()
        self.assertEqual(len(cancelled), 1)


class Spawning(TestCase):
    """A server that the wrapper runs itself, and a registrar on loopback."""

    timeout = 30

    @inlineCallbacks
    def until(self, holds):
        """Wait until something holds."""
        while not holds():
            yield deferLater(reactor, 0.02)

    def start(self, spawn, **changes):
        """Start a wrapper."""
        self.registrar = ScriptedRegistrar()
        self.addCleanup(self.registrar.stop)
        self.service = ElementService(
            reactor,
            table(registrar=(self.registrar.endpoint,), spawn=spawn, check="none",
                  check_interval=0.1, **changes),
            Plain(),
        )  # fmt: skip
        self.service.startService()
        self.addCleanup(self.service.stopService)

    @inlineCallbacks
    def test_life(self):
        """It is registered while its process runs, and ended after it has left."""
        self.start("sleep 60")
        yield self.until(lambda: self.registrar.elements)
        pid = self.service._spawned._running.pid
        yield self.service.stopService()
        self.assertEqual(self.registrar.kinds(), [asap.Registration, asap.Deregistration])
        self.assertRaises(ProcessLookupError, os.kill, pid, 0)

    @inlineCallbacks
    def test_killed(self):
        """When its process dies it leaves the pool at once, and comes back with the next."""
        self.start("sleep 60")
        yield self.until(lambda: self.registrar.elements)
        os.kill(self.service._spawned._running.pid, 9)
        yield self.until(lambda: not self.registrar.elements)
        yield self.until(lambda: self.registrar.elements)
        self.assertEqual(
            self.registrar.kinds(),
            [asap.Registration, asap.Deregistration, asap.Registration],
        )


class Reloading(Case):
    """SIGHUP."""

    def setUp(self):
        """What handles the signal is put back."""
        before = signal.getsignal(signal.SIGHUP)
        self.addCleanup(signal.signal, signal.SIGHUP, before)
        super().setUp()

    def signing(self):
        """Make a signing key, where it was or is configured."""
        issued = make.issue(make.authority("x"), ["pe.example"], pools=[b"web"])
        for path, pem in ((self.key, issued.private_key), (self.pem, issued.certificate)):
            path.unlink(missing_ok=True)
            path.touch(0o600)
            path.write_bytes(pem)

    def signed(self):
        """Make a wrapper that signs; its home."""
        self.key, self.pem = Path(self.mktemp()), Path(self.mktemp())
        self.signing()
        words = {"signing_key": str(self.key), "signing_certificate": str(self.pem)}
        self.make(**words)
        return self.registered()

    def test_signing_key(self):
        """Another signing key is used at once, and warned of instead of the one before."""
        home = self.signed()
        self.service.reload()
        [message] = home.received()
        first = self.service._own.signer
        self.assertIn(first.certificate, asap.encode(message))
        home.send(granted(identifier=self.identifier))
        self.signing()
        self.service.reload()
        [message] = home.received()
        self.assertNotIn(first.certificate, asap.encode(message))
        self.assertIn(self.service._own.signer.certificate, asap.encode(message))
        self.assertTrue(self.said("reloaded"))

    def test_bad_signing_key(self):
        """One that doesn't load leaves the last good one in force, and is told."""
        home = self.signed()
        self.service.reload()
        home.received()
        good = self.service._own.signer
        self.key.write_text("nothing")
        self.service.reload()
        self.assertEqual((home.received(), self.service._own.signer), ([], good))
        self.assertTrue(self.said("the last good one stays: signing-key: "))
        self.assertTrue(self.said("reloaded in part"))

    def test_signal(self):
        """It is the signal that does it, and nothing any more when it is stopped."""
        self.registered()
        handler = signal.getsignal(signal.SIGHUP)
        self.town.reactor.callFromThread = lambda do: do()
        handler(signal.SIGHUP, None)
        self.assertTrue(self.said("reloaded"))
        self.log.lines.clear()
        self.service.stopService()
        handler(signal.SIGHUP, None)
        self.assertFalse(self.said("reloaded"))

    def test_corrected(self):
        """One that was refused for good tries again when it has moved by another credential."""
        self.service.startService()
        home = self.town.answer(1)
        home.received()
        home.send(rejected(causes.NonUniquePEIdentifier(), identifier=self.identifier))
        self.service._happened(Notice(What.MOVED))
        self.assertEqual(self.kinds(home), [])
        self.service.reload()
        self.assertEqual(self.kinds(home), [])
        self.service._happened(Notice(What.MOVED))
        self.assertEqual(self.kinds(home), [asap.Registration])
        self.service._happened(Notice(What.MOVED))
        self.assertEqual(self.kinds(home), [])


class OwnCredential(SynchronousTestCase):
    """The element's own key or certificate."""

    def test_key(self):
        """A key that will end within a month is warned of, and one that is over."""
        for days, words in ((29, "good until"), (-1, "over since"), (31, ""), (None, "")):
            end = None if days is None else 1e9 + days * 86400
            own = Own(PreSharedKey("web-1", b"k" * 32, until=end), lambda: 1e9)
            self.assertEqual(own.moments, [] if end is None else [end])
            warnings = "".join(own.warnings)
            self.assertIn(words, warnings)
            self.assertEqual(bool(warnings), bool(words), days)

    def test_certificate(self):
        """So is a certificate; who shows none has none."""
        issued = make.issue(make.authority("x"), ["pe.example"], client=True, days=5)
        [warning] = Own(Certified(client=issued), time.time).warnings
        self.assertIn("this element's certificate is good until", warning)
        for security in (Certified(), Plain()):
            own = Own(security, time.time)
            self.assertEqual((own.warnings, own.moments), ([], []))

    def test_signing(self):
        """Of the certificate of its signing key, too."""
        issued = make.issue(make.authority("x"), ["pe.example"], days=5, pools=[b"web"])
        pem = x509.load_pem_x509_certificate(issued.certificate)
        key = load_pem_private_key(issued.private_key, None)
        signer = Signer(key, pem.public_bytes(Encoding.DER))
        own = Own(Plain(), time.time, signer)
        [warning] = own.warnings
        self.assertIn("this element's signing certificate is good until", warning)
        self.assertEqual(own.moments, [signer.until])
        own = Own(Plain(), lambda: signer.until, signer)
        self.assertIn("no user believes what it registers", own.warnings[0])
        self.assertEqual(Own(Plain(), time.time, Signer(key)).moments, [])

    def test_file(self):
        """The end of a key in a file is known."""
        path = self.mktemp()
        keyfile.add(path, "web-1", b"k" * 32, "not-after=2099-01-31T00:00:00Z")
        found = PreSharedKey.from_file(path, None)
        self.assertEqual(when(found.until), "2099-01-31 00:00 UTC")
