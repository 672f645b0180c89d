"""Whether anything but substructure tells the classes of a dataset apart."""
