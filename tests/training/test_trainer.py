"""The training loop: every weight learns, and a run that was killed ends with the same bits."""

import contextlib
import dataclasses
import signal
import threading
from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf

from finetune import distribution, model
from finetune.batches import TrainingOrder, pack
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.training import step as training_step
from finetune.training import stopping, trainer
from finetune.training.schedules import Plan
from finetune.training.trainer import Trainer

CPU = tf.distribute.OneDeviceStrategy("CPU:0")


class Events(dict):
    """Stands for events.EventWriter: step -> name -> value."""

    def write(self, step, values):
        self.setdefault(step, {}).update(values)


class Killed(Exception):
    """Stands for the end of the process."""


def script(*values):
    """An evaluation that gives these accuracies, then is killed."""
    values = iter(values)

    def evaluate():
        value = next(values, None)
        if value is None:
            raise Killed
        return {"accuracy": value, "loss": -value}
    return evaluate


def everything(prefix):
    return checkpoint.read(prefix, list(checkpoint.shapes(prefix)))


def steps_in(folder):
    return checkpoint.steps(folder)


@pytest.fixture(scope="module")
def bert(tiny_config):
    """One layer, with the dropout of the paper."""
    return dataclasses.replace(tiny_config, num_hidden_layers=1)


@pytest.fixture
def train(tmp_path, bert, make_table, monkeypatch):
    """Trains rows of 1 to 10 tokens in tmp_path/<name>, going on from what lies there."""
    def run(steps, evaluate=None, values=None, metric="accuracy", name="out", kill_at=None,
            kill=Killed, **settings):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        config = RunConfig(output_dir=str(folder), train_batch_size=4, **settings)
        prefix = checkpoint.latest(config.output_dir)
        if prefix:
            values = everything(prefix)
        state, events = model.create(bert, 3, config.seed, values or {}, training=True,
                                     loss_scaling=config.precision == "float16"), Events()

        class Order(TrainingOrder):
            def batch(self, step):
                if step == kill_at and isinstance(kill, int):
                    signal.raise_signal(kill)
                elif step == kill_at:
                    raise kill
                return super().batch(step)

        monkeypatch.setattr(trainer, "training_order",
                            lambda rows, size, seed, buffer: Order(rows, size, seed))
        loop = Trainer(CPU, state, bert, config, Plan(steps, 0, Fraction(5, 2)),
                       make_table(*range(1, 11)), evaluate, metric)
        return loop.run(events), events, config.output_dir
    return run


@pytest.mark.parametrize(("rows", "batch_size", "epochs", "warmup", "plan"), [
    (3668, 32, 3.0, 0.1, Plan(343, 34)), (8551, 32, 3.0, 0.1, Plan(801, 80)),
    (5749, 32, 3.0, 0.1, Plan(538, 53)),  # of 538.97 and 53.8
    (100, 32, 1.5, 0.5, Plan(4, 2)), (10, 4, 1.0, 0.0, Plan(2, 0)), (10, 32, 3.0, 0.1, Plan(0, 0))])
def test_plan(rows, batch_size, epochs, warmup, plan):
    config = RunConfig(train_batch_size=batch_size, num_train_epochs=epochs,
                       warmup_proportion=warmup)
    assert Plan.of(config, rows) == dataclasses.replace(plan, epoch=Fraction(rows, batch_size))


def test_one_step_changes_every_variable(bert, make_table):
    state = model.create(bert, 3, 1, {}, training=True)
    before = {name: variable.numpy() for name, variable in state.variables().items()}
    config = RunConfig(train_batch_size=3)
    step = training_step.make_step(CPU, state, bert, config, Plan(10, 0))
    loss, norm = step(pack(make_table(5, 1, 9), np.arange(3)))
    assert float(loss) == pytest.approx(np.log(3), rel=0.05) and float(norm) > 0
    for name, variable in state.variables().items():
        assert np.isfinite(variable).all() and not np.array_equal(variable, before[name]), name
    assert int(state.step) == 1


