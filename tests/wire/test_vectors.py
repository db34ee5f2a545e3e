"""Messages of the reference implementation decode, and encode back octet for octet."""

import collections

from twisted.trial.unittest import SynchronousTestCase

from rserpool.wire import asap, enrp
from rserpool.wire.errors import BadLength, BadValue, Misplaced, Missing, Truncated, WireError
from tests.vectors import vectors

#: Scripted messages that are wrong on purpose: the first octets, and what is wrong.
REFUSED = {
    "0100002c000900064e500000": Missing,  # no policy
    "01000024000900064e540000": Misplaced,  # no transport
    "0100000c000900064e450000": Missing,  # no element
    "0100002c000a0028": Misplaced,  # element before handle
    "0500000c000900055000000061626364": BadLength,  # octets after the message
    "0100003c000900074450460000": Truncated,  # LU-DPF without its distance
    "0500000c0009000550000000050000": BadLength,  # two messages in one
    "050000c80009000550000000": Truncated,
    "050000040009000550000000": BadLength,
    "01000038000900065050": BadLength,  # round robin with a value
    "05000018803f0008": Misplaced,  # option before handle
    "0101004433333333": Misplaced,  # two Server Informations
    "0500000c333333331111111161626364": BadLength,
    "0500000c333333331111|": Truncated,
    "0400005433333333000000000002": BadValue,  # a reserved Update Action
}
#: Encoded otherwise, and rightly so.
DIFFERENT = {
    "0500001481110008": "an unknown parameter in front goes to the end",
    "05000014c1110008": "the same, one to be reported",
    "050000090009000550": "sent without its padding",
    "05ff000c": "with flags that there aren't",
}


def expected(data, table):
    """What the table says of a message."""
    octets = f"{data.hex()}|"  # a bar in the table: the message ends there
    return next((v for k, v in table.items() if octets.startswith(k)), None)


class Captured(SynchronousTestCase):
    """What rsplib 3.4.4 and scripted peers have sent."""

    def test_all(self):
        """Each decodes and encodes back, or is one of those listed here."""
        good = refused = 0
        for name, data in vectors():
            protocol = asap if name == "ASAP" else enrp
            wrong = expected(data, REFUSED)
            try:
                decoded = protocol.decode(data)
            except WireError as error:
                self.assertIs(type(error), wrong, data.hex())
                refused += 1
                continue
            self.assertIsNone(wrong, data.hex())
            if decoded.message is None:
                continue  # an unknown type said so: see test_bad_input
            if expected(data, DIFFERENT) is None:
                # rsplib counts the final padding into the Message Length
                again = [protocol.encode(decoded.message, count_padding=c) for c in (0, 1)]
                self.assertIn(data, again)
                good += 1
        self.assertEqual(refused, len(REFUSED))
        self.assertGreater(good, 1000)

    def test_enrp(self):
        """
        Each message of ENRP that rsplib has sent, and nothing of it is unknown to us.

        The scripted peers of the probes are those that send what is strange on purpose.
        """
        seen = collections.Counter()
        for name, data in vectors(but="enrp-probes"):
            if name != "ENRP":
                continue
            decoded = enrp.decode(data)
            self.assertEqual((decoded.report, decoded.message.unknown), ((), ()), data.hex())
            again = [enrp.encode(decoded.message, count_padding=c) for c in (0, 1)]
            self.assertIn(data, again)
            if isinstance(decoded.message, enrp.HandleTableResponse):
                for entry in enrp.entries(decoded.message):
                    seen["elements"] += len(entry.elements)
            seen[type(decoded.message).__name__] += 1
        self.assertGreater(seen["elements"], 500)
        self.assertGreater(seen["HandleUpdate"], 300)

    def test_kinds(self):
        """All kinds of messages that rsplib sends are among them."""
        kinds = {
            type((asap if name == "ASAP" else enrp).decode(data).message).__name__
            for name, data in vectors()
            if expected(data, REFUSED) is None
        }
        self.assertLessEqual(
            {"Registration", "HandleResolutionResponse", "EndpointKeepAlive", "CookieEcho",
             "ServerAnnounce", "Presence", "HandleTableResponse", "HandleUpdate",
             "ListResponse", "InitTakeover", "InitTakeoverAck", "TakeoverServer"},
            kinds,
        )  # fmt: skip
