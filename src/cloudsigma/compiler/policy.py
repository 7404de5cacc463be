"""Settings of pySigma: RE2 for regular expressions, no logging, no templates, no outside sources."""

from __future__ import annotations

import re
from typing import Any, cast

import re2
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RE2RegexEngine, RegexPattern

_LETTERS = ((re.IGNORECASE, "i"), (re.MULTILINE, "m"), (re.DOTALL, "s"))


class _QuietRE2(RE2RegexEngine):
    """RE2 that raises its errors without also writing them to standard error."""

    def compile(self, pattern: str, flags: int = 0) -> RegexPattern:
        options: Any = re2.Options()
        options.log_errors = False
        letters = "".join(letter for flag, letter in _LETTERS if int(flags) & int(flag))
        return cast("RegexPattern", re2.compile(f"(?{letters}){pattern}" if letters else pattern, options))


QUIET_RE2 = SigmaPolicy(
    regex_engine=_QuietRE2(), allow_template_vars=False, vars_allowed_paths=(), allow_external_sources=False
)
