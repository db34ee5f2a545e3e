"""Where a registrar listens, or is said to, and how that is called."""

from ipaddress import ip_address

import attrs

from rserpool.cli.doctor.finding import Finding, note
from rserpool.cli.outcome import Failure
from rserpool.service.config import Config
from rserpool.service.kinds import port_of
from rserpool.service.settings import Reader
from rserpool.transport import endpoints


@attrs.frozen
class Place:
    """
    One listener.

    :ivar host, port: how it is called from here.
    :ivar where: who says that it listens: ``file:line``, or the command line.
    """

    protocol: str  # ``asap`` or ``enrp``
    secure: bool
    description: str
    host: str
    port: int
    where: str

    @property
    def name(self) -> str:
        """What it is called in findings."""
        kind = "TLS" if self.secure else "plain"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.protocol.upper()} {host}:{self.port} ({kind})"


def unseen(config: Config, reader: Reader) -> list[Finding]:
    """Say of which listeners nothing can be said."""
    table = config.registrar
    return [
        note(
            "sctp",
            f"{description}: doctor looks at TCP alone, and not at this listener",
            reader.place("registrar", key, entry),
        )
        for key, descriptions in (
            ("asap", table.asap),
            ("asap-tls", table.asap_tls),
            ("enrp", table.enrp),
            ("enrp-tls", table.enrp_tls),
        )
        for entry, description in enumerate(descriptions)
        if endpoints.is_sctp(description)
    ]


def configured(config: Config, reader: Reader) -> list[Place]:
    """Return the listeners of a configuration, over TCP."""
    table = config.registrar
    found = []
    for protocol, key, secure, descriptions in (
        ("asap", "asap", False, table.asap),
        ("asap", "asap-tls", True, table.asap_tls),
        ("enrp", "enrp", False, table.enrp),
        ("enrp", "enrp-tls", True, table.enrp_tls),
    ):
        for entry, description in enumerate(descriptions):
            where = reader.place("registrar", key, entry)
            host, port = address_of(description), port_of(description)
            if not endpoints.is_sctp(description):
                found.append(Place(protocol, secure, description, host, port, where))
    return found


def called(description: str, secure: bool) -> Place:
    """
    Return what the command line names.

    :raise ValueError: it isn't an endpoint that can be called.
    """
    endpoints.client(None, description, 1.0)
    if endpoints.is_sctp(description):
        raise Failure(f"{description!r}: doctor looks at TCP alone, as yet")
    host, port = endpoints.host_of(description), endpoints.port_of(description)
    if not host or not port:
        raise ValueError(f"{description!r}: which host, and which port? Write tcp:HOST:PORT")
    return Place("asap", secure, description, host, port, "--registrar")


def address_of(description: str) -> str:
    """The address by which a listener of this host is reached from here."""
    interface = endpoints.interface_of(description).replace("\\:", ":").strip("[]")
    if not interface:
        return "::1" if description.startswith("tcp6:") else "127.0.0.1"
    try:
        address = ip_address(interface)
    except ValueError:
        return interface
    if address.is_unspecified:
        return "::1" if ":" in interface else "127.0.0.1"
    return str(address)
