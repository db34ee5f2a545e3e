"""``--auth command:COMMAND:KIND:ARGS``: TLS as KIND has it, and a command that must agree."""

import contextlib
import json
import os
from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import error
from twisted.internet.defer import Deferred, DeferredSemaphore, ensureDeferred, maybeDeferred
from twisted.internet.protocol import ProcessProtocol
from zope.interface import implementer

from rserpool.security.decisions import Restrictions, Subject
from rserpool.security.interfaces import IAuthentication
from rserpool.security.plugin import make_authentication

#: Seconds that a command may take; then it is killed, and has refused.
TIMEOUT = 3.0
#: Commands at once: each is a process, and connections come as fast as somebody likes.
AT_ONCE = 16
#: Octets that a command may say.
LONGEST = 64 * 1024


class Command(ProcessProtocol):
    """One run of the command."""

    def __init__(self, reactor: Any, question: bytes) -> None:
        self._question = question
        self._said = bytearray()
        self.done: Deferred[bytes] = Deferred(lambda _: self._kill())
        self._timer = reactor.callLater(TIMEOUT, self._kill)

    def connectionMade(self) -> None:  # noqa: N802 - Twisted calls it
        """Ask."""
        self.transport.write(self._question)
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:  # noqa: N802
        """Collect what it says, to a limit."""
        self._said += data
        if len(self._said) > LONGEST:
            self._kill()

    def processEnded(self, reason: Any) -> None:  # noqa: N802
        """Only exit status 0, and not too many words, is a yes."""
        if self._timer.active():
            self._timer.cancel()
        if self.done.called:
            return
        if reason.check(error.ProcessDone) and len(self._said) <= LONGEST:
            self.done.callback(bytes(self._said))
        else:
            self.done.errback(UnauthorizedLogin(f"the command refuses: {reason.value}"))

    def _kill(self) -> None:
        with contextlib.suppress(error.ProcessExitedAlready):
            self.transport.signalProcess("KILL")


@implementer(IAuthentication, ICredentialsChecker)
class Asking:
    """
    Around another authentication.

    :param reactor: for tests; else the reactor.
    """

    def __init__(self, command: str, inner: IAuthentication, reactor: Any = None) -> None:
        self._command = command
        self._inner = inner
        self._reactor = reactor
        self._running = DeferredSemaphore(AT_ONCE)
        # What we let in is narrower than what the inner one made: which was which?
        self._made_of: WeakKeyDictionary[Subject, Subject] = WeakKeyDictionary()

    @property
    def keys(self) -> Any:
        """Those of the inner one."""
        return self._inner.keys

    @property
    def authorities(self) -> Any:
        """Those of the inner one."""
        return self._inner.authorities

    @property
    def checker(self) -> "Asking":
        """Itself."""
        return self

    @property
    def credentialInterfaces(self) -> Any:  # noqa: N802 - twisted.cred's name
        """What the inner one checks."""
        return self._inner.checker.credentialInterfaces

    @property
    def warnings(self) -> Iterable[str]:
        """Those of the inner one, if it has any."""
        found: Iterable[str] = getattr(self._inner, "warnings", ())
        return found

    def changes(self) -> Iterable[float]:
        """When the inner one may answer otherwise, if it can tell."""
        found: Iterable[float] = getattr(self._inner, "changes", tuple)()
        return found

    def requestAvatarId(self, credentials: Any) -> "Deferred[Subject]":  # noqa: N802
        """First the inner one, then the command; both must agree."""
        return ensureDeferred(self._asked(credentials))

    def reload(self) -> Iterable[str]:
        """Let the inner one read its source again."""
        return self._inner.reload()

    def holds(self, subject: Subject) -> bool:
        """The inner one says; the command isn't asked again for a session that is there."""
        made_of = self._made_of.get(subject)
        return made_of is not None and self._inner.holds(made_of)

    async def _asked(self, credentials: Any) -> Subject:
        subject = await maybeDeferred(self._inner.checker.requestAvatarId, credentials)
        question = {
            "identity": subject.identity, "principal": subject.name, "address": subject.address,
        }  # fmt: skip
        said = await self._running.run(self._run, json.dumps(question).encode() + b"\n")
        narrowed = attrs.evolve(subject, restrictions=_narrowed(subject.restrictions, said))
        self._made_of[narrowed] = subject
        return narrowed

    def _run(self, question: bytes) -> "Deferred[bytes]":
        reactor = self._reactor
        if reactor is None:
            from twisted.internet import reactor
        run = Command(reactor, question)
        reactor.spawnProcess(run, self._command, [self._command], env={"PATH": os.defpath})
        return run.done


def _narrowed(before: Restrictions, said: bytes) -> Restrictions:
    """Restrictions by what the command says as well; it can't widen what the key has."""
    if not said.strip():
        return before
    try:
        found = json.loads(said)
        pools = frozenset(str(pool).encode() for pool in found.get("pools", ()))
        pe_ids = frozenset(int(one) for one in found.get("pe-ids", ()))
    except (ValueError, TypeError, AttributeError):
        raise UnauthorizedLogin("the command says what nobody understands") from None
    both = _both(before.pools, pools), _both(before.pe_ids, pe_ids)
    return Restrictions(pools=both[0], pe_ids=both[1], networks=before.networks)


def _both(before: frozenset[Any], more: frozenset[Any]) -> frozenset[Any]:
    """What both allow; an empty set is no restriction."""
    if before and more and not before & more:
        raise UnauthorizedLogin("the command allows nothing that the key allows")
    return before & more if before and more else before or more


def make(args: str) -> Asking:
    """
    Make it of ``COMMAND:KIND:ARGS``.

    :raise ValueError: it isn't that, or the command can't be run.
    """
    command, _, inner = args.partition(":")
    if not os.path.isabs(command) or not os.access(command, os.X_OK):
        raise ValueError(f"command:{args}: {command!r} must be the whole path of a program")
    return Asking(command, make_authentication(inner))
