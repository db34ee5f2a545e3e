"""
An application that has a connection to a pool: ``python -m tests.threats.failing_over``.

On its standard input it gets one JSON object: the registrar, the authorities, and at which
ports it takes an element without TLS, as one does who was told the wrong thing.  For each
failover, and at its end, it writes a JSON object.
"""

import json
import sys

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol

from rserpool.client import Certified, Plain, PoolConnection, PoolUser
from rserpool.wire import asap

SECRET = asap.encode(asap.Cookie(cookie=b"for whom we trust"))


class Application(Protocol):
    """Says what only the rightful element may hear."""

    def connectionMade(self):
        """Speak at once."""
        self.transport.write(SECRET)


def tell(**what):
    """Write it."""
    print(json.dumps(what), flush=True)


def main(spec):
    """Run until nobody is left."""

    def security(element):
        if element.user_transport.port in spec["plain"]:
            return Plain()
        return Certified(ca=spec["ca"], name="web.example")

    def approve(failover):
        tell(
            old=failover.old.user_transport.port, new=failover.new.user_transport.port,
            why=failover.why, before=str(failover.before), now=str(failover.now),
        )  # fmt: skip
        return True

    def over(why):
        tell(over=str(why))
        reactor.stop()

    user = PoolUser(reactor, [spec["registrar"]], Certified(ca=spec["ca"]))
    connection = PoolConnection(
        reactor, user, b"web", Factory.forProtocol(Application), security,
        approve=approve, ended=over,
    )  # fmt: skip
    connection.start().addCallbacks(
        lambda _: tell(connected=connection.element.user_transport.port),
        lambda failure: over(failure.value),
    )
    reactor.run()


if __name__ == "__main__":
    main(json.loads(sys.stdin.readline()))
