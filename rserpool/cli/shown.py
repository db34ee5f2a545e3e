"""Pools and elements as the command shows them."""

from typing import Any

import attrs

from rserpool.client import RFC, Dialect, Resolution
from rserpool.security.audit import described
from rserpool.wire import parameters
from rserpool.wire.parameters import PoolElement, SCTPTransport, UserTransport
from rserpool.wire.policies import NAMES, Policy, UnknownPolicy

_PROTOCOLS = {
    parameters.TCPTransport: "tcp",
    parameters.SCTPTransport: "sctp",
    parameters.UDPTransport: "udp",
    parameters.UDPLiteTransport: "udp-lite",
    parameters.DCCPTransport: "dccp",
}
_USES = {0: "data", 1: "data+control"}


def handle_of(text: str) -> bytes:
    """A pool handle from the command line: UTF-8, or ``hex:`` and its octets."""
    if text.startswith("hex:"):
        return bytes.fromhex(text[4:])
    return text.encode()


def resolution(found: Resolution, dialect: Dialect = RFC) -> dict[str, Any]:
    """A resolution for JSON, from a registrar that speaks like this."""
    value = {
        **described(found.handle),
        "policy": policy(found.policy)["name"],
        "elements": [element(one, dialect) for one in found.elements],
    }
    if found.distrusted:
        value["distrusted"] = [
            {**element(one.element, dialect), "doubt": one.doubt.value, "why": one.words}
            for one in found.distrusted
        ]
    return value


def element(one: PoolElement, dialect: Dialect = RFC) -> dict[str, Any]:
    """An element for JSON."""
    return {
        "pe-id": f"{one.identifier:#010x}",
        "home": f"{one.home:#010x}",
        "transport": transport(one.user_transport),
        "policy": policy(one.policy),
        "lifetime": dialect.seconds(one.life),
    }


def transport(where: UserTransport) -> dict[str, Any]:
    """A transport for JSON."""
    if isinstance(where, parameters.OpaqueTransport):
        return {"protocol": "opaque", "data": where.data.hex()}
    use = where.use if isinstance(where, SCTPTransport) else 0
    shown: dict[str, Any] = {
        "protocol": _PROTOCOLS[type(where)],
        "port": where.port,
        "addresses": [str(address) for address in where.addresses],
        "use": _USES.get(use, f"{use:#06x}"),
    }
    if isinstance(where, parameters.DCCPTransport):
        shown["service-code"] = where.service_code
    return shown


def policy(which: Policy) -> dict[str, Any]:
    """A policy for JSON."""
    if isinstance(which, UnknownPolicy):
        return {"name": f"{which.number:#010x}", "data": which.data.hex()}
    values: Any = which
    [name] = [name for name, cls in NAMES.items() if cls is type(which)]
    return {"name": name, **attrs.asdict(values)}


def line(one: dict[str, Any]) -> str:
    """An element for people."""
    where, how = one["transport"], one["policy"]
    if where["protocol"] == "opaque":
        place = f"opaque {where['data']}"
    else:
        hosts = ",".join(f"[{a}]" if ":" in a else a for a in where["addresses"])
        place = f"{where['protocol']} {hosts}:{where['port']}"
    values = " ".join(f"{key}={value}" for key, value in how.items() if key != "name")
    life = "for ever" if one["lifetime"] < 0 else f"{one['lifetime']} s"
    parts = [one["pe-id"], place, f"home {one['home']}", f"life {life}", values]
    return "  ".join(part for part in parts if part)
