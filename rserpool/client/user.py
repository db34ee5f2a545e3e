"""
A pool user's side of ASAP (RFC 5352 sections 3.3, 3.5 and 3.7.2), pure.

Note [An answer that doesn't come]

When T1 rings, RFC 5352 sends the request again and hunts for another registrar in parallel.
On a connection that loses nothing, sending again to the same registrar can't help: so the
user leaves it, and the request is sent again to the next one (which may be the same, by a
new connection).  After MAX-REQUEST-RETRANSMIT repetitions the application is told that
nobody answers.
"""

from collections.abc import Callable

import attrs

from rserpool.client.cache import Cache
from rserpool.client.causes import complained, reported
from rserpool.client.dialect import RFC, Dialect
from rserpool.client.effects import CancelTimer, Effect, Hunt, Send, SetTimer, Tell
from rserpool.client.events import Notice, What
from rserpool.client.reports import Reports
from rserpool.client.resolution import Resolution
from rserpool.wire import asap
from rserpool.wire.errors import EncodeError, WireError
from rserpool.wire.policies import RoundRobin

#: T1-ENRPrequest in seconds, and MAX-REQUEST-RETRANSMIT (section 7).
T1 = "T1-ENRPrequest"
T1_SECONDS = 15.0
MAX_REQUEST_RETRANSMIT = 2

#: Called with what is known of a pool; None: no registrar has answered.
Answer = Callable[[Resolution | None], None]
Watcher = Callable[[Resolution], None]
#: Judges what a registrar tells: :class:`rserpool.client.verifier.Verifier`.
Judge = Callable[[Resolution], Resolution]


def believing(found: Resolution) -> Resolution:
    """Believe whatever a registrar tells."""
    return found


#: Distrusted elements that are told of by one notice: a registrar may list hundreds.
MOST_NAMED = 3


@attrs.define(eq=False)
class _Question:
    number: int
    handle: bytes
    items: int | None
    answer: Answer | None  # None: it is for all who watch this pool
    said: int | None  # how many, as the registrar is told
    sent: int = 0

    @property
    def watch(self) -> bool:
        """Whether it asks for updates, too."""
        return self.answer is None

    @property
    def timer(self) -> str:
        """Each question has a T1 of its own."""
        return f"{T1} {self.number}"

    def message(self) -> bytes:
        """As it is asked."""
        return asap.encode(
            asap.HandleResolution(subscribe=self.watch, handle=self.handle, items=self.said)
        )


