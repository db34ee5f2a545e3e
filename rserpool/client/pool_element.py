"""
The pool element for Twisted applications.

.. code-block:: python

    element = PoolElement(
        reactor,
        ["tcp:registrar.example:3864"],
        PreSharedKey.from_file("web-1.psk", "web-1"),
        Membership(handle=b"web", identifier=new_identifier(), life=300,
                   transport=TCPTransport(port=80, addresses=(ip_address("192.0.2.7"),)),
                   policy=RoundRobin()),
        notify=lambda notice: print(notice.what.value, notice.words),
    )
    element.start().addCallback(lambda _: print("registered with", element.home))
    ...
    element.update(attrs.evolve(element.membership, policy=LeastUsed(load=0x80000000)))
    ...
    element.stop().addCallback(lambda _: print("nobody is sent here any more"))
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import deferLater

from rserpool.client.dialect import RFC, Dialect
from rserpool.client.element import Element, Membership
from rserpool.client.events import Notice, What
from rserpool.client.hunt import Random
from rserpool.client.link import Link
from rserpool.client.listening import Announcements
from rserpool.client.moving import Moving
from rserpool.client.reception import Reception
from rserpool.client.security import Security
from rserpool.client.statement import Signs
from rserpool.security.decisions import Proof
from rserpool.transport.endpoints import is_sctp


class Refused(Exception):
    """The registrar refuses the element, and nothing but a correction will change that."""


class PoolElement:
    """
    A member of a pool: registered, kept so, and found a new home when its own is lost.

    :param registrars: endpoint descriptions of the registrars it may have for a home.
    :param announcements: where registrars announce themselves, to be found as well.
    :param notify: told what happens, in words for a log.
    :param dialect: whose registrars they are.
    :param signer: signs what it registers, for users that verify it (RFC 5355 section 2.17).
    """

    def __init__(
        self,
        reactor: Any,
        registrars: Sequence[str],
        security: Security,
        membership: Membership,
        *,
        signer: Signs | None = None,
        notify: Callable[[Notice], None] = lambda notice: None,
        rng: Random | None = None,
        announcements: Announcements | None = None,
        dialect: Dialect = RFC,
    ) -> None:
        self._reactor = reactor
        self._element = Element(membership, dialect, signer)
        self._moving = Moving(self._element)
        self._observer = notify
        self._plain = security.proof is Proof.PLAIN
        self._link = Link(
            reactor,
            registrars,
            security,
            self._element if self._plain else self._moving,
            notify=self._happened,
            random=rng or random.SystemRandom(),
            announcements=announcements,
            reception=self._reception(registrars, security),
        )
        self._joining: list[Deferred[PoolElement]] = []
        self._leaving: list[Deferred[None]] = []
        self._patience: IDelayedCall | None = None
        self._running = False

    def _reception(self, registrars: Sequence[str], security: Security) -> Reception | None:
        """Where registrars call it: see Note [Anybody] of `Reception`."""
        if security.proof is not Proof.PLAIN or not any(map(is_sctp, registrars)):
            return None
        return Reception(
            self._reactor, lambda words: self._happened(Notice(What.UNREACHABLE, words))
        )

    @property
    def registered(self) -> bool:
        """Whether a registrar has granted the registration, and none has ended it."""
        return self._element.registered

    @property
    def home(self) -> str | None:
        """The home registrar's description, while there is one."""
        return self._link.home

    @property
    def membership(self) -> Membership:
        """What it registers as."""
        return self._element.membership

    def start(self) -> "Deferred[PoolElement]":
        """
        Join the pool; hunts for a registrar until it is told to stop.

        :return: fires when it is registered; fails with `Refused`, or with
            `CancelledError` when it is withdrawn or stopped before.
        """
        joining: Deferred[PoolElement] = Deferred()
        self._joining.append(joining)
        self._left()  # whoever waits for leaving: it has been overtaken
        effects = self._element.join()
        if self._running:
            self._link.perform(effects)
        else:
            self._running = True
            self._link.start()
        return joining

    def update(self, membership: Membership, *, tell: bool = True) -> None:
        """
        Have other attributes: a fresh load, for instance.

        :param tell: register again at once; else the next renewal says it.
        """
        self._link.perform(self._element.update(membership, tell=tell))

    def secure(self, security: Security) -> None:
        """
        Prove itself by another key or certificate from now on, registered all the while.

        It moves to a new connection with its home registrar, and ends the old one when it is
        registered by the new one: `What.MOVED`, or `What.UNMOVED` while that can't be.

        :raise ValueError: (or OSError) nothing can be made of it; all stays as it was.
        """
        if self._plain or security.proof is Proof.PLAIN:
            raise ValueError("where nobody proves anything there is nothing to exchange")
        self._link.secure(security, self._moving)

    def sign(self, signer: Signs) -> None:
        """
        Sign by another key from now on, and tell so at once.

        :raise ValueError: the registration would be too long; all stays as it was.
        """
        self._element.sign(signer)
        self._link.perform(self._element.update(self._element.membership))

    def withdraw(self, timeout: float = 5.0) -> "Deferred[None]":
        """
        Leave the pool, and stay linked.

        :return: fires when the registrar has confirmed it, or after `timeout` seconds.
        """
        if not self._running:
            return succeed(None)
        leaving: Deferred[None] = Deferred()
        self._leaving.append(leaving)
        self._cancel_joining()
        if self._patience is None:
            self._patience = self._reactor.callLater(timeout, self._left)
            self._link.perform(self._element.withdraw())
        return leaving

    def stop(self, timeout: float = 5.0) -> "Deferred[None]":
        """
        Leave the pool and hang up.

        :return: fires when that is done, `timeout` seconds from now at the latest.
        """
        if not self._running:
            return succeed(None)
        return self.withdraw(timeout).addBoth(lambda _: self._hang_up())

    def _hang_up(self) -> "Deferred[None]":
        self._running = False
        self._link.stop()
        # One turn of the event loop, in which TLS says goodbye.
        return deferLater(self._reactor, 0)

    def _left(self) -> None:
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        self._patience = None
        leaving, self._leaving = self._leaving, []
        for waiting in leaving:
            # Not from within a message's arrival: whoever waits may stop the reactor.
            self._reactor.callLater(0, waiting.callback, None)

    def _cancel_joining(self) -> None:
        joining, self._joining = self._joining, []
        for waiting in joining:
            waiting.addErrback(lambda failure: failure.trap(CancelledError))
            waiting.errback(CancelledError())

    def _happened(self, notice: Notice) -> None:
        self._observer(notice)
        if notice.what in (What.WITHDRAWN, What.RETAINED):
            self._left()
        if notice.what in (What.REGISTERED, What.REFUSED):
            joining, self._joining = self._joining, []
            for waiting in joining:
                if notice.what is What.REGISTERED:
                    waiting.callback(self)
                else:
                    waiting.errback(Refused(notice.words))


def new_identifier() -> int:
    """A PE identifier "using a good-quality randomly generated number" (R2.2)."""
    return random.SystemRandom().randint(1, 0xFFFFFFFF)
