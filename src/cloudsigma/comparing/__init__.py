"""Two versions of rules: on which records they differ, in a trail or at all.

`pairing` joins the rules of two sets, `made_record` finds a record on which two rules differ or proves that there is
none, `trail` compares the matches of logs.
"""

from cloudsigma.comparing.comparison import Comparison, RuleDifference, compare_rules

__all__ = ["Comparison", "RuleDifference", "compare_rules"]
