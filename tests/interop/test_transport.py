"""SCTP as a transport, against peers that are nothing but a socket."""

import socket
import subprocess
import sys
import threading

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread

from rserpool.transport import endpoints
from rserpool.transport.sctp.payload import Payload
from rserpool.transport.watch import Patience
from tests.interop import only_in_the_lab
from tests.interop.lan import Lan, ip
from tests.interop.peers import Peer
from tests.interop.scene import Serving, message

test_suite = only_in_the_lab(__name__)

HERE = "10.1.1.1"
LENGTHS = (4, 5, 8, 1000, 1452, 1453, 30_000, 65_532, 65_535)


class Messages(Serving):
    """One user message is one message, both ways."""

    @inlineCallbacks
    def test_lengths(self):
        """Of 4 octets to 64 KiB; answers that are written together come one by one."""
        port = yield self.listen(f"sctp:0:interface={HERE}")
        sent = [message(length, mark) for mark, length in enumerate(LENGTHS)]

        def exchange():
            peer = Peer([HERE], port.getHost().port)
            for data in sent:
                peer.send(data)
            found = [peer.receive() for _ in sent]
            peer.close()
            return found

        found = yield deferToThread(exchange)
        self.assertEqual([data for data, _ in found], sent)
        self.assertEqual({identifier for _, identifier in found}, {11})
        self.assertEqual(self.echo.messages, sent)

    @inlineCallbacks
    def test_identifiers(self):
        """What comes by an ENRP port goes back as ENRP."""
        port = yield self.listen(f"sctp:0:interface={HERE}", Payload.ENRP)

        def exchange():
            peer = Peer([HERE], port.getHost().port)
            peer.send(message(8), 12)
            found = peer.receive()
            peer.close()
            return found

        found = yield deferToThread(exchange)
        self.assertEqual(found, (message(8), 12))

    @inlineCallbacks
    def test_wrong_identifier(self):
        """A message of another protocol ends the association, and isn't served."""
        for payload, wrong in ((Payload.ASAP, 12), (Payload.ASAP, 0), (Payload.ENRP, 11)):
            port = yield self.listen(f"sctp:0:interface={HERE}", payload)

            def exchange(port=port, wrong=wrong):
                peer = Peer([HERE], port.getHost().port)
                peer.send(message(8), wrong)
                end = peer.ending()
                peer.close()
                return end

            end = yield deferToThread(exchange)
            self.assertEqual((end, self.echo.messages), ("aborted", []))
            yield self.until(lambda: not self.listener.connections)

    @inlineCallbacks
    def test_partial_delivery(self):
        """What is longer than the kernel keeps is put together again."""
        port = yield self.listen(f"sctp:0:interface={HERE}")
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sent = [message(65_535, mark) for mark in range(5)]
        self.echo.answer = lambda data: message(4)

        def exchange():
            peer = Peer([HERE], port.getHost().port)
            for data in sent:
                peer.send(data)
            found = [peer.receive()[0] for _ in sent]
            peer.close()
            return found

        found = yield deferToThread(exchange)
        self.assertEqual(found, [message(4)] * len(sent))
        self.assertEqual(self.echo.messages, sent)

    @inlineCallbacks
    def test_too_long(self):
        """A message longer than any can be ends the association, and isn't kept."""
        port = yield self.listen(f"sctp:0:interface={HERE}")

        def exchange():
            peer = Peer([HERE], port.getHost().port)
            peer.send(bytes(70_000))
            end = peer.ending()
            peer.close()
            return end

        end = yield deferToThread(exchange)
        self.assertEqual((end, self.echo.messages), ("aborted", []))

    @inlineCallbacks
    def test_abort_within_a_message(self):
        """A message whose rest never comes isn't served."""
        port = yield self.listen(f"sctp:0:interface={HERE}")
        port.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        opened = self.echo.opened
        self.echo.opened = lambda connection: (opened(connection), connection.hold())
        peer = yield deferToThread(Peer, [HERE], port.getHost().port)
        yield deferToThread(peer.send, message(65_535))
        yield self.until(lambda: self.echo.connections)
        peer.abort()
        [connection] = self.echo.connections
        connection.release()
        yield self.until(lambda: self.echo.lost_ones)
        self.assertEqual(self.echo.messages, [])

    @inlineCallbacks
    def test_loss_and_reordering(self):
        """Packets that are lost, late and out of order change nothing."""
        ip("link", "set", "lo", "mtu", "1500")
        self.addCleanup(ip, "link", "set", "lo", "mtu", "65536")
        netem = ["tc", "qdisc", "replace", "dev", "lo", "root", "netem"]
        subprocess.run(
            [*netem, *["delay", "20ms", "10ms", "loss", "3%", "reorder", "30%", "50%"]],
            check=True,
        )
        self.addCleanup(subprocess.run, ["tc", "qdisc", "del", "dev", "lo", "root"], check=True)
        port = yield self.listen(f"sctp:0:interface={HERE}:rtoMinimum=0.1:rtoInitial=0.2")
        sent = [message(4 + 173 * mark, mark) for mark in range(80)]

        def exchange():
            peer = Peer([HERE], port.getHost().port)
            for data in sent:
                peer.send(data)
            found = [peer.receive()[0] for _ in sent]
            peer.close()
            return found

        found = yield deferToThread(exchange)
        self.assertEqual(found, sent)


