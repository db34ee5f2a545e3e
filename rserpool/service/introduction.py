"""What a registrar says of itself at its start: where it is, and how it is secured."""

from collections.abc import Iterator, Sequence

from twisted.logger import LogLevel

from rserpool.service import interop
from rserpool.service.config import Config
from rserpool.service.options import release
from rserpool.transport.listener import Listener

#: A description of an endpoint, and what listens there.
Listening = tuple[str, Listener]
#: How much it matters, and the words.
Said = tuple[LogLevel, str]


def introduction(
    config: Config,
    server_id: int,
    asap: Sequence[Listening],
    enrp: Sequence[Listening],
    groups: Sequence[str],
) -> Iterator[Said]:
    """
    All of it, in order.

    :param groups: where it announces itself.
    """
    yield LogLevel.info, f"rserpool {release()}: registrar {server_id:#010x} serves"
    yield from _security(config)
    for text, listener in asap:
        yield LogLevel.info, f"ASAP on {listener.where or text} ({_elements(config, listener)})"
    for text, listener in enrp:
        yield LogLevel.info, f"ENRP on {listener.where or text} ({_peers(config, listener)})"
    if config.peers:
        others = ", ".join(peer.target for peer in config.peers)
        yield LogLevel.info, f"looking for other registrars: {others}"
    if groups:
        yield LogLevel.info, f"announcing to {', '.join(groups)}; {_heard(config)}"


def _security(config: Config) -> Iterator[Said]:
    if config.required:
        yield LogLevel.info, "security is required: all registrations are authenticated"
    else:
        yield (
            LogLevel.warn,
            "SECURITY IS NONE: anybody who reaches this registrar may register servers, "
            "remove them, and read and change what users are told",
        )
    for words in (*config.lenient, *interop.warnings(config)):
        yield LogLevel.warn, words


def _heard(config: Config) -> str:
    """What becomes of other registrars' announcements."""
    if not config.announce.hears(config.required):
        return "other registrars' aren't heard"
    proven = "TLS decides whom to believe" if config.required else "nobody proves anything"
    return f"registrars that announce themselves are called: {proven}"


def _elements(config: Config, listener: Listener) -> str:
    """How a listener for pool elements and users is secured."""
    kinds = [text.partition(":")[0] for text in config.registrar.auth]
    by = ", ".join(kinds) or "nothing: they can't"
    return _secured(config, listener, f"elements prove themselves by {by}")


def _peers(config: Config, listener: Listener) -> str:
    """How one for registrars is."""
    kinds = sorted({text.partition(":")[0] for text in config.registrar.enrp_auth})
    return _secured(config, listener, f"registrars prove themselves by {', '.join(kinds)}")


def _secured(config: Config, listener: Listener, proof: str) -> str:
    if listener.creator is None:
        return "plain: refuses" if config.required else "plain"
    return f"TLS {config.registrar.tls_minimum} or later; {proof}"
