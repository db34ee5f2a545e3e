"""Wireshark reads what we write, as we meant it."""

import json
import subprocess
import tempfile
from ipaddress import ip_address
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rserpool.wire import asap, causes, delay, enrp, parameters, policies
from rserpool.wire.parameters import OperationError, PoolElement, ServerInformation
from tests.programs import requires

V4, V6 = ip_address("192.0.2.1"), ip_address("2001:db8::7")
SCTP = parameters.SCTPTransport(port=1234, use=1, addresses=(V4, V6))
TRANSPORTS = [
    SCTP,
    parameters.TCPTransport(port=1234, addresses=(V4,)),
    parameters.UDPTransport(port=1234, addresses=(V6,)),
    parameters.UDPLiteTransport(port=1234, addresses=(V4,)),
    parameters.DCCPTransport(port=1234, service_code=0xABCDEF01, addresses=(V4,)),
]
POLICIES = [
    policies.RoundRobin(),
    policies.WeightedRoundRobin(weight=77),
    policies.Random(),
    policies.WeightedRandom(weight=77),
    policies.Priority(priority=77),
    policies.LeastUsed(load=77),
    policies.LeastUsedDegradation(load=77, degradation=88),
    policies.PriorityLeastUsed(load=77, degradation=88),
    policies.RandomizedLeastUsed(load=77),
    delay.WeightedRandomDPF(weight=77, dpf=88, distance=50),
    delay.LeastUsedDPF(load=77, dpf=88, distance=50),
]
CAUSES = [
    causes.Unspecified(),
    causes.UnrecognizedParameter(parameter=bytes.fromhex("c1110004")),
    causes.UnrecognizedMessage(message=bytes.fromhex("4f000004")),
    causes.InvalidValues(parameter=bytes.fromhex("00090005610000")[:5]),
    causes.NonUniquePEIdentifier(),
    causes.InconsistentPolicy(policy=policies.RoundRobin()),
    causes.LackOfResources(),
    causes.InconsistentTransport(transport=TRANSPORTS[1]),
    causes.InconsistentDataControl(),
    causes.UnknownPoolHandle(),
    causes.RejectedForSecurity(),
]


def element(transport=SCTP, policy=POLICIES[0], asap_transport=None):
    """An element of which Wireshark can show everything."""
    return PoolElement(
        identifier=0xCAFE0001, home=0xBEEF0002, life=4711, user_transport=transport,
        policy=policy, asap_transport=asap_transport,
    )  # fmt: skip


ERROR = OperationError(causes=tuple(CAUSES))
SERVER = ServerInformation(identifier=0xBEEF0002, transport=SCTP)
ASAP = [
    *(asap.Registration(handle=b"pool", element=element(transport=t)) for t in TRANSPORTS),
    *(asap.Registration(handle=b"pool", element=element(policy=p)) for p in POLICIES),
    asap.Registration(handle=b"odd", element=element(asap_transport=SCTP)),
    asap.Deregistration(handle=b"pool", identifier=0xCAFE0001),
    asap.RegistrationResponse(rejected=True, handle=b"pool", identifier=1, error=ERROR),
    asap.DeregistrationResponse(handle=b"pool", identifier=1, error=ERROR),
    asap.HandleResolution(subscribe=True, handle=b"pool"),
    asap.HandleResolutionResponse(
        accepted_updates=True, handle=b"pool", policy=POLICIES[1], elements=(element(),) * 3
    ),
    asap.EndpointKeepAlive(new_home=True, server=0xBEEF0002, handle=b"pool"),
    asap.EndpointKeepAliveAck(handle=b"pool", identifier=0xCAFE0001),
    asap.EndpointUnreachable(handle=b"pool", identifier=0xCAFE0001),
    asap.ServerAnnounce(server=0xBEEF0002, transports=(SCTP, TRANSPORTS[1])),
    asap.Cookie(cookie=b"sweet"),
    asap.CookieEcho(cookie=b"sweet"),
    asap.BusinessCard(handle=b"pool", elements=(element(),)),
    asap.Error(error=ERROR),
]
BOTH = {"sender": 0xBEEF0002, "receiver": 0xBEEF0003}
ENRP = [
    enrp.Presence(reply_required=True, checksum=0xABCD, server=SERVER, **BOTH),
    enrp.HandleTableRequest(own_only=True, **BOTH),
    enrp.HandleTableResponse(
        more=True, parts=(parameters.PoolHandle(handle=b"pool"), element()), **BOTH
    ),
    enrp.HandleUpdate(
        action=enrp.DEL_PE, handle=b"pool", element=element(asap_transport=SCTP), **BOTH
    ),
    enrp.ListRequest(**BOTH),
    enrp.ListResponse(servers=(SERVER,), **BOTH),
    enrp.InitTakeover(target=0xBEEF0004, **BOTH),
    enrp.InitTakeoverAck(target=0xBEEF0004, **BOTH),
    enrp.TakeoverServer(target=0xBEEF0004, **BOTH),
    enrp.Error(error=ERROR, **BOTH),
]


