"""Regression of the strength of the substructure."""
