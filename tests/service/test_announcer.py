"""What is sent to groups, and the settings that say where."""

from ipaddress import ip_address

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rserpool.registrar.effects import Announce
from rserpool.registrar.events import Protocol
from rserpool.service.announcer import FROM_ONE, Announcer, octets
from rserpool.service.config import load
from rserpool.service.groups import AnnounceTable
from rserpool.service.settings import ConfigError, parse_set
from rserpool.wire import asap, enrp
from rserpool.wire.parameters import SCTPTransport, ServerInformation, TCPTransport
from tests.transport.test_announce import HERE, free_group, shout

FOUR, SIX = ip_address("192.0.2.1"), ip_address("2001:db8::1")
ANY4, ANY6 = ip_address("0.0.0.0"), ip_address("::")


def tcp(*addresses, port=3863):
    """A TCP transport."""
    return TCPTransport(port=port, addresses=addresses)


def configured(*words, security="none"):
    """The configuration of a registrar."""
    overrides = [f"registrar.security={security}", *words]
    return load(None, [parse_set(word) for word in overrides])


class Octets(SynchronousTestCase):
    """What goes out."""

    def sent(self, message, source=FOUR):
        """What others make of it."""
        types = asap if isinstance(message, asap.ServerAnnounce) else enrp
        return types.decode(octets(message, source)).message

    def test_silent(self):
        """Without transports it is rsplib's: eight octets."""
        self.assertEqual(octets(asap.ServerAnnounce(server=0x01020304), FOUR),
                         b"\x0a\0\0\x08\x01\x02\x03\x04")  # fmt: skip

    def test_own_address(self):
        """An unspecified address is the group's own, if the listener hears its family."""
        for addresses, source, expected in (
            ((FOUR,), SIX, [(FOUR,)]),
            ((ANY4,), FOUR, [(FOUR,)]),
            ((ANY6,), FOUR, [(FOUR,)]),
            ((ANY6,), SIX, [(SIX,)]),
        ):
            message = asap.ServerAnnounce(server=1, transports=(tcp(*addresses),))
            found = [one.addresses for one in self.sent(message, source).transports]
            self.assertEqual(found, expected)

    def test_none_left(self):
        """What nobody could call isn't announced, and nothing is if there is nothing else."""
        message = asap.ServerAnnounce(server=1, transports=(tcp(ANY4),))
        self.assertEqual(octets(message, SIX), b"")
        both = asap.ServerAnnounce(server=1, transports=(tcp(ANY4), tcp(FOUR, port=1)))
        self.assertEqual([one.port for one in self.sent(both, SIX).transports], [1])

    def test_sctp(self):
        """All addresses of an SCTP listener are told."""
        where = SCTPTransport(port=3863, addresses=(FOUR, SIX))
        message = asap.ServerAnnounce(server=1, transports=(where,))
        self.assertEqual(self.sent(message).transports, (where,))

    def test_presence(self):
        """A presence tells the group's own address where none is configured."""
        for transport, expected in ((tcp(), FOUR), (tcp(SIX), SIX)):
            server = ServerInformation(identifier=1, transport=transport)
            sent = self.sent(enrp.Presence(sender=1, checksum=0xFFFF, server=server))
            self.assertEqual(sent.server.transport.addresses, (expected,))


class Announcing(SynchronousTestCase):
    """Real groups, on loopback."""

    def announcer(self, **table):
        """One that is open; the groups, and what is overheard."""
        self.heard, self.reactor = [], MemoryReactorClock()
        made = Announcer(
            self.reactor, AnnounceTable(interface=HERE, **table), hears=True,
            overheard=lambda *what: self.heard.append(what),
        )  # fmt: skip
        self.addCleanup(made.stop)
        made.open()
        return made

    def read(self):
        """Let all sockets read."""
        for reader in self.reactor.getReaders():
            reader.doRead()

    def test_by_protocol(self):
        """Each protocol has its groups."""
        users, registrars = free_group(), free_group("239.255.0.51")
        made = self.announcer(asap_group=(str(users),), enrp_group=(str(registrars),))
        self.assertEqual(made.groups, [str(users), str(registrars)])
        for message in (asap.ServerAnnounce(server=1), enrp.Presence(sender=1)):
            made.announce(Announce(message))
        self.read()
        self.assertCountEqual(
            self.heard,
            [
                (Protocol.ASAP, asap.encode(asap.ServerAnnounce(server=1)), HERE),
                (Protocol.ENRP, enrp.encode(enrp.Presence(sender=1)), HERE),
            ],
        )

    def test_from_one(self):
        """Of one address some presences are looked at, of another one others."""
        group = free_group()
        self.announcer(enrp_group=(str(group),))
        shout(group, *[b"forged"] * 40)
        shout(group, b"honest", source="127.0.0.9")
        self.read()
        self.assertEqual(sum(host == HERE for *_, host in self.heard), FROM_ONE.burst)
        self.assertIn((Protocol.ENRP, b"honest", "127.0.0.9"), self.heard)

    def test_no_way(self):
        """What can't be joined ends the start, and says which group."""
        with self.assertRaises(ValueError) as caught:
            Announcer(
                MemoryReactorClock(),
                AnnounceTable(asap_group=("rsplib",), interface="nosuch0"),
                hears=False,
                overheard=lambda *what: None,
            ).open()
        self.assertIn("239.0.0.50:3863", str(caught.exception))

    def test_nothing_to_tell(self):
        """That nothing can be announced is said once, and when it can again."""
        from twisted.logger import globalLogPublisher

        lines = []
        globalLogPublisher.addObserver(lines.append)
        self.addCleanup(globalLogPublisher.removeObserver, lines.append)
        made = self.announcer(asap_group=(str(free_group()),))
        effect = Announce(asap.ServerAnnounce(server=1, transports=(tcp(ANY4),)))
        for source in (FOUR, SIX, SIX, FOUR, FOUR):
            self.patch(made._asap[0], "source", lambda source=source: source)
            made.announce(effect)
        levels = [line["log_level"].name for line in lines if "group" in line]
        self.assertEqual(levels, ["warn", "info"])


