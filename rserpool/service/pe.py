"""
``twistd rserpool-pe``: registers a server in a pool while it works.

The server needs to know nothing of RSerPool: a check tells whether it works.  One check
that holds registers it; some that fail in a row (two, unless the configuration says
otherwise), or the end of its process where that is supervised, take it out of the pool.
"""

import signal
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import attrs
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from rserpool.client import (
    RFC,
    Dialect,
    Membership,
    Notice,
    PoolElement,
    Refused,
    Security,
    Signer,
    What,
    new_identifier,
)
from rserpool.service import own
from rserpool.service.check import Check, Health, check
from rserpool.service.load import load as ask_load
from rserpool.service.load import percent
from rserpool.service.own import Own
from rserpool.service.pe_options import ElementTable, Options
from rserpool.service.reminder import Reminder
from rserpool.service.spawn import Spawned
from rserpool.wire.parameters import TCPTransport

__all__ = ["ElementService", "Options", "makeService"]

#: A load that has changed by so much is told at once, not at the next renewal.
NOTABLE = 0x19999999  # a tenth
#: Seconds that the registrar may take to confirm that the element has left.
GOODBYE = 3.0


def makeService(parsed: Any) -> "ElementService":  # noqa: N802 - Twisted's name
    """Make the service that `parsed` options ask for."""
    from twisted.internet import reactor

    table, security, dialect, signer = parsed.configuration
    return ElementService(reactor, table, security, dialect, signer)


