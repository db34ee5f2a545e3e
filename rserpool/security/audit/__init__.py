"""The audit log: who did what, who was denied, and that no line of it was changed since."""

from rserpool.security.audit.log import AuditLog, described

__all__ = ["AuditLog", "described"]
