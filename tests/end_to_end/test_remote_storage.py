"""Every input and output on a file system of TensorFlow's, as gs:// is: ram://."""

import shutil
from pathlib import Path

import pytest
import tensorflow as tf

import run_classifier_custom
from tests.end_to_end.conftest import ALL, LABELS, SMALL

RAM = "ram://test_remote_storage"


def put(source, target):
    for path in Path(source).iterdir():
        if path.is_file():
            tf.io.gfile.copy(str(path), f"{target}/{path.name}", overwrite=True)


@pytest.fixture(scope="module")
def remote(tiny, data):
    put(tiny, f"{RAM}/model")
    put(data, f"{RAM}/data")
    return RAM


def arguments(home, output):
    return [f"--data_dir={home}/data", f"--init_checkpoint={home}/model", *ALL, *SMALL,
            f"--labels={','.join(LABELS)}", "--num_train_epochs=2", "--save_checkpoints_steps=2",
            "--eval_every_steps=3", "--keep_checkpoint_max=2", f"--output_dir={output}"]


def content(folder):
    """Returns the bytes of the files that have to be the same wherever they lie."""
    def read(name):
        with tf.io.gfile.GFile(f"{folder}/{name}", "rb") as file:
            return file.read()
    names = [name for name in tf.io.gfile.listdir(str(folder)) if "events" not in name]
    return {name: read(name) for name in names
            if name not in ("runs.json", "run.log", "run_config.json", "eval", "eval/")}


def test_a_run_on_remote_storage_writes_the_same_bits(remote, tiny, data, tmp_path, capsys):
    shutil.copytree(data, tmp_path / "data")
    shutil.copytree(tiny, tmp_path / "model")
    assert run_classifier_custom.main(arguments(tmp_path, tmp_path / "out")) == 0
    assert run_classifier_custom.main(arguments(remote, f"{remote}/out")) == 0
    expected, found = content(tmp_path / "out"), content(f"{remote}/out")
    assert set(found) == set(expected)
    for name in expected:
        if not name.endswith((".tf_record.json", "report.html")):  # which tell when and where
            assert found[name] == expected[name], name
    log = tf.io.gfile.GFile(f"{remote}/out/run.log").read()
    assert "train 3/6" in log or "train 6/6" in log
    capsys.readouterr()
    assert run_classifier_custom.main(arguments(remote, f"{remote}/out")) == 0  # and again
    assert "training is complete" in capsys.readouterr().err
    assert log in tf.io.gfile.GFile(f"{remote}/out/run.log").read()  # went on behind it


def test_flags_of_files_may_name_remote_ones(remote, tmp_path, capsys):
    with tf.io.gfile.GFile(f"{remote}/labels", "w") as file:
        file.write("".join(f"{label}\n" for label in LABELS))
    with tf.io.gfile.GFile(f"{remote}/config", "w") as file:
        file.write(f"labels_file: {remote}/labels\nmax_seq_length: 16\n")
    status = run_classifier_custom.main([
        f"--config={remote}/config", f"--data_dir={remote}/data",
        f"--init_checkpoint={remote}/model", "--do_train", "--train_batch_size=5",
        "--num_train_epochs=1", f"--output_dir={tmp_path / 'out'}"])
    assert status == 0, capsys.readouterr().err
    assert (tmp_path / "out" / "labels.txt").read_text().split() == LABELS


@pytest.mark.parametrize(("flags", "told"), [
    (["--data_dir=ram://test_remote_storage/nowhere"],
     "--data_dir=ram://test_remote_storage/nowhere: there is no such folder"),
    (["--train_file=other.tsv"], "ram://test_remote_storage/data/other.tsv: no such file; the "
     'folder has "dev.tsv", "test.tsv", "train.tsv"'),
    (["--init_checkpoint=ram://test_remote_storage/none"],
     "--init_checkpoint=ram://test_remote_storage/none: there is no "),
    (["--vocab_file=ram://test_remote_storage/none"], "--vocab_file=ram://test_remote_storage/none"),
    (["--labels_file=ram://test_remote_storage/none"],
     "--labels_file=ram://test_remote_storage/none: cannot be read"),
    (["--config=ram://test_remote_storage/none"],
     "--config=ram://test_remote_storage/none: cannot be read")])
def test_what_is_not_there_is_told(remote, tmp_path, capsys, flags, told):
    status = run_classifier_custom.main([
        f"--data_dir={remote}/data", f"--init_checkpoint={remote}/model", "--do_train", *SMALL,
        f"--output_dir={tmp_path / 'out'}", *flags])
    said = capsys.readouterr().err
    assert status == 2 and told in said and "Traceback" not in said
    assert not (tmp_path / "out").exists()
