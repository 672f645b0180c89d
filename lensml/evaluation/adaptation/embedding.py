"""Embeddings of two domains before and after adaptation, as a map in two dimensions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.manifold import TSNE

from lensml.data.files import write_csv
from lensml.schema.encoders import Encoder
from lensml.training.classification.run import load_classifier
from lensml.training.engine.device import prepare_device
from lensml.training.engine.prediction import embed
from lensml.training.engine.setting import Setting


def embed_domains(
    stores: Mapping[str, Sequence[str]],
    weights: Mapping[str, str],
    output: str,
    *,
    domains: tuple[str, str],
    classes: Sequence[str],
    encoder: Encoder,
    n_embedded: int,
    setting: Setting,
) -> None:
    """Two-dimensional map (t-SNE) of source and target embeddings before and after adaptation.

    Args:
        stores: 'source' and 'target' -> test stores, one per class.
        weights: 'source', and 'target' after adaptation.
        output: CSV with stage, domain, role, label, x, y.
        domains: names of source and target.
        classes: names in the order of the stores.
        encoder: architecture.
        n_embedded: images per domain.
        setting: see :class:`lensml.training.engine.setting.Setting`.
    """
    device = prepare_device(setting.compute)
    per_class = -(-n_embedded // len(classes))
    images = {
        role: setting.images(paths, device, limit=per_class) for role, paths in stores.items()
    }
    networks = {
        role: load_classifier(
            path,
            encoder=encoder,
            img_size=images["source"].img_size,
            in_chans=images["source"].in_chans,
            num_classes=len(classes),
            device=device,
        )
        for role, path in weights.items()
    }
    every = {role: np.arange(len(x)) for role, x in images.items()}
    source = embed(networks["source"].encoder, images["source"], every["source"])  # type: ignore[arg-type]
    tables = []
    for stage, role in (("before", "source"), ("after", "target")):
        target = embed(networks[role].encoder, images["target"], every["target"])  # type: ignore[arg-type]
        points = np.concatenate([source.cpu().numpy(), target.cpu().numpy()])
        perplexity = min(30.0, (len(points) - 1) / 4)
        xy = TSNE(perplexity=perplexity, random_state=0, init="pca").fit_transform(points)
        tables.append(_embedding_rows(stage, xy, images, domains, classes))
    write_csv(output, pd.concat(tables))


def _embedding_rows(
    stage: str, xy: np.ndarray, images: Mapping, domains: tuple[str, str], classes: Sequence[str]
) -> pd.DataFrame:
    sizes = [len(images["source"]), len(images["target"])]
    labels = np.concatenate([images["source"].labels, images["target"].labels])
    return pd.DataFrame(
        {
            "stage": stage,
            "domain": np.repeat(list(domains), sizes),
            "role": np.repeat(["source", "target"], sizes),
            "label": np.array(list(classes))[labels],
            "x": xy[:, 0],
            "y": xy[:, 1],
        }
    )
