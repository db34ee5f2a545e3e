"""Bytes and peers: connections, TLS, and what TLS proved."""