class Ending(Serving):
    """Orderly ends and others."""

    @inlineCallbacks
    def test_close(self):
        """What was written before an association is closed arrives."""
        port = yield self.listen(f"sctp:0:interface={HERE}")
        arrived = self.echo.arrived

        def answer(connection, messages):
            arrived(connection, messages)
            connection.close("that was all")

        self.echo.arrived = answer
        self.echo.answer = lambda data: b"".join(message(65_535, mark) for mark in range(20))

        def exchange():
            peer = Peer([HERE], port.getHost().port)
            peer.send(message(8))
            found = [peer.receive()[0] for _ in range(21)]
            peer.close()
            return found

        found = yield deferToThread(exchange)
        self.assertEqual(found, [*(message(65_535, mark) for mark in range(20)), b""])

    @inlineCallbacks
    def test_abort(self):
        """One that is cut off ends with an ABORT."""
        port = yield self.listen(f"sctp:0:interface={HERE}")
        peer = yield deferToThread(Peer, [HERE], port.getHost().port)
        yield self.until(lambda: self.echo.connections)
        self.echo.connections[0].abort("by the test")
        end = yield deferToThread(peer.ending)
        peer.close()
        self.assertEqual(end, "aborted")


#: Says something from a port of its own, and waits until it is killed.
_SAYS = """
import sys
from tests.interop.peers import Peer
from tests.interop.scene import message
peer = Peer(["10.2.0.254"], int(sys.argv[1]), bound=["10.2.0.1"], bound_port=4000)
peer.send(message(8))
print(peer.receive()[0] == message(8), flush=True)
sys.stdin.read()
peer.abort()
"""


class Restart(Serving):
    """A host that comes back at the same address and port, and remembers nothing."""

    @inlineCallbacks
    def test_begins_anew(self):
        """Who it was before ends with that association; the next one is a new connection."""
        lan = Lan(1).up()
        self.addCleanup(lan.down)
        [host] = lan.hosts
        port = yield self.listen("sctp:0:interface=10.2.0.254")

        def say():
            words = [sys.executable, "-c", _SAYS, str(port.getHost().port)]
            program = subprocess.Popen(
                host.command(*words), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )  # fmt: skip
            return program, program.stdout.readline()

        def end(program):
            program.stdin.close()
            program.wait()
            program.stdout.close()

        program, found = yield deferToThread(say)
        self.assertEqual(found, b"True\n")
        [before] = self.echo.connections
        # Its ABORT goes nowhere; behind a cable that is cut it would wait.
        host.impair("loss", "100%")
        yield deferToThread(end, program)
        host.impair()
        found = b""
        for _ in range(20):
            program, found = yield deferToThread(say)
            yield deferToThread(end, program)
            if found:
                break
        self.assertEqual(found, b"True\n")
        self.assertIn(before, self.echo.lost_ones)
        self.assertEqual(len(self.echo.connections), 2)


