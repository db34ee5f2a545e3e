"""
Conformance: what the registrar relies on, of each interface, as a test case to mix in.

Each is a mix-in for `unittest.TestCase` (or trial's): a subclass gives `make`, and samples
where they are asked for.  What fails here would deny in the field, or worse, allow.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any, ClassVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from rserpool.security.credentials import ProvenKey
from rserpool.security.decisions import PERMISSIONS, Decision, Request, Subject
from rserpool.security.interfaces import (
    IAuthentication,
    IAuthorizer,
    IGate,
    IKeyStore,
    IRateLimit,
    ISecurityPlugin,
    Key,
)
from rserpool.security.testing.subjects import ADDRESS, anonymous, by_certificate, by_key, plain

#: Pool handles are octets: whatever a client may think of.
ODD_HANDLES = (None, b"", b"\xff\x00", b"web", "ü".encode(), b"x" * 255, b"'; --", b"../..")
#: Identities as TLS may give them: printable UTF-8 of up to 128 octets, and nobody's.
ODD_IDENTITIES = ("", "nobody", "ü", "x" * 128, "web-1~999", "'; --", "../..", "%s", "a@b")


class _Case:
    """What mix-ins need of a test case."""

    def make(self) -> Any:
        """Make the provider; a new one for each test."""
        raise NotImplementedError("give make()")

    def _holds(self, good: object, words: str) -> None:
        if not good:
            raise AssertionError(words)

    def _decision(self, found: object) -> Decision:
        self._holds(isinstance(found, Decision), f"{found!r} is no Decision")
        assert isinstance(found, Decision)
        allowed: object = found.allowed
        self._holds(allowed is True or allowed is False, f"allowed is {allowed!r}")
        self._holds(isinstance(found.reason, str), f"reason is {found.reason!r}")
        self._holds(found.allowed or found.reason, "a denial must say why, for the log")
        return found


def _subjects() -> list[Subject]:
    names = ("web-1", "'; --", "../..", "ü", "x" * 128)
    return [*(by_key(name) for name in names), by_certificate(), anonymous(), plain()]


def _requests() -> Iterable[Request]:
    for permission in sorted(PERMISSIONS):
        for handle in ODD_HANDLES:
            yield Request(permission, handle)
        yield Request(permission, peer="r2")


class GateConformance(_Case):
    """Of an `IGate`: for who tests the core with a gate of his own."""

    def test_interface(self) -> None:
        """It has what the interface has."""
        verifyObject(IGate, self.make())

    def test_any_question(self) -> None:
        """Every question there is gets a decision, and nothing is raised."""
        made = self.make()
        for subject in _subjects():
            for request in _requests():
                self._decision(made.ask(subject, request, 1.0))


class AuthorizerConformance(_Case):
    """
    Of an `IAuthorizer`.

    :cvar allowed, denied: pairs of subject and request with a known answer.
    """

    allowed: ClassVar[Iterable[tuple[Subject, Request]]] = ()
    denied: ClassVar[Iterable[tuple[Subject, Request]]] = ()

    def test_interface(self) -> None:
        """It has what the interface has."""
        verifyObject(IAuthorizer, self.make())

    def test_any_question(self) -> None:
        """Every question there is gets a decision, and nothing is raised."""
        made = self.make()
        for subject in _subjects():
            for request in _requests():
                self._decision(made.decide(subject, request))

    def test_same_answer(self) -> None:
        """The same question has the same answer until it is reloaded."""
        made = self.make()
        for request in _requests():
            first = made.decide(by_key(), request)
            again = made.decide(by_key(), request)
            self._holds(first.allowed is again.allowed, f"{request} has two answers")

    def test_plain_is_nobody(self) -> None:
        """Who has proven nothing registers nothing, whatever name it bears."""
        made = self.make()
        for subject in (anonymous(), plain()):
            for permission in ("asap.register.new", "asap.register.join", "enrp.update"):
                found = made.decide(subject, Request(permission, b"web"))
                self._holds(not found.allowed, f"{subject.name} may {permission}")

    def test_samples(self) -> None:
        """The samples are answered as they say."""
        made = self.make()
        for expected, samples in ((True, self.allowed), (False, self.denied)):
            for subject, request in samples:
                found = self._decision(made.decide(subject, request))
                self._holds(found.allowed is expected, f"{subject.name}, {request}: {found}")


class RateLimitConformance(_Case):
    """
    Of an `IRateLimit`.

    :cvar burst: requests of one kind, at once, that are more than anybody may; 0: no limit.
    """

    burst: ClassVar[int] = 0

    def test_interface(self) -> None:
        """It has what the interface has."""
        verifyObject(IRateLimit, self.make())

    def test_any_question(self) -> None:
        """Every kind of request by everybody gets a decision."""
        made = self.make()
        for subject in _subjects():
            for permission in sorted(PERMISSIONS):
                self._decision(made.spend(subject, Request(permission, b"web"), 1.0))

    def test_reconnecting(self) -> None:
        """A new connection of the same party gains nothing (RFC 5355 section 2.13)."""
        made, request = self.make(), Request("asap.unreachable", b"web")
        spent = [made.spend(anonymous(), request, 1.0).allowed for _ in range(self.burst)]
        self._holds(not self.burst or not all(spent), f"{self.burst} at once, none denied")
        if self.burst:
            found = made.spend(anonymous(), request, 1.0)
            self._holds(not found.allowed, "a new subject of the same address is let through")

    def test_comes_back(self) -> None:
        """Who was denied is let through again after a while."""
        made, request = self.make(), Request("asap.unreachable", b"web")
        for _ in range(self.burst):
            made.spend(by_key(), request, 1.0)
        self._holds(made.spend(by_key(), request, 1e6).allowed, "denied for ever")


class KeyStoreConformance(_Case):
    """
    Of an `IKeyStore`.

    :cvar known: an identity that is in it.
    """

    known: ClassVar[str] = ""

    def test_interface(self) -> None:
        """It has what the interface has."""
        verifyObject(IKeyStore, self.make())

    def test_unknown(self) -> None:
        """Who isn't known is None, and never an exception: TLS has no second try."""
        made = self.make()
        for identity in ODD_IDENTITIES:
            found = made.lookup(identity)
            self._holds(found is None, f"{identity!r} is known: {found!r}")

    def test_known(self) -> None:
        """Who is known has a key of its own identity, that is long enough, at once."""
        if not self.known:
            return
        key = self.make().lookup(self.known)
        self._holds(isinstance(key, Key), f"lookup gives {key!r}, no Key")
        self._holds(key.identity == self.known, f"the key of {key.identity!r}")
        self._holds(16 <= len(key.secret) <= 64, f"the key has {len(key.secret)} octets")

    def test_exact(self) -> None:
        """Identities are compared octet by octet (RFC 9257 section 5.1)."""
        made = self.make()
        for other in (self.known.upper(), f"{self.known} ", f"{self.known}\u200b"):
            if other != self.known:
                self._holds(made.lookup(other) is None, f"{other!r} is {self.known!r}, too")

    def test_no_secret_shown(self) -> None:
        """Neither the store nor a key shows secrets to who prints it."""
        made = self.make()
        _hides(self, made.lookup(self.known) if self.known else None, made)


