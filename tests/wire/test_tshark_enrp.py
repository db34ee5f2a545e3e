"""Wireshark reads each message of ENRP, field by field, as we meant it."""

from ipaddress import ip_address

from twisted.trial.unittest import SynchronousTestCase

from rserpool.wire import causes, enrp, policies
from rserpool.wire.parameters import (
    OperationError,
    PoolElement,
    PoolHandle,
    SCTPTransport,
    ServerInformation,
    TCPTransport,
)
from tests.programs import requires
from tests.wire.test_tshark import read

V4, V6 = ip_address("192.0.2.1"), ip_address("2001:db8::7")
TCP = TCPTransport(port=8080, addresses=(V4,))
ASAP_TCP = TCPTransport(port=3863, addresses=(V6,))
SCTP = SCTPTransport(port=9901, use=1, addresses=(V4, V6))
IDS = {"sender": 0xBEEF0002, "receiver": 0xBEEF0003}
TARGET = {"target": 0xBEEF0004, **IDS}
#: What isn't compared: lengths and the types of parameters follow from the rest, which is
#: there only if they are right.
LEFT_OUT = ("_length", "_padding", "enrp.parameter_type", "enrp.message_type", "enrp.reserved")


def element(identifier, asap_transport, **more):
    """An element whose every number is another one."""
    return PoolElement(
        identifier=identifier, home=0xBEEF0002, life=300, user_transport=TCP,
        policy=policies.WeightedRoundRobin(weight=77), asap_transport=asap_transport, **more,
    )  # fmt: skip


def shown(tree):
    """The fields of a message with their values, in the order of the wire."""
    found = []
    for key, value in tree.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, dict):
                found += shown(one)
            elif key.startswith("enrp.") and not key.endswith(LEFT_OUT):
                found.append((key.removeprefix("enrp."), one))
    return found


def head(flags=0, **bits):
    """What is read of a message's head."""
    return [
        ("message_flags", f"0x{flags:02x}"),
        *((f"{bit}_bit", value) for bit, value in bits.items()),
        ("sender_servers_id", "0xbeef0002"),
        ("receiver_servers_id", "0xbeef0003"),
    ]


READ_HANDLE = ("pool_handle_pool_handle", "70:6f:6f:6c")
READ_TCP = [
    ("tcp_transport_port", "8080"),
    ("transport_use", "0"),
    ("ipv4_address", "192.0.2.1"),
]
READ_ASAP_TCP = [
    ("tcp_transport_port", "3863"), ("transport_use", "0"), ("ipv6_address", "2001:db8::7"),
]  # fmt: skip
READ_SCTP = [
    ("sctp_transport_port", "9901"), ("transport_use", "1"),
    ("ipv4_address", "192.0.2.1"), ("ipv6_address", "2001:db8::7"),
]  # fmt: skip
READ_POLICY = [
    ("pool_member_selection_policy_type", "0x00000002"),
    ("pool_member_selection_policy_weight", "77"),
]


def read_element(identifier, asap_transport):
    """
    What is read of an element.

    tshark's JSON has the parameters of one type together: both transports, if both are TCP.
    """
    together = asap_transport is READ_ASAP_TCP
    return [
        ("pool_element_pe_identifier", f"0x{identifier:08x}"),
        ("pool_element_home_enrp_server_identifier", "0xbeef0002"),
        ("pool_element_registration_life", "300"),
        *READ_TCP,
        *(asap_transport if together else ()),
        *READ_POLICY,
        *(() if together else asap_transport),
    ]


READ_SERVER = [("server_information_server_identifier", "0xbeef0002"), *READ_SCTP]
SERVER = ServerInformation(identifier=0xBEEF0002, transport=SCTP)
TCP_SERVER = ServerInformation(identifier=0xBEEF0003, transport=TCP)
HANDLE = PoolHandle(handle=b"pool")
MESSAGES = [
    (
        enrp.Presence(checksum=0xABCD, server=SERVER, **IDS),
        [*head(r="0"), ("pe_checksum", "0xabcd"), *READ_SERVER],
    ),
    (
        enrp.Presence(reply_required=True, checksum=0, server=TCP_SERVER, **IDS),
        [
            *head(1, r="1"), ("pe_checksum", "0x0000"),
            ("server_information_server_identifier", "0xbeef0003"), *READ_TCP,
        ],
    ),
    (enrp.Presence(**IDS), head(r="0")),
    (enrp.HandleTableRequest(**IDS), head(w="0")),
    (enrp.HandleTableRequest(own_only=True, **IDS), head(1, w="1")),
    (enrp.HandleTableResponse(**IDS), head(m="0", r="0")),
    (enrp.HandleTableResponse(rejected=True, **IDS), head(1, m="0", r="1")),
    (
        enrp.HandleTableResponse(
            more=True, parts=(HANDLE, element(1, SCTP), element(2, ASAP_TCP)), **IDS
        ),
        [
            *head(2, m="1", r="0"), READ_HANDLE,
            *read_element(1, READ_SCTP), *read_element(2, READ_ASAP_TCP),
        ],
    ),
    (
        enrp.HandleUpdate(action=enrp.ADD_PE, handle=b"pool", element=element(1, SCTP), **IDS),
        [
            *head(t="0"), ("update_action", "0"), READ_HANDLE,
            *read_element(1, READ_SCTP),
        ],
    ),
    (
        enrp.HandleUpdate(
            takeover_suggested=True, action=enrp.DEL_PE, handle=b"pool",
            element=element(1, ASAP_TCP, principal="web-1"), **IDS,
        ),
        [
            *head(1, t="1"), ("update_action", "1"), READ_HANDLE,
            *read_element(1, READ_ASAP_TCP), ("parameter_value", "77:65:62:2d:31"),
        ],
    ),
    (enrp.ListRequest(**IDS), head()),
    (
        enrp.ListResponse(servers=(SERVER, TCP_SERVER), **IDS),
        [
            *head(r="0"), *READ_SERVER,
            ("server_information_server_identifier", "0xbeef0003"), *READ_TCP,
        ],
    ),
    (enrp.ListResponse(rejected=True, **IDS), head(1, r="1")),
    *(
        (kind(**TARGET), [*head(), ("target_servers_id", "0xbeef0004")])
        for kind in (enrp.InitTakeover, enrp.InitTakeoverAck, enrp.TakeoverServer)
    ),
    (
        enrp.Error(
            error=OperationError(
                causes=(
                    causes.InvalidValues(parameter=b"\0\x0f\0\6\0\0"),
                    causes.RejectedForSecurity(),
                )
            ),
            **IDS,
        ),
        [*head(), ("cause_code", "0x0003"), ("cause_code", "0x000a")],
    ),
]  # fmt: skip


class Fields(SynchronousTestCase):
    """All ten messages, with and without each flag and each optional parameter."""

    skip = requires("tshark", "text2pcap")

    def test_fields(self):
        """Every field that Wireshark shows has our value, and there is no other."""
        layers = read([message for message, _ in MESSAGES], enrp.encode, "9901,9901,12")
        self.assertEqual(len(layers), len(MESSAGES))
        for (message, expected), tree in zip(MESSAGES, layers, strict=True):
            found = shown(tree["enrp"])
            if isinstance(message, enrp.Error):
                found = [pair for pair in found if pair in expected]
            self.assertEqual(found, expected, message)
