"""``twistd rserpool-enrp``: makes and wires a registrar."""

import gc
import random
import signal
import time
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.logger import Logger

from rserpool.handlespace.handlespace import Handlespace
from rserpool.registrar.effects import Audit
from rserpool.registrar.events import Protocol
from rserpool.registrar.registrar import Registrar
from rserpool.security.audit import AuditLog
from rserpool.security.audit.journal import Journal
from rserpool.security.audit.log import stamp
from rserpool.security.budgets import Budgets
from rserpool.security.gate import Gate
from rserpool.security.psk.pairwise import objection
from rserpool.security.psk.tls import Reason, ServerCreator
from rserpool.service import interop
from rserpool.service.announcer import Announcer
from rserpool.service.caller import Caller
from rserpool.service.config import Config, read
from rserpool.service.dialler import Dialler
from rserpool.service.driver import Driver
from rserpool.service.ends import Ends
from rserpool.service.introduction import introduction
from rserpool.service.material import Material
from rserpool.service.options import options, release
from rserpool.service.reminder import Reminder
from rserpool.service.session import Sessions
from rserpool.service.settings import Override
from rserpool.service.start import CannotStart, cannot_listen, first_failure
from rserpool.service.status import Status
from rserpool.service.tables import TABLES
from rserpool.transport import endpoints
from rserpool.transport.allowance import Allowance
from rserpool.transport.listener import Listener
from rserpool.transport.sctp.payload import Payload
from rserpool.transport.watch import Watch

#: Seconds in which every session is looked at once: whether its credential is gone.  Ends that
#: are known beforehand have a timer (:mod:`rserpool.service.ends`); a plugin's may come at any
#: time.
CREDENTIALS_CHECK = 15


def load_all(path: str | None, overrides: list[Override]) -> tuple[Config, Material]:
    """
    Read a configuration and all the files that it names.

    :raise ConfigError: all that is wrong.
    """
    reader, config = read(path, overrides)
    material = Material(config)
    for key, words in material.faults:
        reader.fault("registrar", key, words)
    reader.check()
    for key, words in material.unusable():
        reader.fault("registrar", key, words)
    reader.check()
    return config, material


Options = options(
    "Options",
    TABLES,
    load_all,
    "Runs a registrar (ENRP server) of Reliable Server Pooling. To begin: 'rserpool init "
    "DIR' makes keys, certificates and a registrar.toml; then 'twistd -n --pidfile= "
    "rserpool-enrp --config DIR/registrar.toml'.",
)


def makeService(parsed: Any) -> "RegistrarService":  # noqa: N802 - Twisted's name
    """Make the service that `parsed` options ask for."""
    from twisted.internet import reactor

    config, security = parsed.configuration
    return RegistrarService(config, security, reactor)


