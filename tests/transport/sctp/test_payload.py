"""Where one user message ends and the next begins."""

from twisted.trial.unittest import SynchronousTestCase

from rserpool.transport.sctp.payload import Payload
from rserpool.wire import asap, enrp


def cut(payload, data):
    """All user messages of some octets, and what is left."""
    view, at, found = memoryview(data), 0, []
    while length := payload.length(view, at):
        found.append(data[at : at + length])
        at += length
    return found, data[at:]


class Cutting(SynchronousTestCase):
    """What is written in one go is sent message by message."""

    def test_messages(self):
        """Each message of ASAP or ENRP, with its padding, is one user message."""
        short = asap.encode(asap.HandleResolution(handle=b"a"))
        long = asap.encode(asap.HandleResolution(handle=b"longer"))
        self.assertEqual(cut(Payload.ASAP, short + long + short), ([short, long, short], b""))
        request = enrp.encode(enrp.ListRequest(sender=1))
        self.assertEqual(cut(Payload.ENRP, request), ([request], b""))

    def test_longest(self):
        """A message of 64 KiB is one, too."""
        longest = b"\x05\x00\xff\xff" + bytes(0xFFFF - 4 + 1)
        self.assertEqual(cut(Payload.ASAP, longest + longest), ([longest, longest], b""))
        self.assertEqual(len(longest), Payload.ASAP.longest)

    def test_records(self):
        """Each record of TLS is one; what isn't whole waits for the rest."""
        record = b"\x17\x03\x03\x00\x05hello"
        self.assertEqual(cut(Payload.TLS, record * 2), ([record, record], b""))
        for end in range(len(record)):
            self.assertEqual(cut(Payload.TLS, record + record[:end]), ([record], record[:end]))

    def test_under(self):
        """Under TLS neither ASAP nor ENRP is what is carried."""
        self.assertIs(Payload.ENRP.under(False), Payload.ENRP)
        self.assertIs(Payload.ENRP.under(True), Payload.TLS)
        self.assertEqual([each.value for each in (Payload.ASAP, Payload.ENRP)], [11, 12])