def test_every_step_and_every_seed_has_masks_of_its_own(bert, make_table):
    batch = pack(make_table(5, 1, 9), np.arange(3))

    def losses(seed):  # of weights that stay as they are
        state = model.create(bert, 3, 1, {}, training=True)
        config = RunConfig(train_batch_size=3, learning_rate=0.0, seed=seed)
        step = training_step.make_step(CPU, state, bert, config, Plan(10, 0))
        return [float(step(batch)[0]) for _ in range(3)]

    one, again, other = losses(1), losses(1), losses(2)
    assert one == again and len({*one, *other}) == 6


@pytest.mark.parametrize(("settings", "more"), [
    ({}, 0), ({"gradient_accumulation_steps": 3}, 0), ({"precision": "float16"}, 1),
    # killed at a step that thaws a layer, and after it
    *(({"gradual_unfreezing": True, "lr_schedule": "triangular", "class_weights": "balanced",
        "save_checkpoints_steps": every}, 0) for every in (5, 4))])
def test_a_run_that_was_killed_ends_with_the_same_bits(train, settings, more):
    settings = {"save_checkpoints_steps": 2, "learning_rate": 0.01, **settings}
    losses, _, whole = train(7, name="whole", **settings)
    with pytest.raises(Killed):
        train(7, kill_at=5, **settings)
    resumed, _, folder = train(7, **settings)
    assert resumed == losses[-len(resumed):] and 2 <= len(resumed) < len(set(losses)) == 7
    expected, found = (everything(checkpoint.latest(one)) for one in (whole, folder))
    assert len(expected) == len(found) == 3 * 25 + 1 + more and expected["global_step"] == 7
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, name)


@pytest.mark.parametrize(("number", "error"), [
    (signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, stopping.Stopped)])
def test_a_run_that_is_told_to_stop_makes_its_step_and_is_saved(train, number, error):
    losses, _, whole = train(7, name="whole")
    with pytest.raises(error):
        train(7, kill_at=3, kill=number)
    resumed, _, folder = train(7)
    assert resumed == losses[4:]
    expected, found = (everything(checkpoint.latest(one)) for one in (whole, folder))
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, name)


@pytest.mark.parametrize(("settings", "evaluate", "saved"), [
    ({"save_checkpoints_steps": 2}, None, [2, 4, 5]),
    ({"save_checkpoints_steps": 100}, None, [5]),
    ({"save_checkpoints_steps": 2, "eval_every_steps": 3}, script(0.5, 0.6), [2, 3, 4, 5]),
    ({"save_checkpoints_steps": 2, "keep_checkpoint_max": 1, "eval_every_steps": 3},
     script(0.6, 0.5), [3, 5])])
def test_when_checkpoints_are_written(train, settings, evaluate, saved):
    assert steps_in(train(5, evaluate, **settings)[2]) == saved


@pytest.mark.parametrize(("most", "calls"), [(1, [1] * 7), (2, [2, 1, 1, 2, 1]),
                                             (1000, [3, 1, 2, 1])])
def test_steps_in_a_call_on_a_tpu(train, monkeypatch, most, calls):
    """A call ends where a checkpoint or an evaluation is due; it changes no step."""
    monkeypatch.setattr(distribution, "is_tpu", lambda strategy: True)
    settings = {"save_checkpoints_steps": 3, "eval_every_steps": 4, "max_seq_length": 12,
                "learning_rate": 0.01}
    expected, events, _ = train(7, script(0.5, 0.6), name="one", iterations_per_loop=1, **settings)
    update, made = Trainer._update, []
    monkeypatch.setattr(Trainer, "_update", lambda self, batches: (
        made.append(len(batches)), update(self, batches)))
    losses, told, folder = train(7, script(0.5, 0.6), iterations_per_loop=most, **settings)
    assert made == calls and steps_in(folder) == [3, 4, 6, 7]
    assert losses == expected and told == events


