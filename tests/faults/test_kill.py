"""kill -9, SIGTERM and Ctrl-C at random moments: the same command then ends with the same bits."""

import json
import random
import re
import shutil
import signal
import time

import pytest
import tensorflow as tf

from finetune.checkpoints import checkpoint
from tests.conftest import make_checkpoint
from tests.end_to_end.conftest import ROWS, write_rows
from tests.faults.tally import scale
from tests.faults.zygote import Zygote

SETTINGS = ["--max_seq_length=16", "--train_batch_size=5", "--learning_rate=1e-3", "--do_train",
            "--do_eval", "--do_predict", "--num_train_epochs=8", "--save_checkpoints_steps=2",
            "--eval_every_steps=5", "--metric_for_best=loss", "--log_every_steps=1"]
RESULTS = ("predictions.tsv", "test_results.tsv", "eval_results.txt", "best_checkpoint.json",
           "checkpoint", "labels.txt", "vocab.txt", "bert_config.json", "SHA256SUMS")
HALF = ".writing-model.ckpt-*"  # what only a checkpoint that is being written is called


@pytest.fixture(scope="module")
def zygote(tmp_path_factory):
    with Zygote(tmp_path_factory.mktemp("zygote")) as made:
        yield made


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    """A model of 12 MB with its optimizer's slots, so that writing it takes a while; 15 rows."""
    folder = tmp_path_factory.mktemp("faults")
    wide = make_checkpoint(folder / "wide", hidden_size=256, intermediate_size=512)
    for name in ("train", "dev", "test"):
        write_rows(folder / f"{name}.tsv", ("id", "text", "label"),
                   *((f"{name}{number}", *row) for number, row in enumerate(ROWS)))
    return [f"--data_dir={folder}", f"--init_checkpoint={wide}", *SETTINGS]


class Unbroken:
    """A run that nobody stopped, and how long it took."""

    def __init__(self, zygote, arguments, folder):
        self.folder, began = folder / "output", time.monotonic()
        status, said = zygote.run(*arguments, f"--output_dir={self.folder}")
        assert status == 0, said
        self.seconds, self._weights = time.monotonic() - began, weights(self.folder)

    def differences(self, folder, stopped=False):
        """Returns what a folder has otherwise: every weight and slot, every result.

        Of a run that was asked to stop the last and the best checkpoint count: it has one more on
        the way, of the step that it stopped at, so that others may have been deleted sooner.
        """
        other, results = weights(folder), set(RESULTS)
        names = {*self._weights, *other}
        if stopped:
            results.remove("checkpoint")
            best = json.loads((folder / "best_checkpoint.json").read_text())["checkpoint"]
            last = checkpoint.latest(str(folder)).rpartition("/")[2]
            names = {name for name in names if name.partition(":")[0] in (best, last)}
            assert names
        found = [name for name in names if self._weights.get(name) != other.get(name)]
        return found + [name for name in sorted(results) if not (folder / name).exists() or (
            folder / name).read_bytes() != (self.folder / name).read_bytes()]


@pytest.fixture(scope="module")
def unbroken(zygote, arguments, tmp_path_factory):
    return Unbroken(zygote, arguments, tmp_path_factory.mktemp("unbroken"))


def weights(folder):
    """Returns the bytes of every variable of the newest and of the best checkpoint."""
    return {f"{path.stem}: {name}": reader.get_tensor(name).tobytes()
            for path in folder.glob("model.ckpt-*.index")
            for reader in [tf.train.load_checkpoint(str(path.with_suffix("")))]
            for name in reader.get_variable_to_shape_map()}


def finish(zygote, arguments, folder, unbroken, stopped=False):
    """Runs the same command to its end; returns what is wrong then."""
    status, said = zygote.run(*arguments, f"--output_dir={folder}")
    return [said] if status or "Traceback" in said else unbroken.differences(
        folder, stopped)