class BackPressure(Serving):
    """Who asks and doesn't read."""

    @inlineCallbacks
    def test_not_read(self):
        """Is asked no more of, and gets all its answers when it reads."""
        port = yield self.listen(f"sctp:0:interface={HERE}")
        self.echo.answer = lambda data: message(65_535, data[1])
        peer = yield deferToThread(Peer, [HERE], port.getHost().port)
        count = 200

        def ask():
            for mark in range(count):
                peer.send(message(1000, mark))

        yield deferToThread(ask)
        yield self.until(lambda: self.echo.connections and self.echo.connections[0].full)
        served = len(self.echo.messages)
        self.assertLess(served, count)
        found = yield deferToThread(lambda: [peer.receive()[0] for _ in range(count)])
        peer.close()
        self.assertEqual([data[1] for data in found], list(range(count)))
        self.assertEqual({len(data) for data in found}, {65_536})

    @inlineCallbacks
    def test_never_read(self):
        """Is cut off after a while."""
        port = yield self.listen(f"sctp:0:interface={HERE}", patience=Patience(stall=1.0))
        self.echo.answer = lambda data: message(65_535)
        peer = yield deferToThread(Peer, [HERE], port.getHost().port, receive_buffer=8192)
        for _ in range(40):
            peer.send(message(8))
        yield self.until(lambda: self.echo.lost_ones)
        peer.close()


class Where(Serving):
    """Where it is listened."""

    @inlineCallbacks
    def test_everywhere(self):
        """Without an interface on all addresses of the host, of IPv4 and of IPv6."""
        port = yield self.listen("sctp:0")
        for host in ("127.0.0.1", "10.1.1.2", "::1", "fd10:1:1::3"):

            def exchange(host=host):
                peer = Peer([host], port.getHost().port)
                peer.send(message(8))
                return peer, peer.receive()[0]

            peer, found = yield deferToThread(exchange)
            self.assertEqual(found, message(8))
            connection = self.echo.connections[-1]
            self.assertIn(host, connection.own_addresses)
            peer.close()

    @inlineCallbacks
    def test_only_there(self):
        """With an interface nowhere else."""
        port = yield self.listen(f"sctp:0:interface={HERE}")
        with self.assertRaises(ConnectionRefusedError):
            yield deferToThread(Peer, ["10.1.1.2"], port.getHost().port)

    @inlineCallbacks
    def test_from_there(self):
        """Others are called from the port that listens, where nobody else can listen."""
        port = yield self.listen(f"sctp:0:interface={HERE}")
        number = port.getHost().port
        other = yield self.listen("sctp:0:interface=10.1.1.2")
        where = f"sctp:10.1.1.2:{other.getHost().port}:bindAddress={HERE}:bindPort={number}"
        called = yield endpoints.client(reactor, where, 10.0).connect(
            Factory.forProtocol(Protocol)
        )
        yield self.until(lambda: self.echo.connections)
        [connection] = self.echo.connections
        self.assertEqual((connection.address, connection.port), (HERE, number))
        with self.assertRaises(CannotListenError):
            yield self.listen(f"sctp:{number}:interface={HERE}")

        def exchange():
            peer = Peer([HERE], number)
            peer.send(message(8))
            found = peer.receive()[0]
            peer.close()
            return found

        found = yield deferToThread(exchange)
        self.assertEqual(found, message(8), "it listens as before")
        called.transport.abortConnection()
        yield self.until(lambda: connection in self.echo.lost_ones)


#: Opens so many associations, asks by each and waits for its answer; keeps all of them.
_MANY = """
import sys
from tests.interop.peers import Peer
from tests.interop.scene import message
port, count = map(int, sys.argv[1:])
peers = []
for number in range(count):
    peers.append(Peer([f"10.1.1.{1 + number % 3}"], port, bound=["10.1.1.1"]))
for peer in peers:
    peer.send(message(8))
print(sum(peer.receive()[0] == message(8) for peer in peers), flush=True)
sys.stdin.read()
"""


class Many(Serving):
    """Thousands of associations."""

    timeout = 180
    COUNT = 5000

    @inlineCallbacks
    def test_many(self):
        """All are served, in one thread; when they go, nothing of them stays."""
        port = yield self.listen("sctp:0:interface=10.1.1.1,10.1.1.2,10.1.1.3")
        words = [sys.executable, "-c", _MANY, str(port.getHost().port), str(self.COUNT)]
        program = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(program.wait)
        self.addCleanup(program.stdin.close)
        self.addCleanup(program.stdout.close)
        threads = threading.active_count()
        line = yield deferToThread(program.stdout.readline)
        self.assertEqual(int(line), self.COUNT)
        self.assertEqual(len(self.listener.connections), self.COUNT)
        # One more may be the one in which this test waits.
        self.assertLessEqual(threading.active_count(), threads + 1)
        program.stdin.close()
        yield self.until(lambda: not self.listener.connections, 60)
