"""Flags that cannot be, and mistakes of several kinds told together."""

import pytest

from tests.bad_input.conftest import LABELS, SMALL, only, replaced


def test_max_seq_length_too_small(refused):
    only(refused("--do_train", "--max_seq_length=2"), "--max_seq_length=2", "3 or more")


@pytest.mark.parametrize("flag", ["train_batch_size", "eval_batch_size", "predict_batch_size"])
def test_batch_size_zero(refused, flag):
    only(refused("--do_train", f"--{flag}=0"), f"--{flag}=0", "1 or more")


def test_a_batch_of_more_rows_than_there_are(refused):
    only(refused("--do_train", "--train_batch_size=31"), "--train_batch_size=31", "15 rows",
         "lower --train_batch_size or raise --num_train_epochs")


def test_that_windows_are_too_few_is_told_only_where_they_could_be_counted(refused, issues):
    path = issues / "train.tsv"
    path.write_text(path.read_text() + f"x\t{'the app crashes ' * 200}\tbug\n")
    flags = ["--do_train", "--do_eval", "--train_batch_size=100", "--window_stride=8"]
    replaced(issues / "dev.tsv", 3, b"x\tit crashes\tcrash")
    only(refused(*flags, "--max_windows=90"), f"{issues / 'dev.tsv'}:3: ")
    replaced(issues / "dev.tsv", 3, b"x\tit crashes\tbug")
    only(refused(*flags, "--max_windows=2"), "--train_batch_size=100: 17 rows are too few")
    only(refused(*flags, "--max_windows=2", "--vocab_file=none"), "--vocab_file=none: ")


def test_a_flag_that_is_no_number(refused):
    only(refused("--do_train", "--learning_rate=fast"), "learning_rate", "fast")


def test_an_unknown_flag(refused):
    only(refused("--do_train", "--do_lower=False"), "--do_lower", "--do_lower_case")


def test_a_config_file_with_an_unknown_flag(refused, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("learning_rat: 1e-4\n")
    only(refused("--do_train", f"--config={path}"), "learning_rat", "--learning_rate", path)
    only(refused("--do_train", f"--config={tmp_path / 'none.yaml'}"), tmp_path / "none.yaml")


def test_an_unknown_task(refused):
    only(refused("--do_train", "--task_name=mprc"), "--task_name=mprc", '"mrpc"', "cola", "sst-2")


@pytest.mark.parametrize(("spec", "parts"), [
    ("no_such_module:Mine", ["no module no_such_module"]),
    ("processors.cola:Kola", ["Kola", "Cola"]),
    ("mine.py", ["package.module:ClassName"])])
def test_a_processor_that_does_not_exist(refused, spec, parts):
    only(refused("--do_train", f"--processor={spec}"), f"--processor={spec}", *parts)


def test_four_mistakes_are_told_at_once(refused, issues):
    replaced(issues / "train.tsv", 7, b"x\tit crashes\tbugg")
    (issues / "test.tsv").unlink()
    found = refused("--do_train", "--do_predict", LABELS, "--max_seq_length=99",
                    "--do_lower_case=False")
    assert len(found) == 4, found
    for part in ("train.tsv:7", "test.tsv", "--max_seq_length=99", "--do_lower_case=False"):
        assert sum(part in message for message in found) == 1, (part, found)


def test_several_mistakes_in_flags(refused):
    found = refused("--do_train", "--train_batch_size=0", "--labels=a,a", "--learning_rate=-1")
    assert len(found) == 3 or (len(found) == 4 and any("two labels" in one for one in found))
    found = refused("--do_trian", "--learning_rate=fast", "--frobnicate=1")
    assert len(found) == 3, found


def test_mistakes_in_flags_and_in_data_are_told_together(refused, issues):
    replaced(issues / "train.tsv", 7, b"x\tit crashes\tbugg")
    found = refused("--do_train", LABELS, "--eval_batch_size=0", "--max_seq_length=99")
    for part in ("train.tsv:7", "--eval_batch_size=0", "--max_seq_length=99"):
        assert sum(part in message for message in found) == 1, (part, found)


def test_an_unknown_task_hides_no_other_mistake(refused, tmp_path):
    found = refused("--do_train", "--task_name=mprc", "--max_seq_length=99",
                    f"--vocab_file={tmp_path / 'none'}")
    for part in ("--task_name=mprc", "--max_seq_length=99", f"--vocab_file={tmp_path / 'none'}"):
        assert sum(part in message for message in found) == 1, (part, found)


def test_a_mistake_in_a_process_of_its_own(command, tiny, issues, tmp_path):
    """What the shell sees: status 2, one line on standard error, none on standard output."""
    replaced(issues / "train.tsv", 7, b"x\tit crashes\tbugg")
    done = command(f"--data_dir={issues}", f"--init_checkpoint={tiny}", *SMALL, LABELS,
                   "--do_train", f"--output_dir={tmp_path / 'out'}")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    assert f"{issues / 'train.tsv'}:7" in done.stderr
    assert not (tmp_path / "out").exists()