def test_the_rate_in_tensorboard_is_the_schedule_s(train):
    _, events, _ = train(5, log_every_steps=1, lr_schedule="triangular", learning_rate=0.1)
    rates = [events[step]["learning_rate"] for step in range(1, 6)]  # 5 / 2 steps an epoch
    np.testing.assert_allclose(rates, [0.01, 0.082, 0.04006, 0.046, 0.08002], rtol=1e-5)


def test_a_call_on_a_tpu_ends_where_other_weights_are_trained(train, monkeypatch):
    monkeypatch.setattr(distribution, "is_tpu", lambda strategy: True)
    update, made = Trainer._update, []
    monkeypatch.setattr(Trainer, "_update", lambda self, batches: (
        made.append(len(batches)), update(self, batches)))
    settings = {"max_seq_length": 12, "learning_rate": 0.01, "gradual_unfreezing": True}
    losses, _, _ = train(6, **settings)
    assert made == [3, 2, 1]  # epochs begin at the steps 0, 3 (of 2.5) and 5
    assert losses == train(6, name="one", iterations_per_loop=1, **settings)[0]


def test_what_goes_to_tensorboard(train):
    losses, events, _ = train(5, script(0.5, 0.75), log_every_steps=2, eval_every_steps=4,
                              learning_rate=0.1)
    trained = {"loss", "learning_rate"}
    assert {step: set(values) for step, values in events.items()} == {
        1: trained, 2: trained, 3: trained, 4: trained | {"dev/accuracy", "dev/loss"},
        5: trained | {"dev/accuracy", "dev/loss"}}
    assert [events[step]["loss"] for step in (1, 2, 4, 5)] == pytest.approx(
        [losses[0], np.mean(losses[:2]), np.mean(losses[2:4]), np.mean(losses[3:])])
    assert events[4]["learning_rate"] == pytest.approx(0.1 * (1 - 3 / 5))  # of the fourth step
    assert events[4]["dev/accuracy"] == 0.5


@pytest.mark.parametrize(("most", "recorded"), [(7, [1, 2, 3, 4, 5, 6, 7]), (3, [3, 4, 6, 7])])
def test_a_curve_has_as_many_points_as_it_needs(train, monkeypatch, most, recorded):
    """The steps of the log are always among them; a run that goes on records its own."""
    monkeypatch.setattr(trainer, "_CURVE", most)
    assert sorted(train(7, log_every_steps=4)[1]) == recorded
    assert sorted(train(9, log_every_steps=4)[1]) == [8, 9]


@pytest.mark.parametrize(("values", "metric", "patience", "made", "best"), [
    ([0.5, 0.6, 0.6, 0.6], "accuracy", 2, 4, 2), ([0.5, 0.4], "accuracy", 1, 2, 1),
    ([0.5, 0.4, 0.3, 0.2, 0.1, 0.0], "accuracy", 0, 6, 1),
    ([0.1, 0.3, 0.2, 0.1], "loss", 2, 4, 2)])  # the script's loss is minus its accuracy
def test_early_stopping(train, values, metric, patience, made, best):
    settings = {"eval_every_steps": 1, "early_stopping_patience": patience, "metric": metric}
    losses, _, folder = train(6, script(*values), **settings)
    assert len(losses) == made and steps_in(folder)[-1] == made
    record = checkpoint.best(folder)
    assert (record["step"], record["metric"], record["evaluated"]) == (best, metric, made)
    if made < 6:  # the same command again does not go on
        assert train(6, script(), **settings)[0] == []


