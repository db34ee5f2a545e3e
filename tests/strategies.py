"""Values of every wire type, by hypothesis, from the declarations themselves."""

from ipaddress import IPv4Address, IPv6Address
from typing import Any

import attrs
from hypothesis import strategies as st

from rserpool.wire import causes, parameters, policies
from rserpool.wire.layout import Number, Rest

uint16 = st.integers(0, 0xFFFF)
uint32 = st.integers(0, 0xFFFFFFFF)
int32 = st.integers(-0x80000000, 0x7FFFFFFF)
octets = st.binary(max_size=40)
#: Surrogates can't be encoded, and aren't printable.
name = st.text(min_size=1, max_size=20).filter(str.isprintable)
ipv4 = st.integers(0, 2**32 - 1).map(IPv4Address)
ipv6 = st.integers(0, 2**128 - 1).map(IPv6Address)
address = st.one_of(ipv4, ipv6)
one_address = st.tuples(address)
addresses = st.lists(address, min_size=1, max_size=5).map(tuple)
#: Unknown parameters that are skipped (type bits 10 and 11), without padding.
unknown = st.lists(
    st.tuples(
        st.integers(0x8000, 0xFFFF).filter(lambda n: n not in (0x803F, 0x80F5)), octets
    ).map(
        lambda pair: (
            pair[0].to_bytes(2, "big") + (4 + len(pair[1])).to_bytes(2, "big") + pair[1]
        )
    ),
    max_size=2,
).map(tuple)

_NUMBERS = {"H": uint16, "I": uint32, "i": int32}

unknown_policy = st.builds(
    policies.UnknownPolicy,
    number=uint32.filter(
        lambda n: n & 0x3FFFFFFF and n not in {cls.NUMBER for cls in policies.NAMES.values()}
    ),
    data=octets,
)
policy = st.one_of(
    *(
        st.builds(cls, **{field.name: uint32 for field in attrs.fields(cls)})
        for cls in policies.NAMES.values()
    ),
    unknown_policy,
)
transports = {
    parameters.SCTPTransport: {"addresses": addresses, "use": st.integers(0, 1)},
    parameters.TCPTransport: {"addresses": one_address},
    parameters.UDPTransport: {"addresses": one_address},
    parameters.UDPLiteTransport: {"addresses": one_address},
    parameters.DCCPTransport: {"addresses": one_address},
    parameters.OpaqueTransport: {},
}


def built(cls: type, **known: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Values of a declared class; fields that hold parameters must be given."""
    fields = {}
    for field in attrs.fields(cls):
        kind = field.metadata.get("kind")
        if field.name in known:
            fields[field.name] = known[field.name]
        elif field.name == "unknown":
            fields[field.name] = unknown
        elif "flag" in field.metadata:
            fields[field.name] = st.booleans()
        elif isinstance(kind, Number):
            fields[field.name] = _NUMBERS[kind.code]
        elif isinstance(kind, Rest):
            fields[field.name] = octets
        else:
            raise TypeError(f"{cls.__name__}.{field.name} needs a strategy")
    return st.builds(cls, **fields)


user_transport = st.one_of(*(built(cls, **known) for cls, known in transports.items()))
server_transport = st.one_of(
    *(built(c, **transports[c]) for c in (parameters.SCTPTransport, parameters.TCPTransport))
)
element = built(
    parameters.PoolElement,
    user_transport=user_transport,
    policy=policy,
    asap_transport=st.none() | server_transport,
    principal=st.none() | name,
)
server = built(parameters.ServerInformation, transport=server_transport)
cause = st.one_of(
    *(
        built(cls, policy=st.none() | policy, transport=st.none() | user_transport)
        for cls in causes.CLASSES
    ),
    st.builds(causes.UnknownCause, code=st.integers(0xB, 0xFFFF), data=octets),
)
error = st.builds(
    parameters.OperationError, causes=st.lists(cause, min_size=1, max_size=3).map(tuple)
)
#: Pool handles, each followed by its elements.
parts = st.lists(
    st.tuples(
        st.builds(parameters.PoolHandle, handle=octets),
        st.lists(element, min_size=1, max_size=2),
    ),
    max_size=2,
).map(lambda pools: tuple(part for handle, found in pools for part in (handle, *found)))
#: What the fields of messages hold, by their names.
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "handle": octets,
    "cookie": octets,
    "identifier": uint32,
    "element": element,
    "elements": st.lists(element, min_size=1, max_size=3).map(tuple),
    "policy": st.none() | policy,
    "items": st.none() | uint32,
    "transports": st.lists(server_transport, max_size=3).map(tuple),
    "checksum": st.none() | uint16,
    "servers": st.lists(server, max_size=3).map(tuple),
}


def message(cls: type) -> st.SearchStrategy[Any]:
    """Messages of one class."""
    known = dict(FIELDS)
    optional = {f.name for f in attrs.fields(cls) if f.default is None}
    known["error"] = st.none() | error if "error" in optional else error
    known["identifier"] = st.none() | uint32 if "identifier" in optional else uint32
    # an announcement's `server` is a number, a presence's a Server Information
    known["server"] = st.none() | server if "server" in optional else uint32
    known["parts"] = parts
    known["action"] = st.integers(0, 1)
    found = built(cls, **{n: s for n, s in known.items() if n in attrs.fields_dict(cls)})
    return found.map(sendable)


def sendable(message: Any) -> Any:
    """The message, without what must not be in a rejection."""
    for name in ("parts", "servers"):
        if getattr(message, "rejected", False) and hasattr(message, name):
            message = attrs.evolve(message, **{name: ()})
    return message


def parameter(cls: type) -> st.SearchStrategy[Any]:
    """Values of one parameter class."""
    special: dict[type, st.SearchStrategy[Any]] = {
        parameters.IPv4Address: st.builds(parameters.IPv4Address, address=ipv4),
        parameters.IPv6Address: st.builds(parameters.IPv6Address, address=ipv6),
        parameters.PoolElement: element,
        parameters.Principal: st.builds(parameters.Principal, name=name),
        parameters.ServerInformation: server,
        parameters.OperationError: error,
        policies.UnknownPolicy: unknown_policy,
    }
    return special[cls] if cls in special else built(cls, **transports.get(cls, {}))
