"""Asking without TLS, for something that changes nothing."""

import socket
from enum import Enum

from rserpool.cli.doctor.handshake import NoConnection, connect
from rserpool.wire import asap, causes, enrp
from rserpool.wire.errors import WireError
from rserpool.wire.framing import Splitter

#: A pool that nobody has: who serves says so, who refuses says that.
_POOL = b"rserpool-doctor"
#: Octets of an answer that are waited for.
MAXIMUM_ANSWER = 256 * 1024
#: A sender's ID that isn't one: who asks is no registrar (RFC 5353 section 3.1).
_NOBODY = 0


class Answer(Enum):
    """What became of it."""

    SERVED = "answers without TLS"
    REFUSED = "refuses with 0x0a (rejected due to security considerations)"
    STRANGE = "its answer is none of this protocol"
    SILENT = "hangs up without an answer; it may not serve yet"

    @property
    def words(self) -> str:
        """For people."""
        return self.value


def probe(host: str, port: int, protocol: str) -> Answer:
    """
    Ask who is in a pool, or (ENRP) which registrars there are.

    :raise NoConnection: nobody answers.
    """
    question = (
        asap.encode(asap.HandleResolution(handle=_POOL))
        if protocol == "asap"
        else enrp.encode(enrp.ListRequest(sender=_NOBODY))
    )
    with connect(host, port) as line:
        try:
            line.sendall(question)
            return _answer(line, protocol)
        except TimeoutError:
            raise NoConnection("it listens, but doesn't answer") from None
        except OSError:
            return Answer.SILENT


def _answer(line: socket.socket, protocol: str) -> Answer:
    splitter, heard = Splitter(), 0
    while heard <= MAXIMUM_ANSWER:
        data = line.recv(65536)
        if not data:
            return Answer.SILENT
        heard += len(data)
        try:
            for message in splitter.feed(data):
                decode = asap.decode if protocol == "asap" else enrp.decode
                found = _judged(decode(message).message)
                if found is not None:
                    return found
        except WireError:
            return Answer.STRANGE
    return Answer.STRANGE


def _judged(message: object) -> Answer | None:
    """What an answer says; None: it is none."""
    error = getattr(message, "error", None)
    found = () if error is None else error.causes
    if any(isinstance(one, causes.RejectedForSecurity) for one in found):
        return Answer.REFUSED
    if isinstance(message, asap.HandleResolutionResponse | enrp.ListResponse):
        return Answer.SERVED
    return Answer.STRANGE if isinstance(message, enrp.Error | asap.Error) else None