class AuthenticationConformance(_Case):
    """
    Of an `IAuthentication`.

    :cvar known: an identity whose key it has; empty: it has none.
    """

    known: ClassVar[str] = ""

    def spoil(self, made: Any) -> None:
        """Make the source of `made` unreadable, so that `reload` must fail; else do nothing."""

    def revoke(self, made: Any) -> None:
        """Take `known` out of the source of `made`; else do nothing."""

    def wait(self, made: Any) -> None:
        """Let the time pass that its checker needs, by a clock of yours; else do nothing."""

    def test_interface(self) -> None:
        """It has what the interface has, and a checker that says what it checks."""
        made = self.make()
        verifyObject(IAuthentication, made)
        self._holds(
            made.keys is None or IKeyStore.providedBy(made.keys), "keys is no IKeyStore"
        )
        pem = made.authorities
        self._holds(pem is None or isinstance(pem, bytes), "authorities is no PEM")
        self._holds(
            made.keys is not None or pem, "neither keys nor authorities: lets nobody in"
        )
        self._holds(made.checker.credentialInterfaces, "its checker checks nothing")

    def test_known(self) -> None:
        """Who has proven to hold a key becomes a subject of that name."""
        if self.known:
            made = self.make()
            subject = self._let_in(made)
            self._holds(isinstance(subject, Subject), f"the checker gives {subject!r}")
            self._holds(subject.proven, "the subject has proven nothing")
            self._holds(subject.address == ADDRESS, f"the address is {subject.address!r}")
            self._holds(made.holds(subject) is True, "holds() denies who was just let in")

    def test_nobody(self) -> None:
        """Who isn't known is refused by an exception, and not by an answer."""
        made = self.make()
        for identity in ODD_IDENTITIES:
            found = self._asked(made, ProvenKey(identity, ADDRESS))
            self._holds(isinstance(found, Failure), f"{identity!r} is let in as {found!r}")

    def test_replaced(self) -> None:
        """Who has shown a key that was replaced meanwhile isn't let in under its name."""
        if self.known:
            made = self.make()
            shown = ProvenKey(self.known, ADDRESS, b"of another secret")
            found = self._asked(made, shown)
            self._holds(isinstance(found, Failure), f"a former key is let in as {found!r}")

    def test_stranger_holds_nothing(self) -> None:
        """A subject that it has not made isn't held, whatever its name."""
        made = self.make()
        for subject in (by_key("nobody"), by_certificate(), anonymous(), plain()):
            self._holds(not made.holds(subject), f"{subject.name} is held")

    def test_reload(self) -> None:
        """Reload gives warnings as texts; when it fails, the last good state stays."""
        made = self.make()
        warnings = list(made.reload())
        self._holds(all(isinstance(one, str) for one in warnings), f"warnings: {warnings!r}")
        self.spoil(made)
        with suppress(ValueError, OSError):
            list(made.reload())
        if self.known:
            self._holds(made.keys.lookup(self.known), "a reload that failed lost the keys")

    def test_revoked(self) -> None:
        """What is taken out and reloaded isn't held any more, nor let in."""
        made = self.make()
        if not self.known or type(self).revoke is AuthenticationConformance.revoke:
            return
        subject = self._let_in(made)
        self.revoke(made)
        list(made.reload())
        self._holds(not made.holds(subject), "a revoked credential is held")
        found = self._asked(made, ProvenKey(self.known, ADDRESS))
        self._holds(isinstance(found, Failure), "a revoked credential is let in")

    def test_no_secret_shown(self) -> None:
        """Neither it nor what it has shows secrets to who prints it."""
        made = self.make()
        if made.keys is not None and self.known:
            _hides(self, made.keys.lookup(self.known), made, made.keys)

    def _asked(self, made: Any, credentials: ProvenKey) -> Any:
        """What its checker says, given the time that it needs."""
        found: list[Any] = []
        asked: Deferred[Any] = maybeDeferred(made.checker.requestAvatarId, credentials)
        asked.addBoth(found.append)
        if not found:
            self.wait(made)
        self._holds(found, "the checker doesn't answer at once: give it a clock, and wait()")
        return found[0]

    def _let_in(self, made: Any) -> Any:
        found = self._asked(made, ProvenKey(self.known, ADDRESS))
        self._holds(not isinstance(found, Failure), f"{self.known!r} is refused: {found}")
        return found


