"""
The pool element for Twisted applications.

.. code-block:: python

    element = PoolElement(
        reactor,
        ["tcp:registrar.example:3864"],
        PreSharedKey.from_file("web-1.psk", "web-1"),
        Membership(handle=b"web", identifier=0x2A, life=300,
                   transport=TCPTransport(port=80, addresses=(ip_address("192.0.2.7"),)),
                   policy=RoundRobin()),
    )
    element.start().addCallback(lambda _: print("registered"))
    ...
    element.stop()
"""

import random
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater

from rserpool.client.element import Element, Membership
from rserpool.client.events import Notice, What
from rserpool.client.hunt import Random
from rserpool.client.link import Link
from rserpool.client.security import Security


class Refused(Exception):
    """The registrar refuses the element, and nothing but a correction will change that."""


class PoolElement:
    """
    A member of a pool: registered, kept so, and found a new home when its own is lost.

    :param registrars: endpoint descriptions of the registrars it may have for a home.
    :param notify: told what happens, in words for a log.
    """

    def __init__(
        self,
        reactor: Any,
        registrars: Sequence[str],
        security: Security,
        membership: Membership,
        *,
        notify: Callable[[Notice], None] = lambda notice: None,
        rng: Random | None = None,
    ) -> None:
        self._reactor = reactor
        self._element = Element(membership)
        self._observer = notify
        self._link = Link(
            reactor,
            registrars,
            security,
            self._element,
            notify=self._happened,
            random=rng or random.SystemRandom(),
        )
        self._joining: Deferred[PoolElement] | None = None
        self._leaving: Deferred[None] | None = None
        self._running = False

    @property
    def registered(self) -> bool:
        """Whether a registrar has granted the registration, and none has ended it."""
        return self._element.registered

    @property
    def membership(self) -> Membership:
        """What it registers as."""
        return self._element.membership

    def start(self) -> "Deferred[PoolElement]":
        """
        Join the pool; hunts for a registrar until it is told to stop.

        :return: fires at the first registration, or fails with `Refused`.
        """
        self._joining = Deferred()
        joining = self._joining
        effects = self._element.join()
        if self._running:
            self._link.perform(effects)
        else:
            self._running = True
            self._link.start()
        return joining

    def update(self, membership: Membership) -> None:
        """Register again, with other attributes."""
        self._link.perform(self._element.update(membership))

    def withdraw(self, timeout: float = 5.0) -> "Deferred[None]":
        """
        Leave the pool, and stay linked.

        :return: fires when the registrar has confirmed it, or after `timeout` seconds.
        """
        leaving: Deferred[None] = Deferred()
        self._leaving = leaving
        timer = self._reactor.callLater(timeout, self._left)
        self._link.perform(self._element.withdraw())
        return leaving.addBoth(lambda _: timer.cancel() if timer.active() else None)

    def stop(self, timeout: float = 5.0) -> "Deferred[None]":
        """Leave the pool and hang up."""
        if not self._running:
            return succeed(None)
        return self.withdraw(timeout).addBoth(lambda _: self._hang_up())

    def _hang_up(self) -> "Deferred[None]":
        self._running = False
        self._link.stop()
        # One turn of the event loop, in which TLS says goodbye.
        return deferLater(self._reactor, 0)

    def _left(self) -> None:
        leaving, self._leaving = self._leaving, None
        if leaving is not None:
            # Not from within a message's arrival: whoever waits may stop the reactor.
            self._reactor.callLater(0, leaving.callback, None)

    def _happened(self, notice: Notice) -> None:
        self._observer(notice)
        if notice.what is What.WITHDRAWN:
            self._left()
        joining = self._joining
        if joining is not None and notice.what in (What.REGISTERED, What.REFUSED):
            self._joining = None
            if notice.what is What.REGISTERED:
                joining.callback(self)
            else:
                joining.errback(Refused(notice.words))
