"""
A pool user's side of ASAP (RFC 5352 sections 3.3 and 3.5), pure.

Resolutions wait for their answers in order, are repeated when T1 rings, and given up after
MAX-REQUEST-RETRANSMIT.  Who is chosen from an answer follows from the pool's policy.
"""

from collections.abc import Callable
from typing import Protocol

import attrs

from rserpool.client.effects import CancelTimer, Effect, Hunt, Send, SetTimer
from rserpool.wire import asap, policies
from rserpool.wire.causes import Cause
from rserpool.wire.errors import WireError
from rserpool.wire.parameters import PoolElement
from rserpool.wire.policies import Policy, RoundRobin

#: T1-ENRPrequest in seconds, and MAX-REQUEST-RETRANSMIT (section 7).
T1 = "T1-ENRPrequest"
T1_SECONDS = 15.0
MAX_REQUEST_RETRANSMIT = 2
#: Unreachable reports in a row, and again each minute: a pool user whose network is down
#: would report the whole world (RFC 5355 section 2.13).
REPORTS = 10
REPORT_SECONDS = 60.0


class Random(Protocol):
    """A source of numbers in [0, 1), given from outside."""

    def random(self) -> float:
        """Return the next one."""


@attrs.frozen
class Resolution:
    """The elements of a pool in the order of its policy, or why there are none."""

    handle: bytes
    policy: Policy = RoundRobin()
    elements: tuple[PoolElement, ...] = ()
    refusal: Cause | None = None
    updates: bool = False  # the registrar will tell of changes


Answer = Callable[[Resolution], None]


@attrs.define(eq=False)
class _Question:
    handle: bytes
    data: bytes
    answer: Answer
    tries: int = 0


class User:
    """One pool user."""

    def __init__(self, timeout: float = T1_SECONDS) -> None:
        self._timeout = timeout
        self._linked = False
        self._questions: list[_Question] = []
        self._watched: dict[bytes, Answer] = {}
        self._reports = float(REPORTS)
        self._reported = 0.0

    def resolve(
        self, handle: bytes, items: int | None, answer: Answer, *, watch: bool = False
    ) -> list[Effect]:
        """Ask who is in a pool; with `watch`, `answer` is called at every change as well."""
        message = asap.HandleResolution(subscribe=watch, handle=handle, items=items)
        question = _Question(handle, asap.encode(message), answer)
        self._questions.append(question)
        if watch:
            self._watched[handle] = answer
        return self._ask(question) if self._linked else []

    def report(self, handle: bytes, identifier: int, now: float) -> list[Effect]:
        """Tell the registrar that an element can't be reached, within a budget."""
        refill = (now - self._reported) * REPORTS / REPORT_SECONDS
        self._reports = min(REPORTS, self._reports + refill)
        self._reported = now
        if not self._linked or self._reports < 1:
            return []
        self._reports -= 1
        message = asap.EndpointUnreachable(handle=handle, identifier=identifier)
        return [Send(asap.encode(message))]

    def linked(self) -> list[Effect]:
        """There is a home registrar: ask it what is unanswered, and watch there."""
        self._linked = True
        asked = {question.handle for question in self._questions}
        for handle, answer in self._watched.items():
            if handle not in asked:
                message = asap.HandleResolution(subscribe=True, handle=handle)
                self._questions.append(_Question(handle, asap.encode(message), answer))
        return [effect for question in self._questions for effect in self._ask(question)]

    def unlinked(self) -> list[Effect]:
        """The home registrar was lost."""
        self._linked = False
        return [CancelTimer(T1)]

    def rang(self, name: str) -> list[Effect]:
        """T1 has rung: repeat what is unanswered, or look for a better registrar."""
        if name != T1 or not self._questions:
            return []
        if any(question.tries > MAX_REQUEST_RETRANSMIT for question in self._questions):
            for question in self._questions:
                question.tries = 0
            return [Hunt("it doesn't answer")]
        return [effect for question in self._questions for effect in self._ask(question)]

    def arrived(self, data: bytes, now: float) -> list[Effect]:
        """A message has come from the home registrar."""
        try:
            message = asap.decode(data).message
        except WireError as error:
            return [Hunt(f"it sends nonsense: {error}")]
        if not isinstance(message, asap.HandleResolutionResponse):
            return []
        resolution = Resolution(
            message.handle,
            message.policy if message.policy is not None else RoundRobin(),
            message.elements,
            None if message.error is None else message.error.causes[0],
            message.accepted_updates,
        )
        question = next((q for q in self._questions if q.handle == message.handle), None)
        if question is not None:
            self._questions.remove(question)
            question.answer(resolution)
        elif message.handle in self._watched:
            self._watched[message.handle](resolution)
        return [] if self._questions else [CancelTimer(T1)]

    def forget(self, handle: bytes) -> None:
        """Ask and watch no more."""
        self._watched.pop(handle, None)
        self._questions = [q for q in self._questions if q.handle != handle]

    def _ask(self, question: _Question) -> list[Effect]:
        question.tries += 1
        return [Send(question.data), SetTimer(T1, self._timeout)]


class Chooser:
    """
    Chooses from a resolution, once for each use of the pool (RFC 5356, "Pool User
    Considerations").
    """

    def __init__(self, resolution: Resolution, random: Random) -> None:
        self._elements = list(resolution.elements)
        self._by_chance = isinstance(
            resolution.policy,
            (policies.Random, policies.WeightedRandom, policies.RandomizedLeastUsed),
        )
        self._around = isinstance(
            resolution.policy, (policies.RoundRobin, policies.WeightedRoundRobin)
        )
        self._random = random
        self._next = 0

    def choose(self) -> PoolElement | None:
        """The element for the next use; None: all have failed."""
        elements = self._elements
        if not elements:
            return None
        if self._by_chance:
            return elements[int(self._random.random() * len(elements))]
        if not self._around:
            return elements[0]
        self._next %= len(elements)
        chosen = elements[self._next]
        self._next += 1
        return chosen

    def failed(self, identifier: int) -> None:
        """An element could not be reached: it isn't chosen again."""
        for at, element in enumerate(self._elements):
            if element.identifier == identifier:
                del self._elements[at]
                self._next -= at < self._next
                return
