"""lensml pairs: several runs' tables in one figure, from the command line."""

from __future__ import annotations

import matplotlib.image
import pytest
from toy.claims import RECORDS
from toy.configuration import CATALOGUE, CONFIG_DIR, load_files
from toy.figure_tables import write_adaptation

from lensml.commands.main import main
from lensml.commands.pairs import _labels

HARMONISED = CONFIG_DIR / "harmonised.yaml"
TABLES = [str(RECORDS / name / "adaptation.csv") for name in ("default", "harmonised")]


def test_records_are_drawn_as_the_guide_says(tmp_path, capsys):
    output = tmp_path / "pairs.png"
    assert main(["pairs", *TABLES, "--configfile", str(HARMONISED), "-o", str(output)]) == 0
    assert matplotlib.image.imread(output).std() > 0.01
    assert capsys.readouterr().out == f"{output}: {', '.join(TABLES)}\n"


def test_domains_of_other_runs_have_their_labels_too():
    labels = _labels(load_files(CONFIG_DIR / "config.yaml", HARMONISED), CATALOGUE)
    assert labels["model_i_binned"] == "Model I, pixels of Model II"  # the overlay's own
    assert labels["euclid_degraded"] == "Euclid, wide PSF with wings"  # no domain of its run


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["none.csv"], "lensml pairs: none.csv: No such file or directory"),
        (["adaptation.csv", "-o", "pairs.svg"], "lensml pairs: pairs.svg: figures are written as"),
        (["adaptation.csv", "--configfile", "a.yaml"], "configuration error: a.yaml: cannot be"),
    ],
)
def test_what_is_wrong_is_a_line(tmp_path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    write_adaptation(tmp_path / "adaptation.csv")
    assert main(["pairs", *arguments]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(says)
    assert [path.name for path in tmp_path.iterdir()] == ["adaptation.csv"]
