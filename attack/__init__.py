"""Attacks on a registrar, measured: ``python -m attack``."""
