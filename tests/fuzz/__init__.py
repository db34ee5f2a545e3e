"""Decoders under bytes that nobody meant."""
