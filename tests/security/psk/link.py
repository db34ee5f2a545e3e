"""Two ends of a TLS connection in memory, and handshakes between them step by step."""

from importlib import import_module
from types import ModuleType
from typing import Any

from OpenSSL import SSL

from rserpool.security.psk import tls
from rserpool.security.psk.unavailable import PSKUnavailable

SECRET = bytes(range(32))
OTHER = bytes(range(1, 33))


def backend(name: str) -> tuple[ModuleType | None, str]:
    """Return a backend, or why it can't be had here."""
    try:
        return import_module(f"rserpool.security.psk.{name}"), ""
    except PSKUnavailable as error:
        return None, str(error)


class End:
    """One end: its connection, whether it is done, and how it failed."""

    def __init__(self, connection: Any, client: bool) -> None:
        self.connection = connection
        if client:
            connection.set_connect_state()
        else:
            connection.set_accept_state()
        self.done = False
        self.error: SSL.Error | None = None

    def step(self) -> None:
        """Go on with the handshake as far as it goes."""
        if self.done or self.error:
            return
        try:
            self.connection.do_handshake()
        except SSL.WantReadError:
            pass
        except SSL.Error as error:
            self.error = error
        else:
            self.done = True

    def out(self) -> bytes:
        """Return what goes to the network."""
        parts = []
        while True:
            try:
                parts.append(self.connection.bio_read(65536))
            except SSL.WantReadError:
                return b"".join(parts)

    def read(self) -> bytes:
        """Return what has arrived; remember an error."""
        parts = []
        while True:
            try:
                parts.append(self.connection.recv(65536))
            except (SSL.WantReadError, SSL.ZeroReturnError):
                return b"".join(parts)
            except SSL.Error as error:
                self.error = error
                return b"".join(parts)

    @property
    def failure(self) -> tuple[tls.Reason, str | None, str]:
        """Return what the log would say."""
        return tls.handshake_failure(self.connection, self.error)


class Link:
    """A client and a server, not yet talking."""

    def __init__(self, client: Any, server: Any) -> None:
        self.client = End(client.clientConnectionForTLS(None), client=True)
        self.server = End(server.serverConnectionForTLS(None), client=False)
        self.sent = {"client": b"", "server": b""}

    def turn(self) -> bool:
        """Let the client go on, then the server; False: there was nothing to do."""
        self.client.step()
        hello = self.client.out()
        if hello:
            self.server.connection.bio_write(hello)
        self.server.step()
        answer = self.server.out()
        if answer:
            self.client.connection.bio_write(answer)
        self.sent["client"] += hello
        self.sent["server"] += answer
        return bool(hello or answer)

    def shake(self) -> "Link":
        """Let them talk until neither has anything to say."""
        for _ in range(10):
            if not self.turn():
                break
        if self.client.done:
            self.client.read()  # in TLS 1.3 a refusal may come after the client is done
        return self

    @property
    def proven(self) -> tls.Evidence:
        """Return what the server knows about the client."""
        return tls.authentication(self.server.connection, "127.0.0.1")
