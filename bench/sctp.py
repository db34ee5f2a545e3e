"""
ASAP over SCTP: a registrar of ours, rspregistrar, and a bare echo, under the same load in turn.

``make bench`` runs it in the lab (tests/interop): ``python -m bench.sctp FILE``.  The figure is
operations for each second of CPU time of the server's process; only ratios within one run say
something, since system calls cost several times more there than on a real kernel.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from statistics import median

from rserpool.transport.sctp import options
from rserpool.transport.sctp.payload import Payload
from rserpool.wire import asap, policies
from rserpool.wire.parameters import PoolElement, SCTPTransport

SERVER, CLIENT = "10.1.1.1", "10.1.1.2"
PORTS = {"ours": 3863, "rspregistrar": 3963, "echo": 4063}
ELEMENTS, PER_POOL, WANTED = 600, 10, 3
#: Associations, and requests outstanding on each.
SHAPES = ((1, 1), (1, 16), (32, 1), (32, 16))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SECONDS = float(os.environ.get("BENCH_SCTP_SECONDS", "2.0"))
#: Octets of one read: the longest message.
LONGEST = 1 << 16
_SENT_WITH = options.sent_with(Payload.ASAP.value)
_HOUR = 3_600_000


def handle(number: int) -> bytes:
    """The handle of a pool."""
    return b"pool-%05d" % number


def registration(number: int) -> bytes:
    """The registration of an element."""
    element = PoolElement(
        identifier=number + 1,
        life=_HOUR,
        user_transport=SCTPTransport(port=80, addresses=(ip_address(CLIENT),)),
        policy=policies.RoundRobin(),
    )
    return asap.encode(asap.Registration(handle=handle(number // PER_POOL), element=element))


def question(pool: int) -> bytes:
    """A resolution of a pool."""
    return asap.encode(asap.HandleResolution(handle=handle(pool), items=WANTED))


class Line:
    """One association: a user message is a request or an answer."""

    def __init__(self, port: int) -> None:
        self.socket = options.make(socket.AF_INET, options.Times())
        try:
            self.socket.setblocking(True)
            self.socket.bind((CLIENT, 0))
            self.socket.connect((SERVER, port))
        except OSError:
            self.socket.close()
            raise

    def send(self, message: bytes) -> None:
        """Send a message."""
        self.socket.sendmsg([message], _SENT_WITH)

    def receive(self) -> bytes:
        """Receive a message; what the kernel tells of the association isn't one."""
        while True:
            data, _, flags, _ = self.socket.recvmsg(LONGEST, 0)
            if not data:
                raise SystemExit("the server hung up")
            if not flags & options.NOTIFICATION:
                return data

    def exchange(self, messages: list[bytes]) -> bytes:
        """Send messages one after the other, and give back the last answer."""
        answer = b""
        for message in messages:
            self.send(message)
            answer = self.receive()
        return answer


class Server:
    """A process under load."""

    def __init__(self, name: str, command: list[str], log: Path) -> None:
        self.name = name
        self.port = PORTS[name]
        with log.open("wb") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)

    def up(self) -> None:
        """Wait until it answers: a registrar may still be looking for others."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                line = Line(self.port)
                try:
                    line.exchange([question(0)])
                    return
                finally:
                    line.socket.close()
            except (OSError, SystemExit):
                time.sleep(0.5)
        raise SystemExit(f"{self.name} doesn't answer")

    def cpu(self) -> float:
        """Seconds of CPU time that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def load(
        self, lines: list[Line], shares: list[list[bytes]], window: int
    ) -> dict[str, float]:
        """Load it for a time; operations for each second of its CPU time, and in all."""
        poll, by_number = select.epoll(), {}
        for line, share in zip(lines, shares, strict=True):
            poll.register(line.socket.fileno(), select.EPOLLIN)
            by_number[line.socket.fileno()] = line, share
            for number in range(window):
                line.send(share[number % len(share)])
        done, before, start = 0, self.cpu(), time.perf_counter()
        end = start + SECONDS
        while time.perf_counter() < end:
            for number, _ in poll.poll(1.0):
                line, share = by_number[number]
                line.receive()
                done += 1
                line.send(share[done % len(share)])
        seconds, used = time.perf_counter() - start, self.cpu() - before
        for line in lines:
            for _ in range(window):
                line.receive()
        poll.close()
        return {"per CPU second": done / max(used, 0.01), "rate": done / seconds}


@contextmanager
def servers(scratch: Path) -> Iterator[dict[str, Server]]:
    """All three, serving."""
    commands = {"ours": _ours(), "rspregistrar": _theirs(), "echo": _echo()}
    started: dict[str, Server] = {}
    try:
        for name, command in commands.items():
            started[name] = Server(name, command, scratch / f"{name}.log")
        for server in started.values():
            server.up()
        yield started
    finally:
        for server in started.values():
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()


