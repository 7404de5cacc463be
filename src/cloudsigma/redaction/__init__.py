"""Records that can be shown to others: names, accounts, keys and addresses are pseudonyms, and verdicts stay.

`pseudonyms` makes them from a key, `addresses` keeps networks together, `texts` finds what must be replaced in a text,
`record` goes through a record, and `redact` through files, with a check of every verdict.
"""

from cloudsigma.redaction.redact import Redaction, Redactor

__all__ = ["Redaction", "Redactor"]
