"""What ``twistd rserpool-pe`` can be told: options, which are keys of ``[element]``, too."""

import socket
from collections.abc import Iterable
from functools import partial
from ipaddress import ip_address

import attrs

from rserpool.client import RSPLIB, Dialect, Plain, Security, Signer
from rserpool.client.listening import SILENT, UNNAMED, Announcements
from rserpool.security.psk.entry import pe_identifier
from rserpool.service import check as checks
from rserpool.service import interop, own, signing
from rserpool.service.groups import asap_group, interface
from rserpool.service.kinds import file
from rserpool.service.options import options
from rserpool.service.settings import (
    Override,
    Reader,
    choice,
    number,
    setting,
    text,
    whole,
)
from rserpool.service.spawn import words_of
from rserpool.transport import announce, endpoints
from rserpool.wire import policies
from rserpool.wire.policies import NAMES, Policy

#: What 32 bits with a sign can say (RFC 5354 section 3.10).
LONGEST_LIFE = 0x7FFFFFFF
#: What an element can't know, and what is a share of 2**32.
_NOT_GIVEN = ("load", "distance")
_SHARES = ("degradation", "dpf")


def parse_policy(value: object) -> Policy:
    """
    Read ``round-robin`` or ``weighted-round-robin:weight=3``.

    Loads aren't given: they are asked for; nor are distances: the registrar measures them.
    A fraction, of a load or a weight, may be written as 0.25 or as a share of 2**32.

    :raise ValueError: there is no such policy, or it has no such value.
    """
    name, _, rest = text(value).partition(":")
    if name not in NAMES:
        raise ValueError(f"{name!r} isn't a policy; there are {', '.join(NAMES)}")
    wanted = [f.name for f in attrs.fields(NAMES[name]) if f.name not in _NOT_GIVEN]
    values: dict[str, int] = {}
    for part in rest.split(":") if rest else ():
        key, equals, digits = part.partition("=")
        if key not in wanted or not equals:
            raise ValueError(f"{name} has no {key!r}; it has {', '.join(wanted) or 'nothing'}")
        values[key] = _share(digits) if key in _SHARES else whole(0, 0xFFFFFFFF)(digits)
    missing = [key for key in wanted if key not in values]
    if missing:
        raise ValueError(f"{name} needs {', '.join(f'{key}=NUMBER' for key in missing)}")
    if hasattr(NAMES[name], "load"):
        values["load"] = 0
    policy: Policy = NAMES[name](**values)
    return policy


def _share(digits: str) -> int:
    """A share of 2**32: a fraction, or the number itself."""
    if "." in digits:
        fraction: float = number(0.0, 1.0)(digits)
        return min(0xFFFFFFFF, round(fraction * 2**32))
    share: int = whole(0, 0xFFFFFFFF)(digits)
    return share


def _registrar(value: object) -> str:
    description = text(value)
    endpoints.client(None, description, 1.0)
    return description


def _service(value: object) -> tuple[str, int]:
    description = text(value)
    kind, _, rest = description.partition(":")
    host, _, port = rest.rpartition(":")
    host = host.replace("\\:", ":").strip("[]")
    if kind != "tcp" or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{description!r} isn't a service: write tcp:ADDRESS:PORT")
    return _address(host, int(port)), int(port)


def _address(host: str, port: int) -> str:
    """
    The address that users are given.

    A name is looked up now, and its IPv4 address taken if it has one: a registration holds
    exactly one address, and most servers listen there.
    """
    try:
        found = [str(ip_address(host))]
    except ValueError:
        try:
            known = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise ValueError(f"{host!r} has no address: {error.strerror}") from None
        found = [str(entry[4][0]) for entry in sorted(known, key=_family)]
    address = ip_address(found[0].partition("%")[0])
    if address.is_unspecified or address.is_multicast:
        raise ValueError(f"{host} isn't an address that users can reach: give this host's own")
    return str(address)


def _family(entry: tuple[object, ...]) -> bool:
    return entry[0] != socket.AF_INET


def _check(value: object) -> str:
    kind = text(value)
    checks.check(None, kind, "", 0)
    return kind


def _program(value: object) -> str:
    command = text(value)
    words_of(command)
    return command


