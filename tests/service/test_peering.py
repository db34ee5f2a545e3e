"""Registrars that call each other over loopback, all of them in this process."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import deferLater
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from rserpool.client.call import Call
from rserpool.client.security import Certified
from rserpool.registrar.events import Protocol
from rserpool.security.certificate import make
from rserpool.security.decisions import Proof
from rserpool.security.psk import keyfile
from rserpool.transport import endpoints
from tests.security.certificate.hierarchy import crl
from tests.service.made import service
from tests.site import free_port


class Scope(TestCase):
    """Registrars named a, b and c, and what is logged."""

    timeout = 30

    def setUp(self):
        self.events = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.ports = {name: free_port() for name in "abc"}
        self.elements = self.keys("web-1")
        self.running = []
        self.addCleanup(self.stop_all)

    def said(self, namespace="rserpool."):
        """What was logged."""
        return "\n".join(
            event["log_format"].format(**event)
            for event in self.events
            if event["log_namespace"].startswith(namespace) and event.get("log_format")
        )

    def keys(self, *identities):
        """Write a key file; the same identity always has the same key."""
        path = os.path.abspath(self.mktemp())
        for identity in identities:
            keyfile.add(path, identity, identity.encode().ljust(32, b"."))
        return path

    def registrar(self, name, *identities, peers=(), **more):
        """Make a registrar and let it run; with keys for these identities."""
        table = {
            "asap_tls": ("tcp:0:interface=127.0.0.1",),
            "auth": (f"psk:{self.elements}",),
            "enrp_tls": (f"tcp:{self.ports[name]}:interface=127.0.0.1",),
            "identity": name,
            "server_id": ord(name),
            "peer": tuple(self.target(peer) for peer in peers),
        }
        if identities:
            table["enrp_auth"] = (f"psk:{self.keys(*identities)}",)
        return self.started(**{**table, **more})

    def started(self, **table):
        """Make a service and let it run, without what it does to the whole process."""
        made = service(reactor, **table)
        made.privilegedStartService()
        made.driver.start()
        made.peer_sessions.expect()
        self.running.append(made)
        return made

    def target(self, peer):
        """``b`` is called as ``b=tcp:...``, ``:b`` without its name."""
        named = "" if peer.startswith(":") else f"{peer}="
        return f"{named}tcp:127.0.0.1:{self.ports[peer.removeprefix(':')]}"

    @inlineCallbacks
    def until(self, holds, seconds=10):
        """Wait until something holds, and give it back."""
        end = reactor.seconds() + seconds
        while not holds():
            self.assertLess(reactor.seconds(), end, self.said())
            yield deferLater(reactor, 0.02)
        return holds()

    @inlineCallbacks
    def stop(self, made):
        """Stop one."""
        self.running.remove(made)
        yield made.stopService()

    @inlineCallbacks
    def stop_all(self):
        """Stop all, and let their connections end."""
        for made in list(self.running):
            yield self.stop(made)
        yield deferLater(reactor, 0.1)

    @staticmethod
    def channels(made):
        """Its channels with other registrars."""
        return list(made.peer_sessions.channels)

    def names(self, made):
        """Who they are with."""
        return sorted(channel.subject.name for channel in self.channels(made))

    def known(self, made):
        """The IDs of those that the core knows."""
        return {peer.identifier for peer in made.driver.registrar.peers}


class ByKey(Scope):
    """With pre-shared keys."""

    @inlineCallbacks
    def test_pair(self):
        """A key for the pair tells each who the other is; both serve when they have met."""
        a = self.registrar("a", "a@b", "b@a", peers=["b"])
        self.assertFalse(a.driver.registrar.serving)
        b = self.registrar("b", "a@b", "b@a")
        self.assertTrue(b.driver.registrar.serving)
        yield self.until(lambda: a.driver.registrar.serving and self.channels(a))
        [ours], [theirs] = self.channels(a), self.channels(b)
        self.assertEqual((ours.subject.name, ours.dialled), ("b", self.target("b")))
        self.assertEqual((theirs.subject.name, theirs.dialled), ("a", None))
        self.assertEqual(ours.subject.identity, "a@b")
        self.assertIs(ours.subject.proof, Proof.PSK)
        self.assertIs(ours.protocol, Protocol.ENRP)
        self.assertEqual(str(ours.local), "127.0.0.1")
        self.assertEqual(str(theirs.local), "127.0.0.1")
        self.assertIn(f"connected with registrar {self.target('b')}", self.said())

    @inlineCallbacks
    def test_status(self):
        """The status page tells of the others: who they are, and whether they agree."""
        self.registrar("b", "a@b", "b@a")
        a = self.registrar("a", "a@b", "b@a", peers=["b"], status="tcp:0")
        self.assertFalse(json.loads(a.status.json())["serving"])
        yield self.until(lambda: json.loads(a.status.json())["serving"])
        yield self.until(lambda: [p.synchronized for p in a.driver.registrar.peers] == [True])
        told = json.loads(a.status.json())
        [peer] = told["peers"]
        self.assertEqual((peer["name"], peer["server-id"]), ("b", "0x00000062"))
        self.assertEqual((peer["state"], peer["elements"]), ("active", 0))
        self.assertEqual(peer["checksum-theirs"], peer["checksum-ours"])
        self.assertEqual((peer["address"], peer["synchronized"]), ("127.0.0.1", True))
        self.assertTrue(0 <= peer["last-heard"] < 10)
        self.assertIn(
            ["b", "a@b"], [[c["principal"], c["identity"]] for c in told["credentials"]]
        )
        self.assertEqual({one["protocol"] for one in told["listeners"]}, {"asap", "enrp"})
        metrics = a.status.metrics().decode()
        self.assertIn('rserpool_peers{state="active"} 1.0', metrics)
        self.assertIn('rserpool_peer_synchronized{peer="0x00000062"} 1.0', metrics)
        self.assertIn("<td>b</td>", a.status.page().decode())

    @inlineCallbacks
    def test_both_call(self):
        """Two that call each other keep one connection."""
        a = self.registrar("a", "a@b", "b@a", peers=["b"])
        b = self.registrar("b", "a@b", "b@a", peers=["a"])
        yield self.until(lambda: a.driver.registrar.serving and b.driver.registrar.serving)
        yield deferLater(reactor, 1.0)
        self.assertEqual((self.names(a), self.names(b)), (["b"], ["a"]))
        self.assertEqual((self.known(a), self.known(b)), ({ord("b")}, {ord("a")}))

    @inlineCallbacks
    def test_key_for_everybody(self):
        """With one key a registrar calls all others; they know it by its name."""
        keys = ["a", "b", "c"]
        a = self.registrar("a", *keys, peers=["b", "c"])
        b = self.registrar("b", *keys, peers=["a", "c"])
        c = self.registrar("c", *keys, peers=["a", "b"])
        yield self.until(lambda: all(len(self.known(made)) == 2 for made in (a, b, c)))
        yield deferLater(reactor, 1.0)
        for made, others in ((a, ["b", "c"]), (b, ["a", "c"]), (c, ["a", "b"])):
            self.assertEqual(self.names(made), others)

    @inlineCallbacks
    def test_without_names(self):
        """Those that are called without their names aren't taken for each other."""
        keys = ["a", "b", "c"]
        for name in "bc":
            self.registrar(name, *keys)
        a = self.registrar("a", *keys, peers=[":b", ":c"])
        yield self.until(lambda: len(self.known(a)) == 2)
        yield deferLater(reactor, 1.0)
        self.assertEqual([p.state for p in a.driver.registrar.peers], ["active"] * 2)
        self.assertEqual(self.names(a), sorted([self.target(":b"), self.target(":c")]))

    @inlineCallbacks
    def test_both_call_without_names(self):
        """Two that call each other by address know each other by name, and soon serve."""
        a = self.registrar("a", "a", "b", peers=[":b"])
        b = self.registrar("b", "a", "b", peers=[":a"])
        yield self.until(lambda: a.driver.registrar.serving and b.driver.registrar.serving, 4)
        yield self.until(lambda: len(self.names(a)) == len(self.names(b)) == 1, 4)
        yield deferLater(reactor, 2.0)
        for made in (a, b):
            [peer] = made.driver.registrar.peers
            self.assertEqual((peer.state, len(self.names(made))), ("active", 1))

    @inlineCallbacks
    def test_selfie(self):
        """A registrar that is led to itself isn't let in: nobody shows it its own name."""
        self.ports["b"] = self.ports["a"]
        a = self.registrar("a", "a", "a@b", peers=["b"])
        yield self.until(lambda: a.peer_allowance.failed_handshakes)
        self.assertEqual(self.channels(a), [])
        yield self.until(lambda: "'a@b' is this registrar's own" in self.said())

    @inlineCallbacks
    def test_for_another(self):
        """A key for calling c doesn't open b's door, though b has it in its file."""
        a = self.registrar("a", "a@c", peers=["c"])
        self.ports["c"] = self.ports["b"]
        yield self.stop(a)
        a = self.registrar("a", "a@c", peers=["c"])
        b = self.registrar("b", "a@c", "a@b")
        yield self.until(lambda: b.peer_allowance.failed_handshakes)
        self.assertEqual((self.channels(a), self.channels(b)), ([], []))
        yield self.until(lambda: "'a@c' is for calling 'c', and this is 'b'" in self.said())

    @inlineCallbacks
    def test_wrong_key(self):
        """Who has another key isn't let in, and both sides say so, once."""
        wrong = self.keys()
        keyfile.add(wrong, "a@b", b"another key of thirty-two octets")
        a = self.registrar("a", enrp_auth=(f"psk:{wrong}",), peers=["b"])
        b = self.registrar("b", "a@b")
        yield self.until(lambda: b.peer_allowance.failed_handshakes > 1)
        self.assertEqual((self.channels(a), self.channels(b)), ([], []))
        self.assertEqual(self.said().count("can't be reached: the server refused identity"), 1)
        # In the audit log once for each call, or counted: that depends on how fast we are.
        self.assertIn('"what": "peer.unproven"', self.said())
        self.assertTrue(a.driver.registrar.serving)  # alone

    @inlineCallbacks
    def test_keys_apart(self):
        """An element's key opens no door for registrars."""
        a = self.registrar("a", enrp_auth=(f"psk:{self.keys('web-1')}",), identity="web-1",
                           peers=["b"])  # fmt: skip
        b = self.registrar("b", "a@b")
        yield self.until(lambda: b.peer_allowance.failed_handshakes)
        self.assertEqual(self.channels(b), [])
        yield self.stop(a)

    @inlineCallbacks
    def test_generations(self):
        """The newest key in force is shown; taking an older one away ends nothing."""
        a = self.registrar("a", "a@b", "a@b~2", "a@b~10", peers=["b"])
        b = self.registrar("b", "a@b", "a@b~10")
        yield self.until(lambda: self.channels(b))
        self.assertEqual(self.channels(b)[0].subject.identity, "a@b~10")
        keyfile.remove(a.security.peer_authentications[0].path, "a@b")
        a.reload()
        yield deferLater(reactor, 0.2)
        self.assertEqual(self.names(a), ["b"])

    @inlineCallbacks
    def test_reload(self):
        """A key that is gone ends the session that it made, on whichever side it is gone."""
        for who in ("a", "b"):
            a = self.registrar("a", "a@b", peers=["b"])
            b = self.registrar("b", "a@b")
            yield self.until(lambda a=a: a.driver.registrar.serving and self.channels(a))
            one = {"a": a, "b": b}[who]
            Path(one.security.peer_authentications[0].path).write_text("")
            one.reload()
            yield self.until(lambda a=a, b=b: not self.channels(a) and not self.channels(b))
            self.assertIn("its credential isn't in force any more", self.said())
            yield self.stop(a)
            yield self.stop(b)

    @inlineCallbacks
    def test_new_key(self):
        """After a reload a call is made with the key that is there now."""
        a = self.registrar("a", "a@b", peers=["b"])
        b = self.registrar("b", "a@b~2")
        yield self.until(lambda: b.peer_allowance.failed_handshakes)
        path = a.security.peer_authentications[0].path
        keyfile.add(path, "a@b~2", b"a@b~2".ljust(32, b"."))
        a.reload()
        yield self.until(lambda: self.channels(b))

    @inlineCallbacks
    def test_nothing_to_show(self):
        """Who can't be shown anything isn't called, and the log says what to do."""
        a = self.registrar("a", "a@b", peers=["b"])
        a.dialler.dial("tcp:127.0.0.9:1")
        yield deferLater(reactor, 0)
        self.assertIn("tcp:127.0.0.9:1 can't be reached: no key is in force", self.said())
        self.assertIn("write peer as NAME=ENDPOINT", self.said())

    @inlineCallbacks
    def test_told_of(self):
        """A target that others tell of is who is configured there, and has its key."""
        b = self.registrar("b", "a@b")
        a = self.registrar("a", "a@b", peers=["b"])
        yield self.until(lambda: self.channels(b))
        a.dialler.dial(f"tcp:127.0.0.1:{self.ports['b']}")
        yield self.until(lambda: self.said().count(f"tcp:127.0.0.1:{self.ports['b']}") > 1)
        yield self.until(lambda: "has called from" in self.said())
        self.assertNotIn("can't be", self.said())


