"""Images that others made, in folders of classes or in a table, as stores like any other."""

from lensml.data.imported.block import import_block
from lensml.data.imported.listing import Entry, entries_of

__all__ = ["Entry", "entries_of", "import_block"]
