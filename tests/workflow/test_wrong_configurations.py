"""Wrong configurations and Snakemake: the lines of ``lensml check``, before any job."""

from __future__ import annotations

import pytest
from toy.configuration import ROOT
from toy.smoke_run import snakemake

from lensml.commands.main import main

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

SEVERAL = """
classifier: {epochs: -1}
catalogue: {instruments: {euclid_vis: {sky_brightness: 0.005}}}
encoders: {vit: {depht: 3}}
"""
MODEL = "encoders: {mine: {kind: timm, model_name: resnet19}}"


def refused(folder, *arguments, text="{}"):
    """The lines with which Snakemake refuses a dry run, of which nothing is left behind."""
    file = folder / "my.yaml"
    file.write_text(text)
    done = snakemake(folder, "-n", *arguments, overlays=[file], check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not (folder / "results").exists()
    return [line for line in done.stderr.splitlines() if line.startswith("configuration error")]


@pytest.mark.parametrize(("text", "n_lines"), [(SEVERAL, 3), (MODEL, 1)])
def test_snakemake_and_the_command_refuse_in_the_same_lines(tmp_path, capsys, text, n_lines):
    lines = refused(tmp_path, text=text)
    assert len(lines) == n_lines
    smoke = str(ROOT / "config" / "smoke.yaml")
    assert main(["check", smoke, str(tmp_path / "my.yaml")]) == 1
    assert capsys.readouterr().err.splitlines() == lines


def test_encoders_of_a_study_are_refused_where_the_study_is_asked_for(tmp_path):
    text = "encoders: {vit: {patch_size: 7}}\nablation: {variants: {mine: {encoder: vit}}}"
    (line,) = refused(tmp_path, "ablation", text=text)
    assert "encoders.vit.patch_size = 7: must divide the 64 pixels of 'euclid'" in line
    assert snakemake(tmp_path, "-n", overlays=[tmp_path / "my.yaml"]).returncode == 0
