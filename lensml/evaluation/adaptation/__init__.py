"""Classifiers that were carried to another domain."""
