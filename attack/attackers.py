"""
Attackers: ``python -m attack.attackers``, a specification as JSON on standard input.

Each is a thread with connections of its own, from an address of its own (127.0.1.x).  They
know the protocol, and what they do with it is what the published attacks do.
"""

import contextlib
import json
import random
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from ipaddress import ip_address
from itertools import cycle, islice
from typing import Any

from OpenSSL import SSL

from rserpool.client.security import Certified
from rserpool.security.psk.tls import PSKClientCreator
from rserpool.wire import asap, enrp
from rserpool.wire.framing import Splitter
from rserpool.wire.parameters import PoolElement, TCPTransport
from rserpool.wire.policies import RoundRobin
from tests.threats.forger import announcements, presences
from tests.threats.scene import Line

#: What is on the way at once, of one flooding attacker.
WINDOW = 256


class Attacker:
    """
    One attacker.

    :ivar counts: what it has done, and what became of it.
    """

    def __init__(self, spec: dict[str, Any], number: int, end: float) -> None:
        self.spec = spec
        self.source = f"127.0.1.{number + 1}"
        self.pool = spec["pool"].encode()
        self.end = end
        self.counts: Counter[str] = Counter()
        self.random = random.Random(number)
        self._line: Line | None = None

    @property
    def goes_on(self) -> bool:
        """Whether it shall do more."""
        return time.monotonic() < self.end

    def creator(self) -> Any:
        """TLS: by its key if it has one, else as who proves nothing."""
        if "identity" in self.spec:
            secret = bytes.fromhex(self.spec["key"])
            return PSKClientCreator(self.spec["identity"], secret)
        return Certified(self.spec["ca"]).creator("127.0.0.1")

    def line(self) -> Line:
        """Its connection; a new one when the last was lost."""
        if self._line is None:
            decode = enrp if self.spec.get("enrp") else asap
            self._line = Line(self.spec["port"], self.creator(), self.source, decode=decode)
            self.counts["connected"] += 1
        return self._line

    def tell(self, *messages: object, want: int = 1) -> list[Any]:
        """Send, and count what comes back."""
        try:
            found = self.line().tell(*messages, want=want, patience=1.0)
        except (OSError, SSL.Error):
            self.drop()
            time.sleep(0.01)
            return []
        self.counts["sent"] += len(messages)
        for answer in found:
            kind = "refused" if getattr(answer, "error", None) else "answered"
            self.counts[kind] += 1
        if want and not found:
            self.drop()
        return found

    def drop(self) -> None:
        """Hang up."""
        self.counts["lost"] += 1
        if self._line is not None:
            self._line.close()
        self._line = None

    def pause(self, seconds: float) -> None:
        """Wait, but not longer than it is meant to go on."""
        time.sleep(max(min(seconds, self.end - time.monotonic()), 0))


def resolve(attacker: Attacker) -> None:
    """Handle-resolution attack: one request each so many seconds."""
    question = asap.HandleResolution(handle=attacker.pool)
    while attacker.goes_on:
        attacker.tell(question)
        attacker.pause(attacker.spec["interval"])


def flood(attacker: Attacker) -> None:
    """The same as fast as one connection goes: many requests on the way at once."""
    question = asap.encode(asap.HandleResolution(handle=attacker.pool))
    while attacker.goes_on:
        try:
            line = attacker.line()
            splitter, out = Splitter(), 0
            while attacker.goes_on:
                line.write(question * (WINDOW - out))
                attacker.counts["sent"] += WINDOW - out
                out = WINDOW
                line.socket.settimeout(1.0)
                data = line.read()
                if not data:
                    raise ConnectionError
                found = len(splitter.feed(data))
                attacker.counts["answered or refused"] += found
                out -= found
        except (OSError, SSL.Error):
            attacker.drop()
            attacker.pause(0.05)


def unreachable(attacker: Attacker) -> None:
    """Unreachable attack: resolve, and report what comes with so great a probability."""
    question = asap.HandleResolution(handle=attacker.pool)
    while attacker.goes_on:
        for answer in attacker.tell(question):
            reports = [
                asap.EndpointUnreachable(handle=attacker.pool, identifier=element.identifier)
                for element in getattr(answer, "elements", ())
                if attacker.random.random() < attacker.spec["probability"]
            ]
            if reports:
                attacker.tell(*reports, want=0)
        attacker.pause(attacker.spec["interval"])


def register(attacker: Attacker) -> None:
    """Registration attack: ever new identifiers, in the pool that honest users use."""
    while attacker.goes_on:
        element = PoolElement(
            identifier=attacker.random.randrange(1 << 32),
            life=300,
            user_transport=TCPTransport(port=9, addresses=(ip_address(attacker.source),)),
            policy=RoundRobin(),
        )
        pool = attacker.pool if attacker.spec.get("same") else b"attacked"
        attacker.tell(asap.Registration(handle=pool, element=element))
        attacker.pause(attacker.spec["interval"])


