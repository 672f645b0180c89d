"""Where a classifier looks, beside where the substructure is."""
