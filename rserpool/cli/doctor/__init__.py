"""``rserpool doctor``: what is listening, how it is secured, and what is about to end."""

from rserpool.cli.doctor.command import doctor

__all__ = ["doctor"]