class SecurityPluginConformance(_Case):
    """
    Of an `ISecurityPlugin`, the drop-in of ``twisted/plugins``.

    :cvar arguments: ARGS that are good; None: there are none that work without files.
    :cvar bad_arguments: such that aren't.
    """

    arguments: ClassVar[str | None] = None
    bad_arguments: ClassVar[Iterable[str]] = ()

    def test_interface(self) -> None:
        """It has what the interface has, a name of one word, and a line of help."""
        made = self.make()
        verifyObject(ISecurityPlugin, made)
        self._holds(made.name and ":" not in made.name, f"name {made.name!r}")
        self._holds(made.help and "\n" not in made.help, "help must be one line")

    def test_makes(self) -> None:
        """What it makes provides the interface that it names."""
        if self.arguments is not None:
            made = self.make()
            product = made.make(self.arguments)
            self._holds(made.interface.providedBy(product), f"{product!r} is something else")

    def test_bad_arguments(self) -> None:
        """Bad arguments are a ValueError or OSError with words for people."""
        for arguments in self.bad_arguments:
            try:
                self.make().make(arguments)
            except (ValueError, OSError) as error:
                self._holds(str(error), f"{arguments!r}: refused without a word")
            else:
                raise AssertionError(f"{arguments!r} was taken")


def _hides(case: _Case, key: Key | None, *things: object) -> None:
    """None of these shows the key to who prints it."""
    if key is None:
        return
    for thing in (*things, key):
        shown = f"{thing!r} {thing}"
        for form in (key.secret.hex(), repr(key.secret)[2:-1]):
            case._holds(form not in shown, f"{type(thing).__name__} shows a key")
