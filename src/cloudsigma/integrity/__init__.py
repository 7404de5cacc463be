"""Whether log files are those that CloudTrail delivered, by its digest files: hashes, their chain, their signatures.

Source: "Custom implementations of CloudTrail log file integrity validation" in the CloudTrail user guide. `digest`
reads a digest file, `tree` finds the files of a synced bucket, `check` compares the two, `signature` verifies.
"""

from cloudsigma.integrity.check import Integrity, check_integrity
from cloudsigma.integrity.problem import Problem

__all__ = ["Integrity", "Problem", "check_integrity"]
