"""
``twistd rserpool-pe``: registers a server in a pool while it works.

The server needs to know nothing of RSerPool: a check tells whether it works.
"""

import random
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from rserpool.client import (
    Certified,
    Membership,
    Notice,
    Plain,
    PoolElement,
    PreSharedKey,
    Refused,
    Security,
    What,
)
from rserpool.security.psk.entry import pe_identifier
from rserpool.service.check import Check, check
from rserpool.service.load import load as ask_load
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
from rserpool.service.spawn import Spawned, program_exists
from rserpool.transport import endpoints
from rserpool.wire import policies
from rserpool.wire.parameters import TCPTransport
from rserpool.wire.policies import NAMES, Policy

#: Checks in a row that must fail before the service is taken out of its pool: a single
#: lost packet isn't an end.  One that holds brings it back.
FAILURES = 2
#: A load that has changed by so much is told at once, not at the next renewal.
NOTABLE = 0x19999999  # a tenth


def parse_policy(value: object) -> Policy:
    """
    Read ``round-robin`` or ``weighted-round-robin:weight=3``.

    Loads aren't given: they are asked for.

    :raise ValueError: there is no such policy, or it has no such value.
    """
    name, _, rest = text(value).partition(":")
    if name not in NAMES:
        raise ValueError(f"{name!r} isn't a policy; there are {', '.join(NAMES)}")
    wanted = [field.name for field in attrs.fields(NAMES[name]) if field.name != "load"]
    values: dict[str, int] = {}
    for part in rest.split(":") if rest else ():
        key, equals, digits = part.partition("=")
        if key not in wanted or not equals:
            raise ValueError(f"{name} has no {key!r}; it has {', '.join(wanted) or 'nothing'}")
        values[key] = whole(0, 0xFFFFFFFF)(digits)
    missing = [key for key in wanted if key not in values]
    if missing:
        raise ValueError(f"{name} needs {', '.join(f'{key}=NUMBER' for key in missing)}")
    if hasattr(NAMES[name], "load"):
        values["load"] = 0
    policy: Policy = NAMES[name](**values)
    return policy


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
    try:
        ip_address(host)
    except ValueError:
        raise ValueError(
            f"{host!r} isn't an IP address: users are given the address as it stands here"
        ) from None
    return host, int(port)


def _check(value: object) -> str:
    kind = text(value)
    check(None, kind, "", 0)
    return kind


def _command(value: object) -> str:
    command = text(value)
    if not program_exists(command):
        raise ValueError(f"there is no program {command.split()[0]!r} here")
    return command


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
    security: str = setting(
        choice("required", "none"), default="required", option="required|none",
        help="whether the registrars are secure (the default)",
    )  # fmt: skip
    identity: str | None = setting(
        text, default=None, option="NAME", help="whose key to use; if the file has several"
    )
    psk: str | None = setting(
        text, default=None, option="FILE", help="a key file with this element's key"
    )
    certificate: str | None = setting(
        text, default=None, option="FILE", help="instead of a key: a client certificate (PEM)"
    )
    private_key: str | None = setting(
        text, default=None, option="FILE", help="the private key of the certificate (PEM)"
    )
    ca: str | None = setting(
        text, default=None, option="FILE",
        help="with a certificate: the authorities that registrars are believed by",
    )  # fmt: skip
    name: str | None = setting(
        text, default=None, option="NAME",
        help="with a certificate: the registrars' name, if not the host that is called",
    )  # fmt: skip
    tls_minimum: str = setting(
        choice("1.3", "1.2"), default="1.3", option="1.3|1.2", help="the oldest version of TLS"
    )
    policy: Policy = setting(
        parse_policy, default=policies.RoundRobin(), option="NAME[:KEY=VALUE]",
        help="the pool's selection policy, like weighted-round-robin:weight=3",
    )  # fmt: skip
    load: str | None = setting(
        _command, default=None, option="COMMAND",
        help="prints the load for an adaptive policy, 0 to 1 or 0% to 100%; without it, the "
        "machine's load",
    )  # fmt: skip
    lifetime: int = setting(
        whole(1, 0x7FFFFFFF), default=300, option="SECONDS",
        help="how long a registration holds; it is renewed in time",
    )  # fmt: skip
    pe_id: int | None = setting(
        lambda value: value if isinstance(value, int) else pe_identifier(text(value)),
        default=None, option="N", help="the PE identifier, decimal or 0x; random if not given",
    )  # fmt: skip
    check: str = setting(
        _check, default="tcp", option="tcp|http:PATH|none",
        help="how to find out whether the service works",
    )  # fmt: skip
    check_interval: float = setting(
        number(0.1, 86400), default=2.0, option="SECONDS", help="between two checks"
    )
    spawn: str | None = setting(
        _command, default=None, option="COMMAND", help="run and supervise the service itself"
    )


