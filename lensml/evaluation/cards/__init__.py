"""Trained classifiers to be handed on: weights that describe themselves, model cards, uploads."""
