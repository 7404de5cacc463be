"""Draft rules: from an event of the catalogue, or from records that they must and must not match."""

from cloudsigma.drafting.contrast import tell_from
from cloudsigma.drafting.draft import Draft, Metadata, draft_of_event, rule_text, write_new

__all__ = ["Draft", "Metadata", "draft_of_event", "rule_text", "tell_from", "write_new"]