def read(messages, encode, ports):
    """What Wireshark makes of messages, each in an SCTP packet of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        lines = [f"000000 {encode(message).hex(' ')}\n" for message in messages]
        text, capture = Path(scratch, "hex"), Path(scratch, "pcap")
        text.write_text("\n".join(lines))
        subprocess.run(
            ["text2pcap", "-q", "-S", ports, str(text), str(capture)],
            check=True, capture_output=True,
        )  # fmt: skip
        output = subprocess.run(
            ["tshark", "-r", str(capture), "-T", "json", "--no-duplicate-keys"],
            check=True, capture_output=True,
        ).stdout  # fmt: skip
    return [packet["_source"]["layers"] for packet in json.loads(output)]


def values(tree, wanted):
    """All values of a field, wherever they stand."""
    found = []
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key == wanted:
                found += value if isinstance(value, list) else [value]
            found += values(value, wanted)
    elif isinstance(tree, list):
        for value in tree:
            found += values(value, wanted)
    return found


class Read(SynchronousTestCase):
    """No message is malformed, and the fields have our values."""

    skip = requires("tshark", "text2pcap")

    def check(self, layers, name, number, field, expected):
        """A field of the message of this number has these values."""
        found = [int(v, 0) for v in values(layers[number][name], field)]
        self.assertEqual(found, expected, f"{field} of {name} message {number}")

    def test_asap(self):
        """Each ASAP message, with each transport, policy and error cause."""
        layers = read(ASAP, asap.encode, "3863,3863,11")
        self.assertEqual(len(layers), len(ASAP))
        for message, tree in zip(ASAP, layers, strict=True):
            self.assertIn("asap", tree, message)
            self.assertNotIn("_ws.malformed", json.dumps(tree), message)
            self.assertEqual(
                int(values(tree, "asap.message_type")[0], 0),
                {cls: n for n, cls in asap.ASAP.classes.items()}[type(message)],
            )
        for number in range(len(TRANSPORTS)):
            self.check(layers, "asap", number, "asap.pool_element_pe_identifier", [0xCAFE0001])
            home = "asap.pool_element_home_enrp_server_identifier"
            self.check(layers, "asap", number, home, [0xBEEF0002])
            self.check(layers, "asap", number, "asap.pool_element_registration_life", [4711])
        self.check(layers, "asap", 0, "asap.sctp_transport_port", [1234])
        self.check(layers, "asap", 0, "asap.transport_use", [1])
        self.assertEqual(values(layers[0], "asap.ipv4_address"), ["192.0.2.1"])
        self.assertEqual(values(layers[0], "asap.ipv6_address"), ["2001:db8::7"])
        self.check(layers, "asap", 1, "asap.tcp_transport_port", [1234])

    def test_enrp(self):
        """Each ENRP message."""
        layers = read(ENRP, enrp.encode, "9901,9901,12")
        self.assertEqual(len(layers), len(ENRP))
        for number, (message, tree) in enumerate(zip(ENRP, layers, strict=True)):
            self.assertIn("enrp", tree, message)
            self.assertNotIn("_ws.malformed", json.dumps(tree), message)
            kind = values(tree, "enrp.message_type")[0]
            self.assertEqual(int(kind, 0), number + 1)
            self.check(layers, "enrp", number, "enrp.sender_servers_id", [0xBEEF0002])
            self.check(layers, "enrp", number, "enrp.receiver_servers_id", [0xBEEF0003])
        self.check(layers, "enrp", 0, "enrp.pe_checksum", [0xABCD])
        self.check(layers, "enrp", 0, "enrp.r_bit", [1])
        self.check(layers, "enrp", 2, "enrp.m_bit", [1])
        self.check(layers, "enrp", 3, "enrp.update_action", [1])
        self.check(layers, "enrp", 6, "enrp.target_servers_id", [0xBEEF0004])