class KeysThatEnd(Scope):
    """A key between registrars that is over soon."""

    @inlineCallbacks
    def test_both_sides(self):
        """Both sides hang up within a second of its end, and the caller can't call any more."""
        end = time.time() + 3
        path = os.path.abspath(self.mktemp())
        moment = datetime.fromtimestamp(end, UTC).isoformat()
        keyfile.add(path, "a@b", b"k" * 32, f"not-after={moment}")
        a = self.registrar("a", enrp_auth=(f"psk:{path}",), peers=["b"])
        b = self.registrar("b", enrp_auth=(f"psk:{path}",))
        yield self.until(lambda: self.channels(a) and self.channels(b))
        yield self.until(lambda: not self.channels(a) and not self.channels(b))
        self.assertTrue(-0.01 <= time.time() - end < 1, time.time() - end)


class ByCertificate(Scope):
    """With certificates of one authority."""

    def setUp(self):
        super().setUp()
        self.authority = make.authority("registrars")
        self.ca = os.path.abspath(self.mktemp())
        Path(self.ca).write_bytes(self.authority.certificate)

    def shown(self, *names, **more):
        """Write a certificate for these names; the settings with it."""
        path = os.path.abspath(self.mktemp())
        issued = make.issue(self.authority, names, **more)
        make.write(issued, f"{path}.pem", f"{path}.key")
        return {"certificate": f"{path}.pem", "private_key": f"{path}.key",
                "enrp_auth": (f"certificate:{self.ca}",), "identity": None}  # fmt: skip

    @inlineCallbacks
    def test_both_ways(self):
        """Each shows its certificate, and is known by it, whoever has called."""
        self.ports["b.example"] = self.ports["b"]
        a = self.registrar("a", **self.shown("a.example"), peers=["b.example"])
        b = self.registrar("b", **self.shown("b.example", "127.0.0.1"))
        yield self.until(lambda: a.driver.registrar.serving and self.channels(a))
        [ours], [theirs] = self.channels(a), self.channels(b)
        self.assertEqual(ours.subject.name, "dns:b.example")
        self.assertEqual(theirs.subject.name, "dns:a.example")
        self.assertIs(ours.subject.proof, Proof.CERTIFICATE)
        # Neither is closed when credentials are looked at, as they are all the time.
        self.assertEqual([m.peer_sessions.close_unheld() for m in (a, b)], [0, 0])

    @inlineCallbacks
    def test_uri(self):
        """A registrar may be called by its URI, and then is nobody else."""
        name = "uri:urn:registrar:b"
        self.ports[name] = self.ports["b"]
        a = self.registrar("a", **self.shown("a.example"), peers=[name])
        b = self.registrar("b", **self.shown("urn:registrar:b"))
        yield self.until(lambda: self.channels(b))
        yield self.until(lambda: self.channels(a))
        self.assertEqual(self.names(a), [name])
        yield self.stop(b)
        self.registrar("b", **self.shown("urn:registrar:c"))
        yield self.until(lambda: "uri:urn:registrar:b was wanted" in self.said())

    @inlineCallbacks
    def test_wrong_name(self):
        """One whose certificate is for another name isn't believed; the log says both."""
        self.ports["b.example"] = self.ports["b"]
        a = self.registrar("a", **self.shown("a.example"), peers=["b.example"])
        b = self.registrar("b", **self.shown("c.example"))
        yield self.until(lambda: b.peer_allowance.failed_handshakes)
        yield self.until(lambda: "c.example" in self.said("rserpool.service"))
        self.assertEqual((self.channels(a), self.channels(b)), ([], []))

    @inlineCallbacks
    def test_without(self):
        """Who shows no certificate isn't let in."""
        b = self.registrar("b", **self.shown("b.example"))

        class Owner:
            reached = failed = arrived = lost = lambda *_: None

        security = Certified(self.ca, "b.example")
        text = f"tcp:127.0.0.1:{self.ports['b']}"
        call = Call(Owner(), 0, security, text)
        call.dial(reactor, endpoints.client(reactor, text, 5), security.creator("b.example"))
        yield self.until(lambda: "neither a key nor a certificate" in self.said())
        self.assertEqual(self.channels(b), [])

    @inlineCallbacks
    def test_authority_gone(self):
        """When the authority is taken out of the file, both sides hang up."""
        self.ports["b.example"] = self.ports["b"]
        a = self.registrar("a", **self.shown("a.example"), peers=["b.example"])
        b = self.registrar("b", **self.shown("b.example"))
        yield self.until(lambda: a.driver.registrar.serving and self.channels(a))
        Path(self.ca).write_bytes(make.authority("others").certificate)
        a.reload()
        yield self.until(lambda: not self.channels(a) and not self.channels(b))

    @inlineCallbacks
    def test_revoked(self):
        """One that is revoked is hung up on at a reload, and not let in, whoever calls."""
        listed = os.path.abspath(self.mktemp())
        Path(listed).write_bytes(crl(self.authority))
        self.ports["b.example"] = self.ports["b"]
        trusted = {"enrp_auth": (f"certificate:{self.ca};crl={listed}",)}
        shown = self.shown("b.example")
        a = self.registrar("a", **{**self.shown("a.example"), **trusted}, peers=["b.example"])
        self.registrar("b", **shown)
        yield self.until(lambda: a.driver.registrar.serving and self.channels(a))
        revoked = x509.load_pem_x509_certificate(Path(shown["certificate"]).read_bytes())
        Path(listed).write_bytes(crl(self.authority, revoked.serial_number, number=2))
        a.reload()
        yield self.until(lambda: not self.channels(a))
        a.dialler.dial(a.config.registrar.peer[0])
        yield self.until(lambda: "has been revoked" in self.said())
        self.assertEqual(self.channels(a), [])

    @inlineCallbacks
    def test_list_ends(self):
        """When a list ends, so do the sessions that rest on it, within a second."""
        listed = os.path.abspath(self.mktemp())
        Path(listed).write_bytes(crl(self.authority, end=3))
        end = x509.load_pem_x509_crl(Path(listed).read_bytes()).next_update_utc.timestamp()
        self.ports["b.example"] = self.ports["b"]
        trusted = {"enrp_auth": (f"certificate:{self.ca};crl={listed}",)}
        a = self.registrar("a", **{**self.shown("a.example"), **trusted}, peers=["b.example"])
        self.registrar("b", **self.shown("b.example"))
        yield self.until(lambda: self.channels(a))
        yield self.until(lambda: not self.channels(a))
        self.assertTrue(0 <= time.time() - end < 1, time.time() - end)


