"""Models of timm are tried before any job."""

from __future__ import annotations

import pytest
import torch
from toy.configuration import DEFAULT, load_files

from lensml.models.refusal import refusal
from lensml.schema.asked_encoders import TRIED, TRIED_SIZE, of_every_run, unfit
from lensml.schema.encoders import Timm
from lensml.schema.errors import Origins

SHIPPED = {
    encoder.model_name: encoder
    for encoder in load_files(DEFAULT).encoders.values()
    if isinstance(encoder, Timm)
}


def test_the_models_that_are_not_tried_again_are_the_shipped_ones():
    assert {name: encoder.model_kwargs for name, encoder in SHIPPED.items()} == TRIED


@pytest.mark.parametrize("in_chans", [1, 3])
@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_model_takes_the_images_that_it_is_taken_to_take(name, in_chans):
    assert refusal(SHIPPED[name], TRIED_SIZE, in_chans) is None


def test_a_shipped_model_that_is_trained_on_images_of_another_size_is_tried(tmp_path):
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("classifier: {encoders: [vit_conv_stem, swin]}")
    config = load_files(DEFAULT, overlay)
    asked = [a for a in of_every_run(config) if a.key == "encoders.swin"]
    assert [a.tried for a in asked] == [True]
    assert not asked[0]._replace(img_size=60).tried
    small = asked[0]._replace(encoder=SHIPPED["coatnet_pico_rw_224"], img_size=8)
    (line,) = unfit([small], Origins({str(overlay): {}}), refusal)
    assert "encoders.swin.model_kwargs = {}: 'coatnet_pico_rw_224' does not take images" in line


def test_trying_a_model_leaves_random_numbers_as_they_were():
    before = torch.get_rng_state()
    assert refusal(Timm(kind="timm", model_name="resnet10t"), 64, 1) is None
    assert torch.equal(torch.get_rng_state(), before)


def test_trying_a_model_fetches_no_weights(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    spec = Timm(kind="timm", model_name="resnet18", model_kwargs={"pretrained": True})
    assert refusal(spec, 64, 1) is None
