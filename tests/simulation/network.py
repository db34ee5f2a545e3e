"""
Machines and the connections between them, with everything that can befall them.

Note [What a connection does]

It carries bytes in order, each piece after a delay of its own, as TCP does: what can't pass
waits, and passes soon after the way is free again.  A side that closes, or whose process is
killed, says so, in order behind what it has sent; one that aborts says so at once and drops
the rest.  A machine that dies says nothing.  Nobody hears of a way that is broken: a side that
waits for an acknowledgement gives up after its patience (TCP_USER_TIMEOUT), and one with
keep-alives does so without having sent anything; the other side is left with half a
connection, until it sends something and is told that nobody knows of it.
"""

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any, Protocol

from tests.simulation.clock import Clock, Event

DATA, FIN, RST, OPEN = "data", "fin", "rst", "open"
#: When SYN is sent again, in seconds after the first one.
SYN_AGAIN = (1.0, 3.0, 7.0, 15.0)
#: How long a side may wait for an acknowledgement before it gives up, in seconds: ours set
#: TCP_USER_TIMEOUT to 30; a kernel's retransmission can make it less.
PATIENCE = (15.0, 30.0)
#: How long TLS may wait for the other side's goodbye.
GOODBYE = 10.0
#: How soon what waited passes after its way is free again: the next retransmission.
RETRANSMISSION = (0.2, 3.0)
#: How often a side with keep-alives asks whether the other one is still there.
KEEPALIVE = 15.0


class Receiver(Protocol):
    """Who is told what happens at one end."""

    def received(self, data: bytes) -> None:
        """Bytes have come."""

    def ended(self, why: str) -> None:
        """The connection is over at this end; called once."""


class Nobody:
    """Hears nothing: the process has gone."""

    def received(self, data: bytes) -> None:
        """Let it go."""

    def ended(self, why: str) -> None:
        """Let it go."""


NOBODY = Nobody()
#: Called with the end that a listener got; gives who is told of it.
Accept = Callable[["End"], Receiver]


class Host:
    """
    One machine.

    :ivar up: whether it runs at all.
    :ivar process: which process it is that runs here: another one after each end.
    :ivar listeners: who takes calls, by port.
    """

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self.up = True
        self.process = 0
        self.listeners: dict[int, Accept] = {}
        self.ends: dict[End, None] = {}
        self.ports = 40_000

    def __repr__(self) -> str:
        return self.name


class End:
    """
    One side of a connection.

    :ivar live: the process here has it open.
    :ivar queue: what has been sent from here and not yet arrived: when, what, data.
    """

    __slots__ = (
        "chance", "doubt", "due", "forgotten", "host", "keepalive", "live", "network", "other",
        "port", "pump", "queue", "receiver", "secure", "sent_at",
    )  # fmt: skip

    def __init__(self, network: "Network", host: Host, chance: Random, *, secure: bool) -> None:
        self.network = network
        self.host = host
        self.chance = chance
        self.secure = secure
        self.other: End = self
        self.port = 0
        self.receiver: Receiver = NOBODY
        self.live = True
        self.keepalive = False
        self.forgotten = False  # its machine has died, or has given it up
        self.queue: deque[tuple[float, str, bytes]] = deque()
        self.due = 0.0
        self.sent_at = -1.0
        self.pump: Event | None = None
        self.doubt: Event | None = None

    def write(self, data: bytes) -> None:
        """Send."""
        if self.live:
            self.network.put(self, DATA, data)

    def close(self) -> None:
        """Say goodbye behind what was sent; `ended` is called when that is done."""
        if self.live:
            self.network.close(self)

    def abort(self) -> None:
        """End it now; `ended` is called in the next moment."""
        if self.live:
            self.network.abort(self, "aborted")


