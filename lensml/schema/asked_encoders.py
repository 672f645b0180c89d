"""Which encoders are asked to take images of which size, and whether they can."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from lensml.schema.encoders import Cnn, Encoder, NetworkInput, Timm, Vit
from lensml.schema.errors import Origins
from lensml.schema.pretraining import mae_encoder
from lensml.schema.studies import Recipe, Variant, resolve_variant

# Models of timm in the shipped configuration, with their arguments: tests build each of them at
# TRIED_SIZE, so that a start of the workflow with none but these need not import torch.
TRIED_SIZE = 64  # pixels per axis
TRIED: dict[str, dict[str, Any]] = {
    "vit_relpos_small_patch16_224": {
        "patch_size": 8,
        "embed_dim": 96,
        "depth": 4,
        "num_heads": 4,
    },
    "vit_tiny_r_s16_p8_224": {},
    "convit_tiny": {
        "patch_size": 8,
        "embed_dim": 24,
        "depth": 4,
        "num_heads": 4,
        "local_up_to_layer": 3,
    },
    "swin_tiny_patch4_window7_224": {
        "window_size": 8,
        "embed_dim": 48,
        "depths": [2, 2],
        "num_heads": [2, 4],
    },
    "levit_128s": {},
    "efficientformerv2_s0": {},
    "coatnet_pico_rw_224": {},
    "resnet18": {},
}


class Refused(NamedTuple):
    """Why a model cannot be built."""

    key: str  # of the encoder's section, that is wrong
    problem: str


# (encoder, pixels per axis, channels) -> why it cannot be built, None where it can. Building
# takes torch, of which the schema knows nothing: lensml.models.refusal has it.
Refusal = Callable[[Timm, int, int], Refused | None]


class Asked(NamedTuple):
    """An encoder that is asked to take images."""

    key: str  # of its section
    encoder: Encoder
    domain: str
    img_size: int  # pixels per axis
    in_chans: int

    @property
    def tried(self) -> bool:
        """Whether tests build this model of timm for this size."""
        name = getattr(self.encoder, "model_name", None)
        known = name in TRIED and TRIED[name] == getattr(self.encoder, "model_kwargs", None)
        return known and self.img_size == TRIED_SIZE


def of_every_run(config: Any) -> list[Asked]:
    """The classifier's encoders in its domains; models of timm that tests do not build, anywhere.

    Args:
        config: every section of the configuration, domains resolved.
    """
    trained, domains = config.classifier.encoders, config.classifier.domains
    found = [
        _asked(config, f"encoders.{name}", config.encoders[name], domain)
        for name in trained
        for domain in domains
    ]
    others = [
        _asked(config, f"encoders.{name}", encoder, config.zoo.domain or domains[0])
        for name, encoder in config.encoders.items()
        if name not in trained and isinstance(encoder, Timm)
    ]
    return found + [one for one in others if not _known(one)]


def _known(asked: Asked) -> bool:
    """Whether tests build this model, of whatever size the images are."""
    return asked._replace(img_size=TRIED_SIZE).tried


def of_study(config: Any, study: str) -> list[Asked]:
    """Encoders of zoo, ablation, scaling, search or pretraining.

    Args:
        config: every section of the configuration, domains resolved.
        study: its section.
    """
    section = getattr(config, study)
    domain = section.domain or config.classifier.domains[0]
    if study == "pretraining":
        return [_asked(config, "anomaly.mae", mae_encoder(config.anomaly.mae), domain)]
    if study == "ablation":
        return [_of_variant(config, n, v, domain) for n, v in section.variants.items()]
    names = [*section.encoders, section.reference] if study == "zoo" else [section.encoder]
    return [
        _asked(config, f"encoders.{name}", config.encoders[name], domain)
        for name in dict.fromkeys(names)
    ]


def _of_variant(config: Any, name: str, variant: Variant, domain: str) -> Asked:
    recipe: Recipe = resolve_variant(
        variant,
        encoder=config.ablation.encoder,
        encoders=config.encoders,
        classifier=config.classifier,
        network_input=config.network_input,
    )
    key = f"encoders.{variant.encoder or config.ablation.encoder}"
    if variant.encoder_changes:
        key = f"ablation.variants.{name}.encoder_changes"
    return _asked(config, key, recipe.encoder, domain, recipe.network_input)


def _asked(
    config: Any, key: str, encoder: Encoder, domain: str, given: NetworkInput | None = None
) -> Asked:
    network_input = given or config.network_input
    size = network_input.img_size(config.resolved[domain].num_pix)
    return Asked(key, encoder, domain, size, len(network_input.channels))


def unfit(asked: Iterable[Asked], origins: Origins, refusal: Refusal | None = None) -> list[str]:
    """Encoders that cannot take their images, one line each.

    Args:
        asked: encoders with their images.
        origins: files of the configuration.
        refusal: tries to build a model of timm; without it these are taken to be right.
    """
    lines = []
    for one in {(a.key, a.img_size, a.in_chans): a for a in reversed(list(asked))}.values():
        refused = _refused(one, refusal)
        if refused is not None:
            value = getattr(one.encoder, refused.key)
            lines.append(origins.line(f"{one.key}.{refused.key}", refused.problem, value=value))
    return lines[::-1]


def _refused(asked: Asked, refusal: Refusal | None) -> Refused | None:
    encoder, size, where = asked.encoder, asked.img_size, f"of '{asked.domain}'"
    if isinstance(encoder, Timm):
        if refusal is None or asked.tried:
            return None
        return refusal(encoder, size, asked.in_chans)
    if isinstance(encoder, Vit):
        if size % encoder.patch_size == 0:
            return None
        return Refused("patch_size", f"must divide the {size} pixels {where}")
    key = "widths" if isinstance(encoder, Cnn) else "stem_widths"
    if 2 ** len(getattr(encoder, key)) <= size:
        return None
    return Refused(key, f"each halves the image, and the {size} pixels {where} {halvings(size)}")


def halvings(size: int) -> str:
    """How often an image can be halved until one pixel is left."""
    return f"can be halved {size.bit_length() - 1} times at most"
