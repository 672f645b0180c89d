"""Size and cost of an encoder as a file that other jobs read."""

from __future__ import annotations

from lensml.data.files import write_json
from lensml.models.encoder_size import encoder_size
from lensml.schema.encoders import Encoder


def measure_encoder(output: str, encoder: Encoder, *, img_size: int) -> None:
    """Write :func:`lensml.models.encoder_size.encoder_size` of an encoder.

    Args:
        output: JSON file.
        encoder: architecture.
        img_size: pixels per axis.

    Raises:
        ValueError: the encoder does not take images of this size.
    """
    write_json(output, encoder_size(encoder, img_size))
