"""``rserpool doctor``: what is listening, how it is secured, and what is about to end."""

from rserpool.cli.doctor.command import add_options, doctor

__all__ = ["add_options", "doctor"]
