"""Certificates: of registrars, shown to pool users, and of clients in place of keys."""
