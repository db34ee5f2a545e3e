"""
Users, each with registrars and authorities of its own: ``python -m tests.threats.asking``.

On its standard input it gets a JSON list, for each user: `registrars`, `pool`, and `ca` and
`crl` as :class:`rserpool.client.Certified` has them, or `plain`.  It writes the list of what
they are told, in the same order: `elements`, `refusal`, or `nobody`: why nobody was believed.
"""

import json
import sys

from twisted.internet import reactor
from twisted.internet.defer import gatherResults

from rserpool.client import Certified, Plain, PoolUser

#: Seconds after which a user gives up.
PATIENCE = 4.0


def ask(spec):
    """Let one user ask; gives what it is told."""
    proof = Plain() if spec.get("plain") else Certified(ca=spec.get("ca"), crl=spec.get("crl"))
    user = PoolUser(reactor, spec["registrars"], proof)

    def told(found):
        if found.refusal is not None:
            return {"refusal": type(found.refusal).__name__}
        return {"elements": [element.identifier for element in found.elements]}

    asked = user.resolve(spec["pool"].encode(), timeout=PATIENCE)
    asked.addCallbacks(told, lambda failure: {"nobody": failure.getErrorMessage()})
    return asked.addBoth(lambda found: (user.close(), found)[1])


def main(specs):
    """Let all of them ask at once."""

    def over(found):
        print(json.dumps(found), flush=True)
        reactor.callLater(0, reactor.stop)

    gatherResults([ask(spec) for spec in specs]).addBoth(over)
    reactor.run()


if __name__ == "__main__":
    main(json.load(sys.stdin))