class Dialling:
    """One process's attempt to connect."""

    def __init__(
        self, host: Host, opened: Callable[[End], Receiver], failed: Callable[[str], None]
    ) -> None:
        self.opened = opened
        self.failed = failed
        self._host = host
        self._process = host.process
        self._cancelled = False

    @property
    def over(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._cancelled or self._host.process != self._process

    def cancel(self) -> None:
        """Give it up."""
        self._cancelled = True


class Network:
    """
    All machines, and what lies between them.

    :param loss: the part of all pieces that are lost at first, and come late.
    :ivar told: called with what happens, for the trace.
    """

    def __init__(
        self,
        clock: Clock,
        chance: Random,
        *,
        loss: float = 0.0,
        told: Callable[[str, str], None] = lambda who, what: None,
    ) -> None:
        self.clock = clock
        self.hosts: dict[str, Host] = {}
        self.told = told
        self._chance = chance
        self._loss = loss
        self._blocked: dict[tuple[Host, Host], int] = {}
        self._latency: dict[tuple[Host, Host], float] = {}
        self.slowness: dict[Host, float] = {}

    def host(self, name: str, address: str) -> Host:
        """A new machine."""
        host = self.hosts[address] = Host(name, address)
        return host

    def passes(self, source: Host, target: Host) -> bool:
        """Whether anything gets from here to there."""
        return source.up and target.up and not self._blocked.get((source, target))

    def whole(self, end: End) -> bool:
        """Whether both machines run and hear each other."""
        host, other = end.host, end.other.host
        return self.passes(host, other) and self.passes(other, host)

    def connected(self, end: End) -> bool:
        """Whether both sides have the connection open and hear each other."""
        return end.live and end.other.live and self.whole(end)

    # What befalls it

    def block(self, source: Host, target: Host) -> None:
        """Nothing gets from `source` to `target` any more, until it is freed as often."""
        self._blocked[source, target] = self._blocked.get((source, target), 0) + 1
        self._broken(source, target)

    def free(self, source: Host, target: Host) -> None:
        """One block less."""
        self._blocked[source, target] -= 1
        if self.passes(source, target):
            self._freed(source, target)

    def reset(self, end: End) -> None:
        """Something on the way ends a connection, and tells both sides."""
        for side in (end, end.other):
            if side.live:
                self.clock.after(self._delay(side), self._gone, side, "reset")

    def kill(self, host: Host) -> None:
        """The process on this machine ends; the machine says goodbye for it."""
        host.listeners.clear()
        host.process += 1
        for end in list(host.ends):
            end.receiver = NOBODY
            if end.live:
                end.live = False
                self.put(end, FIN)

    def power_off(self, host: Host) -> None:
        """The machine dies, and says nothing."""
        host.listeners.clear()
        host.process += 1
        host.up = False
        for end in list(host.ends):
            end.receiver = NOBODY
            self._forget(end)
            self._broken(end.other.host, host)
        host.ends.clear()

    def power_on(self, host: Host) -> None:
        """The machine is back; it knows nothing of what was."""
        host.up = True
        for other in self.hosts.values():
            self._freed(host, other)
            self._freed(other, host)

    def calm(self) -> None:
        """Nothing is lost or slow any more."""
        self._loss = 0.0
        self.slowness.clear()

    # Connections

    def dial(
        self,
        host: Host,
        address: str,
        port: int,
        opened: Callable[[End], Receiver],
        failed: Callable[[str], None],
        *,
        secure: bool,
        keepalive: bool = False,
    ) -> Dialling:
        """Call; there is no answer where nothing passes, and no timeout here."""
        dialling = Dialling(host, opened, failed)
        self._syn(dialling, host, address, port, secure, keepalive, 0)
        return dialling

    def put(self, end: End, kind: str, data: bytes = b"") -> None:
        """Send something from `end`."""
        now, queue = self.clock.now, end.queue
        if kind == DATA and end.sent_at == now and queue and queue[-1][1] == DATA:
            due, _, before = queue.pop()
            queue.append((due, DATA, before + data))
            return
        end.sent_at = now
        end.due = max(end.due, now + self._delay(end))
        queue.append((end.due, kind, data))
        if end.pump is None:
            end.pump = self.clock.at(queue[0][0], self._pump, end)
        if not self.whole(end):
            self._doubt(end)

    def close(self, end: End) -> None:
        """As `End.close`."""
        self.put(end, FIN)
        end.live = False
        # TLS hears the other side's goodbye first; nobody waits for it without end.
        answer = 2 * self._delay(end) if self.whole(end) else GOODBYE
        self.clock.after(answer if end.secure else 0.0, self._end, end, "closed")

    def abort(self, end: End, why: str) -> None:
        """As `End.abort`."""
        end.queue.clear()
        end.live = False
        self.put(end, RST)
        self.clock.after(0.0, self._end, end, why)

    def _delay(self, end: End) -> float:
        host, other, chance = end.host, end.other.host, end.chance
        pair = (host, other) if host.address < other.address else (other, host)
        latency = self._latency.get(pair)
        if latency is None:
            latency = self._latency[pair] = 0.0002 * 100.0 ** self._chance.random()
        delay = latency * (1.0 + chance.random())
        if self._loss and chance.random() < self._loss:
            delay += 0.2 + chance.random()
        if self.slowness:
            delay += self.slowness.get(host, 0.0) + self.slowness.get(other, 0.0)
        return delay

    def _syn(  # noqa: PLR0917
        self,
        dialling: Dialling,
        host: Host,
        address: str,
        port: int,
        secure: bool,
        keepalive: bool,
        attempt: int,
    ) -> None:
        if dialling.over:
            return
        target = self.hosts.get(address)
        if target is None or not (self.passes(host, target) and self.passes(target, host)):
            if attempt < len(SYN_AGAIN):
                pause = SYN_AGAIN[attempt] - (SYN_AGAIN[attempt - 1] if attempt else 0.0)
                self.clock.after(
                    pause, self._syn, dialling, host, address, port, secure, keepalive,
                    attempt + 1,
                )  # fmt: skip
            return
        chance = Random(self._chance.getrandbits(64))
        end, other = (End(self, place, chance, secure=secure) for place in (host, target))
        end.other, other.other = other, end
        end.keepalive = keepalive
        host.ports += 1
        end.port, other.port = host.ports, port
        # TLS takes two more journeys there and back: the keys, and the client's proof.
        journeys = 4 if secure else 1
        seconds = sum(self._delay(end) + self._delay(other) for _ in range(journeys))
        if port not in target.listeners:
            self.clock.after(seconds / journeys, self._refused, dialling, host)
        else:
            self.clock.after(seconds, self._opened, dialling, end, target.listeners[port])

    def _refused(self, dialling: Dialling, host: Host) -> None:
        if not dialling.over:
            dialling.cancel()
            dialling.failed("refused")

    def _opened(self, dialling: Dialling, end: End, listener: Accept) -> None:
        other = end.other
        if dialling.over or not self.whole(end):
            return  # the caller's timeout will tell it
        if other.host.listeners.get(other.port) is not listener:
            self._refused(dialling, end.host)
            return
        dialling.cancel()
        other.receiver = _Waiting(listener, other)
        end.host.ends[end] = other.host.ends[other] = None
        self.put(end, OPEN)
        end.receiver = dialling.opened(end)

    def _pump(self, end: End) -> None:
        """Let arrive what is due."""
        end.pump = None
        queue, now = end.queue, self.clock.now
        while queue and queue[0][0] <= now:
            if not self.passes(end.host, end.other.host):
                if queue[0][1] == RST:
                    queue.popleft()  # nobody sends it again
                    self._finished(end)
                    continue
                self._doubt(end)
                return
            _, kind, data = queue.popleft()
            self._arrive(end, kind, data)
        if queue:
            end.pump = self.clock.at(queue[0][0], self._pump, end)

    def _arrive(self, end: End, kind: str, data: bytes) -> None:
        other = end.other
        if kind in (FIN, RST):
            self._finished(end)
            if other.live:
                self._gone(other, "closed by the other side" if kind == FIN else "reset")
        elif not other.live:
            # Nobody knows of this connection there; a close that is under way needs no word.
            if end.live and (other.forgotten or not other.queue):
                self._answer_reset(end)
        elif kind == OPEN:
            receiver = other.receiver
            assert isinstance(receiver, _Waiting)
            other.receiver = receiver.listener(other)
        else:
            other.receiver.received(data)

    def _answer_reset(self, end: End) -> None:
        if self.passes(end.other.host, end.host):
            self.clock.after(self._delay(end), self._gone, end, "nobody knows of it there")
        else:
            self._doubt(end)

    def _doubt(self, end: End) -> None:
        """It may never be acknowledged: give up after a while."""
        if end.doubt is None and not end.forgotten:
            low, high = PATIENCE
            seconds = low + (high - low) * end.chance.random()
            end.doubt = self.clock.after(seconds, self._give_up, end)

    def _give_up(self, end: End) -> None:
        end.doubt = None
        if self.whole(end) and not end.other.forgotten:
            return
        was_live = end.live
        self._forget(end)
        if was_live:
            if self.passes(end.host, end.other.host) and end.other.live:
                self.clock.after(self._delay(end), self._gone, end.other, "reset")
            self._end(end, "timed out")

    def _gone(self, end: End, why: str) -> None:
        """`end` learns that the connection is over."""
        if end.live:
            self._forget(end)
            self._end(end, why)

    def _end(self, end: End, why: str) -> None:
        receiver, end.receiver = end.receiver, NOBODY
        receiver.ended(why)

    def _forget(self, end: End) -> None:
        """Neither process nor kernel knows of it here any more."""
        end.live = False
        end.forgotten = True
        end.queue.clear()
        for event in (end.pump, end.doubt):
            if event is not None:
                event.cancel()
        end.pump = end.doubt = None
        end.host.ends.pop(end, None)

    def _finished(self, end: End) -> None:
        """The last that `end` had to say has arrived."""
        receiver = end.receiver
        self._forget(end)
        end.receiver = receiver  # it is still to hear of the end, by `_end`

    def _broken(self, source: Host, target: Host) -> None:
        """The way is broken: those who watch, or wait, begin to doubt."""
        for host, other in ((source, target), (target, source)):
            for end in list(host.ends):
                if end.other.host is other and (end.queue or (end.keepalive and end.live)):
                    self._doubt(end)

    def _freed(self, source: Host, target: Host) -> None:
        """The way is free: what waited is sent again, and who watches asks again."""
        low, high = RETRANSMISSION
        for host, other in ((source, target), (target, source)):
            for end in list(host.ends):
                if end.other.host is not other:
                    continue
                if end.doubt is not None and self.whole(end):
                    end.doubt.cancel()
                    end.doubt = None
                if end.queue and end.pump is None:
                    again = self.clock.now + low + (high - low) * end.chance.random()
                    end.due = max(end.due, again)
                    end.queue = deque((max(due, again), *rest) for due, *rest in end.queue)
                    end.pump = self.clock.at(again, self._pump, end)
                if end.keepalive and end.live and end.other.forgotten and self.whole(end):
                    seconds = KEEPALIVE * end.chance.random()
                    self.clock.after(seconds, self._probe, end)

    def _probe(self, end: End) -> None:
        if end.live and end.other.forgotten:
            if self.whole(end):
                self._gone(end, "nobody knows of it there")
            else:
                self._doubt(end)


class _Waiting:
    """The kernel's side of a connection that its process hasn't been given yet."""

    def __init__(self, listener: Accept, end: End) -> None:
        self.listener = listener
        self.end = end

    def received(self, data: bytes) -> None:
        raise AssertionError("nothing comes before the connection is open")

    def ended(self, why: str) -> None:
        """The process never hears of it."""


def ends_of(host: Host) -> list[Any]:
    """All ends that live on a machine."""
    return [end for end in host.ends if end.live]
