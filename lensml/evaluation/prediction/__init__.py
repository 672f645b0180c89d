"""Trained classifiers on images of a user: reading, judging, predicting."""

from lensml.evaluation.prediction.predictor import Predictor, predict

__all__ = ["Predictor", "predict"]
