"""The codec, each way, in microseconds."""

import timeit
from collections.abc import Callable
from ipaddress import ip_address

from rserpool.wire import asap, enrp, policies
from rserpool.wire.framing import Splitter
from rserpool.wire.parameters import PoolElement, PoolHandle, TCPTransport


def element(identifier: int) -> PoolElement:
    """An element as elements are."""
    return PoolElement(
        identifier=identifier,
        life=300,
        user_transport=TCPTransport(port=80, addresses=(ip_address("192.0.2.1"),)),
        policy=policies.RoundRobin(),
    )


def measure() -> dict[str, float]:
    """Microseconds for each."""
    registration = asap.Registration(handle=b"a-pool", element=element(1))
    response = asap.HandleResolutionResponse(
        handle=b"a-pool",
        policy=policies.RoundRobin(),
        elements=tuple(element(number) for number in range(10)),
    )
    table = enrp.HandleTableResponse(
        sender=1,
        parts=(PoolHandle(handle=b"a-pool"), *(element(number) for number in range(500))),
    )
    request = asap.encode(asap.HandleResolution(handle=b"a-pool"))
    cases: dict[str, tuple[Callable[[], object], int]] = {}
    for name, protocol, message, times in (
        ("registration", asap, registration, 5000),
        ("resolution response of 10", asap, response, 1000),
        ("handle table of 500", enrp, table, 30),
    ):
        data = protocol.encode(message)
        cases[f"decode {name}"] = (lambda p=protocol, d=data: p.decode(d), times)
        cases[f"encode {name}"] = (lambda p=protocol, m=message: p.encode(m), times)
    splitter = Splitter()
    cases["frame 1,000 requests"] = (lambda: splitter.feed(request * 1000), 100)
    return {name: best(call, times) for name, (call, times) in cases.items()}


def best(call: Callable[[], object], times: int) -> float:
    """Microseconds of one call, in the best of five rounds."""
    return min(timeit.repeat(call, number=times, repeat=5)) / times * 1e6
