"""Pre-shared keys: key files, the key store, and TLS with them (RFC 4279, 8446, 9257)."""
