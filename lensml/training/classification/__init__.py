"""Supervised classifiers of the substructure."""
