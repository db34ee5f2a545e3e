# Names only: a plugin is imported when a configuration asks for it.
from rserpool.security.interfaces import (
    IAuthentication,
    IAuthorizer,
    IPeerAuthentication,
    IRateLimit,
)
from rserpool.security.plugin import SecurityPlugin

psk = SecurityPlugin(
    "psk",
    IAuthentication,
    "rserpool.security.psk.authentication.PreSharedKeys",
    "FILE: pre-shared keys, one identity:hexkey a line",
)
peer_keys = SecurityPlugin(
    "psk",
    IPeerAuthentication,
    "rserpool.security.psk.pairwise.PeerKeys",
    "FILE: pre-shared keys between registrars, dialer@acceptor:hexkey or dialer:hexkey a line",
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
allow_proven = SecurityPlugin(
    "allow-proven",
    IAuthorizer,
    "rserpool.security.proven.allow_proven",
    "whoever has proven a name may all, others may resolve: what there is without rules",
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
limit_all = SecurityPlugin(
    "refuse-all",
    IRateLimit,
    "rserpool.security.failing.refuse_all",
    "has no budget for anybody: for trying out operations",
)
limit_raising = SecurityPlugin(
    "raise-always",
    IRateLimit,
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
