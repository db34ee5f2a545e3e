"""A registrar that may be called, and how."""

from typing import Any

from rserpool.client.call import CALL_TIMEOUT
from rserpool.client.security import Security
from rserpool.transport import endpoints
from rserpool.transport.sctp.payload import Payload


class Known:
    """
    One of them.

    :param patience: seconds that a call may take; None: `CALL_TIMEOUT`.
    :raise ValueError: (or OSError) it can't be called, or nothing can be shown to it.
    """

    def __init__(
        self,
        reactor: Any,
        security: Security,
        description: str,
        patience: float | None = None,
    ) -> None:
        self.description = description
        self.patience = patience
        self.creator = security.creator(endpoints.host_of(description) or "")
        payload = Payload.ASAP.under(self.creator is not None)
        self.endpoint = endpoints.client(
            reactor, description, patience or CALL_TIMEOUT, payload
        )
