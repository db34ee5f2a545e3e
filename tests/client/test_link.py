"""The link to the home registrar: hunting, performing, hanging up."""

from twisted.internet.error import ConnectError
from twisted.trial.unittest import SynchronousTestCase

from rserpool.client import Plain, What
from rserpool.client.call import CALL_TIMEOUT
from rserpool.client.effects import CancelTimer, Hunt, Send, SetTimer
from rserpool.client.hunt import PAUSE, T5
from rserpool.client.link import Link
from rserpool.wire import asap
from tests.client.scene import Chance, Town, granted, keep_alive


class Machine:
    """Remembers what it was told, and wants what the test wants."""

    def __init__(self):
        self.heard = []
        self.wants = {}

    def linked(self, now):
        """There is a home."""
        self.heard.append("linked")
        return self.wants.get("linked", [])

    def unlinked(self):
        """There is none."""
        self.heard.append("unlinked")
        return []

    def arrived(self, data, now):
        """A message."""
        self.heard.append(type(asap.decode(data).message).__name__)
        return self.wants.get("arrived", [])

    def rang(self, name):
        """A timer."""
        self.heard.append(name)
        return []


class Case(SynchronousTestCase):
    """A link to registrars in memory."""

    def setUp(self):
        """It is started."""
        self.town = Town()
        self.machine = Machine()
        self.notices = []
        self.link = None

    def start(self, count):
        """Hunt among so many."""
        self.link = Link(
            self.town.reactor,
            self.town.endpoints(count),
            Plain(),
            self.machine,
            notify=self.notices.append,
            random=Chance(),
        )
        self.link.start()

    def told(self):
        """What has happened."""
        return [notice.what for notice in self.notices]

    def pass_time(self, seconds):
        """Let time pass."""
        self.town.reactor.advance(seconds)


class Finding(Case):
    """A home registrar."""

    def test_none(self):
        """Without any registrar to call there is nothing to start."""
        with self.assertRaises(ValueError):
            self.start(0)

    def test_found(self):
        """The first that answers is home; the machine and the application are told."""
        self.start(3)
        self.assertEqual(self.town.calls(), [1, 2, 3])
        self.town.answer(2)
        self.assertEqual((self.machine.heard, self.link.home), (["linked"], "tcp:127.0.0.1:2"))
        self.assertEqual(self.told(), [What.TRYING] * 3 + [What.LINKED])

    def test_others_are_given_up(self):
        """When there is a home, the other calls are given up."""
        self.start(2)
        self.town.answer(1)
        self.assertTrue(self.town.reactor.connectors[1].stoppedConnecting)

    def test_refused(self):
        """A call that is refused gives way to the next registrar, and is explained."""
        self.start(4)
        self.town.calls()
        self.town.refuse(2)
        self.assertEqual(self.town.calls(), [4])
        self.assertIn("tcp:127.0.0.1:2: nobody listens", self.notices[3].words)

    def test_nobody(self):
        """When all have refused they are called again, after a pause."""
        self.start(1)
        self.town.calls()
        self.town.refuse(1)
        self.assertEqual(self.town.calls(), [])
        self.pass_time(PAUSE)
        self.assertEqual(self.town.calls(), [1])

    def test_silence(self):
        """One that doesn't answer is given up, and explained."""
        self.start(1)
        self.pass_time(CALL_TIMEOUT)
        self.assertEqual(self.told()[:2], [What.TRYING, What.UNREACHABLE])
        self.assertIn("didn't answer within", self.notices[1].words)

    def test_long_outage(self):
        """However long nobody answers, there is one call after the other, never a flood."""
        self.start(2)
        for _ in range(2000):
            self.pass_time(T5)
        calls = len(self.town.calls())
        self.assertGreater(calls, 100)
        self.assertLess(calls, 4000)
        self.assertLess(len(self.town.reactor.getDelayedCalls()), 10)