def test_an_evaluation_that_a_kill_prevented_is_made_up_for(train):
    settings = {"eval_every_steps": 2, "save_checkpoints_steps": 1}
    _, expected, whole = train(6, script(0.5, 0.9, 0.6), name="whole", **settings)
    with pytest.raises(Killed):
        train(6, script(0.5), **settings)
    losses, events, folder = train(6, script(0.9, 0.6), **settings)
    assert len(losses) == 2 and checkpoint.best(folder) == checkpoint.best(whole)
    assert checkpoint.best(folder)["step"] == 4
    for step in (4, 6):
        assert events[step]["dev/accuracy"] == expected[step]["dev/accuracy"]
    found, held = (everything(checkpoint.latest(one)) for one in (folder, whole))
    assert all(np.array_equal(value, held[name]) for name, value in found.items())


def test_the_last_evaluation_is_made_up_for_without_a_step(train):
    with pytest.raises(Killed):
        train(4, script(0.5), eval_every_steps=3)
    before = steps_in(train(4, None)[2])  # without evaluations nothing is missing
    losses, events, folder = train(4, script(0.9), eval_every_steps=3)
    assert losses == [] and steps_in(folder) == before == [3, 4]
    assert events == {4: {"dev/accuracy": 0.9, "dev/loss": -0.9}}
    assert checkpoint.best(folder) == {"checkpoint": "model.ckpt-4", "step": 4, "value": 0.9,
                                       "metric": "accuracy", "evaluated": 4}
    assert train(4, script(), eval_every_steps=3)[:2] == ([], {})  # and only once


def test_the_first_evaluation_of_all_is_made_up_for(train):
    with pytest.raises(Killed):
        train(3, script(), eval_every_steps=2)
    assert train(3, script(0.5, 0.6), eval_every_steps=2)[1][2]["dev/accuracy"] == 0.5


def test_no_evaluation_is_made_up_for_where_none_was_due(train):
    with pytest.raises(Killed):
        train(4, script(0.5), eval_every_steps=2, save_checkpoints_steps=1, kill_at=3)
    _, events, folder = train(4, script(0.6), eval_every_steps=2)
    assert steps_in(folder)[-1] == 4
    assert [step for step, values in events.items() if "dev/accuracy" in values] == [4]


def test_an_evaluation_made_up_for_can_be_the_one_that_ends_the_run(train):
    settings = {"eval_every_steps": 1, "early_stopping_patience": 2}
    with pytest.raises(Killed):
        train(6, script(0.5, 0.4), **settings)
    losses, _, folder = train(6, script(0.3), **settings)
    assert losses == [] and steps_in(folder)[-1] == 3
    assert checkpoint.best(folder)["step"] == 1 and checkpoint.best(folder)["evaluated"] == 3


def test_training_that_diverges_stops_and_writes_nothing(train, tmp_path):
    with pytest.raises(UserError) as caught:
        train(3, values={"output_bias": np.full(3, np.nan, "f")}, learning_rate=0.5)
    problem, = caught.value.problems
    assert problem.startswith("step 1: the loss is nan") and "--learning_rate=0.5" in problem
    assert "Last checkpoint kept: none yet. Try" in problem
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(("scale", "left_out", "diverged"), [
    (2.0 ** 37, range(5, 18), False), (2.0 ** 60, [15], True)])
def test_float16_leaves_out_steps_until_its_scale_fits(train, caplog, scale, left_out, diverged):
    caplog.set_level("INFO", "finetune")
    values = {"loss_scale": np.array([scale, 0], "f")}
    with pytest.raises(UserError) if diverged else contextlib.nullcontext() as caught:
        assert len(train(18, values=values, precision="float16")[0]) == 18
    told = [record.message for record in caplog.records if "too large for" in record.message]
    assert len(told) in left_out and told[0].startswith("step 1: a gradient was too large")
    if diverged:
        assert caught.value.problems[0].startswith("step 16: ")


def test_the_last_checkpoint_before_diverging_stays(train, tmp_path):
    with pytest.raises(UserError) as caught:
        train(3, learning_rate=1e30, save_checkpoints_steps=1)
    kept = str(tmp_path / "out/model.ckpt-1")
    assert f"Last checkpoint kept: {kept}. " in str(caught.value)
    assert checkpoint.latest(str(tmp_path / "out")) == kept
    assert all(np.isfinite(value).all() for value in everything(kept).values())


