"""
Descriptions of SCTP's endpoints, as Twisted has them of others.

``sctp:3863`` listens on all addresses of the host, ``sctp:3863:interface=10.1.1.1,10.1.1.2`` on
these; ``sctp:10.1.1.1,10.1.1.2:3863`` calls one peer that has both.
"""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any

from rserpool.transport.sctp.addresses import MAXIMUM_ADDRESSES, Address
from rserpool.transport.sctp.endpoints import SCTPClientEndpoint, SCTPServerEndpoint
from rserpool.transport.sctp.options import Times
from rserpool.transport.sctp.payload import Payload

#: Options of both, with their bounds: seconds, and counts.
_TIMES: dict[str, tuple[str, type, float, float]] = {
    "heartbeat": ("heartbeat", float, 0.1, 3600.0),
    "rtoInitial": ("rto_initial", float, 0.01, 60.0),
    "rtoMinimum": ("rto_minimum", float, 0.01, 60.0),
    "rtoMaximum": ("rto_maximum", float, 0.01, 60.0),
    "pathRetransmissions": ("path_retransmissions", int, 1, 100),
    "retransmissions": ("retransmissions", int, 1, 100),
}
_MOST = 65535


def listening(
    reactor: Any, args: Sequence[str], options: Mapping[str, str], payload: Payload
) -> SCTPServerEndpoint:
    """
    Make a server endpoint.

    :raise ValueError: what is wrong with it.
    """
    given = {**options}
    port = _port(given.pop("port", "") or _only(args, 1))
    interface = given.pop("interface", "")
    bound = _addresses(interface.split(",")) if interface else ()
    return SCTPServerEndpoint(reactor, port, bound, payload, _times(given))


def calling(
    reactor: Any,
    args: Sequence[str],
    options: Mapping[str, str],
    timeout: float,
    payload: Payload,
) -> SCTPClientEndpoint:
    """
    Make a client endpoint.

    :raise ValueError: what is wrong with it.
    """
    given = {**options}
    host = given.pop("host", "")
    port = _port(given.pop("port", "") or _only(args, 1 if host else 2))
    hosts = tuple((host or args[1]).split(","))
    if not all(hosts) or len(hosts) > MAXIMUM_ADDRESSES:
        raise ValueError(f"write one to {MAXIMUM_ADDRESSES} hosts, with commas between them")
    seconds = float(given.pop("timeout", timeout))
    bound = None
    if "bindAddress" in given or "bindPort" in given:
        named = given.pop("bindAddress", "")
        local = _addresses(named.split(",")) if named else ()
        bound = local, _port(given.pop("bindPort", "0"))
    return SCTPClientEndpoint(
        reactor, hosts, port, payload, seconds, bound, times=_times(given)
    )


def _only(args: Sequence[str], count: int) -> str:
    if len(args) != count + 1:
        raise ValueError(f"{len(args)} parts, where {count + 1} are expected")
    return args[count]


def _port(text: str) -> int:
    port = int(text) if text.isdecimal() and text.isascii() else -1
    if not 0 <= port <= _MOST:
        raise ValueError(f"{text!r} is no port from 0 to {_MOST}")
    return port


def _addresses(texts: Sequence[str]) -> tuple[Address, ...]:
    if len(texts) > MAXIMUM_ADDRESSES:
        raise ValueError(f"more than {MAXIMUM_ADDRESSES} addresses")
    found = tuple(ip_address(text) for text in texts)
    if len(found) > 1 and any(each.is_unspecified for each in found):
        raise ValueError("all addresses and some of them can't be together")
    return found


def _times(options: Mapping[str, str]) -> Times:
    values: dict[str, Any] = {}
    for key, text in options.items():
        if key not in _TIMES:
            raise ValueError(f"there is no option {key}; there are {', '.join(_TIMES)}")
        name, kind, least, most = _TIMES[key]
        values[name] = kind(text)
        if not least <= values[name] <= most:
            raise ValueError(f"{key} must be from {least:g} to {most:g}")
    times = Times(**values)
    if not times.rto_minimum <= times.rto_initial <= times.rto_maximum:
        raise ValueError("rtoMinimum, rtoInitial and rtoMaximum must rise in this order")
    return times
