from lensml.data.store import open_store as open_store
from lensml.evaluation.cards.hub import push_to_hub as push_to_hub
from lensml.evaluation.classification.loading import load as load
from lensml.evaluation.prediction import predict as predict
from lensml.modelling.observed import model_lens as model_lens

__version__: str