class RegistrarService(Service):
    """One registrar: listeners, sessions, driver and core, and what watches over them."""

    _log = Logger(namespace="rserpool.service")

    def __init__(self, config: Config, security: Material, reactor: Any) -> None:
        self.config = config
        self.security = security
        self._reactor = reactor
        self._seconds = time.monotonic
        self.allowance = Allowance(config.connection_limits, self._seconds)
        self.peer_allowance = Allowance(config.peer_connection_limits, self._seconds)
        self.audit = self._audit_log()
        table = config.registrar
        self.gate = Gate(
            security.authorizer,
            Budgets(config.rates) if security.limits is None else security.limits,
            required=config.required,
            plain_resolution=table.plain_resolution,
            authorization=config.authorization,
            limiting=config.limiting,
        )
        self.gate.on_reported = self.audit.reported
        if config.audit.decisions == "all":
            self.gate.on_allowed = self.audit.allowed
        core = Registrar(
            config.server_id,
            config.settings,
            Handlespace(
                config.handlespace_limits,
                random.SystemRandom(),
                config.interop.core.life_unit,
            ),
            self.gate,
            random.Random(),
            targets=table.peer,
        )
        self.driver = Driver(core, reactor, self._seconds, self._audited)
        self.sessions = Sessions(
            Protocol.ASAP,
            self.driver,
            security.authentications,
            self.allowance,
            Ends(reactor, time.time),
        )
        self.peer_sessions = Sessions(
            Protocol.ENRP,
            self.driver,
            security.peer_authentications,
            self.peer_allowance,
            Ends(reactor, time.time),
        )
        self.sessions.on_event = self.peer_sessions.on_event = self.audit.session
        patience = (reactor, config.limits.check_timeout)
        self.sessions.patience = self.peer_sessions.patience = patience
        self.dialler = Dialler(
            reactor,
            self.peer_sessions,
            security,
            config.peers,
            unreachable=self.driver.unreachable,
            watch=Watch(config.peer_patience, reactor),
        )
        self.dialler.on_unproven = self.audit.unproven
        self.dialler.source = interop.source(config)
        self.caller = Caller(reactor, self.sessions, Watch(config.patience, reactor))
        self.driver.on_dial = self.dialler.dial
        self.driver.on_serve = self._serve
        self.announcer = Announcer(
            reactor,
            config.announce,
            hears=config.announce.hears(config.required),
            overheard=self.driver.overheard,
        )
        self.driver.on_announce = self.announcer.announce
        if not config.required:
            self.driver.on_reach = self.caller.reach
        creator = security.creator() if table.asap_tls else None
        self.asap_listeners = [
            *((text, self._listener(None)) for text in table.asap),
            *((text, self._listener(creator)) for text in table.asap_tls),
        ]
        creator = security.peer_creator() if table.enrp_tls else None
        self.enrp_listeners = [
            *((text, self._peer_listener(None)) for text in table.enrp),
            *((text, self._peer_listener(creator)) for text in table.enrp_tls),
        ]
        for _, listener in self.asap_listeners:
            listener.admits = False  # until the handlespace is complete
        self.status = Status(self) if table.status else None
        self._check: Any = None
        self._reminder = Reminder(reactor, time.time, security)

    @property
    def listeners(self) -> list[tuple[str, Listener]]:
        """Where it listens: descriptions and listeners."""
        return [*self.asap_listeners, *self.enrp_listeners]

    def privilegedStartService(self) -> None:  # noqa: N802 - Twisted's name
        """Listen, before privileges are dropped; a port that is taken ends the start."""
        started: list[Deferred[Any]] = [
            listener.listen(self._endpoint(text, listener, payload)).addErrback(
                cannot_listen, text
            )
            for payload, listeners in (
                (Payload.ASAP, self.asap_listeners),
                (Payload.ENRP, self.enrp_listeners),
            )
            for text, listener in listeners
        ]
        if self.status is not None:
            started.append(
                self.status.listen(self._reactor).addErrback(cannot_listen, self.status.where)
            )
        why = first_failure(started)
        try:
            self.announcer.open()
        except ValueError as error:
            why = why or str(error)
        if why:
            self._log.critical("{why}", why=why)
            raise CannotStart(why)
        self._open_audit()

    def _endpoint(
        self, text: str, listener: Listener, payload: Payload
    ) -> IStreamServerEndpoint:
        secure = listener.creator is not None
        return endpoints.server(self._reactor, text, payload.under(secure))

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Say what is running, and take SIGHUP."""
        super().startService()  # type: ignore[no-untyped-call]
        # A full collection of the garbage of 100,000 elements takes 70 ms, in which nobody
        # is served: what is here now stays, and the rest is looked through rarely.
        gc.freeze()
        gc.set_threshold(20_000, 50, 1_000)
        self._introduce()
        server_id = self.driver.registrar.server_id
        words = f"{server_id:#010x}, security {self.config.registrar.security}"
        self.audit.write("registrar.started", outcome=f"{words}, rserpool {release()}")
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self.reload))
        self._check = self._reactor.callLater(1, self._check_credentials)
        self.sessions.expect()
        self.peer_sessions.expect()
        self._reminder.start()
        self.driver.start()

    def stopService(self) -> "Deferred[Any]":  # noqa: N802 - Twisted's name
        """Stop listening, and close what is open."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._check is not None and self._check.active():
            self._check.cancel()
        self._reminder.stop()
        self.sessions.stop()
        self.peer_sessions.stop()
        self.driver.stop()
        self.announcer.stop()
        self.dialler.stop()
        self.caller.stop()
        stopping: list[Deferred[Any]] = [listener.stop() for _, listener in self.listeners]
        if self.status is not None:
            stopping.append(self.status.stop())
        return DeferredList(stopping, consumeErrors=True).addBoth(self._stopped)

    def reload(self) -> None:
        """
        Read keys, certificates, authorities and rules again (SIGHUP).

        What doesn't load stays as it was.  A session whose credential is gone is closed.
        """
        self.audit.journal.reopen()
        faults = self.security.reload()
        for fault in faults:
            self._log.error("not reloaded, the last good one stays: {fault}", fault=fault)
        if self.config.registrar.asap_tls:
            self._renew_tls(self.asap_listeners, self.security.creator)
        if self.config.registrar.enrp_tls:
            self._renew_tls(self.enrp_listeners, self.security.peer_creator)
        self._reminder.say()
        self.audit.write("reload.refused" if faults else "reloaded", outcome="; ".join(faults))
        closed = 0
        for sessions in (self.sessions, self.peer_sessions):
            closed += sessions.close_unheld()
            sessions.expect()
        self._log.info(
            "{what}; {count} sessions closed",
            what="reloaded in part" if faults else "reloaded", count=closed,
        )  # fmt: skip

    def _renew_tls(
        self, listeners: list[tuple[str, Listener]], make: Callable[[], ServerCreator]
    ) -> None:
        """Let new connections be made of what was read last; old ones stay as they are."""
        try:
            creator = make()
        except Exception:
            self._log.failure("TLS can't be made of what was read; it stays as it was")
            return
        for _, listener in listeners:
            if listener.creator is not None:
                listener.creator = creator

    def _introduce(self) -> None:
        """Say in the log what is running, and what ought to be better."""
        said = introduction(
            self.config,
            self.driver.registrar.server_id,
            self.asap_listeners,
            self.enrp_listeners,
            self.announcer.groups,
        )
        for level, words in said:
            self._log.emit(level, "{words}", words=words)
        if self.status is not None:
            self._log.info("status on {where}", where=self.status.where)
        self._reminder.say()

    def _serve(self) -> None:
        """The handlespace is complete: let pool elements and users in."""
        for _, listener in self.asap_listeners:
            listener.admits = True
        count = len(self.driver.registrar.handlespace)
        self._log.info("serving, with {count} elements", count=count)

    def _audit_log(self) -> AuditLog:
        table = self.config.audit
        journal = Journal(table.file, table.size, table.keep, stamp)
        # One write for all the lines of one turn of the event loop.
        journal.on_waiting = lambda: self._reactor.callLater(0, journal.flush)
        return AuditLog(self._seconds, journal, echo=table.log or table.file is None)

    def _open_audit(self) -> None:
        """Begin the audit log; what can't be audited isn't done at all."""
        try:
            self.audit.journal.open()
        except (OSError, ValueError) as error:
            words = f"audit.file: {getattr(error, 'strerror', None) or error}"
            where = "" if isinstance(error, ValueError) else f": {self.config.audit.file}"
            self._log.critical("{why}{where}", why=words, where=where)
            raise CannotStart(words) from None
        if self.config.audit.file:
            head = self.audit.journal.head
            self._log.info("audit log begins after {head}", head=head)

    def _stopped(self, result: object) -> object:
        self.audit.close("registrar.stopped")
        if self.config.audit.file:
            self._log.info("audit log ends with {head}", head=self.audit.journal.head)
        return result

    def _check_credentials(self) -> None:
        self.audit.sweep()
        self.audit.journal.flush()
        self._check = self._reactor.callLater(1, self._check_credentials)
        self.sessions.check_some(CREDENTIALS_CHECK)
        self.peer_sessions.check_some(CREDENTIALS_CHECK)

    def _peer_listener(self, creator: ServerCreator | None) -> Listener:
        return Listener(
            self.peer_sessions,
            self.peer_allowance,
            self.config.peer_patience,
            clock=self._reactor,
            creator=creator,
            failed=self._peer_failed,
            refused=self.audit.connection,
        )

    def _peer_failed(
        self, address: str, reason: Reason, identity: str | None, words: str
    ) -> None:
        """Say of a key that may not be shown to us why, where OpenSSL can't know it."""
        own = self.config.registrar.identity
        why = "" if identity is None else objection(identity, own)
        self._handshake_failed(address, reason, identity, why or words)

    def _listener(self, creator: ServerCreator | None) -> Listener:
        return Listener(
            self.sessions,
            self.allowance,
            self.config.patience,
            clock=self._reactor,
            creator=creator,
            failed=self._handshake_failed,
            refused=self.audit.connection,
        )

    def _handshake_failed(
        self, address: str, reason: Reason, identity: str | None, words: str
    ) -> None:
        shown = "" if identity is None else f"identity {identity!r}: "
        self._log.info(
            "{address}: TLS handshake failed: {shown}{reason} ({words})",
            address=address, shown=shown, reason=reason.value, words=words,
        )  # fmt: skip
        self.audit.handshake(address, reason.value, identity)

    def _audited(self, effect: Audit) -> None:
        self.audit.write(
            effect.what, effect.subject, effect.pool, effect.identifier, effect.outcome,
            action=effect.action, rule=effect.rule, principal=effect.principal,
        )  # fmt: skip