class User:
    """
    One pool user.

    :param timeout: T1, in seconds.
    :param stale: how long an answer may be used again; 0: never.
    :param dialect: whose registrars are asked.
    :param judge: looks at each answer before anybody hears of it.
    """

    def __init__(
        self,
        timeout: float = T1_SECONDS,
        stale: float = 0.0,
        dialect: Dialect = RFC,
        judge: Judge = believing,
    ) -> None:
        self._judge = judge
        self._timeout = timeout
        self._dialect = dialect
        self._linked = False
        self._count = 0
        self._questions: list[_Question] = []
        self._watched: dict[bytes, list[Watcher]] = {}
        self._cache = Cache(stale)
        self._reports = Reports()

    def resolve(
        self, handle: bytes, items: int | None, answer: Answer, now: float
    ) -> list[Effect]:
        """
        Ask who is in a pool; `answer` is called once.

        :raise EncodeError: the handle can't be written as a message, or not be borne.
        """
        known = self._cache.find(handle, items, now)
        if known is not None:
            answer(known)
            return []
        question = self._put(handle, items, answer)
        return self._ask(question) if self._linked else []

    def watch(self, handle: bytes, changed: Watcher) -> list[Effect]:
        """Call `changed` with who is in a pool, now and at every change (the S bit)."""
        question = self._put(handle, None, None)
        self._watched.setdefault(handle, []).append(changed)
        return self._ask(question) if self._linked else []

    def unwatch(self, handle: bytes) -> list[Effect]:
        """
        Watch a pool no more.

        ASAP has no message for that: a subscription lasts as long as its connection, and
        updates that still come are let go.
        """
        self._watched.pop(handle, None)
        dropped = [q for q in self._questions if q.watch and q.handle == handle]
        return [CancelTimer(_again(handle)), *self._drop(dropped)]

    def forget(self, answer: Answer) -> list[Effect]:
        """Nobody waits for this answer any more."""
        return self._drop([q for q in self._questions if q.answer == answer])

    def report(self, handle: bytes, identifier: int, now: float) -> list[Effect]:
        """Tell the registrar that an element can't be reached, within a budget."""
        self._cache.drop(handle)
        data = self._reports.report(handle, identifier, now)
        if data is None:
            return []
        if self._linked:
            return [Send(data)]
        self._reports.hold(data, now)
        return []

    def linked(self, now: float) -> list[Effect]:
        """There is a home registrar: ask it what is unanswered, and watch there."""
        self._linked = True
        asked = {question.handle for question in self._questions if question.watch}
        for handle in self._watched:
            if handle not in asked:
                self._put(handle, None, None)
        effects = self._reports.held(now)
        for question in self._questions:
            effects += self._ask(question)
        return effects

    def unlinked(self) -> list[Effect]:
        """The home registrar was lost."""
        self._linked = False
        timers = [question.timer for question in self._questions]
        return [CancelTimer(name) for name in [*timers, *map(_again, self._watched)]]

    def rang(self, name: str) -> list[Effect]:
        """T1 has rung: see Note [An answer that doesn't come]; or it is time to ask again."""
        for handle in self._watched:
            if name == _again(handle):
                question = self._put(handle, None, None)
                return self._ask(question) if self._linked else []
        found = [question for question in self._questions if question.timer == name]
        if not found:
            return []
        question = found[0]
        if question.answer is not None and question.sent > MAX_REQUEST_RETRANSMIT:
            self._questions.remove(question)
            question.answer(None)
            return []
        return [Hunt("it doesn't answer a resolution")]

    def arrived(self, data: bytes, now: float) -> list[Effect]:
        """A message has come from the home registrar."""
        try:
            decoded = asap.decode(data)
        except WireError as error:
            return [Hunt(f"it sends nonsense: {error}")]
        message = decoded.message
        effects: list[Effect] = []
        if isinstance(message, asap.HandleResolutionResponse):
            effects = self._answered(message, now)
        elif isinstance(message, asap.Error):
            effects = complained(message)
        return effects + reported(decoded)

    def _answered(self, message: asap.HandleResolutionResponse, now: float) -> list[Effect]:
        resolution = Resolution(
            message.handle,
            message.policy if message.policy is not None else RoundRobin(),
            message.elements,
            None if message.error is None else message.error.causes[0],
            message.accepted_updates,
        )
        question = self._asked(resolution)
        if question is None and resolution.handle not in self._watched:
            return []
        resolution = self._judge(resolution)
        effects = _doubts(resolution)
        if question is not None:
            self._questions.remove(question)
            effects.append(CancelTimer(question.timer))
        if question is None or question.watch or resolution.updates:
            effects += self._tell_watchers(resolution, now)
        if question is not None and question.answer is not None:
            resolution = attrs.evolve(
                resolution, elements=resolution.elements[: question.items]
            )
            self._cache.keep(resolution, question.items, now)
            question.answer(resolution)
        return effects

    def _asked(self, resolution: Resolution) -> _Question | None:
        """
        Which question this answers: the first of its pool.

        An update looks like the answer to a watcher's question (it has the A bit), so that
        such a question comes first.
        """
        found = [q for q in self._questions if q.sent and q.handle == resolution.handle]
        found.sort(key=lambda question: question.watch is not resolution.updates)
        return found[0] if found else None

    def _tell_watchers(self, resolution: Resolution, now: float) -> list[Effect]:
        handle = resolution.handle
        if handle not in self._watched:
            return []
        self._cache.keep(resolution, None, now)
        for changed in list(self._watched[handle]):
            changed(resolution)
        if resolution.updates:
            return []
        return [SetTimer(_again(handle), self._dialect.watch_again)]

    def _put(self, handle: bytes, items: int | None, answer: Answer | None) -> _Question:
        objection = self._dialect.objection(handle)
        if objection:
            raise EncodeError(objection)
        self._count += 1
        said = self._dialect.everything if items is None else items
        question = _Question(self._count, handle, items, answer, said)
        question.message()  # raises before anything has changed
        self._questions.append(question)
        return question

    def _ask(self, question: _Question) -> list[Effect]:
        question.sent += 1
        return [Send(question.message()), SetTimer(question.timer, self._timeout)]

    def _drop(self, dropped: list[_Question]) -> list[Effect]:
        self._questions = [q for q in self._questions if q not in dropped]
        return [CancelTimer(question.timer) for question in dropped]


def _doubts(resolution: Resolution) -> list[Effect]:
    found = resolution.distrusted
    if not found:
        return []
    named = [f"{one.element.identifier:#010x}: {one.words}" for one in found[:MOST_NAMED]]
    more = [f"and {len(found) - MOST_NAMED} more"] if len(found) > MOST_NAMED else []
    words = "; ".join((f"pool {resolution.handle!r}", *named, *more))
    return [Tell(Notice(What.DISTRUSTED, words))]


def _again(handle: bytes) -> str:
    return f"watch again {handle.hex()}"
