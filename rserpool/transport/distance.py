"""How long a message takes to the peer and back, as the kernel has measured it."""

import socket
import struct
from typing import Any

#: Linux: tcpi_rtt of struct tcp_info, in microseconds; it has not moved since Linux 2.6.
_INFO = getattr(socket, "TCP_INFO", None)
_RTT = struct.Struct("=I")
_OFFSET = 68


def smoothed(transport: Any) -> float | None:
    """
    The smoothed round-trip time of a transport in seconds.

    None: it is neither TCP nor SCTP, it has ended, or this system doesn't tell.
    """
    measured = getattr(transport, "roundTrip", None)
    if measured is not None:  # an association of SCTP
        return measured()  # type: ignore[no-any-return]
    # Not getHandle(), which is OpenSSL's connection under TLS.
    handle = getattr(transport, "socket", None)
    if _INFO is None or not isinstance(handle, socket.socket):
        return None
    if handle.type != socket.SOCK_STREAM or handle.family == getattr(socket, "AF_UNIX", None):
        return None
    try:
        info = handle.getsockopt(socket.IPPROTO_TCP, _INFO, _OFFSET + _RTT.size)
    except OSError:
        return None
    if len(info) < _OFFSET + _RTT.size:
        return None
    [microseconds] = _RTT.unpack_from(info, _OFFSET)
    return float(microseconds) / 1e6
