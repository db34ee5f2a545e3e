"""Bytes to frozen values and back: ASAP and ENRP messages (RFC 5352, 5353, 5354, 5356)."""
