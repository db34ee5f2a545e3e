"""Kinds of settings that name something outside: where to listen, files, providers."""

import os
import re

from rserpool.service.settings import text
from rserpool.transport import endpoints

_PORT = re.compile(
    r"""
    tcp[46]?:
    (?:[a-z]+=(?:\\.|\[[^\]]*\]|[^:\\\[])*:)*  # interface= and the like, colons escaped
    (?:port=)?(-?[0-9]+)
    """,
    re.VERBOSE,
)
_MOST = 65535

#: The kinds of providers whose argument is a file.
_BY_FILE = ("psk", "certificate", "rules")


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
    kind, _, argument = text(value).partition(":")
    return f"{kind}:{file(argument)}" if kind in _BY_FILE and argument else text(value)


def endpoint(value: object) -> str:
    """Where to listen."""
    description = text(value)
    endpoints.server(None, description)
    port = _PORT.match(description)
    if port is None or not 0 <= int(port[1]) <= _MOST:
        raise ValueError(f"{description!r} has no port from 0 to {_MOST}")
    return description


def local_endpoint(value: object) -> str:
    """Where to listen; on this host alone unless it says ``interface=``."""
    description = endpoint(value)
    if "interface=" in description:
        return description
    if description.count(":") > 1 and "=" not in description:
        raise ValueError(f"{description!r}: write the interface as interface=ADDRESS")
    address = r"\:\:1" if description.startswith("tcp6:") else "127.0.0.1"
    return endpoint(f"{description}:interface={address}")
