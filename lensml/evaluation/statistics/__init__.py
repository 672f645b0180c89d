"""Metrics with intervals, comparisons, and the tables that hold them."""
