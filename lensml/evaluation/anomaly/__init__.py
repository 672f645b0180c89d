"""Anomaly scores of images, and what they are worth."""
