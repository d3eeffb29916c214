"""What generated bindings leave to the author of a driver.

A driver is a module with a class `Driver`, and one for each other part that its world exports, named as the part is. Every call runs in a
fresh instance: globals are as they were when the component was built, and what is to be remembered goes into the `store`. Every call is a
transaction: what it changed stays if it returns, and is undone if it raises.
"""

from . import error, links, nftables, store, values
from .part import Driver, Part, registration

__all__ = ["Driver", "Part", "error", "links", "nftables", "registration", "store", "values"]