class Settings(SynchronousTestCase):
    """``[announce]``."""

    def test_off(self):
        """Without a group nothing is announced, and nobody heard."""
        settings = configured("registrar.asap=tcp:3863").settings
        self.assertEqual((settings.announces, settings.presents, settings.hears),
                         (False, False, False))  # fmt: skip

    def test_insecure(self):
        """In an insecure scope whoever announces himself is called, unless it is `never`."""
        words = ("registrar.asap=tcp:3863", "registrar.enrp=tcp:9901",
                 "announce.asap-group=rsplib", "announce.enrp-group=rsplib")  # fmt: skip
        settings = configured(*words).settings
        self.assertEqual((settings.announces, settings.presents, settings.hears),
                         (True, True, True))  # fmt: skip
        self.assertEqual(settings.asap_transports, (tcp(ANY4),))
        self.assertFalse(configured(*words, "announce.listen=never").settings.hears)
        self.assertEqual(
            configured(*words, "announce.silent=true").settings.asap_transports, ()
        )

    def test_secure(self):
        """In a secure one nobody is called for it, unless that is said; TLS's port is told."""
        words = ("registrar.asap=tcp:3863", "registrar.asap-tls=tcp6:3864",
                 "registrar.auth=psk:elements.psk", "registrar.enrp-auth=psk:registrars.psk",
                 "registrar.enrp-tls=tcp:9902",
                 "announce.asap-group=iana6", "announce.enrp-group=iana")  # fmt: skip
        settings = configured(*words, security="required").settings
        self.assertEqual((settings.presents, settings.hears), (True, False))
        self.assertEqual(settings.asap_transports, (tcp(ANY6, port=3864),))
        always = configured(*words, "announce.listen=always", security="required")
        self.assertTrue(always.settings.hears)

    def test_listeners(self):
        """A listener's own address is told, and a port that isn't known isn't."""
        found = configured(
            "registrar.asap=tcp:3863:interface=192.0.2.1", "registrar.asap=tcp:0",
            r"registrar.asap=tcp:3864:interface=2001\:db8\:\:1",
        ).settings.asap_transports  # fmt: skip
        self.assertEqual(found, (tcp(FOUR), tcp(SIX, port=3864)))

    def test_contradictions(self):
        """What can't be together is told, with what to do."""
        plain = ("registrar.asap=tcp:3863", "registrar.enrp=tcp:9901")
        for words, key, told in (
            (("registrar.asap=tcp:0", "announce.asap-group=iana"), "asap-group", "only 0"),
            (("registrar.asap=tcp:1", "announce.enrp-group=iana"), "enrp-group", "give enrp"),
            ((*plain, "announce.asap-group=239.0.0.50:5000", "announce.silent=true"),
             "silent", "calls its port 5000"),
            ((*plain, "announce.asap-group=iana6", "announce.interface=192.0.2.1"),
             "asap-group", "needs the interface's name"),
            ((*plain, "announce.asap-group=192.0.2.1"), "asap-group", "multicast"),
            ((*plain, "announce.enrp-group=somewhere"), "enrp-group", "rsplib"),
            ((*plain, "announce.interface=fe80::1"), "interface", "isn't an interface"),
            ((*plain, "announce.ttl=0"), "ttl", "1 to 255"),
            ((*plain, "announce.listen=perhaps"), "listen", "always"),
        ):  # fmt: skip
            with self.assertRaises(ConfigError) as caught:
                configured(*words)
            [fault] = caught.exception.faults
            self.assertIn(f"announce.{key}", fault)
            self.assertIn(told, fault)
        with self.assertRaises(ConfigError) as caught:
            configured("registrar.asap-tls=tcp:3864", "registrar.auth=psk:elements.psk",
                       "announce.silent=true", security="required")  # fmt: skip
        self.assertIn("announce.silent", str(caught.exception))
