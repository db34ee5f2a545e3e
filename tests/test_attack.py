"""What judges the attacks: its own figures, and verdicts that fail when they must."""

import attrs
from twisted.trial.unittest import SynchronousTestCase

from attack import users
from attack.figures import Point, faults, percentile, table
from rserpool.wire import asap
from rserpool.wire.framing import Splitter
from tests.registrar.scene import Scene


def point(label="none", **more):
    """A measurement in which all is well."""
    return Point(**{
        "label": label, "limits": True, "asked": 100, "served": 100, "refused": 0,
        "unanswered": 0, "missed": 0, "evicted": 0, "latencies": [0.02] * 100,
        "connecting": [0.03] * 10, "memory": 60_000_000, "cpu": 0.1, **more,
    })  # fmt: skip


class Figures(SynchronousTestCase):
    """Percentiles and verdicts."""

    def test_percentile(self):
        """Of a hundred values the 99th, of none nothing."""
        self.assertEqual(percentile(range(100), 0.99), 99)
        self.assertEqual(percentile(range(1000), 0.5), 500)
        self.assertEqual(percentile([], 0.5), 0.0)

    def test_reached(self):
        """Every goal reached."""
        self.assertEqual(faults([point(), point("x", latencies=[0.035] * 100)]), [])

    def test_missed(self):
        """Each goal that is missed is told, and where."""
        for change, words in (
            ({"evicted": 1}, "1 evicted"),
            ({"missed": 2}, "missed in 2"),
            ({"refused": 3}, "3 honest requests"),
            ({"unanswered": 4}, "4 honest requests"),
            ({"latencies": [0.02] * 98 + [0.05] * 2}, "p99 50.0 ms, 2.5 times"),
        ):
            found = faults([point(), point("x"), point("hard", **change)])
            self.assertEqual(len(found), 1, change)
            self.assertTrue(found[0].startswith("hard: "), found)
            self.assertIn(words, found[0])

    def test_memory(self):
        """Memory that grows from the first attack to the last."""
        grown = point("y", memory=70_000_000)
        self.assertIn("grew by 17 %", faults([point(), point("x"), grown])[0])

    def test_without_limits(self):
        """Without limits nothing is judged, and all is shown."""
        off = attrs.evolve(point("x", evicted=9), limits=False)
        self.assertEqual(faults([off]), [])
        self.assertIn("off", table("T", [off, point()]))

    def test_noise(self):
        """Less than the noise of the machine is nobody's fault."""
        quick = point(latencies=[0.001] * 100)
        self.assertEqual(faults([quick, point("x", latencies=[0.009] * 100)]), [])


class Users(SynchronousTestCase):
    """The honest users' own idea of the protocol is the registrar's."""

    def test_octets(self):
        """Their request is understood, and they find every element in the answer."""
        scene = Scene()
        channel = scene.channel()
        for identifier in (1, 7, 0xFFFFFFFF):
            scene.register(channel, identifier)
        decoded = asap.decode(users.request(b"web")).message
        self.assertEqual(decoded, asap.HandleResolution(handle=b"web"))
        [effect] = scene.registrar.arrived(channel, [users.request(b"web")], scene.now)
        [message] = Splitter().feed(effect.data)
        self.assertEqual(sorted(users.elements(message[4:])), [1, 7, 0xFFFFFFFF])