class ElementService(Service):
    """The wrapper of one server."""

    _log = Logger(namespace="rserpool.pe")

    def __init__(
        self,
        reactor: Any,
        table: ElementTable,
        security: Security,
        dialect: Dialect = RFC,
        signer: Signer | None = None,
    ) -> None:
        assert table.service is not None
        assert table.pool is not None
        host, port = table.service
        self._reactor = reactor
        self._table = table
        self._check: Check = check(reactor, table.check, host, port, table.check_timeout)
        self._health = Health(table.check_failures)
        self._checks = LoopingCall(self._look)
        self._loads = LoopingCall(self._measure)
        self._checks.clock = self._loads.clock = reactor
        self._spawned = Spawned(reactor, table.spawn, self._died) if table.spawn else None
        self._measuring: Deferred[Any] | None = None
        self._waiting: list[Deferred[Any]] = []
        self._told_load = -NOTABLE
        self._load_trouble = ""
        self._registered_before = False
        self._own = Own(security, time.time, signer)
        self._reminder = Reminder(reactor, time.time, self._own)
        self._refused_before = self._corrected = False
        self._element = PoolElement(
            reactor,
            table.registrar,
            security,
            Membership(
                handle=table.pool.encode(),
                identifier=new_identifier() if table.pe_id is None else table.pe_id,
                life=table.lifetime,
                transport=TCPTransport(port=port, addresses=(ip_address(host),)),
                policy=table.policy,
            ),
            signer=signer,
            notify=self._happened,
            announcements=table.announcements,
            dialect=dialect,
        )

    def startService(self) -> None:  # noqa: N802 - Twisted's name
        """Start the server, if that is asked for, and look at it."""
        super().startService()  # type: ignore[no-untyped-call]
        self._reminder.say()
        self._reminder.start()
        if self._table.announce and self._table.security == "none":
            self._log.warn(
                "SECURITY IS NONE, and registrars that announce themselves are believed: "
                "whoever sends to {groups} may have this element",
                groups=", ".join(self._table.announce),
            )
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self.reload))
        if self._spawned is not None:
            self._spawned.start()
        self._checks.start(self._table.check_interval)
        if self._adaptive:
            self._loads.start(self._table.check_interval, now=False)

    def stopService(self) -> "Deferred[Any]":  # noqa: N802 - Twisted's name
        """Leave the pool first, then end the server: nobody is sent to a dead one."""
        super().stopService()  # type: ignore[no-untyped-call]
        self._reminder.stop()
        for looping in (self._checks, self._loads):
            if looping.running:
                looping.stop()
        if self._measuring is not None:
            self._measuring.cancel()
        spawned = self._spawned
        stopping = self._element.stop(timeout=GOODBYE)
        return stopping.addBoth(lambda _: spawned.stop() if spawned else None)

    def reload(self) -> None:
        """
        Read keys, certificates, authorities and revocation lists again (SIGHUP).

        What doesn't load stays as it was.  The element moves to a new connection, registered
        all the while: :mod:`rserpool.client.moving`.
        """
        if not self.running:
            return
        faults: list[str] = []
        if self._table.signing_key:
            self._try(faults, own.signer, self._element.sign, "signer")
        if self._table.security != "none":
            self._try(faults, own.security, self._element.secure, "security")
        for fault in faults:
            self._log.error("not reloaded, the last good one stays: {fault}", fault=fault)
        self._corrected = self._refused_before
        self._log.info("reloaded in part" if faults else "reloaded")
        self._reminder.say()

    def _try(
        self,
        faults: list[str],
        read: Callable[[ElementTable, own.Fault], Any],
        take: Callable[[Any], None],
        name: str,
    ) -> None:
        """Read one of them; if it is good, let the element take it, and warn of its end."""
        found = read(self._table, lambda key, words: faults.append(f"{key}: {words}"))
        if found is None:
            return
        try:
            take(found)
        except (OSError, ValueError) as error:
            faults.append(str(error))
        else:
            setattr(self._own, name, found)

    @property
    def _adaptive(self) -> bool:
        return hasattr(self._element.membership.policy, "load")

    def _look(self) -> "Deferred[Any]":
        """Check once; the next check waits for this one."""
        if self._spawned is not None and not self._spawned.running:
            # Who answers at its address is somebody else.
            self._seen("its process isn't running")
            return succeed(None)
        return self._check().addCallback(self._seen)

    def _seen(self, wrong: str) -> None:
        if not self.running:
            return
        if self._spawned is not None and not self._spawned.running:
            wrong = "its process isn't running"
        before = self._health.works
        if not self._health.seen(wrong):
            return
        if not wrong:
            self._log.info("the service works")
            self._measure().addBoth(lambda _: self._join())
        elif before is None:
            self._log.info("the service doesn't work yet: {wrong}", wrong=wrong)
        else:
            self._fails(wrong)

    def _died(self) -> None:
        """The process has ended, and needs no check to be known as dead."""
        if self._health.died() and self.running:
            self._fails("its process has ended")

    def _fails(self, wrong: str) -> None:
        self._log.error("the service doesn't work: {wrong}", wrong=wrong)
        self._element.withdraw()

    def _join(self) -> None:
        if self.running and self._health.works:
            self._element.start().addErrback(self._refused)

    def _refused(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        failure.trap(Refused)
        self._log.critical(
            "the registrar refuses this element: {why}. Correct that and start again, or send "
            "SIGHUP if it was the key or certificate",
            why=failure.getErrorMessage(),
        )

    def _measure(self) -> "Deferred[Any]":
        """Ask for a fresh load, which the next renewal tells, or one at once."""
        if not self._adaptive:
            return succeed(None)
        waiting: Deferred[Any] = Deferred()
        self._waiting.append(waiting)
        if self._measuring is None:
            asked = self._measuring = ask_load(self._reactor, self._table.load)
            asked.addCallbacks(self._measured, self._unmeasured)
            asked.addBoth(self._measurement_over)
        return waiting

    def _measurement_over(self, _: object) -> None:
        self._measuring = None
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    def _measured(self, value: int) -> None:
        self._load_trouble = ""
        member = self._element.membership
        notable = abs(value - self._told_load) >= NOTABLE
        if notable and self._element.registered:
            self._log.info("the load is {load} now: telling the registrar", load=percent(value))
        policy: Any = member.policy
        changed = attrs.evolve(member, policy=attrs.evolve(policy, load=value))
        self._element.update(changed, tell=notable and self._element.registered)

    def _unmeasured(self, failure: Failure) -> None:
        words = failure.getErrorMessage()
        if failure.check(CancelledError) or words == self._load_trouble:
            return
        # Said once: it may stay so for as long as the service runs.
        self._load_trouble = words
        stays = percent(getattr(self._element.membership.policy, "load", 0))
        self._log.error(
            "the load command failed: {why}; the load stays {load}", why=words, load=stays
        )

    def _happened(self, notice: Notice) -> None:
        member = self._element.membership
        if notice.what is What.REFUSED:
            self._refused_before, self._corrected = True, False
        if notice.what in (What.MOVED, What.LINKED) and self._corrected:
            self._refused_before = self._corrected = False
            self._join()
        if notice.what in (What.REGISTERED, What.RENEWED):
            self._told_load = getattr(member.policy, "load", 0)
        level, line = LINES[notice.what]
        if notice.what is What.WITHDRAWN and notice.words:
            return  # it wasn't in the pool: nothing has happened
        again = notice.what is What.REGISTERED and self._registered_before
        self._log.emit(
            level, line, pool=self._table.pool, id=f"{member.identifier:#010x}",
            home=self._element.home, words=notice.words, again=", again" if again else "",
        )  # fmt: skip
        self._registered_before |= notice.what is What.REGISTERED


_GOOD, _BAD, _WORSE = LogLevel.info, LogLevel.warn, LogLevel.error
_NO, _WHY = "{home} rejects the registration", "{words}; its log may say more"
#: What the log says of each thing that happens.
LINES: dict[What, tuple[Any, str]] = {
    What.TRYING: (_GOOD, "trying registrar {words}"),
    What.UNREACHABLE: (_BAD, "not reached: {words}"),
    What.LINKED: (_GOOD, "the home registrar is {words}"),
    What.UNLINKED: (_BAD, "the home registrar was lost: {words}; looking for another"),
    What.REGISTERED: (_GOOD, "registered in pool {pool} with {home} as {id}{again}"),
    What.RENEWED: (LogLevel.debug, "registration in pool {pool} as {id} renewed"),
    What.REJECTED: (_WORSE, f"{_NO}, which is tried again: {_WHY}"),
    What.REFUSED: (_WORSE, f"{_NO}: {_WHY}"),
    What.FAILED: (_WORSE, "still not registered in pool {pool}: {words}; it is tried again"),
    What.EXPIRED: (_BAD, "{home} has ended the registration; registering again"),
    What.WITHDRAWN: (_GOOD, "left pool {pool}"),
    What.RETAINED: (_WORSE, "{home} refuses to let {id} leave pool {pool}: {words}"),
    What.IDENTIFIED: (_GOOD, "the server ID of {home} is {words}"),
    What.ADOPTED: (_GOOD, "adopted: {home}, server ID {words}, is the home registrar now"),
    What.DISTRUSTED: (_BAD, "{words}"),
    What.MOVED: (_GOOD, "moved to a new connection with {home}, by what was read last"),
    What.UNMOVED: (
        _WORSE,
        "not moved to a new connection with {home}; the old one stays: {words}",
    ),
    What.COMPLAINED: (_BAD, "{home} reports an error: {words}"),
}
