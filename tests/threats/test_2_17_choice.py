"""RFC 5355 section 2.17: a user goes to the element that it likes, whatever the policy is."""

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from ipaddress import ip_address

from rserpool.client import Resolution
from rserpool.client.drawing import Seeded
from rserpool.client.fairness import Fairness, View
from rserpool.wire import asap
from rserpool.wire.parameters import TCPTransport
from rserpool.wire.policies import Random
from tests.registrar.scene import registration
from tests.site import ROOT
from tests.threats.answering import Answering
from tests.threats.choosing import SEED
from tests.threats.scene import Attacked

#: Uses of the pool in one run: all fit into one period, or into two.
USES = 60
SIZE = 4


class Judging(threading.Thread):
    """An element that has proofs shown to it, and says what they are worth."""

    def __init__(self, case, identifier, weights):
        super().__init__(daemon=True, name=f"element {identifier}")
        self.fairness = Fairness(b"web", identifier, Seeded(SEED).at)
        self._weights = weights
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        case.addCleanup(self.stop)
        self.start()

    def run(self):
        """Take one user after the other."""
        with contextlib.suppress(OSError):
            while True:
                line, (address, _) = self._server.accept()
                with line:
                    line.settimeout(10)
                    proof = line.recv(4096)
                    # Of who proves nothing, the address is all that is known.
                    name = address.encode()
                    fit = self.fairness.judge(proof, name, self._weights(), time.time())
                    line.sendall(fit.value.encode() + b"\n")

    def stop(self):
        """Listen no more."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.join(5)


class Choosing(Attacked):
    """Four elements, chosen at random, that watch their pool; and applications that use it."""

    def setUp(self):
        super().setUp()
        self.view = View(grace=0.0)
        self.elements = [
            Judging(self, number, lambda n=number: self.view.weights(time.time(), n))
            for number in range(1, SIZE + 1)
        ]
        for number, one in enumerate(self.elements, 1):
            where = TCPTransport(port=one.port, addresses=(ip_address("127.0.0.1"),))
            Answering(
                self.line(self.key()), registration(number, policy=Random(), transport=where)
            )
        [answer] = self.line(self.anonymous()).tell(asap.HandleResolution(handle=b"web"))
        self.assertEqual(len(answer.elements), SIZE)
        found = Resolution(b"web", answer.policy, answer.elements)
        self.view.changed(found, time.time())

    def uses(self, name="127.0.0.1", liked=None):
        """What the elements have answered to one who uses the pool: port and worth."""
        spec = {
            "registrar": self.site.endpoint, "ca": str(self.site.files / "ca.pem"),
            "name": name, "times": USES, "liked": liked,
        }  # fmt: skip
        done = subprocess.run(
            [sys.executable, "-m", "tests.threats.choosing"], input=json.dumps(spec) + "\n",
            capture_output=True, text=True, timeout=90, cwd=ROOT, check=False,
        )  # fmt: skip
        self.assertTrue(done.stdout, done.stderr)
        return [tuple(one) for one in json.loads(done.stdout)]

    def test_choice(self):
        """Who leaves it to chance is taken by all; who doesn't, as often as chance has it."""
        honest = self.uses()
        self.assertEqual({fit for _, fit in honest}, {"fits"})
        self.assertEqual(len({port for port, _ in honest}), SIZE)
        # As the elements remember what they were shown, the next one meets them anew.
        for number, one in enumerate(self.elements, 1):
            one.fairness = Fairness(b"web", number, Seeded(SEED).at)
        liked = self.elements[0]
        cheat = self.uses(liked=liked.port)
        found = Counter(fit for _, fit in cheat)
        self.assertEqual({port for port, _ in cheat}, {liked.port})
        self.assertEqual(set(found), {"fits", "beaten"})
        # A quarter of 60, and five standard deviations more.
        self.assertLess(found["fits"], 32)
        counts = {fit.value: count for fit, count in liked.fairness.counts.items()}
        self.assertEqual(counts, dict(found))
        # Under another's name its proofs are worth nothing.
        stolen = self.uses(name="192.0.2.1", liked=liked.port)
        self.assertEqual({fit for _, fit in stolen}, {"foreign"})
        self.no_errors()
