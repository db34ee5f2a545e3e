"""Kinds of settings that name something outside: where to listen, whom to call, files."""

import os
import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from rserpool.security.certificate import files
from rserpool.service.settings import text
from rserpool.transport import endpoints

_PORT = re.compile(
    r"""
    (?:tcp[46]?|sctp):
    (?:[a-zA-Z]+=(?:\\.|\[[^\]]*\]|[^:\\\[])*:)*  # interface= and the like, colons escaped
    (?:port=)?(-?[0-9]+)
    """,
    re.VERBOSE,
)
_MOST = 65535
_CALLED = re.compile(r"(?:tcp[46]?|sctp):")

#: The kinds of providers whose argument is a file.
_BY_FILE = ("psk", "rules")
#: Those around another provider, with what stands before it.
_AROUND = re.compile(r"(slow:[^:]*:|refuse-all:|raise-always:)(.+)", re.DOTALL)


def file(value: object) -> str:
    """
    A path, made absolute: what is read again later is the same file then.

    A daemon works in another directory than the one in which it was started.
    """
    path = text(value)
    if not path.isprintable():
        raise ValueError("must be the path of a file")
    return os.path.abspath(path)


def provider(value: object) -> str:
    """``KIND:ARGS``, what a plugin provides."""
    around = _AROUND.fullmatch(text(value))
    if around is not None:
        return around[1] + provider(around[2])
    kind, _, argument = text(value).partition(":")
    if kind == "certificate" and argument:
        path, crls = files.split(argument)
        return f"{kind}:{files.CRL.join(file(each) for each in (path, *crls))}"
    return f"{kind}:{file(argument)}" if kind in _BY_FILE and argument else text(value)


def endpoint(value: object) -> str:
    """Where to listen."""
    description = text(value)
    endpoints.server(None, description)
    port = _PORT.match(description)
    if port is None or not 0 <= int(port[1]) <= _MOST:
        raise ValueError(f"{description!r} has no port from 0 to {_MOST}")
    return description


def peer(value: object) -> str:
    """``[NAME=]ENDPOINT``: another registrar."""
    name, description = split_peer(text(value))
    endpoints.client(None, description, 1.0)
    port = endpoints.port_of(description)
    if port is None or not 0 < port <= _MOST:
        raise ValueError(f"{description!r} has no port from 1 to {_MOST}")
    if name is not None and (name != name.strip() or not name.isprintable() or not name):
        raise ValueError(f"{name!r} can't be a registrar's name: write NAME=tcp:HOST:PORT")
    return text(value)


def split_peer(target: str) -> tuple[str | None, str]:
    """The name and the endpoint of another registrar."""
    if _CALLED.match(target):
        return None, target
    # The last of them: a URI may be a name, and have an equals sign in it.
    found = [*re.finditer(r"=(?=(?:tcp[46]?|sctp):)", target)]
    at = found[-1].start() if found else target.find("=")
    return (target[:at], target[at + 1 :]) if at >= 0 else (None, target)


def concrete_interfaces(description: str) -> tuple[IPv4Address | IPv6Address, ...]:
    """The addresses that an endpoint listens on: one, or with SCTP several; none: on all."""
    try:
        found = [ip_address(host) for host in endpoints.interface_of(description).split(",")]
    except ValueError:
        return ()
    return () if any(address.is_unspecified for address in found) else tuple(found)


def port_of(description: str) -> int:
    """The port that an endpoint listens on."""
    found = _PORT.match(description)
    assert found is not None, "checked by `endpoint`"
    return int(found[1])


def local_endpoint(value: object) -> str:
    """Where to listen; on this host alone unless it says ``interface=``."""
    description = endpoint(value)
    if endpoints.is_sctp(description):
        raise ValueError(f"{description!r}: it is served over HTTP; write tcp:PORT")
    if "interface=" in description:
        return description
    if description.count(":") > 1 and "=" not in description:
        raise ValueError(f"{description!r}: write the interface as interface=ADDRESS")
    address = r"\:\:1" if description.startswith("tcp6:") else "127.0.0.1"
    return endpoint(f"{description}:interface={address}")
