"""Groups, and sockets that send to them and listen."""

import socket
from ipaddress import ip_address

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rserpool.transport import announce
from rserpool.transport.announce import LONGEST, READS, TURN, Group, GroupSocket

HERE = "127.0.0.1"


def free_group(address="239.255.0.50"):
    """A group of this host whose port nobody uses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("", 0))
        return Group(ip_address(address), probe.getsockname()[1])


def shout(group, *datagrams, source=HERE):
    """Send to a group on loopback, from whichever address of it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((source, 0))
        sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(HERE))
        for data in datagrams:
            sender.sendto(data, (str(group.address), group.port))


class Groups(SynchronousTestCase):
    """Their texts."""

    def test_read(self):
        """An address with a port or without, IPv6 in brackets, and names."""
        for text, expected in (
            ("239.0.0.50:3863", "239.0.0.50:3863"),
            ("239.0.0.50", "239.0.0.50:3863"),
            ("[ff05::133]:5000", "[ff05::133]:5000"),
            ("rsplib", "239.0.0.50:3863"),
            ("iana", "224.0.1.185:3863"),
            ("iana6", "[ff05::133]:3863"),
        ):
            self.assertEqual(str(announce.asap_group(text)), expected)
        self.assertEqual(str(announce.enrp_group("rsplib")), "239.0.0.51:9901")
        self.assertEqual(str(announce.enrp_group("iana")), "224.0.1.185:9901")

    def test_refused(self):
        """What is no group, with what it lacks."""
        for text, words in (
            ("192.0.2.1:3863", "isn't a multicast address"),
            ("[fe80::1]:3863", "isn't a multicast address"),
            ("239.0.0.50:0", "has no port"),
            ("239.0.0.50:65536", "has no port"),
            ("ff05::133", "isn't a group"),
            ("239.0.0", "isn't a group"),
            ("nowhere", "iana, iana6, rsplib"),
            ("", "isn't a group"),
        ):
            with self.assertRaises(ValueError) as caught:
                announce.asap_group(text)
            self.assertIn(words, str(caught.exception))


class Loopback(TestCase):
    """Real sockets."""

    def socket(self, group, heard, **how):
        """A socket of the group, on loopback."""
        made = GroupSocket(reactor, group, **{"interface": HERE, "heard": heard, **how})
        self.addCleanup(made.close)
        made.open()
        return made

    async def until(self, holds):
        """Let the event loop run until something holds."""
        for _ in range(500):
            if holds():
                return
            await deferLater(reactor, 0.01)
        self.fail("it doesn't come about")

    async def test_all_hear(self):
        """What one sends, all of this host hear, himself as well, and from which port."""
        group, heard = free_group(), [[], []]
        one, _ = (self.socket(group, lambda *what, to=to: to.append(what)) for to in heard)
        one.send(b"here I am")
        await self.until(lambda: all(heard))
        self.assertEqual(heard, [[(b"here I am", HERE, group.port)]] * 2)
        self.assertEqual(str(one.source()), HERE)

    async def test_to_the_group_alone(self):
        """What is sent to this host, or to another group, isn't heard."""
        group, heard = free_group(), []
        self.socket(group, lambda *what: heard.append(what))
        shout(Group(ip_address(HERE), group.port), b"to you alone")
        shout(Group(ip_address("239.255.0.51"), group.port), b"to others")
        shout(group, b"to all")
        await self.until(lambda: heard)
        self.assertEqual([data for data, *_ in heard], [b"to all"])

    async def test_empty_and_long(self):
        """Nothing, and too much, are read and harmless."""
        group, heard = free_group(), []
        self.socket(group, lambda *what: heard.append(what))
        shout(group, b"", bytes(LONGEST), bytes(LONGEST + 1), b"end")
        await self.until(lambda: len(heard) == 3)
        self.assertEqual([len(data) for data, *_ in heard], [0, LONGEST, 3])

    async def test_flood(self):
        """A flood is read at a bounded rate, and what comes after it is heard."""
        group, heard = free_group(), []
        self.socket(group, lambda *what: heard.append(what))
        began = reactor.seconds()
        for _ in range(50):
            shout(group, *[b"forged"] * 100)
            await deferLater(reactor, 0)
        turns = (reactor.seconds() - began) / TURN + 1
        self.assertLessEqual(len(heard), READS * (turns + 1))
        self.assertGreater(len(heard), 0)

        async def again():
            shout(group, b"honest")
            await deferLater(reactor, 0.05)

        for _ in range(100):
            await again()
            if b"honest" in {data for data, *_ in heard}:
                return
        self.fail("it isn't heard any more")

    async def test_deaf(self):
        """Who only sends reads nothing."""
        group = free_group()
        made = self.socket(group, None)
        self.assertNotIn(made, reactor.getReaders())
        made.close()
        made.send(b"nobody there")  # no error

    def test_no_interface(self):
        """An interface that there isn't is told, and no socket stays open."""
        for where, how in (
            (free_group(), "nosuch0"),
            (free_group(), "192.0.2.199"),
            (Group(ip_address("ff05::133"), 5000), "nosuch0"),
        ):
            with self.assertRaises((OSError, ValueError)):
                GroupSocket(reactor, where, interface=how).open()


class Resting(SynchronousTestCase):
    """The bound of reads, on a clock by hand."""

    def test_rest(self):
        """So many in a turn, then nothing until the next one; and none after the end."""
        clock, group, heard = MemoryReactorClock(), free_group(), []
        made = GroupSocket(clock, group, interface=HERE, heard=lambda *what: heard.append(what))
        made.open()
        self.addCleanup(made.close)
        shout(group, *[b""] * (READS + 10))
        made.doRead()
        self.assertEqual((len(heard), clock.getReaders()), (READS, []))
        clock.advance(TURN)
        self.assertEqual(clock.getReaders(), [made])
        made.doRead()
        self.assertEqual(len(heard), READS + 10)
        shout(group, *[b""] * READS)
        made.doRead()
        made.close()
        clock.advance(TURN)
        self.assertEqual((clock.getReaders(), clock.getDelayedCalls()), ([], []))
