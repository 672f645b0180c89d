"""Autoencoders of lenses without substructure."""