TABLES: dict[str, type] = {"element": ElementTable}


def load(path: str | None, overrides: Iterable[Override]) -> tuple[ElementTable, Security]:
    """
    Read a configuration.

    :raise ConfigError: all that is wrong with it.
    """
    reader = Reader(TABLES)
    table: ElementTable = reader.read(path, overrides)["element"]
    for key in ("pool", "service", "registrar"):
        if not getattr(table, key) and not any(f"-{key}:" in fault for fault in reader.faults):
            reader.fault("element", key, "is missing")
    security: Security = Plain()
    for key, words in _contradictions(table):
        reader.fault("element", key, words)
    if not reader.faults:
        try:
            security = _security(table)
        except (OSError, ValueError) as error:
            key = "psk" if table.psk else "certificate"
            words = str(error)
            if isinstance(error, OSError):
                words = f"{error.filename} can't be read: {error.strerror}"
            for line in words.splitlines():
                reader.fault("element", key, line)
    reader.check()
    return table, security


def _contradictions(table: ElementTable) -> Iterable[tuple[str, str]]:
    given = [key for key in ("psk", "certificate", "ca") if getattr(table, key)]
    if table.security == "none":
        for key in given:
            yield key, "security is none: leave this out, or set security to required"
    elif table.psk and table.certificate:
        yield "certificate", "there is a psk already: give one of the two"
    elif not table.psk and not table.certificate:
        yield "psk", "security is required: give psk (a key file), or certificate"
    if bool(table.certificate) != bool(table.private_key):
        yield "private-key", "certificate and private-key go together"


def _security(table: ElementTable) -> Security:
    if table.security == "none":
        return Plain()
    if table.psk:
        return PreSharedKey.from_file(table.psk, table.identity, table.tls_minimum)
    assert table.certificate is not None
    assert table.private_key is not None
    return Certified.with_files(table.ca, table.name, table.certificate, table.private_key)


Options = options(
    "Options",
    TABLES,
    load,
    "Registers a server in a pool while it works, and takes it out when it doesn't. The "
    "server needs to know nothing of it. For example: twistd -n rserpool-pe --pool web "
    "--service tcp:192.0.2.7:80 --registrar tcp:registrar.example:3864 --psk web-1.psk "
    "--check http:/health",
)


def makeService(parsed: Any) -> "ElementService":  # noqa: N802 - Twisted's name
    """Make the service that `parsed` options ask for."""
    from twisted.internet import reactor

    table, security = parsed.configuration
    return ElementService(reactor, table, security)


