"""finetune/stages.py: every second of a run is counted once."""

import json

import pytest

from finetune import log, summary
from finetune.stages import Stopwatch
from tests.end_to_end.conftest import SMALL


class Clock:
    """A clock that goes when it is told to."""

    now = 100.0

    def __call__(self):
        return self.now

    def go(self, seconds):
        self.now += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def watch(clock):
    return Stopwatch("start", clock)


def test_the_innermost_stage_gets_the_time(clock, watch):
    clock.go(3)
    with watch.stage("train"):
        clock.go(10)
        with watch.stage("eval"):
            clock.go(4)
            with watch.stage("checkpoint"):
                clock.go(0.5)
            clock.go(1)
        clock.go(20)
    clock.go(2)
    with watch.stage("eval"):
        clock.go(7)
        assert watch.seconds() == {"start": 5, "train": 30, "eval": 12, "checkpoint": 0.5}
    assert sum(watch.seconds().values()) == clock.now - 100


def test_a_stage_ends_however_it_ends(clock, watch):
    with pytest.raises(KeyboardInterrupt), watch.stage("train"):
        clock.go(1)
        raise KeyboardInterrupt
    clock.go(2)
    assert watch.seconds() == {"start": 2, "train": 1}


@pytest.mark.parametrize(("calls", "compile_time"), [
    ([9], 9),                                  # nothing to compare with
    ([9, 2, 1, 2, 40], 7),                     # above the middle one
    ([1, 2, 2], 0),                            # no less than nothing
    ([9, *[2] * 20, *[5] * 100], 7)])          # of the first ones
def test_compiling_is_what_the_first_call_takes_above_the_later_ones(clock, watch, calls,
                                                                     compile_time):
    step = watch.compiling(lambda seconds, answer: clock.go(seconds) or answer)
    with watch.stage("train"):
        clock.go(1)
        assert [step(seconds, seconds) for seconds in calls] == calls
    found = watch.seconds()
    assert found == {"start": 0, "train": 1 + sum(calls) - compile_time, "compile": compile_time}
    assert watch.seconds() == found  # and asking changes nothing


def test_a_first_call_that_fails_is_counted(clock, watch):
    def fail():
        clock.go(3)
        raise ValueError

    step = watch.compiling(fail)
    with pytest.raises(ValueError), watch.stage("train"):
        step()
    assert watch.seconds() == {"start": 0, "train": 0, "compile": 3}


def test_compiling_that_never_came_is_no_stage(watch):
    watch.compiling(lambda: None)
    assert watch.seconds() == {"start": 0}


def test_what_is_told_and_written(tmp_path, capsys):
    log.start()
    summary.stage_times(str(tmp_path), {"train": 60.12345, "start": 3.0004, "eval": 0.03})
    log.stop()
    assert capsys.readouterr().err.splitlines() == [
        "start            3.0 s    4.8 %", "train           60.1 s   95.2 %",
        "eval             0.0 s    0.0 %", "total           63.2 s"]
    assert json.loads((tmp_path / "stage_times.json").read_text()) == {
        "start": 3.0, "train": 60.123, "eval": 0.03, "total": 63.153}


def test_a_run_tells_its_stages_if_asked(main, tiny, issues, tmp_path):
    arguments = [f"--data_dir={issues}", f"--init_checkpoint={tiny}", *SMALL, "--do_train",
                 "--do_eval", "--do_predict", f"--output_dir={tmp_path / 'out'}"]
    status, said = main(*arguments)
    assert status == 0 and "total" not in said, said
    assert not (tmp_path / "out" / "stage_times.json").exists()
    status, said = main(*arguments, "--num_train_epochs=4", "--eval_every_steps=2",
                        "--show_stage_times")
    assert status == 0 and "--show_stage_times was" not in said, said
    times = json.loads((tmp_path / "out" / "stage_times.json").read_text())
    assert list(times) == ["start", "features", "compile", "train", "checkpoint", "eval",
                           "predict", "total"]
    assert all(value > 0 for value in times.values())
    assert sum(times.values()) == pytest.approx(2 * times["total"])
    assert [line.split()[0] for line in said.splitlines()[-8:]] == list(times)
