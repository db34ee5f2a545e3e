"""
An application that uses a pool often: ``python -m tests.threats.choosing``.

On its standard input it gets one JSON object: the registrar, the authorities, its name, how
often to use the pool, and the port of the element that it likes, if it cheats: then it goes
there whatever is drawn.  It writes a JSON list of what elements have answered to its proofs.
"""

import json
import sys
import time

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.protocol import Factory, Protocol

from rserpool.client import Certified, Plain, PoolConnection, PoolUser
from rserpool.client.drawing import Draws, Seeded

SEED = b"what the site has published"


class Use(Protocol):
    """One use: shows the proof, and hears what it is worth."""

    def connectionMade(self):
        """Show it."""
        self.heard = b""
        self.transport.write(self.factory.connection.proof)

    def dataReceived(self, data):
        """Until the line is whole."""
        self.heard += data
        if self.heard.endswith(b"\n"):
            self.factory.answer.callback(self.heard.decode().strip())


class Liking(Draws):
    """Draws that always come to the element that is liked, and prove what they can."""

    def __init__(self, liked, *values):
        super().__init__(*values)
        self.liked = liked

    def draw(self, found):
        """Draw, and go elsewhere."""
        drawn = super().draw(found)
        [chosen] = [one for one in found.elements if one.user_transport.port == self.liked]
        drawn.choose = lambda: chosen
        return drawn


async def uses(spec):
    """Use the pool as often as that."""
    values = b"web", spec["name"].encode(), Seeded(SEED).at, time.time
    draws = Liking(spec["liked"], *values) if spec["liked"] else Draws(*values)
    user = PoolUser(reactor, [spec["registrar"]], Certified(ca=spec["ca"]))
    heard = []
    for _ in range(spec["times"]):
        factory = Factory.forProtocol(Use)
        factory.answer = Deferred()
        factory.connection = PoolConnection(
            reactor, user, b"web", factory, lambda one: Plain(), draws=draws
        )
        await factory.connection.start()
        port = factory.connection.element.user_transport.port
        heard.append((port, await factory.answer))
        factory.connection.stop()
    user.close()
    print(json.dumps(heard), flush=True)
    reactor.stop()


if __name__ == "__main__":
    ensureDeferred(uses(json.loads(sys.stdin.readline()))).addErrback(
        lambda failure: (failure.printTraceback(), reactor.stop())
    )
    reactor.run()
