"""SCTP: one association a connection, one message a user message (RFC 5352 and RFC 5353)."""
