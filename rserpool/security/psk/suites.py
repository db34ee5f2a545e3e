"""
Which cipher suites are offered (RFC 4279, 5487, 5489, 8446, 9257).

Every suite is named: of OpenSSL's aliases, ``kECDHEPSK`` and ``kDHEPSK`` include suites that
encrypt nothing, and ``!aRSA`` takes away those of honest certificate clients.
"""

#: TLS 1.3: those of SHA-256 alone, which is the hash of our keys.  With one of SHA-384 a
#: server would skip the key that a client offers, unproven, and go on with certificates.
SUITES_13 = ("TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256")

#: TLS 1.2 with a key, and with forward secrecy.
KEYS = (
    "ECDHE-PSK-CHACHA20-POLY1305",
    "ECDHE-PSK-AES128-CBC-SHA256",
    "DHE-PSK-AES128-GCM-SHA256",
    "DHE-PSK-AES256-GCM-SHA384",
)
#: TLS 1.2 with a key, without forward secrecy: who learns the key reads what was recorded.
#: A server accepts it from peers that can't do better; a client of ours can.
KEYS_PLAIN = ("PSK-AES128-GCM-SHA256",)
CERTIFICATES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-CHACHA20-POLY1305",
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
)
#: What RFC 5352 section 9.2 makes mandatory, TLS_RSA_WITH_AES_128_CBC_SHA and its sister
#: for keys: CBC with SHA-1, no forward secrecy.
LEGACY_KEYS = ("PSK-AES128-CBC-SHA",)
LEGACY_CERTIFICATES = ("AES128-SHA",)


def server_suites(keys: bool, certificate: bool, legacy: bool) -> str:
    """Return what a server accepts in TLS 1.2, best first: keys go before certificates."""
    return ":".join((
        *(KEYS if keys else ()),
        *(CERTIFICATES if certificate else ()),
        *(KEYS_PLAIN if keys else ()),
        *(LEGACY_KEYS if keys and legacy else ()),
        *(LEGACY_CERTIFICATES if certificate and legacy else ()),
    ))  # fmt: skip


def client_suites(legacy: bool) -> str:
    """Return what a client with a key offers in TLS 1.2."""
    return ":".join(KEYS + (KEYS_PLAIN + LEGACY_KEYS if legacy else ()))
