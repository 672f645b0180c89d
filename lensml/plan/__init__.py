"""Which runs and files a configuration asks for: pure functions of it, behind the rules."""

from lensml.plan.adaptation import Adaptation, Development
from lensml.plan.anomaly import Anomaly
from lensml.plan.attribution import Attribution
from lensml.plan.classification import Classification
from lensml.plan.datasets import Datasets
from lensml.plan.fits import Fits
from lensml.plan.harmony import Harmony
from lensml.plan.label_reads import LabelReads
from lensml.plan.limit import Limit
from lensml.plan.mae_studies import Pretraining, Sweep
from lensml.plan.misspecification import Misspecification
from lensml.plan.observed import Observed
from lensml.plan.regression import Regression
from lensml.plan.results import Results
from lensml.plan.studies import Studies

__all__ = [
    "Adaptation",
    "Anomaly",
    "Attribution",
    "Classification",
    "Datasets",
    "Development",
    "Fits",
    "Harmony",
    "LabelReads",
    "Limit",
    "Misspecification",
    "Observed",
    "Pretraining",
    "Regression",
    "Results",
    "Studies",
    "Sweep",
]