def _identifier(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return pe_identifier(text(value))


@attrs.frozen(kw_only=True)
class ElementTable:
    """``[element]``: which service, in which pool, known to which registrars."""

    pool: str | None = setting(text, default=None, option="HANDLE", help="the pool to join")
    service: tuple[str, int] | None = setting(
        _service, default=None, option="tcp:ADDRESS:PORT",
        help="where users reach the service",
    )  # fmt: skip
    registrar: tuple[str, ...] = setting(
        _registrar, default=(), many=True, option="ENDPOINT",
        help="a registrar, like tcp:registrar.example:3864",
    )  # fmt: skip
    announce: tuple[str, ...] = setting(
        asap_group, default=(), many=True, option="GROUP",
        help="find registrars that announce themselves there by multicast: ADDRESS:PORT, iana, "
        "iana6, rsplib; those given as registrar come first",
    )  # fmt: skip
    announce_interface: str | None = setting(
        interface, default=None, option="INTERFACE",
        help="listen by this interface, by name or IPv4 address",
    )  # fmt: skip
    silent_transport: str = setting(
        choice(*SILENT), default=SILENT[0], option="sctp|tcp",
        help="how a registrar is called that announces no transport",
    )  # fmt: skip
    security: str = setting(
        choice("required", "none"), default="required", option="required|none",
        help="whether the registrars are secure (the default)",
    )  # fmt: skip
    identity: str | None = setting(
        text, default=None, option="NAME", help="whose key to use; if the file has several"
    )
    psk: str | None = setting(
        file, default=None, option="FILE", help="a key file with this element's key"
    )
    certificate: str | None = setting(
        file, default=None, option="FILE", help="instead of a key: a client certificate (PEM)"
    )
    private_key: str | None = setting(
        file, default=None, option="FILE", help="the private key of the certificate (PEM)"
    )
    ca: str | None = setting(
        file, default=None, option="FILE",
        help="with a certificate: the authorities that registrars are believed by",
    )  # fmt: skip
    crl: str | None = setting(
        file, default=None, option="FILE", help="with ca: what these authorities have revoked"
    )
    name: str | None = setting(
        text, default=None, option="NAME",
        help="with a certificate: the registrars' name, if not the host that is called",
    )  # fmt: skip
    tls_minimum: str = setting(
        choice("1.3", "1.2"), default="1.3", option="1.3|1.2", help="the oldest version of TLS"
    )
    signing_key: str | None = setting(
        file, default=None, option="FILE",
        help="sign what is registered by this private key (Ed25519, PEM)",
    )  # fmt: skip
    signing_certificate: str | None = setting(
        file, default=None, option="FILE",
        help="the certificate of the signing key, which is sent along; else users need a list",
    )  # fmt: skip
    policy: Policy = setting(
        parse_policy, default=policies.RoundRobin(), option="NAME[:KEY=VALUE]",
        help="the pool's selection policy, like weighted-round-robin:weight=3",
    )  # fmt: skip
    load: str | None = setting(
        text, default=None, option="COMMAND",
        help="prints the load for an adaptive policy, 0 to 1 or 0% to 100%, run by the shell; "
        "without it, the machine's load",
    )  # fmt: skip
    lifetime: int = setting(
        whole(1, LONGEST_LIFE), default=300, option="SECONDS",
        help="how long a registration holds; it is renewed in time",
    )  # fmt: skip
    pe_id: int | None = setting(
        _identifier, default=None, option="N",
        help="the PE identifier, decimal or 0x; random if not given",
    )  # fmt: skip
    check: str = setting(
        _check, default="tcp", option="tcp|http:PATH|none",
        help="how to find out whether the service works",
    )  # fmt: skip
    check_interval: float = setting(
        number(0.1, 86400), default=2.0, option="SECONDS", help="between two checks"
    )
    check_timeout: float = setting(
        number(0.1, 86400), default=checks.TIMEOUT, help="how long a check may take"
    )
    check_failures: int = setting(
        whole(1, 1000), default=checks.FAILURES,
        help="so many checks in a row must fail before the service leaves the pool",
    )  # fmt: skip
    spawn: str | None = setting(
        _program, default=None, option="COMMAND", help="run and supervise the service itself"
    )

    @property
    def announcements(self) -> Announcements | None:
        """Where registrars announce themselves, if that shall be heard."""
        if not self.announce:
            return None
        return Announcements(
            groups=tuple(announce.asap_group(group) for group in self.announce),
            interface=self.announce_interface,
            silent=self.silent_transport,
        )


@attrs.frozen(kw_only=True)
class InteropTable:
    """``[interop]``: what the registrars need that it finds; the defaults are the RFCs'."""

    profile: str = interop.profile_setting
    life_unit: str = interop.life_unit_setting
    renewals: int = setting(
        whole(0, 100), default=0, rsplib=RSPLIB.renewals,
        help="how often a registration is renewed within its lifetime; 0: as RFC 5352 has it",
    )  # fmt: skip
    handle_bytes: int = setting(
        whole(0, 0xFFFF), default=0, rsplib=RSPLIB.handle_bytes,
        help="octets of a pool handle that the registrars bear; 0: any",
    )  # fmt: skip

    @property
    def dialect(self) -> Dialect:
        """The same for the element."""
        return Dialect(
            life_units=round(1 / interop.LIFE_UNITS[self.life_unit]),
            handle_bytes=self.handle_bytes,
            renewals=self.renewals,
        )


TABLES: dict[str, type] = {"element": ElementTable, "interop": InteropTable}


def load(
    path: str | None, overrides: Iterable[Override]
) -> tuple[ElementTable, Security, Dialect, Signer | None]:
    """
    Read a configuration, and the keys and certificates that it names.

    :raise ConfigError: all that is wrong with it.
    """
    reader = Reader(TABLES)
    tables = interop.profiled(reader.read(path, overrides), reader.given)
    table: ElementTable = tables["element"]
    dialect: Dialect = tables["interop"].dialect
    for key in ("pool", "service", "registrar"):
        if not getattr(table, key) and not _at_fault(reader, key):
            if key != "registrar":
                reader.fault("element", key, "is missing")
            elif not table.announce and not _at_fault(reader, "announce"):
                reader.fault("element", key, "is missing; give one, or announce")
    security: Security = Plain()
    fault = partial(reader.fault, "element")
    contradictions = [*_contradictions(table), *_unbearable(table, dialect)]
    for key, words in contradictions:
        if not _at_fault(reader, key):
            reader.fault("element", key, words)
    if not contradictions:
        security = own.security(table, fault) or security
    signer = signing.read(table.signing_key, table.signing_certificate, table.pool, fault)
    reader.check()
    return table, security, dialect, signer


def _at_fault(reader: Reader, key: str) -> bool:
    """Whether something was said of this key already: it was given, but is no good."""
    marks = f"--{key}: ", f": element.{key}: "
    return any(fault.startswith(marks[0]) or marks[1] in fault for fault in reader.faults)


def _contradictions(table: ElementTable) -> Iterable[tuple[str, str]]:
    given = [key for key in ("psk", "certificate", "ca", "crl") if getattr(table, key)]
    if table.security == "none":
        for key in given:
            yield key, "security is none: leave this out, or set security to required"
    elif table.psk and table.certificate:
        yield "certificate", "there is a psk already: give one of the two"
    elif not table.psk and not table.certificate:
        yield "psk", "security is required: give psk (a key file), or certificate"
    elif table.psk and table.crl:
        yield "crl", "with psk the key proves the registrar: leave this out"
    elif table.crl and not table.ca:
        yield "crl", "a revocation list needs its authorities beside it: give ca"
    if table.announce and table.certificate and not (table.ca or table.name):
        yield "announce", UNNAMED
    if bool(table.certificate) != bool(table.private_key):
        yield "private-key", "certificate and private-key go together"


def _unbearable(table: ElementTable, dialect: Dialect) -> Iterable[tuple[str, str]]:
    """What the registrars can't take."""
    objection = dialect.objection((table.pool or "").encode())
    if objection:
        yield "pool", objection
    if dialect.life(table.lifetime) > LONGEST_LIFE:
        most = LONGEST_LIFE // dialect.life_units
        yield "lifetime", f"in {dialect.life_units} units a second, {most} s are the most"


Options = options(
    "Options",
    TABLES,
    load,
    "Registers a server in a pool while it works, and takes it out when it doesn't. The "
    "server needs to know nothing of it. For example: twistd -n rserpool-pe --pool web "
    "--service tcp:192.0.2.7:80 --registrar tcp:registrar.example:3864 --psk web-1.psk "
    "--check http:/health",
)
