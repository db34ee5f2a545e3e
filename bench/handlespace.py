"""The handlespace at 1,000, 10,000 and 100,000 elements in one pool, for each policy."""

import random
import time
import tracemalloc
from collections.abc import Callable
from ipaddress import ip_address

import attrs

from rserpool.handlespace.handlespace import Handlespace, Limits, Registered
from rserpool.wire.parameters import PoolElement, TCPTransport
from rserpool.wire.policies import NAMES, Policy

SIZES = (1_000, 10_000, 100_000)


def policy(name: str, number: int) -> Policy:
    """A policy with values that differ between elements."""
    cls = NAMES[name]
    made: Policy = cls(**{f.name: number % 97 + 1 for f in attrs.fields(cls)})
    return made


def element(name: str, number: int) -> PoolElement:
    """An element of a pool with this policy."""
    return PoolElement(
        identifier=number + 1,
        life=300,
        user_transport=TCPTransport(port=80, addresses=(ip_address("192.0.2.1"),)),
        policy=policy(name, number),
    )


def measure() -> dict[str, float]:
    """Microseconds for each operation, and octets for each element."""
    figures: dict[str, float] = {}
    for size in SIZES:
        for name in NAMES:
            for operation, value in operations(name, size).items():
                figures[f"{operation} {name} {size}"] = value
    figures["octets an element (round-robin, 100 pools of 1,000)"] = octets()
    return figures


def operations(name: str, size: int) -> dict[str, float]:
    """Microseconds for register, renew, select 3 and remove at one size."""
    space = Handlespace(Limits(elements_per_pool=0), random.Random(1))
    descriptions = [element(name, number) for number in range(size)]
    found = []

    def register() -> None:
        for description in descriptions:
            result = space.register(b"pool", description, home=1, principal=None, now=0.0)
            assert isinstance(result, Registered)
            found.append(result.element)

    figures = {"register": timed(register, size)}
    pool = space.pools[b"pool"]
    some = random.Random(2).sample(found, 1000)

    def select() -> None:
        for _ in range(1000):
            pool.select(3, 65000)

    def renew() -> None:
        for one in some:
            space.renew(one, 1.0)

    def remove() -> None:
        for one in some[:500]:
            space.remove(one)

    figures["select 3"] = min(timed(select, 1000) for _ in range(3))
    figures["renew"] = timed(renew, 1000)
    figures["remove"] = timed(remove, 500)
    return figures


def timed(call: Callable[[], None], times: int) -> float:
    """Microseconds of one of `times`."""
    began = time.process_time()
    call()
    return (time.process_time() - began) / times * 1e6


def octets(elements: int = 100_000, per_pool: int = 1000) -> float:
    """Memory of an element, all included."""
    space = Handlespace(Limits(), random.Random(1))
    tracemalloc.start()
    for number in range(elements):
        description = element("round-robin", number)
        space.register(
            b"pool-%d" % (number // per_pool), description, home=1, principal=None, now=0.0
        )
        del description
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return used / elements
