"""--truncation and --window_stride from training to the folder's use."""

import json
import shutil

import numpy as np
import pytest

import run_classifier_custom
from finetune import Predictor
from finetune.errors import UserError
from tests.end_to_end.conftest import IDS, LABELS, SMALL, results, table, tensors

WINDOWS = ["--window_stride=3", "--max_windows=4", "--window_pooling=max"]


@pytest.fixture(scope="session")
def windowed(tiny, data, tmp_path_factory):
    """(output folder, command line) of a run on windows of 8 tokens, and its texts."""
    folder = tmp_path_factory.mktemp("windowed") / "output"
    arguments = [f"--data_dir={data}", f"--init_checkpoint={tiny}", f"--labels={','.join(LABELS)}",
                 "--do_train", "--do_eval", "--do_predict", *SMALL, "--max_seq_length=8", *WINDOWS,
                 "--save_checkpoints_steps=5", f"--output_dir={folder}"]
    assert run_classifier_custom.main(arguments) == 0
    return folder, arguments


def texts(data):
    return [cells[1] for cells in table(data / "test.tsv")[1:]]


def bits(folder):
    return np.array([[np.float32(cell) for cell in row] for row in
                     table(folder / "test_results.tsv")])


def test_a_line_a_row_and_the_predictor_s_bits(windowed, data):
    folder, _ = windowed
    assert [row[0] for row in table(folder / "predictions.tsv")[1:]] == IDS
    answers = bits(folder)
    np.testing.assert_allclose(answers.sum(1), 1, rtol=1e-6)
    model = Predictor(folder)
    np.testing.assert_array_equal(model.answers(texts(data)), answers)
    assert (Predictor(folder, window_pooling="mean").answers(texts(data)) != answers).any()
    assert (Predictor(folder, window_stride=0).answers(texts(data)) != answers).any()


def test_steps_go_by_windows_and_the_run_says_so(windowed):
    folder, _ = windowed
    note = json.loads((folder / "train.tf_record.json").read_text())
    windows, rows = note["records"], note["lengths"]["count"]
    assert windows > rows == 15
    assert results(folder)["global_step"] == str(int(windows / 5 * 3))
    said = (folder / "run.log").read_text()
    assert f"none longer than its windows; {windows} windows, a new one every 3 tokens" in said
    assert f"{int(windows / 5 * 3)} steps of 5 windows" in said
    assert json.loads((folder / "run_config.json").read_text())["window_stride"] == 3


def test_an_interrupted_run_ends_with_the_same_bits(windowed, tmp_path):
    folder, arguments = windowed
    copied = shutil.copytree(folder, tmp_path / "copied")
    step = results(folder)["global_step"]
    for path in copied.glob(f"model.ckpt-{step}.*"):
        path.unlink()
    assert run_classifier_custom.main([*arguments[:-1], f"--output_dir={copied}"]) == 0
    assert tensors(copied) == tensors(folder)
    assert (copied / "predictions.tsv").read_bytes() == (folder / "predictions.tsv").read_bytes()


def test_what_is_cut_is_said_with_a_count(run, tmp_path):
    said = run("--do_check", "--max_seq_length=8", "--window_stride=2", "--max_windows=2",
               "--truncation=tail", f"--labels={','.join(LABELS)}", f"--output_dir={tmp_path}")
    assert "longer than 2 windows, cut (tail); " in said
    assert "are cut to 2 windows of 8 tokens (tail): " in said
    check = json.loads((tmp_path / "data_check.json").read_text())
    assert (check["truncation"], check["window_stride"], check["max_windows"]) == ("tail", 2, 2)


@pytest.mark.parametrize("kind", ["tail", "head_tail"])
def test_truncation_from_training_to_the_folder_s_use(kind, run, data, tmp_path):
    folder = tmp_path / "out"
    labels = f"--labels={','.join(LABELS)}"
    run("--do_train", "--do_predict", labels, "--max_seq_length=6", f"--truncation={kind}",
        "--do_export", "--export_formats=huggingface", "--num_train_epochs=1",
        f"--output_dir={folder}")
    model = Predictor(folder)
    assert model.long_texts.truncation == kind
    np.testing.assert_array_equal(model.answers(texts(data)), bits(folder))
    ends = "z z z z z crashes it is broken !", "a z z z z crashes it is broken !"
    same = np.array_equal(*(model.answers([text]) for text in ends))
    assert same == (kind == "tail")  # four tokens: the last, or the first and the last three
    card = (folder / "export" / "README.md").read_text()
    assert f"`truncation={kind}`" in card
    settings = json.loads((folder / "export/huggingface/tokenizer_config.json").read_text())
    assert settings.get("truncation_side") == ("left" if kind == "tail" else None)
    theirs = json.loads((folder / "export/huggingface/config.json").read_text())
    assert theirs["run_classifier_custom"]["truncation"] == kind
    said = run("--do_predict", "--max_seq_length=6", f"--init_checkpoint={folder}",
               f"--output_dir={tmp_path / 'other'}")
    assert f"note: --truncation is head, and was {kind} when the checkpoint was trained" in said


def test_windows_are_not_explained(windowed):
    with pytest.raises(UserError, match=r"is read in 2 windows.*window_stride=0"):
        Predictor(windowed[0]).explain("the app crashes when i open a")
    cut = Predictor(windowed[0], window_stride=0, truncation="tail").explain(
        "the app crashes when i open a file")
    [text] = cut.texts
    assert [word.text for word in text.words] == ["crashes", "when", "i", "open", "a", "file"]
    assert (text.unseen, text.text[slice(*text.unseen_part)]) == (2, "the app ")
    both = Predictor(windowed[0], window_stride=0, truncation="head_tail").explain(
        "the app crashes when i open a file")
    [text] = both.texts
    assert [word.text for word in text.words] == ["the", "app", "i", "open", "a", "file"]
    assert text.text[slice(*text.unseen_part)] == " crashes when "


@pytest.mark.parametrize(("flags", "told"), [
    (["--window_stride=15"], "--window_stride=15: must be 14 or less"),
    (["--window_stride=-1"], "--window_stride=-1: must be 0 or more"),
    (["--window_stride=1", "--max_seq_length=4"], "windows need --max_seq_length=5 or more"),
    (["--window_stride=4", "--max_windows=0"], "--max_windows=0: must be 1 or more"),
    (["--max_windows=9"], "--max_windows=9 is of windows: give --window_stride"),
    (["--window_pooling=max"], "--window_pooling=max is of windows: give --window_stride"),
    (["--window_stride=4", "--do_explain"], "--do_explain: explains one answer of the model"),
    (["--truncation=tail", "--engine=original"], "the original flow has no --truncation=tail")])
def test_what_cannot_be_done(main, tiny, data, tmp_path, flags, told):
    status, said = main(f"--data_dir={data}", f"--init_checkpoint={tiny}", *SMALL, "--do_train",
                        f"--output_dir={tmp_path / 'out'}", *flags)
    assert status == 2 and told in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("settings", "told"), [
    ({"truncation": "middle"}, "truncation='middle': must be one of head, tail, head_tail"),
    ({"window_stride": "3"}, "window_stride='3': must be a whole number"),
    ({"window_stride": 7}, "window_stride=7: must be 6 or less")])
def test_a_folder_that_tells_nonsense(windowed, tmp_path, settings, told):
    copied = shutil.copytree(windowed[0], tmp_path / "copied")
    path = copied / "run_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **settings}))
    with pytest.raises(UserError, match=told):
        Predictor(copied)
