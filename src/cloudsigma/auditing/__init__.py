"""The audit of a period: the report of its matches, with everything that a verdict depends on."""

from cloudsigma.auditing.audit import Audit, AuditRequest, make_audit

__all__ = ["Audit", "AuditRequest", "make_audit"]
