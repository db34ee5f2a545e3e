"""
Endpoint descriptions: where to listen and whom to call, in Twisted's notation.

``tcp:3863:interface=127.0.0.1`` listens, ``tcp:registrar.example:3863`` calls.  An IPv6
address may stand in brackets, ``tcp:[2001:db8::7]:3863``, instead of having its colons escaped.
"""

import re
from typing import Any

from twisted.internet.endpoints import (
    _parse,
    clientFromString,
    quoteStringArgument,
    serverFromString,
)
from twisted.internet.interfaces import IStreamClientEndpoint, IStreamServerEndpoint

#: What can be listened on and called; SCTP has a module of its own when it comes.
_TRANSPORTS = ("tcp", "tcp4", "tcp6")


def server(reactor: Any, description: str) -> IStreamServerEndpoint:
    """
    Make a server endpoint.

    :raise ValueError: it isn't a description, or not of a transport that there is.
    """
    _check(description, "tcp:PORT or tcp:PORT:interface=ADDRESS")
    try:
        endpoint: IStreamServerEndpoint = serverFromString(
            reactor, _with_family(_escaped(description))
        )
        return endpoint
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise ValueError(f"{description!r} isn't an endpoint to listen on: {error}") from None


def client(reactor: Any, description: str, timeout: float) -> IStreamClientEndpoint:
    """
    Make a client endpoint.

    :param timeout: seconds that a connection may take to come about.
    :raise ValueError: it isn't a description, or not of a transport that there is.
    """
    _check(description, "tcp:HOST:PORT")
    if host_of(description) is None:
        raise ValueError(f"{description!r} isn't an endpoint to call: write tcp:HOST:PORT")
    try:
        text = _escaped(description)
        text = text if "timeout=" in text else f"{text}:timeout={timeout:g}"
        endpoint: IStreamClientEndpoint = clientFromString(reactor, text)
        return endpoint
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise ValueError(f"{description!r} isn't an endpoint to call: {error}") from None


def host_of(description: str) -> str | None:
    """The host that a client description calls."""
    args, options = _parse(_escaped(description))
    host = options.get("host") or (args[1] if len(args) > 2 else None)
    return host or None


def port_of(description: str) -> int | None:
    """The port that a client description calls; None: it is no number."""
    args, options = _parse(_escaped(description))
    port = options.get("port") or (args[-1] if len(args) > 1 else "")
    return int(port) if port.isdecimal() else None


def interface_of(description: str) -> str:
    """The interface that a server description listens on; empty: on all of them."""
    _, options = _parse(_escaped(description))
    interface: str = options.get("interface", "")
    return interface


def _check(description: str, usage: str) -> None:
    kind, colon, _ = description.partition(":")
    if kind == "sctp":
        raise ValueError(f"{description!r}: this version has no SCTP transport; use {usage}")
    if not colon or kind not in _TRANSPORTS:
        raise ValueError(f"{description!r} isn't an endpoint: write {usage}")


def _escaped(description: str) -> str:
    """The description with each address in brackets as Twisted wants it."""
    return re.sub(
        r"\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]",
        lambda found: quoteStringArgument(found[1]),
        description,
    )


def _with_family(description: str) -> str:
    r"""``tcp:`` with an IPv6 interface is ``tcp6:`` in Twisted."""
    if description.startswith("tcp:") and "interface=" in description:
        interface = description.partition("interface=")[2]
        if r"\:" in interface:
            return "tcp6:" + description[4:]
    return description
