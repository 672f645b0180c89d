"""Regressions of the strength of the substructure."""
