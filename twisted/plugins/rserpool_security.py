# Names only: a plugin is imported when a configuration asks for it.
from rserpool.security.interfaces import IAuthentication, IAuthorizer
from rserpool.security.plugin import SecurityPlugin

psk = SecurityPlugin(
    "psk",
    IAuthentication,
    "rserpool.security.psk.authentication.PreSharedKeys",
    "FILE: pre-shared keys, one identity:hexkey a line",
)
certificate = SecurityPlugin(
    "certificate",
    IAuthentication,
    "rserpool.security.certificate.authentication.Certificates",
    "CA-FILE, or CA-FILE;crl=FILE: client certificates of these authorities (PEM)",
)
rules = SecurityPlugin(
    "rules",
    IAuthorizer,
    "rserpool.security.rules.authorizer.Rules",
    "FILE: users, roles and gates (TOML)",
)
refuse_all = SecurityPlugin(
    "refuse-all",
    IAuthorizer,
    "rserpool.security.failing.refuse_all",
    "denies everything: for trying out operations",
)
raise_always = SecurityPlugin(
    "raise-always",
    IAuthorizer,
    "rserpool.security.failing.raise_always",
    "raises each time: for trying out operations",
)
refusing = SecurityPlugin(
    "refuse-all",
    IAuthentication,
    "rserpool.security.failing.refusing",
    "KIND:ARGS: lets nobody in, whatever they have proven",
)
raising = SecurityPlugin(
    "raise-always",
    IAuthentication,
    "rserpool.security.failing.raising",
    "KIND:ARGS: its checker raises each time",
)
slow = SecurityPlugin(
    "slow",
    IAuthentication,
    "rserpool.security.failing.slow",
    "SECONDS:KIND:ARGS: answers so much later",
)