class Insecure(Scope):
    """An insecure scope: nobody proves anything."""

    def insecure(self, name, **more):
        """Make one."""
        table = {"security": "none", "asap": ("tcp:0:interface=127.0.0.1",), "asap_tls": (),
                 "auth": (), "enrp_tls": (), "identity": None,
                 "enrp": (f"tcp:{self.ports[name]}:interface=127.0.0.1",)}  # fmt: skip
        return self.registrar(name, **{**table, **more})

    @inlineCallbacks
    def test_plain(self):
        """They meet without TLS."""
        a = self.insecure("a", peers=[":b"])
        b = self.insecure("b", peers=[":a"])
        yield self.until(lambda: self.known(a) and self.known(b))
        yield self.until(lambda: a.driver.registrar.serving and b.driver.registrar.serving)
        self.assertEqual(self.names(a), ["plain"])

    @inlineCallbacks
    def test_nobody_there(self):
        """Where nobody answers it serves alone, and says why once a minute."""
        a = self.insecure("a", peers=[":b"])
        yield self.until(lambda: a.driver.registrar.serving)
        yield deferLater(reactor, 1.5)
        self.assertEqual(self.said().count("nobody listens there"), 1)
        self.assertTrue(all(listener.admits for _, listener in a.asap_listeners))

    @inlineCallbacks
    def test_closed_until_then(self):
        """Until it has found another registrar, or knows that there is none, ASAP is closed."""
        a = self.insecure("a", peers=[":b"])
        self.assertFalse(any(listener.admits for _, listener in a.asap_listeners))
        self.assertTrue(all(listener.admits for _, listener in a.enrp_listeners))
        yield self.until(lambda: a.driver.registrar.serving)


class Mixed(Scope):
    """What calls the wrong door."""

    @inlineCallbacks
    def test_plain_at_required(self):
        """A plain listener of a secure registrar lets nobody become a peer."""
        keys = self.keys("b@a")
        a = self.registrar("a", enrp=("tcp:0:interface=127.0.0.1",),
                           enrp_auth=(f"psk:{keys}",))  # fmt: skip
        plain = a.enrp_listeners[0][1].where.rpartition(" ")[2]
        self.ports["a"] = plain
        b = Insecure.insecure(self, "b", peers=[":a"])
        yield self.until(lambda: self.channels(a))
        yield self.until(lambda: b.driver.registrar.counters.bad_messages
                         or "plain" in self.said("rserpool.audit"))  # fmt: skip
        self.assertEqual(self.known(a), set())
