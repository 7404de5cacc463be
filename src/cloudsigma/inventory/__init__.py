"""Which groups, trust anchors, profiles and revocation lists there are, who changed them, and which have a purpose.

`calls` reads a record into changes, `folding` puts changes of any order into states, `register` compares a state with
what is registered and `account` with the account itself. `register_file` alone reads YAML.
"""

from cloudsigma.inventory.deviation import Deviation
from cloudsigma.inventory.inventory import Inventory
from cloudsigma.inventory.item import Cause, Fact, Item, State
from cloudsigma.inventory.register import Register

__all__ = ["Cause", "Deviation", "Fact", "Inventory", "Item", "Register", "State"]
