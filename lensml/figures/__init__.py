"""Figures of the paper: tables (CSV) and small arrays (.npz) in, PNG and PDF out."""

from lensml.figures.attribution import plot_attribution
from lensml.figures.benchmark import plot_benchmark
from lensml.figures.confusion import plot_confusion
from lensml.figures.criteria import plot_criteria
from lensml.figures.embedding import plot_embedding
from lensml.figures.found import plot_found
from lensml.figures.gallery import plot_gallery
from lensml.figures.history import plot_history_adda, plot_history_classifier, plot_history_mae
from lensml.figures.limit import plot_limit
from lensml.figures.network_limit import plot_efficiency
from lensml.figures.observed import plot_observed
from lensml.figures.observed_model import plot_observed_model
from lensml.figures.pairs import plot_pairs
from lensml.figures.pretraining import plot_pretraining
from lensml.figures.reconstruction import plot_reconstructions
from lensml.figures.regression import plot_regression
from lensml.figures.reliability import plot_reliability
from lensml.figures.roc import plot_roc_adaptation, plot_roc_anomaly, plot_roc_classification
from lensml.figures.scores import plot_score_distributions
from lensml.figures.search import plot_search_parameters, plot_search_trials
from lensml.figures.studies import plot_study
from lensml.figures.style import Style
from lensml.figures.summary import plot_adaptation_summary, plot_anomaly_summary, plot_strength
from lensml.figures.sweep import plot_sweep
from lensml.figures.transfer import plot_transfer

__all__ = [
    "Style",
    "plot_adaptation_summary",
    "plot_anomaly_summary",
    "plot_attribution",
    "plot_benchmark",
    "plot_confusion",
    "plot_criteria",
    "plot_efficiency",
    "plot_embedding",
    "plot_found",
    "plot_gallery",
    "plot_history_adda",
    "plot_history_classifier",
    "plot_history_mae",
    "plot_limit",
    "plot_observed",
    "plot_observed_model",
    "plot_pairs",
    "plot_pretraining",
    "plot_reconstructions",
    "plot_regression",
    "plot_reliability",
    "plot_roc_adaptation",
    "plot_roc_anomaly",
    "plot_roc_classification",
    "plot_score_distributions",
    "plot_search_parameters",
    "plot_search_trials",
    "plot_strength",
    "plot_study",
    "plot_sweep",
    "plot_transfer",
]
