"""
Many pool elements in one process, by real connections: ``python -m tests.fleet``.

Arguments: the pool, the number, the key file (or -), a first identifier, then the registrars;
``announce=GROUP`` among them is a group of loopback in which registrars announce themselves.
Writes a line whenever another element has been registered; ends at SIGTERM without leaving the
pool.  The elements of a pool that begins with "churn" leave and come back all the time.
"""

import random
import sys
from ipaddress import ip_address

from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import deferLater

from rserpool.client import (
    Announcements,
    Membership,
    Notice,
    Plain,
    PoolElement,
    PreSharedKey,
    What,
)
from rserpool.transport.announce import asap_group
from rserpool.wire.parameters import TCPTransport
from rserpool.wire.policies import RoundRobin

POOL = b"fleet"
ANNOUNCE = "announce="
HERE = ip_address("127.0.0.1")


async def churn(element: PoolElement) -> None:
    """Leave the pool and come back, again and again."""
    while True:
        await deferLater(reactor, random.uniform(0.2, 1.0))
        await element.stop(timeout=2.0)
        await deferLater(reactor, random.uniform(0.0, 0.3))
        await element.start()


def main(pool: bytes, count: int, key: str, first: int, registrars: list[str]) -> None:
    """Run until told otherwise."""
    groups = tuple(
        asap_group(one.removeprefix(ANNOUNCE)) for one in registrars if one.startswith(ANNOUNCE)
    )
    registrars = [one for one in registrars if not one.startswith(ANNOUNCE)]
    heard = Announcements(groups=groups, interface=str(HERE)) if groups else None
    security = Plain() if key == "-" else PreSharedKey.from_file(key, None)
    registered: set[int] = set()

    def told(identifier: int, notice: Notice) -> None:
        if notice.what is What.REGISTERED and identifier not in registered:
            registered.add(identifier)
            print(len(registered), flush=True)

    for identifier in range(first, first + count):
        order = list(registrars)
        random.shuffle(order)
        element = PoolElement(
            reactor,
            order,
            security,
            Membership(
                handle=pool,
                identifier=identifier,
                life=60,
                transport=TCPTransport(port=identifier, addresses=(HERE,)),
                policy=RoundRobin(),
            ),
            announcements=heard,
            notify=lambda notice, identifier=identifier: told(identifier, notice),
        )
        started = element.start()
        if pool.startswith(b"churn"):
            started.addCallback(lambda _, element=element: ensureDeferred(churn(element)))
    reactor.run()


if __name__ == "__main__":
    _, name, count, key, first, *others = sys.argv
    main(name.encode(), int(count), key, int(first), others)
