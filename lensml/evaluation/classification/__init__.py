"""Classifiers on test images: predictions, calibration, studies, export."""
