"""Which techniques of MITRE ATT&CK rules are for, how well they are tested, and which calls nobody watches."""

from cloudsigma.attack.techniques import Survey, Technique, survey_rules

__all__ = ["Survey", "Technique", "survey_rules"]
