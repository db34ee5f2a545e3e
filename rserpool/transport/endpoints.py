"""
Endpoint descriptions: where to listen and whom to call, in Twisted's notation.

``tcp:3863:interface=127.0.0.1`` listens, ``tcp:registrar.example:3863`` calls.  An IPv6
address may stand in brackets, ``tcp:[2001:db8::7]:3863``, instead of having its colons escaped.
``sctp:`` has several addresses where ``tcp:`` has one: see
:mod:`rserpool.transport.sctp.description`.
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

from rserpool.transport.sctp import description as sctp
from rserpool.transport.sctp.payload import Payload

#: What can be listened on and called.
_TRANSPORTS = ("tcp", "tcp4", "tcp6", "sctp")


def server(
    reactor: Any, description: str, payload: Payload = Payload.ASAP
) -> IStreamServerEndpoint:
    """
    Make a server endpoint.

    :param payload: what is carried by it, where it is SCTP's.
    :raise ValueError: it isn't a description, or not of a transport that there is.
    """
    _check(description, "tcp:PORT or tcp:PORT:interface=ADDRESS")
    try:
        if is_sctp(description):
            args, options = _parse(_escaped(description))
            return sctp.listening(reactor, args, options, payload)
        endpoint: IStreamServerEndpoint = serverFromString(
            reactor, _with_family(_escaped(description))
        )
        return endpoint
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise ValueError(
            f"{description!r} isn't an endpoint to listen on: {_why(error)}"
        ) from None


def client(
    reactor: Any, description: str, timeout: float, payload: Payload = Payload.ASAP
) -> IStreamClientEndpoint:
    """
    Make a client endpoint.

    :param timeout: seconds that a connection may take to come about.
    :param payload: what is carried by it, where it is SCTP's.
    :raise ValueError: it isn't a description, or not of a transport that there is.
    """
    _check(description, "tcp:HOST:PORT")
    if host_of(description) is None:
        raise ValueError(f"{description!r} isn't an endpoint to call: write tcp:HOST:PORT")
    try:
        text = _escaped(description)
        if is_sctp(description):
            args, options = _parse(text)
            return sctp.calling(reactor, args, options, timeout, payload)
        text = text if "timeout=" in text else f"{text}:timeout={timeout:g}"
        endpoint: IStreamClientEndpoint = clientFromString(reactor, text)
        return endpoint
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise ValueError(f"{description!r} isn't an endpoint to call: {_why(error)}") from None


def is_sctp(description: str) -> bool:
    """Whether it is SCTP that a description is of."""
    return description.partition(":")[0] == "sctp"


def hosts_of(description: str) -> tuple[str, ...]:
    """The hosts that a client description calls: of SCTP, all the addresses of one peer."""
    args, options = _parse(_escaped(description))
    host = options.get("host") or (args[1] if len(args) > 2 else "")
    hosts = host.split(",") if is_sctp(description) else [host]
    return tuple(filter(None, hosts))


def host_of(description: str) -> str | None:
    """The host that a client description calls, or the first of them."""
    return next(iter(hosts_of(description)), None)


def port_of(description: str) -> int | None:
    """The port that a client description calls; None: it is no number."""
    args, options = _parse(_escaped(description))
    port = options.get("port") or (args[-1] if len(args) > 1 else "")
    return int(port) if port.isdecimal() else None


def interface_of(description: str) -> str:
    """
    The interface that a server description listens on; empty: on all of them.

    Of SCTP there may be several, with commas between them.
    """
    _, options = _parse(_escaped(description))
    interface: str = options.get("interface", "")
    return interface


def _why(error: Exception) -> str:
    """What Twisted's parsers have to say, without what is Python's in it."""
    words = str(error)
    number = re.search(r"invalid literal for int\(\) .*?: (.+)", words)
    if number is not None:
        return f"{number[1]} isn't a number"
    option = re.search(r"unexpected keyword argument ('\w+')", words)
    return words if option is None else f"there is no option {option[1]}"


def _check(description: str, usage: str) -> None:
    kind, colon, _ = description.partition(":")
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
