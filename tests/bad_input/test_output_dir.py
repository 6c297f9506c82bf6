"""A folder that a run may not write to, or whose checkpoints are of another run."""

import json
import shutil

import pytest

from finetune import output_folder
from finetune.training import trainer as training
from tests.bad_input.conftest import SMALL, only, replaced, snapshot
from tests.conftest import TINY, vocabulary


def test_output_dir_is_a_file(refused, tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    only(refused("--do_train", f"--output_dir={path}", _output=False), f"--output_dir={path}",
         "is a file")


def test_output_dir_where_no_file_can_be(refused):
    only(refused("--do_train", "--output_dir=/proc/x", _output=False), "--output_dir=/proc/x: ",
         "/proc lies on a file system that takes no files; name another folder")


def test_output_dir_is_below_a_file(refused, tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    only(refused("--do_train", f"--output_dir={path / 'out'}", _output=False),
         f"--output_dir={path / 'out'}")


def test_output_dir_that_tensorflow_reads_as_a_pattern(refused, tmp_path):
    """Checkpoints in run[1] would be written and never found again."""
    only(refused("--do_train", f"--output_dir={tmp_path / 'run[1]'}", _output=False),
         f"--output_dir={tmp_path / 'run[1]'}", "pattern", "name another folder")


@pytest.mark.parametrize(("flags", "parts"), [
    (["--labels=bug,feature,question,other"], ["3 labels", "4"]),
    (["--labels=feature,bug,question"], ["bug, feature, question", "feature, bug, question"])])
def test_an_output_folder_of_other_labels(refused, occupied, flags, parts):
    messages = refused("--do_train", f"--output_dir={occupied}", *flags, _output=False)
    assert all("--overwrite_output_dir" in message for message in messages)
    only(messages[:1], f"--output_dir={occupied}", *parts)


def test_a_label_that_the_trained_model_does_not_know(refused, occupied, issues):
    path = replaced(issues / "dev.tsv", 6, b"x\tit crashes\tcrash")
    only(refused("--do_eval", f"--output_dir={occupied}", _model=False, _output=False),
         f"{path}:6: ", '"crash"', '"bug", "feature", "question"', "was trained with")


def test_labels_that_are_not_those_of_a_trained_checkpoint(refused, trained):
    found = refused("--do_predict", f"--init_checkpoint={trained}", "--labels=feature,bug,question")
    only(found, f"--init_checkpoint={trained}", "feature, bug, question")
    assert "to delete it" not in found[0]  # nobody's checkpoint is deleted for that


def test_an_output_folder_of_another_model(refused, occupied, tmp_path):
    path = tmp_path / "bert_config.json"
    size = len(vocabulary(cased=False))
    path.write_text(json.dumps({**TINY, "vocab_size": size, "num_attention_heads": 4}))
    only(refused("--do_train", f"--output_dir={occupied}", f"--bert_config_file={path}",
                 _output=False), f"--output_dir={occupied}", path, "--overwrite_output_dir")


def test_an_output_folder_of_another_vocabulary(refused, occupied, tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "german")
    words = (folder / "vocab.txt").read_text()
    (folder / "vocab.txt").write_text(words.replace("\ncrash\n", "\nfehler\n"))
    only(refused("--do_train", f"--output_dir={occupied}", f"--init_checkpoint={folder}",
                 _output=False), f"--output_dir={occupied}", folder / "vocab.txt",
         "--overwrite_output_dir")


def test_overwriting_deletes_nothing_that_the_run_needs(occupied, issues, main):
    """Starting anew from what lies in the folder: refused or done, but nothing is lost."""
    before = snapshot(occupied)
    status, said = main(f"--data_dir={issues}", f"--init_checkpoint={occupied}", *SMALL,
                        "--do_train", "--overwrite_output_dir", f"--output_dir={occupied}")
    assert "Traceback" not in said
    assert status == 0 or (status == 2 and snapshot(occupied) == before), said


def test_overwriting_with_a_damaged_checkpoint_loses_nothing(refused, occupied, tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "damaged")
    path = folder / "bert_model.ckpt.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:5000])
    only(refused("--do_train", f"--init_checkpoint={folder}", "--overwrite_output_dir",
                 f"--output_dir={occupied}", _output=False), folder / "bert_model.ckpt")


def test_a_folder_that_another_run_is_at_work_in(refused, occupied, tiny):
    before = {path.name: path.stat().st_mtime_ns for path in occupied.iterdir()}
    with output_folder.held(str(occupied)):
        messages = refused("--do_train", f"--output_dir={occupied}", "--num_train_epochs=9",
                           "--overwrite_output_dir", _output=False)
    only(messages, f"--output_dir={occupied}: another run is at work there")
    assert {path.name: path.stat().st_mtime_ns for path in occupied.iterdir()} == before
    with output_folder.held(str(occupied)):  # the refused run holds nothing
        pass


def test_a_folder_that_vanishes_while_a_run_works(main, tiny, issues, tmp_path, monkeypatch):
    output, update = tmp_path / "out", training.Trainer._update

    def vanish(self, batches):
        update(self, batches)
        if int(self._state.step.numpy()) == 3:
            shutil.rmtree(output)

    monkeypatch.setattr(training.Trainer, "_update", vanish)
    status, said = main(f"--data_dir={issues}", f"--init_checkpoint={tiny}", *SMALL, "--do_train",
                        "--save_checkpoints_steps=4", f"--output_dir={output}")
    assert status == 2 and "Traceback" not in said
    assert f"error: --output_dir={output}: the folder is gone" in said