def test_killed_at_a_random_moment(zygote, arguments, unbroken, tmp_path, tally):
    tries = scale(2, 25)
    count = tally("kill -9 at a random moment of a run", tries, 0)
    moments, steps, failures = random.Random(5), [], []
    for number in range(tries):
        folder = tmp_path / str(number)
        process = zygote.start(*arguments, f"--output_dir={folder}")
        time.sleep(moments.uniform(0, unbroken.seconds))
        process.kill(signal.SIGKILL)
        assert process.wait() in (-signal.SIGKILL, 0)
        steps.append(reached(folder))
        wrong = finish(zygote, arguments, folder, unbroken)
        count.survived += not wrong
        failures += [(number, steps[-1], wrong)] if wrong else []
        shutil.rmtree(folder)
    count.detail = ("the same command: the same bits of every weight, slot and answer; killed "
                    f"with checkpoints of step {', '.join(map(str, sorted(set(steps))))}")
    assert not failures


def test_killed_while_it_writes_a_checkpoint(zygote, arguments, unbroken, tmp_path, tally):
    tries = scale(1, 15)
    count = tally("kill -9 while a checkpoint is written", tries, 0)
    moments, halves, failures = random.Random(6), 0, []
    for number in range(tries):
        folder = tmp_path / str(number)
        process = zygote.start(*arguments, f"--output_dir={folder}")
        which = moments.randrange(1, 11)  # of the 24 steps' 12 checkpoints or more
        while not process.ended() and reached(folder) < 2 * which - 2:
            pass
        kill_at_a_checkpoint(process, folder, moments)
        halves += any(folder.glob(HALF))
        wrong = finish(zygote, arguments, folder, unbroken)
        count.survived += not wrong
        failures += [(number, which, wrong)] if wrong else []
        shutil.rmtree(folder)
    count.detail = f"the same; {halves} of them left half a checkpoint, which nothing reads"
    assert not failures and halves == tries


def kill_at_a_checkpoint(process, folder, moments):
    """Kills it while half a checkpoint lies there: if one was whole too soon, at the next."""
    while not process.ended():
        if not any(folder.glob(HALF)):
            continue
        time.sleep(moments.uniform(0, 0.01))
        process.freeze()  # so that nothing changes between this look and the end
        if any(folder.glob(HALF)):
            process.kill(signal.SIGKILL)
            break
        process.kill(signal.SIGCONT)
    assert process.wait() == -signal.SIGKILL, process.said()


@pytest.mark.parametrize(("number", "name"), [
    (signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "Ctrl-C"), (signal.SIGHUP, "SIGHUP")])
def test_asked_to_stop(zygote, arguments, unbroken, tmp_path, tally, number, name):
    tries = scale(1, 8)
    count = tally(f"{name} while training", tries, 0)
    moments, slowest, failures = random.Random(number), 0.0, []
    for one in range(tries):
        folder = tmp_path / str(one)
        process = zygote.start(*arguments, f"--output_dir={folder}")
        while not process.ended() and not reached(folder):
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.5))
        began = time.monotonic()
        process.kill(number)
        before = step_told(process)  # now, as steps may be made while this process waits its turn
        status, took = process.wait(), time.monotonic() - began
        after, said = reached(folder), process.said()
        slowest = max(slowest, took)
        stopped = status == 128 + number and "the same command goes on" in said
        in_time = took < 30 and (after <= before + 2 or "dev " in said)
        wrong = [] if (stopped and in_time) or status == 0 else [status, before, after, took, said]
        wrong += finish(zygote, arguments, folder, unbroken, stopped=True)
        count.survived += not wrong
        failures += [wrong] if wrong else []
        shutil.rmtree(folder)
    count.detail = (f"status {128 + number}, a checkpoint of the step under way, {slowest:.1f} s "
                    "at most; the same command: the same bits")
    assert not failures


def step_told(process):
    """Returns the last step that the run has told of."""
    found = re.findall(r"train (\d+)/", process.said())
    return int(found[-1]) if found else 0


def reached(folder):
    """Returns the step of the newest checkpoint in a folder, 0 before the first."""
    return max((int(path.stem.partition("-")[2]) for path in folder.glob("model.ckpt-*.index")),
               default=0)
