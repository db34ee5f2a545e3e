"""A registrar among scripted peers, on a clock that only the test turns."""

import random
from ipaddress import ip_address

from rserpool.handlespace.handlespace import Handlespace, Limits
from rserpool.registrar.effects import (
    Announce,
    Audit,
    Close,
    Dial,
    Reach,
    Send,
    Serve,
    SetTimer,
)
from rserpool.registrar.events import Channel, Protocol
from rserpool.registrar.registrar import Registrar
from rserpool.registrar.settings import Settings
from rserpool.security.decisions import Proof, Subject
from rserpool.wire import asap, enrp
from rserpool.wire.framing import Splitter
from rserpool.wire.parameters import PoolElement, PoolHandle, TCPTransport
from rserpool.wire.policies import RoundRobin
from tests.registrar.scene import ListGate, registration

ME = 0x50
SETTINGS = {"enrp_transport": TCPTransport(port=9902, addresses=(ip_address("192.0.2.1"),))}


class Scope:
    """One registrar; what it did; and peers that say what the test wants."""

    def __init__(self, *targets, start=True, gate=None, **settings):
        self.gate = gate or ListGate()
        told = Settings(**{**SETTINGS, **settings})
        self.registrar = Registrar(
            ME,
            told,
            Handlespace(Limits(), random.Random(1), told.interop.life_unit),
            self.gate,
            random.Random(2),
            targets=targets,
        )
        self.now = 1000.0
        self.timers, self.sent = {}, {}
        self.announced = []
        self.dialled, self.closed, self.reached, self.audits = [], [], [], []
        self.serving = False
        if start:
            self.perform(self.registrar.start(self.now))

    def channel(self, name, dialled=None, proof=Proof.PSK):
        """A connection with another registrar, by whichever side."""
        subject = Subject(name, proof, "192.0.2.2")
        addresses = frozenset({ip_address("192.0.2.2")})
        channel = Channel(
            Protocol.ENRP, subject, addresses, 9902, ip_address("192.0.2.1"), dialled
        )
        self.sent[channel] = []
        self.perform(self.registrar.connected(channel, self.now))
        return channel

    def peer(self, identifier, name=None, checksum=0xFFFF, **how):
        """A registrar that has said who it is; what was said to it is forgotten."""
        channel = self.channel(name or f"r{identifier}", **how)
        self.say(channel, enrp.Presence(sender=identifier, checksum=checksum))
        self.say(channel, enrp.HandleTableResponse(sender=identifier))
        self.said(channel)
        return channel

    def say(self, channel, *messages):
        """A peer says something; what it is told thereupon."""
        self.said(channel)
        encoded = [m if isinstance(m, bytes) else enrp.encode(m) for m in messages]
        self.perform(self.registrar.arrived(channel, encoded, self.now))
        return self.said(channel)

    def overhear(self, message, host="192.0.2.9", protocol=Protocol.ENRP):
        """A datagram comes to a group."""
        if not isinstance(message, bytes):
            message = (enrp if protocol is Protocol.ENRP else asap).encode(message)
        self.perform(self.registrar.overheard(protocol, message, host, self.now))

    def said(self, channel, kind=object):
        """What a peer was told since the last time; of one kind."""
        told, self.sent[channel] = self.sent[channel], []
        return [message for message in told if isinstance(message, kind)]

    def element(self, name="web-1", proof=Proof.PSK):
        """A connection of an element."""
        subject = Subject(name, proof, "127.0.0.1")
        addresses = frozenset({ip_address("127.0.0.1")})
        channel = Channel(Protocol.ASAP, subject, addresses, 4711)
        self.sent[channel] = []
        return channel

    def register(self, channel, identifier=1, **fields):
        """An element registers; the answer."""
        data = asap.encode(registration(identifier, **fields))
        self.perform(self.registrar.arrived(channel, [data], self.now))
        [answer] = self.said(channel, asap.RegistrationResponse)
        return answer

    def lose(self, channel):
        """A connection ends."""
        self.perform(self.registrar.lost(channel, self.now))

    def wait(self, seconds):
        """Let time pass."""
        end = self.now + seconds
        while self.timers:
            name = min(self.timers, key=self.timers.__getitem__)
            if self.timers[name] > end:
                break
            self.now = max(self.now, self.timers.pop(name))
            self.perform(self.registrar.rang(name, self.now))
        self.now = end

    def homes(self, handle=b"web"):
        """The home of each element of a pool."""
        pool = self.registrar.handlespace.pools.get(handle)
        return {} if pool is None else {e.identifier: e.home for e in pool.elements.values()}

    def known(self):
        """The peer list."""
        return {peer.identifier for peer in self.registrar.peers}

    def audited(self, what):
        """How often something was written down."""
        return sum(audit.what == what for audit in self.audits)

    def perform(self, effects):
        """Do as the driver does."""
        for effect in effects:
            if isinstance(effect, Send):
                types = asap if effect.channel.protocol is Protocol.ASAP else enrp
                messages = Splitter().feed(effect.data)
                self.sent[effect.channel] += [types.decode(m).message for m in messages]
            elif isinstance(effect, SetTimer):
                self.timers[effect.name] = self.now + effect.seconds
            elif isinstance(effect, Dial):
                self.dialled.append(effect.target)
            elif isinstance(effect, Announce):
                self.announced.append(effect.message)
            elif isinstance(effect, Close):
                self.closed.append(effect.channel)
            elif isinstance(effect, Reach):
                self.reached.append(effect)
            elif isinstance(effect, Audit):
                self.audits.append(effect)
            elif isinstance(effect, Serve):
                self.serving = True


def described(identifier, home, **fields):
    """An element as its home describes it."""
    return PoolElement(
        identifier=identifier, home=home, life=300, policy=RoundRobin(),
        user_transport=TCPTransport(port=80, addresses=(ip_address("192.0.2.7"),)),
        asap_transport=TCPTransport(port=4711, addresses=(ip_address("192.0.2.7"),)),
        **fields,
    )  # fmt: skip


def added(sender, identifier, home=None, handle=b"web", **fields):
    """ENRP_HANDLE_UPDATE, ADD_PE."""
    element = described(identifier, sender if home is None else home, **fields)
    return enrp.HandleUpdate(sender=sender, action=enrp.ADD_PE, handle=handle, element=element)


def removed(sender, identifier, home=None):
    """ENRP_HANDLE_UPDATE, DEL_PE."""
    element = described(identifier, sender if home is None else home)
    return enrp.HandleUpdate(sender=sender, action=enrp.DEL_PE, handle=b"web", element=element)


def table(sender, *elements, **flags):
    """ENRP_HANDLE_TABLE_RESPONSE with elements of one pool."""
    parts = (PoolHandle(handle=b"web"), *elements) if elements else ()
    return enrp.HandleTableResponse(sender=sender, receiver=ME, parts=parts, **flags)
