"""Approved changes as data: which matches they cover, which they nearly cover, and whether they were used.

`file` alone reads YAML, when a file is loaded. A process that has the values, such as a worker, needs no YAML.
"""

from cloudsigma.approvals.approval import Approval
from cloudsigma.approvals.approvals import Approvals

__all__ = ["Approval", "Approvals"]
