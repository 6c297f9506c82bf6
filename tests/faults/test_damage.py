"""Each file of an output folder cut, altered or gone: refused by name, or of no effect at all."""

import random
import re
import shutil

import pytest

import run_classifier_custom
from finetune.checkpoints import checkpoint
from tests.end_to_end.conftest import LABELS, data, names, tensors  # noqa: F401  (a fixture)
from tests.faults.tally import scale

MORE = ["--do_train", "--do_eval", "--do_predict", "--num_train_epochs=2",
        "--save_checkpoints_steps=2", "--eval_every_steps=3", "--metric_for_best=loss"]
RESULTS = ("predictions.tsv", "test_results.tsv", "eval_results.txt")
# Written anew by every run that they belong to, or for people alone.
RENEWED = ("eval_results.txt", "predictions.tsv", "test_results.tsv", "confusion_matrix.tsv",
           "report.html", "run.log")


@pytest.fixture(scope="module")
def command(tiny, data):  # noqa: F811
    """The flags of all runs but for what they do."""
    return [f"--data_dir={data}", f"--init_checkpoint={tiny}", "--max_seq_length=16",
            "--train_batch_size=5", "--learning_rate=1e-3", f"--labels={','.join(LABELS)}"]


@pytest.fixture(scope="module")
def whole(command, tmp_path_factory):
    """The folder of a run with checkpoints and evaluations on the way."""
    folder = tmp_path_factory.mktemp("whole") / "output"
    assert run_classifier_custom.main([*command, *MORE, f"--output_dir={folder}"]) == 0
    return folder


@pytest.fixture(scope="module")
def stopped(command, tmp_path_factory):
    """The folder of such a run that was stopped after step 6 of 9, which lacks its predictions."""
    folder = tmp_path_factory.mktemp("stopped") / "output"

    def stop(self, step, *arguments):
        better = noted(self, step, *arguments)
        if step == 6:
            raise KeyboardInterrupt
        return better

    noted = checkpoint.Folder.note_evaluation
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(checkpoint.Folder, "note_evaluation", stop)
        assert run_classifier_custom.main([*command, *MORE, "--num_train_epochs=3",
                                           f"--output_dir={folder}"]) == 130
    return folder


def damaged(random_, content):
    """Returns what a kind of damage makes of a file's bytes, and its name."""
    kind = random_.choice(["cut", "byte", "zeros", "empty", "more"])
    at = random_.randrange(max(1, len(content)))
    if kind == "byte":
        altered = bytearray(content)
        altered[at] ^= 1 << random_.randrange(8)
        return kind, bytes(altered)
    return kind, {"cut": content[:at], "zeros": content[:at] + bytes(len(content) - at),
                  "empty": b"", "more": content + b"\0more"}[kind]


@pytest.mark.parametrize("going_on", [True, False], ids=["training goes on", "prediction"])
def test_a_damaged_file_of_a_run(going_on, whole, stopped, command, main, tmp_path, tally):
    whole = stopped if going_on else whole
    files = [name for name in names(whole) if "tfevents" not in name and name not in RENEWED]
    random_, failures, refused = random.Random(going_on), [], set()
    chosen = [random_.choice(files) for _ in range(scale(6, 60 if going_on else 150))]
    count = tally("a file of an output folder cut or altered, then "
                  + ("training goes on" if going_on else "prediction"), len(chosen), 0)
    flags = ([*MORE, "--num_train_epochs=3"] if going_on else ["--do_eval", "--do_predict"])
    command = [*command, *flags]
    expected = shutil.copytree(whole, tmp_path / "expected")
    assert main(*command, f"--output_dir={expected}")[0] == 0
    bits = tensors(expected)
    for name in chosen:
        folder = shutil.copytree(whole, tmp_path / "damaged")
        content = (folder / name).read_bytes()
        kind, altered = damaged(random_, content)
        (folder / name).write_bytes(altered)
        status, said = main(*command, f"--output_dir={folder}")
        told = [line for line in said.splitlines() if line.startswith("error: ")]
        if "Traceback" in said or status not in (0, 2):
            wrong = said
        elif status == 2:
            refused.add(re.sub(r"-\d+(\..*)?", "", name))
            wrong = "" if any(stem(name) in line for line in told) else f"not named: {told}"
        else:
            wrong = " ".join(one for one in RESULTS if (folder / one).read_bytes()
                             != (expected / one).read_bytes())
            wrong += " weights" if going_on and tensors(folder) != bits else ""
        count.survived += not wrong
        failures += [(name, kind, wrong)] if wrong and content != altered else []
        shutil.rmtree(folder)
    count.detail = ("the same bits as without, or refused with the file's name ("
                    + ", ".join(sorted(refused)) + ")")
    assert not failures


def stem(name):
    """Returns what a message calls a file by: a checkpoint by its prefix."""
    return re.sub(r"\.(index|data-.*)$", "", name)
