"""
Sockets of SCTP and their options (RFC 6458), from the standard library alone.

Note [Times]

A peer whose machine has vanished is noticed within half a minute, as over TCP: the kernel sends
again after RTO, which doubles up to its maximum, and gives an address up after
`path_retransmissions`, the association after `retransmissions`.  An idle path is asked each
`heartbeat` seconds.  The kernel's own defaults (RTO up to 60 s, ten retransmissions, a
heartbeat each 30 s) would take minutes for that.
"""

import socket
import struct
from typing import Any

import attrs

SCTP = 132  # the protocol, and the level of its options
_RTOINFO, _ASSOCINFO, _INITMSG, _NODELAY = 0, 1, 2, 3
_PEER_ADDR_PARAMS, _EVENTS, _RECVRCVINFO = 9, 11, 32
#: Ancillary data: what is sent, what has come (RFC 6458 sections 5.3.4 and 5.3.5).
SNDINFO, RCVINFO = 2, 3
_SNDINFO = struct.Struct("=HHIIi")
#: Flags of what has come.
UNORDERED = 1
END_OF_MESSAGE, NOTIFICATION = 0x80, 0x8000

_MILLISECONDS = 1000
#: sctp_paddrparams, as all kernels take it: association, address, heartbeat, retransmissions,
#: MTU, delay, flags.
_PATH = struct.Struct("=i128sIHIII2x")
_HEARTBEATS_ON, _HEARTBEAT_NOW = 1, 4
#: sctp_event_subscribe: changes of the association and its addresses, and partial deliveries
#: that come to nothing.
_WANTED = bytes((0, 1, 1, 0, 0, 0, 1))
#: Streams either way: all of ASAP, ENRP and TLS goes by stream 0.
_STREAMS = 1
#: Tries of an INIT, and seconds between them at most: a call has its own time limit.
_INIT_ATTEMPTS, _INIT_TIMEOUT = 8, 2.0
#: Octets that the kernel may keep either way: some messages of 64 KiB.  With its own default,
#: for receiving, only one has room, and where packets are as long, on loopback, the next has to
#: wait for a delayed acknowledgement: 0.3 MB/s were seen instead of 70.
_BUFFER = 256 * 1024


class SCTPUnavailable(OSError):
    """This host has no SCTP."""

    def __str__(self) -> str:
        return str(self.strerror)


@attrs.frozen(kw_only=True)
class Times:
    """Seconds and counts by which an association lives: see Note [Times]."""

    heartbeat: float = 10.0
    rto_initial: float = 1.0
    rto_minimum: float = 0.5
    rto_maximum: float = 5.0
    path_retransmissions: int = 3
    retransmissions: int = 8


def make(family: int, times: Times) -> socket.socket:
    """
    Make a socket for one association, or to listen for them.

    :raise SCTPUnavailable: this host has no SCTP.
    """
    try:
        made = socket.socket(family, socket.SOCK_STREAM, SCTP)
    except OSError as error:
        raise SCTPUnavailable(
            error.errno,
            "this host has no SCTP; as root, 'modprobe sctp' loads it where the kernel has it "
            f"as a module ({error.strerror})",
        ) from None
    try:
        made.setblocking(False)
        _tune(made, times)
    except BaseException:
        made.close()
        raise
    return made


def _tune(made: socket.socket, times: Times) -> None:
    """What accepted associations take over from the socket that listens, too."""

    def put(option: int, form: str, *values: Any) -> None:
        made.setsockopt(SCTP, option, struct.pack(form, *values))

    # A second small message would wait 200 ms for the acknowledgement of the first.
    put(_NODELAY, "=i", 1)
    put(_RECVRCVINFO, "=i", 1)
    made.setsockopt(SCTP, _EVENTS, _WANTED)
    put(_INITMSG, "=HHHH", _STREAMS, _STREAMS, _INIT_ATTEMPTS, _milliseconds(_INIT_TIMEOUT))
    rto = (times.rto_initial, times.rto_maximum, times.rto_minimum)
    put(_RTOINFO, "=iIII", 0, *map(_milliseconds, rto))
    put(_ASSOCINFO, "=iHHIII", 0, times.retransmissions, 0, 0, 0, 0)
    made.setsockopt(
        SCTP, _PEER_ADDR_PARAMS,
        _PATH.pack(0, bytes(128), _milliseconds(times.heartbeat), times.path_retransmissions,
                   0, 0, _HEARTBEATS_ON),
    )  # fmt: skip
    for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        made.setsockopt(socket.SOL_SOCKET, option, _BUFFER)


def ask(made: socket.socket, address: bytes) -> None:
    """Send a heartbeat to an address, a ``sockaddr``, of the peer."""
    packed = _PATH.pack(0, address, 0, 0, 0, 0, _HEARTBEAT_NOW)
    made.setsockopt(SCTP, _PEER_ADDR_PARAMS, packed)


def sent_with(identifier: int) -> list[tuple[int, int, bytes]]:
    """Ancillary data of a message on stream 0, ordered, with this payload identifier."""
    return [(SCTP, SNDINFO, _SNDINFO.pack(0, 0, socket.htonl(identifier), 0, 0))]


def abort(made: socket.socket) -> None:
    """Close it with an ABORT, whatever is still to be sent or read."""
    made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("=ii", 1, 0))
    made.close()


def _milliseconds(seconds: float) -> int:
    return int(seconds * _MILLISECONDS)
