"""--find_lr: what it suggests, what it writes, and that it leaves nothing else."""

import xml.etree.ElementTree

import numpy as np
import pytest

from finetune.checkpoints import checkpoint
from finetune.training import lr_finder
from tests.end_to_end.conftest import SMALL, data  # noqa: F401

RATES = np.logspace(-7, 0, 141)


def valley(falls, bottom, climbs=0.3):
    """Losses that fall from 1 to 0.4 around a rate, and climb after another."""
    places = np.log10(RATES)
    return (1.0 - 0.6 / (1.0 + np.exp(-6.0 * (places - np.log10(falls))))
            + climbs * np.maximum(0.0, places - np.log10(bottom)) ** 2)


@pytest.mark.parametrize(("falls", "bottom"), [(1e-5, 1e-3), (1e-4, 1e-2)])
def test_suggestions_on_a_valley(falls, bottom):
    found = lr_finder.suggest(RATES, valley(falls, bottom))
    assert found.steepest == pytest.approx(falls, rel=0.15)
    assert found.lowest * 10 == pytest.approx(bottom, rel=0.9)
    assert found.rates[0] == pytest.approx(RATES[4] ** 0.5 * RATES[5] ** 0.5)
    assert len(found.rates) == len(found.means) == 141 - 9


def test_a_loss_that_only_climbs_suggests_nothing():
    found = lr_finder.suggest(RATES, np.linspace(1.0, 9.0, 141))
    assert found.steepest is found.lowest is None
    assert "falls fastest" not in lr_finder.plot(RATES, np.linspace(1.0, 9.0, 141), found)


def test_where_it_stops():
    assert not lr_finder.diverged([0.5] * 9 + [50.0] * 0)
    assert not lr_finder.diverged([0.5] * 30)
    assert not lr_finder.diverged([0.5] * 10 + [2.0] * 9)
    assert lr_finder.diverged([0.5] * 10 + [2.1] * 10)


def test_the_chart_is_well_formed_and_labelled():
    losses = valley(1e-4, 1e-2)
    drawn = lr_finder.plot(RATES, losses, lr_finder.suggest(RATES, losses))
    root = xml.etree.ElementTree.fromstring(drawn)
    texts = {one.text for one in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"learning rate", "training loss", "1e-07", "0.0001", "1"} <= texts
    assert "http" not in drawn.replace("http://www.w3.org/2000/svg", "")
    places = [tuple(map(float, point.split(","))) for line in
              root.iter("{http://www.w3.org/2000/svg}polyline")
              for point in line.get("points").split()]
    assert all(0 <= x <= 760 and 0 <= y <= 420 for x, y in places)


@pytest.fixture
def arguments(tiny, data, tmp_path):  # noqa: F811
    """Flags of a training of 15 rows."""
    return [f"--data_dir={data}", f"--init_checkpoint={tiny}", *SMALL, "--num_train_epochs=2",
            f"--output_dir={tmp_path / 'out'}"]


def test_it_writes_its_two_files_and_the_training_after_it_is_as_without(
        main, arguments, tmp_path, monkeypatch):
    monkeypatch.setattr(lr_finder, "STEPS", (25, 30))
    status, said = main(*arguments, "--find_lr", "--gradual_unfreezing")
    assert status == 0 and "find_lr: " in said, said
    folder = tmp_path / "out"
    lines = (folder / "lr_finder.tsv").read_text().splitlines()
    assert lines[0] == "step\tlearning_rate\tloss\tmean_loss" and 21 <= len(lines) <= 26
    steps = [line.split("\t") for line in lines[1:]]
    assert steps[0][:2] == ["0", "1.0000e-07"] and (len(steps) < 25 or steps[24][1] == "1.0000e+00")
    assert steps[3][3] == "" and float(steps[4][3]) == pytest.approx(
        np.mean([float(step[2]) for step in steps[:10]]), abs=1e-6)
    xml.etree.ElementTree.parse(folder / "lr_finder.svg")
    assert not list(folder.glob("model.ckpt*")) and not (folder / "run_config.json").exists()
    assert main(*arguments, "--do_train")[0] == 0
    assert main(*arguments, "--do_train", f"--output_dir={tmp_path / 'other'}")[0] == 0
    ours, theirs = (checkpoint.latest(str(tmp_path / name)) for name in ("out", "other"))
    for name in checkpoint.shapes(theirs):
        one, other = (checkpoint.read(prefix, [name])[name] for prefix in (ours, theirs))
        np.testing.assert_array_equal(one, other, err_msg=name)
    status, said = main(*arguments, "--find_lr")
    assert status == 2 and "has trained ones" in said and "name another" in said


@pytest.mark.parametrize(("flags", "says"), [
    (["--do_train"], "--find_lr does not go with --do_train"),
    (["--do_eval", "--baseline"], "--find_lr does not go with --do_eval, --baseline"),
    (["--engine=original"], "--find_lr: --engine=original cannot")])
def test_it_stands_alone(main, arguments, flags, says, tmp_path):
    status, said = main(*arguments, "--find_lr", *flags)
    assert status == 2 and says in said
    assert not (tmp_path / "out").exists()