class ElementService(Service):
    """The wrapper of one server."""

    _log = Logger(namespace="rserpool.pe")

    def __init__(self, reactor: Any, table: ElementTable, security: Security) -> None:
        assert table.service is not None
        assert table.pool is not None
        host, port = table.service
        self._reactor = reactor
        self._table = table
        self._check: Check = check(reactor, table.check, host, port)
        self._checks = LoopingCall(self._look)
        self._checks.clock = reactor
        self._spawned = Spawned(reactor, table.spawn) if table.spawn else None
        self._failures = 0
        self._works: bool | None = None
        self._element = PoolElement(
            reactor,
            table.registrar,
            security,
            Membership(
                handle=table.pool.encode(),
                identifier=table.pe_id or _identifier(),
                life=table.lifetime,
                transport=TCPTransport(port=port, addresses=(ip_address(host),)),
                policy=table.policy,
            ),
            notify=self._happened,
        )

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Start the server, if that is asked for, and look at it."""
        super().startService()  # type: ignore[no-untyped-call]
        if self._spawned is not None:
            self._spawned.start()
        self._checks.start(self._table.check_interval)

    def stopService(self) -> "Deferred[Any]":  # noqa: N802 - Twisted's name
        """Leave the pool first, then end the server: nobody is sent to a dead one."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._checks.running:
            self._checks.stop()
        spawned = self._spawned
        stopping = self._element.stop(timeout=3.0)
        return stopping.addBoth(lambda _: spawned.stop() if spawned else None)

    def _look(self) -> "Deferred[Any]":
        return self._check().addCallback(self._seen)

    def _seen(self, wrong: str) -> "Deferred[Any]":
        if not self.running:
            return succeed(None)
        if not wrong:
            self._failures = 0
            return self._working()
        self._failures += 1
        if self._works is not False and (self._works is None or self._failures >= FAILURES):
            self._works = False
            self._log.error("the service doesn't work: {wrong}", wrong=wrong)
            if self._element.registered:
                return self._element.withdraw()
        return succeed(None)

    def _working(self) -> "Deferred[Any]":
        done: Deferred[Any] = self._loaded()
        if not self._works:
            self._works = True
            self._log.info("the service works")
            done.addCallback(lambda _: self._join())
        return done

    def _join(self) -> None:
        self._element.start().addErrback(self._refused)

    def _refused(self, failure: Any) -> None:
        failure.trap(Refused)
        self._log.critical(
            "the registrar refuses this element: {why}. Correct that and start again",
            why=failure.getErrorMessage(),
        )

    def _loaded(self) -> "Deferred[Any]":
        """Ask for a fresh load; tell at once when it has changed notably."""
        policy: Any = self._element.membership.policy
        if not hasattr(policy, "load"):
            return succeed(None)

        def fresh(value: int) -> None:
            if abs(value - policy.load) >= NOTABLE or not self._works:
                changed = attrs.evolve(policy, load=value)
                self._element.update(attrs.evolve(self._element.membership, policy=changed))

        return ask_load(self._reactor, self._table.load).addCallbacks(
            fresh,
            lambda failure: self._log.error(
                "the load command failed: {why}", why=failure.getErrorMessage()
            ),
        )

    def _happened(self, notice: Notice) -> None:
        member = self._element.membership
        facts = {
            "pool": self._table.pool, "id": f"{member.identifier:#010x}", "words": notice.words,
        }  # fmt: skip
        level, line = _LINES[notice.what]
        getattr(self._log, level)(line, **facts)


_LINES: dict[What, tuple[str, str]] = {
    What.LINKED: ("info", "the home registrar is {words}"),
    What.UNLINKED: ("warn", "the home registrar was lost: {words}; looking for another"),
    What.UNREACHABLE: ("warn", "not reached: {words}"),
    What.REGISTERED: ("info", "registered in pool {pool} as {id}"),
    What.RENEWED: ("debug", "registration in pool {pool} as {id} renewed"),
    What.REJECTED: ("error", "the registration was rejected, and is tried again: {words}"),
    What.REFUSED: ("error", "the registration was refused: {words}"),
    What.EXPIRED: ("warn", "the registration had expired; registering again"),
    What.WITHDRAWN: ("info", "left pool {pool}"),
    What.ADOPTED: ("info", "{words}"),
}


def _identifier() -> int:
    """A random PE identifier (RFC 5352 section 3.1, R2.2)."""
    return random.SystemRandom().randint(1, 0xFFFFFFFF)


__all__ = ["ElementService", "Options", "makeService"]