def _ours() -> list[str]:
    """A registrar with gate and limits on, out of reach of this load."""
    sets = {
        "timers.keep-alive-interval": 36000, "timers.keep-alive-timeout": 36000,
        "limits.resolutions-per-second": 1e7, "limits.resolutions-burst": 1e7,
        "limits.registrations-per-second": 1e7, "limits.registrations-burst": 1e7,
    }  # fmt: skip
    twistd = str(Path(sys.executable).parent / "twistd")
    return [
        twistd, "-n", "--pidfile=", "rserpool-enrp", "--security=none",
        f"--asap=sctp:{PORTS['ours']}:interface={SERVER}",
        *(f"--set={key}={value}" for key, value in sets.items()),
    ]  # fmt: skip


def _theirs() -> list[str]:
    return [
        "rspregistrar", f"-asap={SERVER}:{PORTS['rspregistrar']}", f"-enrp={SERVER}:9901",
        "-loglevel=0", f"-endpointkeepalivetransmissioninterval={_HOUR}",
        f"-endpointkeepalivetimeoutinterval={_HOUR}", "-autoclosetimeout=36000",
    ]  # fmt: skip


def _echo() -> list[str]:
    return [sys.executable, "-m", "bench.sctp", "--echo"]


def echo() -> None:
    """Send back whatever comes: no more can be had of plain sockets in Python."""
    listening = options.make(socket.AF_INET, options.Times())
    listening.bind((SERVER, PORTS["echo"]))
    listening.listen(64)
    poll, open_ones = select.epoll(), {}
    poll.register(listening.fileno(), select.EPOLLIN)
    while True:
        for number, _ in poll.poll():
            if number == listening.fileno():
                accepted, _ = listening.accept()
                accepted.setblocking(False)
                open_ones[accepted.fileno()] = accepted
                poll.register(accepted.fileno(), select.EPOLLIN)
            else:
                _answer(open_ones, number)


def _answer(open_ones: dict[int, socket.socket], number: int) -> None:
    one = open_ones[number]
    try:
        while True:
            data, _, flags, _ = one.recvmsg(LONGEST, 0)
            if not data:
                break
            if not flags & options.NOTIFICATION:
                one.sendmsg([data], _SENT_WITH)
    except BlockingIOError:
        return
    except OSError:
        pass
    open_ones.pop(number).close()


def measure(rounds: int = ROUNDS) -> dict[str, dict[str, float]]:
    """All figures: medians of the rounds."""
    found: dict[str, list[dict[str, float]]] = {}
    members = [registration(number) for number in range(ELEMENTS)]
    questions = [question(pool) for pool in range(ELEMENTS // PER_POOL)]
    with tempfile.TemporaryDirectory() as scratch, servers(Path(scratch)) as running:
        for _ in range(rounds):
            for count, window in SHAPES:
                for name, server in running.items():
                    lines = [Line(server.port) for _ in range(count)]
                    own = [members[i::count] for i in range(count)]
                    for line, share in zip(lines, own, strict=True):
                        line.exchange(share)
                    if name != "echo":
                        _looked_over(name, lines[0])
                    for what, shares in (("resolve", [questions] * count), ("renew", own)):
                        key = f"{what} {name} c{count} w{window}"
                        found.setdefault(key, []).append(server.load(lines, shares, window))
                    for line in lines:
                        line.socket.close()
                    time.sleep(0.3)  # elements whose association ends are taken out
    return {
        name: {key: median(one[key] for one in each) for key in each[0]}
        for name, each in found.items()
    }


def _looked_over(name: str, line: Line) -> None:
    """What is answered is what was asked for."""
    answer = asap.decode(line.exchange([question(0)])).message
    assert isinstance(answer, asap.HandleResolutionResponse), (name, answer)
    assert len(answer.elements) == WANTED, (name, answer)


def ratios(found: dict[str, dict[str, float]]) -> dict[str, float]:
    """Where ours stands: operations for a CPU second, of theirs and of the echo's."""
    result = {}
    for count, window in SHAPES:
        shape = f"c{count} w{window}"
        for what in ("resolve", "renew"):
            ours = found[f"{what} ours {shape}"]["per CPU second"]
            for other in ("rspregistrar", "echo"):
                theirs = found[f"{what} {other} {shape}"]["per CPU second"]
                result[f"{what} {shape}, ours to {other}"] = ours / theirs
    return result


def main() -> None:
    """Measure, print, and write what was found."""
    found = measure()
    print(f"\nover SCTP, in the lab\n  {'':40} {'per CPU second':>14} {'per second':>11}")
    for name, figures in found.items():
        print(f"  {name:40} {figures['per CPU second']:14.0f} {figures['rate']:11.0f}")
    shown = ratios(found)
    for name, value in shown.items():
        print(f"  {name:40} {value:14.2f}")
    Path(sys.argv[1]).write_text(json.dumps({"figures": found, "ratios": shown}, indent=1))


if __name__ == "__main__":
    if sys.argv[1:] == ["--echo"]:
        echo()
    else:
        main()
