"""The AWS API catalogue: which events CloudTrail records, from which sources, with which members.

Made by `scripts/make_catalogue.py`; read only when it is asked for.
"""

from cloudsigma.catalogue.catalogue import Catalogue
from cloudsigma.catalogue.events import Event

__all__ = ["Catalogue", "Event"]
