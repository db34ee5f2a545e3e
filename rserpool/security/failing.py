"""
Plugins that fail on purpose, for trying out what operations make of it.

As authorizers and as limits they stand alone (``refuse-all:``).  As authentications they stand
around another one (``refuse-all:psk:FILE``), whose keys and authorities they have, so that TLS
works and it is the checker that fails.
"""

from collections.abc import Iterable
from typing import Any, cast

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from zope.interface import implementer

from rserpool.security.decisions import LIMITS, Decision, Request, Subject, deny
from rserpool.security.interfaces import IAuthentication, IAuthorizer, IRateLimit
from rserpool.security.plugin import make_authentication

#: Seconds that ``slow`` may wait: longer would be longer than any limit.
MAXIMUM_SLOWNESS = 3600.0


@implementer(IAuthorizer, IRateLimit)
class RefuseAll:
    """Denies everything."""

    def decide(self, subject: Subject, request: Request) -> Decision:
        """Deny."""
        return deny("refuse-all is configured", "refuse-all")

    def spend(self, subject: Subject, request: Request, now: float) -> Decision:
        """Deny."""
        return deny("refuse-all is configured", LIMITS)


@implementer(IAuthorizer, IRateLimit)
class RaiseAlways:
    """Raises; the gate makes a denial of it."""

    def decide(self, subject: Subject, request: Request) -> Decision:
        """Raise."""
        raise RuntimeError("raise-always is configured")

    def spend(self, subject: Subject, request: Request, now: float) -> Decision:
        """Raise."""
        raise RuntimeError("raise-always is configured")


@implementer(IAuthentication, ICredentialsChecker)
class Around:
    """
    An authentication around another one, whose checker it replaces.

    :param inner: the other one.
    """

    def __init__(self, inner: IAuthentication) -> None:
        self.inner = inner

    @property
    def keys(self) -> Any:
        """Those of the inner one."""
        return self.inner.keys

    @property
    def authorities(self) -> Any:
        """Those of the inner one."""
        return self.inner.authorities

    @property
    def checker(self) -> "Around":
        """Itself."""
        return self

    @property
    def credentialInterfaces(self) -> Any:  # noqa: N802 - twisted.cred's name
        """What the inner one checks."""
        return self.inner.checker.credentialInterfaces

    @property
    def warnings(self) -> Iterable[str]:
        """Those of the inner one, if it has any."""
        found: Iterable[str] = getattr(self.inner, "warnings", ())
        return found

    def changes(self) -> Iterable[float]:
        """When the inner one may answer otherwise, if it can tell."""
        found: Iterable[float] = getattr(self.inner, "changes", tuple)()
        return found

    def requestAvatarId(self, credentials: Any) -> Any:  # noqa: N802
        """Ask the inner one."""
        return self.inner.checker.requestAvatarId(credentials)

    def reload(self) -> Iterable[str]:
        """Let the inner one read its source again."""
        return self.inner.reload()

    def holds(self, subject: Subject) -> bool:
        """Ask the inner one."""
        return self.inner.holds(subject)


class Refusing(Around):
    """Lets nobody in, whatever they have proven."""

    def requestAvatarId(self, credentials: Any) -> Any:  # noqa: N802
        """Refuse."""
        raise UnauthorizedLogin("refuse-all is configured")


class Raising(Around):
    """Its checker fails each time, which lets nobody in."""

    def requestAvatarId(self, credentials: Any) -> Any:  # noqa: N802
        """Raise."""
        raise RuntimeError("raise-always is configured")


class Slow(Around):
    """
    Answers as the inner one does, but later.

    :param seconds: how much later.
    :param clock: for tests; else the reactor.
    """

    def __init__(
        self, inner: IAuthentication, seconds: float, clock: IReactorTime | None = None
    ) -> None:
        super().__init__(inner)
        self._seconds = seconds
        self._clock = clock

    def requestAvatarId(self, credentials: Any) -> "Deferred[Subject]":  # noqa: N802
        """Wait, and ask the inner one."""
        clock = self._clock
        if clock is None:
            from twisted.internet import reactor

            clock = cast("IReactorTime", reactor)
        ask = super().requestAvatarId
        return deferLater(clock, self._seconds, lambda: ask(credentials))


def refuse_all(args: str) -> RefuseAll:
    """Make the authorizer, or the limit, that denies everything."""
    return RefuseAll()


def raise_always(args: str) -> RaiseAlways:
    """Make the authorizer, or the limit, that raises each time."""
    return RaiseAlways()


def refusing(args: str) -> Refusing:
    """Make the authentication of ``KIND:ARGS``, which lets nobody in."""
    return Refusing(make_authentication(args))


def raising(args: str) -> Raising:
    """Make the authentication of ``KIND:ARGS``, whose checker fails."""
    return Raising(make_authentication(args))


def slow(args: str) -> Slow:
    """
    Make the authentication of ``SECONDS:KIND:ARGS``, which takes so long.

    :raise ValueError: it isn't that.
    """
    seconds, _, inner = args.partition(":")
    try:
        value = float(seconds)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MAXIMUM_SLOWNESS:
        raise ValueError(f"slow:{args}: write slow:SECONDS:KIND:ARGS, like slow:3:psk:FILE")
    return Slow(make_authentication(inner), value)
