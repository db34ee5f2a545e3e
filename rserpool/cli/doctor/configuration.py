"""Looking at a registrar's configuration: what it says, and all that it names."""

import os
from collections.abc import Iterator, Sequence

import attrs

from rserpool.cli.doctor import certificates, keys, permissions
from rserpool.cli.doctor.finding import Finding, error, note, warning
from rserpool.cli.doctor.listener import Report
from rserpool.cli.usage import Status
from rserpool.service.config import Config, read
from rserpool.service.material import Material
from rserpool.service.settings import Reader


@attrs.frozen
class Configured:
    """A configuration that was read, with whatever is wrong with it."""

    path: str
    reader: Reader
    config: Config

    @classmethod
    def read(cls, path: str) -> "Configured":
        """Read it; it doesn't matter how much is wrong, as long as there is a file."""
        reader, config = read(path, [])
        return cls(os.path.abspath(path), reader, config)

    def place(self, key: str, *entry: int) -> str:
        """Where a key of ``[registrar]`` stands."""
        return self.reader.place("registrar", key, *entry)

    def named(self, key: str, kind: str) -> list[tuple[str, str]]:
        """The arguments of ``KIND:ARGS`` of a key, and where each stands."""
        values: tuple[str, ...] = getattr(self.config.registrar, key.replace("-", "_"))
        return [
            (text.partition(":")[2], self.place(key, entry))
            for entry, text in enumerate(values)
            if text.startswith(f"{kind}:")
        ]

    def key_files(self, key: str) -> list[str]:
        """The key files of ``auth`` or ``enrp-auth``."""
        return [path for path, _ in self.named(key, "psk")]

    def faults(self) -> Iterator[Finding]:
        """What keeps a registrar with this configuration from starting."""
        reader = self.reader
        material = Material(self.config)
        found = list(material.faults)
        if not (found or reader.faults):
            found = material.unusable()
        for key, words in found:
            reader.fault("registrar", key, words)
        for words in reader.faults:
            # Those of files in detail, by who looks at these files.
            if not _told_elsewhere(words):
                yield error("configuration", words, do="nothing starts with this")

    def look(self, reports: Sequence[Report], statuses: Sequence[Status]) -> Iterator[Finding]:
        """Look at what it says and names."""
        yield from self._settings()
        yield from self._permissions()
        held, found = keys.read([*self.key_files("auth"), *self.key_files("enrp-auth")])
        yield from (one for one in found if "chmod 600" not in one.what)
        yield from keys.look(held, statuses)
        if held and not (statuses or self.config.registrar.status):
            yield note(
                "key-use", "which keys are used can't be known: there is no status page",
                self.place("status"), 'set status, like "tcp:8080", or say --status URL here',
            )  # fmt: skip
        for text, where in [
            *self.named("auth", "certificate"), *self.named("enrp-auth", "certificate")
        ]:  # fmt: skip
            yield from certificates.look_trust(text, where)
        table = self.config.registrar
        if table.certificate:
            where = self.place("certificate")
            yield from certificates.look_own(table.certificate, where, reports)

    def _settings(self) -> Iterator[Finding]:
        table = self.config.registrar
        if not self.config.required:
            yield warning(
                "security-none", "security is none: anybody who reaches this registrar may "
                "register servers, remove them, and change what users are told",
                self.place("security"), "set it to required, unless the network is closed",
            )  # fmt: skip
        if table.tls_minimum == "1.2":
            yield warning(
                "tls-1.2", "tls-minimum is 1.2: who asks is visible on the way",
                self.place("tls-minimum"), "set it to 1.3 when no client needs 1.2 any more",
            )  # fmt: skip
        if table.legacy_suites:
            yield warning(
                "legacy-suites", "legacy-suites: CBC with SHA-1, no forward secrecy",
                self.place("legacy-suites"), "set it to false",
            )  # fmt: skip
        if table.plain_resolution:
            yield warning(
                "plain-resolution", "plain-resolution: anybody on the way may change an answer",
                self.place("plain-resolution"), "set it to false",
            )  # fmt: skip
        for table_name, key, what in (
            ("registrar", "authorization", "rules are tried out, and not enforced"),
            ("limits", "mode", "limits are not enforced"),
        ):
            value = getattr(getattr(self.config, table_name), key, "enforce")
            if value != "enforce":
                yield warning(
                    "not-enforced", f"{key} is {value}: {what}",
                    self.reader.place(table_name, key), 'set it to "enforce"',
                )  # fmt: skip

    def _permissions(self) -> Iterator[Finding]:
        table = self.config.registrar
        secret = [*self.key_files("auth"), *self.key_files("enrp-auth")]
        decisive = [(self.path, "the configuration")]
        for path in secret:
            yield from permissions.look_secret(path, "keys")
        if table.private_key:
            yield from permissions.look_secret(table.private_key, "private key")
            secret.append(table.private_key)
        if table.rules:
            decisive.append((table.rules, "the rules"))
        if table.certificate:
            decisive.append((table.certificate, "the certificate"))
        for key in ("auth", "enrp-auth"):
            for text, _ in self.named(key, "certificate"):
                decisive += [
                    (part, "whose certificates are believed") for part in text.split(";crl=")
                ]
        for path, what in dict.fromkeys(decisive):
            yield from permissions.look_decisive(path, what)
        audit = self.config.audit.file
        if audit:
            yield from permissions.look_audit(audit)
        everything = [*secret, *(path for path, _ in decisive), *([audit] if audit else [])]
        yield from permissions.look_directories(everything)
        for directory in dict.fromkeys(os.path.dirname(path) for path in everything):
            yield from permissions.look_authority(directory)


def _told_elsewhere(words: str) -> bool:
    """Whether a fault is one that is looked at by itself: the mode of a file, a key's line."""
    return "chmod 600" in words
