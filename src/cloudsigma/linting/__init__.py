"""The linter: what rules compile to, what CloudTrail records can hold, and where the two cannot meet.

`run` collects the compiler's errors and warnings and those of the checks (`items`, `pairs`, `outcome`) as findings, and
takes out those that comments silence; `checks.yml` describes each kind; `formats` writes them.
"""

from cloudsigma.linting.finding import Finding, Fix
from cloudsigma.linting.run import LintOptions, LintResult, lint, lint_files, run_lint

__all__ = ["Finding", "Fix", "LintOptions", "LintResult", "lint", "lint_files", "run_lint"]
