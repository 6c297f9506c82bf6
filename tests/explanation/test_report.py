"""--do_explain as a whole: a planted cue is found, the table adds up, bad flags are refused."""

import re
import shutil

import pytest

from finetune import outputs
from finetune.config import RunConfig
from finetune.explanation import report
from tests.explanation.conftest import CUES


def rows_of(path):
    """Returns the rows of explanations.tsv, each a list of lines by column."""
    head, *lines = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    assert {len(line) for line in lines} == {len(head)}
    rows = {}
    for line in lines:
        made = dict(zip(head, line, strict=True))
        rows.setdefault(made["row"], []).append(made)
    return list(rows.values())


@pytest.fixture(scope="module")
def explained(cue_run):
    return rows_of(cue_run[0] / outputs.EXPLANATIONS)


def test_the_planted_word_is_the_one_that_counts(cue_run, explained):
    _, texts, labels = cue_run
    assert len(explained) == 60
    right = found = 0
    for lines, text, label in zip(explained, texts, labels, strict=False):
        assert " ".join(line["word"] for line in lines) == text
        if lines[0]["prediction"] == label == lines[0]["label"]:
            right += 1
            strongest = max(lines, key=lambda line: abs(float(line["attribution"])))
            found += strongest["word"] == CUES[label] and float(strongest["attribution"]) > 0
    assert right >= 55  # the model has learned it
    assert found >= 0.95 * right


def test_the_table_adds_up(explained):
    for lines in explained:
        first = lines[0]
        total = sum(float(line["attribution"]) for line in lines) + float(first["gap"])
        assert total == pytest.approx(float(first["logit"]) - float(first["baseline_logit"]),
                                      abs=1e-6 * (len(lines) + 3))
        assert [int(line["position"]) for line in lines] == list(range(1, len(lines) + 1))


def test_the_table_says_what_the_predictions_say(cue_run, explained):
    predictions = [line.split("\t") for line in
                   (cue_run[0] / outputs.PREDICTIONS).read_text().splitlines()[1:]]
    for lines, (row_id, label, confidence, *_) in zip(explained, predictions, strict=False):
        assert (lines[0]["id"], lines[0]["prediction"]) == (row_id, label)
        assert float(lines[0]["confidence"]) == pytest.approx(float(confidence), abs=2e-6)


def test_what_is_told(cue_run):
    said = (cue_run[0] / outputs.LOG).read_text()
    assert re.search(r"explain: 60 of 80 rows in \d+ s \(--explain_rows\); the words add up", said)
    assert outputs.EXPLANATIONS_PAGE in said.splitlines()[-1]


def test_from_the_folder_alone_with_the_same_bits(cue_run, main, tmp_path):
    data = tmp_path / "rows"
    data.mkdir()
    (data / "test.tsv").write_text("".join(f"{text}\n" for text in ["text", *cue_run[1][:3]]))
    for place in ("one", "two"):
        status, error = main(
            f"--data_dir={data}", f"--init_checkpoint={cue_run[0]}", "--max_seq_length=32",
            "--do_explain", "--explain_rows=0", "--explain_label=yes",
            f"--output_dir={tmp_path / place}")
        assert status == 0, error
    one, two = (tmp_path / place / outputs.EXPLANATIONS for place in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    rows = rows_of(one)
    assert len(rows) == 3 and {lines[0]["label"] for lines in rows} == {"yes"}
    assert not (tmp_path / "one" / outputs.PREDICTIONS).exists()


def test_pairs_and_scores(tiny, main, tmp_path):
    rows = "".join(f"t{number}\tthe app {word}\tadd it\t{number / 2}\n"
                   for number, word in enumerate(["crashes", "opens", "is new", "<b>&amp;"]))
    (tmp_path / "train.tsv").write_text("id\ttext\tother\tlabel\n" + rows)
    shutil.copy(tmp_path / "train.tsv", tmp_path / "test.tsv")
    status, error = main(
        f"--data_dir={tmp_path}", f"--init_checkpoint={tiny}", "--task_type=regression",
        "--text_b_column=other", "--max_seq_length=7", "--train_batch_size=2", "--do_train",
        "--do_explain", f"--output_dir={tmp_path / 'output'}")
    assert status == 0, error
    first = rows_of(tmp_path / "output" / outputs.EXPLANATIONS)[0]
    assert [(line["text"], line["word"]) for line in first] == [
        ("a", "the"), ("a", "app"), ("b", "add"), ("b", "it")]
    assert [line["unseen"] for line in first] == ["1", "1", "0", "0"]
    assert first[0]["confidence"] == "" and first[0]["label"] == "score"
    assert float(first[0]["prediction"]) == pytest.approx(float(first[0]["logit"]), abs=1e-5)
    page = (tmp_path / "output" / outputs.EXPLANATIONS_PAGE).read_text()
    assert "not seen by the model: 1 word]" in page and "raises the score" in page


@pytest.mark.parametrize(("flags", "parts"), [
    (["--do_explain", "--explain_label=bgu"], ["--explain_label=bgu", "bug, ", "did you mean bug"]),
    (["--explain_label=bug"], ["--explain_label=bug", "--do_explain"]),
    (["--do_explain", "--explain_rows=-1"], ["--explain_rows=-1", "0 or more"])])
def test_flags_that_cannot_be(tiny, issues, main, tmp_path, flags, parts):
    status, error = main(f"--data_dir={issues}", f"--init_checkpoint={tiny}", "--do_train",
                         "--max_seq_length=16", "--train_batch_size=4",
                         f"--output_dir={tmp_path / 'output'}", *flags)
    assert status == 2
    told = [line for line in error.splitlines() if line.startswith("error: ")]
    assert any(all(part in line for part in parts) for line in told), error
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize(("flags", "parts"), [
    ({"use_tpu": True}, ["not on a TPU", "--init_checkpoint=out"]),
    ({"engine": "original"}, ["--engine=original", "--init_checkpoint=out"]),
    ({"sweep": "a.yaml", "do_eval": True}, ["--sweep=a.yaml", "--init_checkpoint="])])
def test_what_it_does_not_go_with(flags, parts):
    [found] = RunConfig(do_train=True, do_explain=True, output_dir="out", **flags).problems()
    assert "--do_explain" in found and all(part in found for part in parts)


def test_a_regression_has_no_label_to_explain():
    config = RunConfig(do_explain=True, explain_label="bug")
    [found] = report.problems(config, ["score"])
    assert "--explain_label=bug" in found and "regression" in found
    assert report.problems(config, ["bug", "other"]) == []
