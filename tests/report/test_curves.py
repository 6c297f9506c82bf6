"""Curves come back from event files as they were written, over runs that went on."""

import os

import numpy as np

from finetune.estimators import going_on
from finetune.report import curves
from finetune.training.events import EventWriter


def write(folder, begun, *told):
    """Writes an event file as a run that began in some second leaves it."""
    events = EventWriter(str(folder / "new"))
    for step, values in told:
        events.write(step, values)
    events.close()
    [path] = (folder / "new").iterdir()
    path.rename(folder / f"{curves.EVENTS}{begun}.host")
    return folder / f"{curves.EVENTS}{begun}.host"


def points(curve):
    return dict(zip(curve.steps.tolist(), curve.values.round(4).tolist(), strict=True))


def test_a_run_that_went_on_shows_the_whole_curve(tmp_path):
    """Killed behind step 40 with a checkpoint of 20: 40 was made again, 60 came on top."""
    folder = tmp_path / "a[b]*"  # no pattern
    folder.mkdir()
    write(folder, 99, (20, {"loss": 1.0, "rate": 0.5}), (30, {"dev/f1": 0.3}),
          (40, {"loss": 0.75}), (50, {"loss": 0.7}))
    write(folder, 100, (30, {"dev/f1": 0.25}), (40, {"loss": 0.5}), (60, {"loss": 0.25}))
    found = curves.read(str(folder))
    assert points(found["loss"]) == {20: 1.0, 40: 0.5, 60: 0.25}
    assert points(found["dev/f1"]) == {30: 0.25} and points(found["rate"]) == {20: 0.5}


def test_an_evaluation_that_was_made_up_for_hides_no_loss(tmp_path):
    write(tmp_path, 1, (20, {"loss": 1.0}))
    write(tmp_path, 2, (20, {"dev/f1": 0.5}), (40, {"loss": 0.5}))
    assert points(curves.read(str(tmp_path))["loss"]) == {20: 1.0, 40: 0.5}


def test_a_torn_file_gives_what_is_whole(tmp_path):
    path = write(tmp_path, 1, (20, {"loss": 1.0}), (40, {"loss": 0.5}))
    os.truncate(path, path.stat().st_size - 3)
    assert points(curves.read(str(tmp_path))["loss"]) == {20: 1.0}


def test_no_folder_and_no_events(tmp_path):
    assert curves.read(str(tmp_path)) == curves.read(str(tmp_path / "none")) == {}


def test_a_long_curve_is_thinned_to_its_ends():
    thin = curves.Curve(np.arange(10_001), np.arange(10_001) / 2).thinned(5)
    assert points(thin) == {0: 0, 2500: 1250, 5000: 2500, 7500: 3750, 10_000: 5000}


def test_the_history_of_an_estimator_is_the_same(tmp_path):
    """Of runs that went on, the last one's steps count; a torn record ends its file, no more."""
    write(tmp_path, 99, (20, {"loss": 1.0}), (40, {"loss": 9.0}))
    path = write(tmp_path, 100, (40, {"loss": 0.5, "rate": 0.25}), (60, {"loss": 0.4}))
    path.write_bytes(path.read_bytes()[:-5])
    found = going_on.losses(str(tmp_path))
    assert (found["step"], found["loss"]) == ([20, 40], [1.0, 0.5])
    assert np.isnan(found["rate"][0]) and found["rate"][1] == 0.25