def churn(attacker: Attacker) -> None:
    """Reconnect churn: connect, shake hands, resolve, hang up, so many times in all."""
    question = asap.HandleResolution(handle=attacker.pool)
    for _ in range(attacker.spec["sessions"]):
        if not attacker.goes_on:
            return
        if attacker.tell(question):
            attacker.drop()
            attacker.counts["lost"] -= 1


def half_open(attacker: Attacker) -> None:
    """Connections that say nothing, or half a hello, and stay."""
    held: list[socket.socket] = []
    beginnings = (b"", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    while attacker.goes_on:
        if len(held) < attacker.spec["held"]:
            with contextlib.suppress(OSError):
                line = socket.create_connection(
                    ("127.0.0.1", attacker.spec["port"]), 1, (attacker.source, 0)
                )
                line.sendall(beginnings[len(held) % 2])
                held.append(line)
                attacker.counts["connected"] += 1
        else:
            held = [line for line in held if _open(line)]
            attacker.pause(0.1)
    for line in held:
        line.close()


def _open(line: socket.socket) -> bool:
    line.setblocking(False)
    try:
        return bool(line.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False


def failing(attacker: Attacker) -> None:
    """Handshakes that fail: the right name with a wrong key, and names that nobody has."""
    names = (attacker.spec["name"], "stranger")
    while attacker.goes_on:
        attacker.counts["sent"] += 1
        name = names[attacker.counts["sent"] % 2]
        try:
            creator = PSKClientCreator(name, bytes(32))
            Line(attacker.spec["port"], creator, attacker.source).close()
        except (OSError, SSL.Error):
            attacker.counts["failed"] += 1


def rogue_peer(attacker: Attacker) -> None:
    """A registrar with a key of its own that floods, and speaks for others."""
    spec = attacker.spec
    own, victim = spec["own"], spec["victim"]
    messages = [
        enrp.Presence(reply_required=True, sender=own, checksum=0xBAD),
        enrp.ListRequest(sender=own, receiver=victim),
        enrp.HandleTableRequest(own_only=False, sender=own, receiver=victim),
        enrp.HandleUpdate(
            sender=own, action=enrp.DEL_PE, handle=attacker.pool,
            element=PoolElement(
                identifier=spec["identifier"], home=victim, life=300,
                user_transport=TCPTransport(port=9, addresses=(ip_address(attacker.source),)),
                policy=RoundRobin(),
            ),
        ),
        enrp.InitTakeover(sender=own, target=victim),
        enrp.TakeoverServer(sender=own, target=victim),
    ]  # fmt: skip
    flooded = b"".join(enrp.encode(message) for message in messages) * 16
    while attacker.goes_on:
        try:
            line = attacker.line()
            line.write(flooded)
            attacker.counts["sent"] += len(messages) * 16
            line.socket.settimeout(0.02)
            with contextlib.suppress(TimeoutError):
                if not line.read():
                    raise ConnectionError
        except (OSError, SSL.Error):
            attacker.drop()
            attacker.pause(0.05)


def announce(attacker: Attacker) -> None:
    """Forged announcements: of registrars at random ports, to each group in turn."""
    # Made beforehand: the time that this takes isn't the attack's.
    makers = [cycle(islice(maker([2000]), 1000)) for maker in (announcements, presences)]
    groups = [group.rpartition(":") for group in attacker.spec["groups"]]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((attacker.source, 0))
        interface = socket.inet_aton("127.0.0.1")
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, interface)
        while attacker.goes_on:
            for (host, _, port), maker in zip(groups, makers, strict=True):
                with contextlib.suppress(OSError):
                    sender.sendto(next(maker), (host, int(port)))
                    attacker.counts["sent"] += 1
            attacker.pause(attacker.spec["interval"])


KINDS: dict[str, Callable[[Attacker], None]] = {
    "resolve": resolve, "flood": flood, "unreachable": unreachable, "register": register,
    "churn": churn, "half-open": half_open, "failing": failing, "rogue-peer": rogue_peer,
    "announce": announce,
}  # fmt: skip


def main(spec: dict[str, Any]) -> None:
    """Attack for so long, and print what was done."""
    end = time.monotonic() + spec["seconds"]
    attackers = [Attacker(spec, number, end) for number in range(spec["attackers"])]
    act = KINDS[spec["kind"]]
    threads = [threading.Thread(target=act, args=(one,), daemon=True) for one in attackers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(end - time.monotonic(), 0) + 5)
    total: Counter[str] = Counter()
    for attacker in attackers:
        total.update(attacker.counts)
    print(json.dumps(dict(total)))


if __name__ == "__main__":
    main(json.load(sys.stdin))