# --- writing beside training ------------------------------------------------------------------


@pytest.fixture
def held(monkeypatch):
    """Holds the write of slow/model.ckpt-3 back.

    Returns:
        Two events: the write has come so far; set this to let it go on.
    """
    reached, go_on, rename = threading.Event(), threading.Event(), tf.io.gfile.rename

    def slow(source, target, overwrite=False):
        if "slow/model.ckpt-3." in target:
            reached.set()
            assert go_on.wait(60)
        rename(source, target, overwrite)

    monkeypatch.setattr(tf.io.gfile, "rename", slow)
    yield reached, go_on
    go_on.set()


@pytest.fixture
def before_step(monkeypatch):
    """Calls a function with the trainer when so many steps are made; gives the batches so far."""
    def install(steps, call):
        update, made = Trainer._update, []

        def hooked(self, rows):
            if len(made) == steps:
                call(self)
            made.append(rows)
            update(self, rows)
        monkeypatch.setattr(Trainer, "_update", hooked)
        return made
    return install


def test_steps_go_on_while_a_checkpoint_is_written(train, held, before_step):
    """Two steps later nothing of it is seen, and it holds the weights of its own step."""
    reached, go_on = held
    settings = {"save_checkpoints_steps": 3, "learning_rate": 0.01}
    _, _, whole = train(7, name="whole", **settings)

    def let_go(trainer):
        assert reached.wait(60) and checkpoint.steps(trainer._folder._path) == []
        assert int(trainer._state.step) == 5
        go_on.set()

    before_step(5, let_go)
    _, _, folder = train(7, name="slow", **settings)
    assert steps_in(folder) == steps_in(whole) == [3, 6, 7]
    for step in (3, 6, 7):
        expected, found = (everything(f"{one}/model.ckpt-{step}") for one in (whole, folder))
        assert expected["global_step"] == step
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, name)


def test_the_best_checkpoint_is_on_disk_before_it_is_named(train, held, monkeypatch):
    reached, go_on = held
    note = checkpoint.Folder.note_evaluation

    def evaluate():  # meanwhile
        assert reached.wait(60) and not go_on.is_set()
        threading.Timer(0.1, go_on.set).start()
        return {"accuracy": 0.5}

    def checked(self, step, *arguments):
        assert step in checkpoint.steps(self._path)
        return note(self, step, *arguments)

    monkeypatch.setattr(checkpoint.Folder, "note_evaluation", checked)
    _, _, folder = train(3, evaluate, name="slow", eval_every_steps=3)
    assert checkpoint.best(folder)["step"] == 3


def test_a_stop_finishes_the_write_and_saves_the_step_it_came_in(train, held):
    reached, go_on = held
    threading.Timer(0.3, go_on.set).start()
    with pytest.raises(KeyboardInterrupt):
        train(9, kill_at=5, kill=signal.SIGINT, name="slow", save_checkpoints_steps=3)
    assert reached.is_set() and train(6, name="slow")[0] == []  # which asks for no step more


@pytest.mark.parametrize(("fails_at", "made"), [(3, 5), (9, 9)])
def test_a_write_that_fails_ends_training(train, before_step, monkeypatch, fails_at, made):
    """At the next step, long before the next checkpoint; at the end, if it was the last."""
    save = tf.raw_ops.SaveV2

    def full(prefix, **options):
        if prefix.endswith(f"model.ckpt-{fails_at}"):
            raise OSError("No space left on device")
        save(prefix=prefix, **options)

    monkeypatch.setattr(tf.raw_ops, "SaveV2", full)

    def written(trainer):
        under_way = trainer._checkpoints._under_way
        assert under_way is None or under_way.exception() is None or fails_at == 3

    batches = before_step(4, written)
    with pytest.raises(OSError, match="No space left"):
        train(9, save_checkpoints_steps=3)
    assert len(batches) <= made
