"""What can't be sent is EncodeError, of whatever kind it is."""

from ipaddress import ip_address

import attrs
from hypothesis import HealthCheck, Phase, find, settings
from twisted.trial.unittest import SynchronousTestCase

from rserpool.wire import asap, causes, declared, enrp, parameters, policies
from rserpool.wire.errors import EncodeError
from rserpool.wire.parameters import OperationError, TCPTransport
from tests import strategies

ONCE = settings(
    max_examples=20,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
#: What no field of the wire holds.
JUNK = (
    -1,
    -(2**40),
    2**32,
    2**64,
    1.5,
    "two\nlines",
    object(),
    [],
    ("two\nlines",),
    (7,),
    (None,),
)


def sample(strategy):
    """Any value of a strategy."""
    return find(strategy, lambda value: True, settings=ONCE)


class Junk(SynchronousTestCase):
    """A field with what it can't hold is refused: when it is built, or when it is encoded."""

    def refused(self, value, encode):
        """Each field in turn is junk, and nothing but EncodeError comes of it."""
        for field in attrs.fields(type(value)):
            if "flag" in field.metadata:
                continue  # whatever it is, it is true or false
            for junk in JUNK:
                if junk == -1 and field.name == "life":
                    continue  # for ever
                with self.assertRaises(EncodeError, msg=f"{field.name}={junk!r}"):
                    encode(attrs.evolve(value, **{field.name: junk}))

    def test_messages(self):
        """Each field of each message."""
        for protocol in (asap.ASAP, enrp.ENRP):
            for cls in protocol.classes.values():
                self.refused(sample(strategies.message(cls)), protocol.encode)

    def test_parameters(self):
        """Each field of each parameter."""
        for cls in declared.ENCODERS:
            self.refused(sample(strategies.parameter(cls)), parameters.encode)

    def test_causes(self):
        """Each field of each error cause."""
        for cls in (*causes.CLASSES, causes.UnknownCause):
            more = {"code": 77} if cls is causes.UnknownCause else {}
            if cls in (causes.UnrecognizedParameter, causes.UnrecognizedMessage):
                more = {cls.__name__.removeprefix("Unrecognized").lower(): b"a"}
            self.refused(
                cls(**more),
                lambda cause: parameters.encode(OperationError(causes=(cause,))),
            )

    def test_strangers(self):
        """What is no message, parameter or cause at all."""
        for stranger in (None, 7, b"octets", enrp.ListRequest(sender=1)):
            self.assertRaises(EncodeError, asap.encode, stranger)
            self.assertRaises(EncodeError, parameters.encode, stranger)
            strange = OperationError(causes=(stranger,))
            self.assertRaises(EncodeError, parameters.encode, strange)
        self.assertRaises(EncodeError, parameters.encode, OperationError(causes=()))

    def test_wrong_place(self):
        """A parameter where another belongs."""
        element = sample(strategies.element)
        with self.assertRaises(EncodeError):
            parameters.encode(attrs.evolve(element, policy=element.user_transport))
        with self.assertRaises(EncodeError):
            enrp.encode(enrp.HandleUpdate(sender=1, action=0, handle=element, element=element))

    def test_out_of_range(self):
        """A number that has no place on the wire can't be built."""
        with self.assertRaises(EncodeError):
            TCPTransport(port=65536, addresses=(ip_address("::1"),))
        with self.assertRaises(EncodeError):
            policies.UnknownPolicy(number=1)
