"""RFC 5355 section 2.12: who looks for a registrar is kept from it, or finds somebody else."""

import contextlib
import json
import socket
import sys
from ipaddress import ip_address
from pathlib import Path

from twisted.trial.unittest import SkipTest

from rserpool.security.psk.tls import ServerCreator
from rserpool.wire import asap, enrp
from rserpool.wire.parameters import ServerInformation, TCPTransport
from tests.registrar.scene import registration
from tests.site import until
from tests.threats.impostor import Impostor
from tests.threats.scene import Attacked
from tests.threats.scope import ROGUE, Scoped

HERE = ip_address("127.0.0.1")
THOUSANDS = 3000
#: A group and the port on which registrars of rsplib announce themselves.
GROUP = ("239.1.1.1", 3863)


def announcement(port, server=ROGUE):
    """ASAP_SERVER_ANNOUNCE: a registrar is to be found here."""
    where = TCPTransport(port=port, addresses=(HERE,))
    return asap.ServerAnnounce(server=server, transports=(where,))


def datagram_sockets(process):
    """The UDP and raw sockets of a process."""
    inodes = set()
    for fd in Path(f"/proc/{process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            target = str(fd.readlink())
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = []
    for table in ("udp", "udp6", "udplite", "raw", "raw6"):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{process.pid}/net/{table}").read_text().splitlines()[1:]
            found += [(table, line) for line in lines if line.split()[9] in inodes]
    return found


def plainly(caller, message):
    """Say something that isn't TLS."""
    caller.say(asap.EndpointKeepAlive(server=ROGUE, handle=b"web"))


class Spoofed(Attacked):
    """Registrars that are none, among the real one."""

    def prepare(self):
        """A foreign authority's certificate for the same address; one of ours for another."""
        elsewhere = self.site.scratch / "elsewhere"
        self.site.command("init", str(elsewhere), "--interface", "127.0.0.1")
        files = self.site.files
        self.site.command("certificate", "issue", str(files), "--client",
                          "--name", "pe.example", "--out", str(files / "pe"))  # fmt: skip

        def shows(base):
            return ServerCreator(
                certificate=base.with_suffix(".pem").read_bytes(),
                private_key=base.with_suffix(".key").read_bytes(),
            )

        self.impostors = {
            "of another authority": Impostor(self, shows(elsewhere / "registrar")),
            "of ours, but an element": Impostor(self, shows(files / "pe")),
            "with another key": Impostor(self, ServerCreator(lambda identity: b"k" * 32)),
            "without TLS": Impostor(self, answer=plainly),
        }

    def unheard(self):
        """Nobody has said anything to them."""
        for name, impostor in self.impostors.items():
            self.assertEqual(impostor.heard, [], name)

    def test_element(self):
        """An element tells none of them anything, and registers with the real one."""
        places = [one.endpoint for one in self.impostors.values()]
        words = [word for place in places for word in ("--registrar", place)]
        port = self.site.server("web-1")
        self.site.element("web-1", port, *words)
        until(lambda: all(one.calls for one in self.impostors.values())
              or self.site.elements() == {port})  # fmt: skip
        until(lambda: self.site.elements() == {port})
        self.unheard()
        self.assertTrue(any(one.calls for one in self.impostors.values()))
        # Alone with them it stays outside, and says why.
        before = {name: one.calls for name, one in self.impostors.items()}
        self.site.twistd("web-2", "rserpool-pe", "--pool", "web", *words, "--check", "none",
                         "--service", f"tcp:127.0.0.1:{port}",
                         "--psk", str(self.site.files / "web-2.psk"))  # fmt: skip
        until(lambda: all(one.calls > before[name] for name, one in self.impostors.items()))
        until(lambda: "shows a certificate" in self.site.log("web-2"))
        until(lambda: "another key" in self.site.log("web-2"))
        until(lambda: "speaks no TLS" in self.site.log("web-2"))
        self.unheard()
        self.assertEqual(self.digest()["elements"], 1)

    def test_user(self):
        """A user asks none of them; that nobody could be asked isn't that nobody is there."""
        self.line(self.key()).tell(registration(1))
        ask = ("resolve", "web", "--json", "--timeout", "1", "--ca",
               str(self.site.files / "ca.pem"))  # fmt: skip
        places = [
            word for one in self.impostors.values() for word in ("--registrar", one.endpoint)
        ]
        alone = self.site.command(*ask, *places)
        self.assertEqual(alone.returncode, 2, alone.stdout)
        self.assertTrue(all(one.calls for one in self.impostors.values()))
        found = self.site.command(*ask, *places, "--registrar", self.site.endpoint)
        self.assertEqual(found.returncode, 0, found.stderr)
        self.assertEqual(json.loads(found.stdout)["elements"][0]["pe-id"], "0x00000001")
        self.unheard()

    def test_thwarted(self):
        """Who is kept from one registrar goes to another: hung up on, or left without word."""
        silent = Impostor(self)
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            nobody = f"tcp:127.0.0.1:{closed.getsockname()[1]}"
            port = self.site.server("web-1")
            self.site.element(
                "web-1", port, "--registrar", nobody, "--registrar", silent.endpoint
            )
            until(lambda: self.site.elements() == {port})


class Forged(Attacked):
    """Announcements that nobody has asked for."""

    def test_to_registrar(self):
        """Thousands of them, by whoever, leave a registrar as it was, and it calls nobody."""
        trap = Impostor(self)
        flood = [announcement(trap.port, server) for server in range(1, THOUSANDS + 1)]
        asked = asap.HandleResolution(handle=b"web")
        [before] = self.line(self.key()).tell(asked)
        for creator in (self.key(), self.anonymous()):
            line = self.line(creator)
            counted = self.site.status()["counters"]["unexpected_messages"]
            with self.unchanged():
                self.assertEqual(line.tell(*flood, asked), [before])
            count = self.site.status()["counters"]["unexpected_messages"]
            self.assertEqual(count - counted, THOUSANDS)
        self.assertEqual(self.site.status()["peers"], [])
        self.assertEqual(trap.calls, 0)
        self.no_errors()

    def test_to_element(self):
        """An element goes nowhere that it wasn't told of by its operator, whoever tells it."""
        trap, told = Impostor(self), []

        def announces(caller, message):
            # He has the element's key, as a registrar has that was taken over by somebody.
            if isinstance(message, asap.Registration):
                answer = asap.RegistrationResponse(
                    handle=message.handle, identifier=message.element.identifier
                )
                some = [announcement(trap.port, each) for each in range(1, 10)]
                alive = asap.EndpointKeepAlive(server=ROGUE, handle=message.handle)
                caller.say(answer, *some, alive)
            else:
                told.append(message)
                caller.say(*(announcement(trap.port, each) for each in range(1, THOUSANDS)))

        rogue = Impostor(self, ServerCreator({"web-1": self.secret()}.get), announces)
        self.site.twistd("web-1", "rserpool-pe", "--pool", "web", "--registrar", rogue.endpoint,
                         "--service", "tcp:127.0.0.1:80", "--check", "none",
                         "--psk", str(self.site.files / "web-1.psk"))  # fmt: skip
        until(lambda: told)
        self.assertIsInstance(told[0], asap.EndpointKeepAliveAck)
        # A few it doesn't heed; for thousands it leaves (section 2.14).
        until(lambda: "it floods us with messages" in self.site.log("web-1"))
        self.assertEqual(trap.calls, 0)
        self.assertNotIn("Traceback", self.site.log("web-1"))

    def test_multicast(self):
        """Unless it is switched on, nobody listens to datagrams: nothing can be forged."""
        if not sys.platform.startswith("linux"):
            raise SkipTest("looks into /proc")
        trap = Impostor(self)
        port = self.site.server("web-1")
        self.site.element("web-1", port)
        until(lambda: self.site.elements() == {port})
        with self.unchanged(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, HERE.packed)
            for octets in (
                asap.encode(announcement(trap.port)),
                enrp.encode(enrp.Presence(sender=ROGUE, reply_required=True)),
            ):
                for where in (GROUP, ("127.0.0.1", self.site.port)):
                    for _ in range(THOUSANDS // 10):
                        with contextlib.suppress(OSError):  # nobody is there, or no route
                            sender.sendto(octets, where)
        # The search finds such a socket where there is one: here.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
            ours.bind(("127.0.0.1", 0))

            class Here:
                pid = "self"

            self.assertEqual(len(datagram_sockets(Here)), 1)
        for name in ("registrar", "web-1"):
            self.assertEqual(datagram_sockets(self.site.processes[name]), [], name)
        self.assertEqual(trap.calls, 0)


class AmongRegistrars(Scoped):
    """The same between registrars."""

    running = ("r1",)

    def prepare(self):
        """At r2's place is somebody else."""
        self.impostor = Impostor(self, ServerCreator(lambda identity: b"k" * 32), decode=enrp)
        config = self.site.scope / "r1" / "registrar.toml"
        there = f"tcp:127.0.0.1:{self.site.enrp_port_of('r2')}"
        config.write_text(config.read_text().replace(there, self.impostor.endpoint))

    def test_presence(self):
        """Who can't prove who it is gets no word, and presences by the thousand do nothing."""
        trap = Impostor(self)
        until(lambda: self.impostor.calls)
        where = TCPTransport(port=trap.port, addresses=(HERE,))
        flood = [
            enrp.Presence(sender=sender, checksum=0, reply_required=True,
                          server=ServerInformation(identifier=sender, transport=where))
            for sender in range(0x1000, 0x1000 + THOUSANDS)
        ]  # fmt: skip
        # With the keys of r3 it is one peer, whatever else it says it is.
        with self.unchanged():
            line = self.peer()
            answers = line.tell(*flood, want=2 * THOUSANDS)
            self.assertEqual(line.read(), b"", "it has had enough")
            self.assertLess(len(answers), 200)
        self.audited(what="presence.refused", principal="r3")
        known = self.site.status()["peers"]
        self.assertEqual({peer["server-id"] for peer in known}, {"0x00001000"})
        self.assertEqual((self.impostor.heard, self.impostor.entered), ([], 0))
        self.no_errors()