class Losing(Case):
    """A home registrar."""

    def setUp(self):
        """There is a home."""
        super().setUp()
        self.start(2)
        self.home = self.town.answer(1)
        self.town.calls()
        self.pass_time(60)

    def test_lost(self):
        """A home that hangs up is left, another one is called at once, and then itself."""
        self.home.transport.end()
        self.pass_time(0)
        self.assertEqual(self.machine.heard, ["linked", "unlinked"])
        self.assertEqual(self.town.calls(), [2])
        self.pass_time(PAUSE)
        self.assertEqual(self.town.calls(), [1])
        self.assertEqual(self.told()[-3:], [What.UNLINKED, What.TRYING, What.TRYING])

    def test_not_serving_yet(self):
        """One that hangs up at once, because it is starting, gives way to the next at once."""
        self.home.transport.end()
        self.pass_time(0)
        self.town.answer(2).transport.end()
        self.town.calls()
        self.pass_time(0)
        [lost] = [n.words for n in self.notices[-2:] if n.what is What.UNLINKED]
        self.assertIn("it may not serve yet", lost)
        self.assertEqual(self.town.calls(), [])  # both have had their turn
        self.pass_time(PAUSE)
        self.assertEqual(sorted(self.town.calls()), [1, 2])

    def test_left(self):
        """A home that the machine wants to leave is cut off, and no more is heard of it."""
        self.machine.wants["arrived"] = [Hunt("it talks nonsense")]
        self.home.send(granted(), keep_alive())
        self.assertTrue(self.home.closed)
        self.assertEqual(self.machine.heard, ["linked", "RegistrationResponse", "unlinked"])
        [left] = [notice.words for notice in self.notices if notice.what is What.UNLINKED]
        self.assertIn("it talks nonsense", left)

    def test_no_loop(self):
        """A registrar that takes calls only to end them isn't called in a loop."""
        self.home.transport.end()
        self.pass_time(0)
        for _ in range(600):
            self.pass_time(0.1)
            for port in self.town.calls()[:1]:
                self.town.answer(port).transport.end()
        # two in each of the rounds between which the pauses are 0.4 s, 0.8 s, 1.5 s...
        self.assertLess(self.told().count(What.LINKED), 18)


class Performing(Case):
    """What the machine wants."""

    def setUp(self):
        """There is a home."""
        super().setUp()
        self.start(1)
        self.home = self.town.answer(1)

    def test_send(self):
        """Messages go to the home registrar."""
        self.link.perform([Send(asap.encode(keep_alive()))])
        self.assertEqual(self.home.received(), [keep_alive()])

    def test_timers(self):
        """A timer rings once, when it is due, unless it is set again or cancelled."""
        self.link.perform([SetTimer("a", 5), SetTimer("b", 5), SetTimer("c", 5)])
        self.link.perform([SetTimer("a", 7), CancelTimer("b"), CancelTimer("x")])
        self.pass_time(6)
        self.assertEqual(self.machine.heard, ["linked", "c"])
        self.pass_time(6)
        self.assertEqual(self.machine.heard, ["linked", "c", "a"])

    def test_stop(self):
        """After `stop` nothing is left: no connection, no timer, no call."""
        self.link.perform([SetTimer("a", 5)])
        self.link.stop()
        self.pass_time(0)
        self.assertTrue(self.home.closed)
        self.assertEqual((self.town.reactor.getDelayedCalls(), self.link.home), ([], None))
        self.link.perform([Send(b""), SetTimer("a", 5)])
        self.assertEqual(self.town.reactor.getDelayedCalls(), [])

    def test_start_again(self):
        """It can be started again after it was stopped."""
        self.link.stop()
        self.pass_time(0)
        self.town.calls()
        self.link.start()
        self.assertEqual(self.town.calls(), [1])
        self.town.answer(1)
        self.assertEqual(self.machine.heard, ["linked", "unlinked", "linked"])

    def test_stopped_while_calling(self):
        """A call that is under way is given up."""
        self.start(2)
        self.link.stop()
        self.flushLoggedErrors(ConnectError)
        self.assertEqual(self.town.reactor.getDelayedCalls(), [])
