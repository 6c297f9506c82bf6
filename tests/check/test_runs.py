"""--do_check and --baseline in whole runs: what is written, and that nothing else changes."""

import json
import re
import types
import weakref

import numpy as np
import pytest
import tensorflow as tf

from finetune import baseline, model
from finetune.bert_config import BertConfig
from finetune.check import cost
from finetune.check import stage as check_stage
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.errors import UserError
from processors import DataProcessor, InputExample, get, streamed
from tests.end_to_end.conftest import (  # noqa: F401
    SMALL,
    copied,
    data,
    names,
    results,
    run,
    tensors,
    trained,
    write_rows,
)

CHECKED = ["data_check.json", "data_check.txt", "run.log", "runs.json", "train.tf_record",
           "train.tf_record.json"]


def found(folder):
    """Returns {(check, split): finding} of data_check.json."""
    values = json.loads((folder / "data_check.json").read_text(encoding="utf-8"))
    return {(one["check"], one["split"]): one for one in values["findings"]}


def test_a_check_alone_looks_at_all_splits_and_trains_nothing(run, tmp_path):  # noqa: F811
    said = run("--do_check", f"--output_dir={tmp_path / 'out'}")
    assert names(tmp_path / "out") == CHECKED
    values = json.loads((tmp_path / "out" / "data_check.json").read_text())
    assert [(split, one["rows"]) for split, one in values["splits"].items()] == [
        ("train", 15), ("dev", 15), ("test", 7)]
    leak = found(tmp_path / "out")["leakage", "dev"]
    assert (leak["severity"], leak["count"]) == ("problem", 15)
    assert leak["examples"][0]["where"].endswith("dev.tsv:2")
    assert leak["examples"][0]["double_of"].endswith("train.tsv:2")
    assert "check: PROBLEM Rows of another split: dev: 15 of 15 rows (100.0 %)" in said
    cost = found(tmp_path / "out")["time", None]["details"]
    assert cost["steps"] == 9 and cost["step"] > 0 and set(cost["scored"]) == {"dev", "test"}
    sizes = found(tmp_path / "out")["memory", None]["details"]
    assert 1e8 < sizes["peak_bytes"] < sizes["memory_bytes"]
    text = (tmp_path / "out" / "data_check.txt").read_text()
    assert all(one["title"] in text for one in values["findings"])


def test_training_behind_a_check_has_the_bits_of_one_without(
        run, trained, tmp_path):  # noqa: F811
    folder, arguments = trained
    run(*arguments, "--do_check", "--baseline", f"--output_dir={tmp_path / 'out'}")
    assert tensors(tmp_path / "out") == tensors(folder)
    assert results(tmp_path / "out") == results(folder)
    assert set(names(tmp_path / "out")) - set(names(folder)) == {
        "data_check.txt", "data_check.json", "baseline_results.txt"}


def test_the_same_command_after_a_check_alone_trains(run, trained, tmp_path):  # noqa: F811
    folder, arguments = trained
    only = [one for one in arguments if not one.startswith("--do_")]
    run(*only, "--do_check", f"--output_dir={tmp_path / 'out'}")
    said = run(*arguments, f"--output_dir={tmp_path / 'out'}")
    assert "note: --do_train" not in said
    assert tensors(tmp_path / "out") == tensors(folder)


def test_a_trained_folder_can_be_checked_again(run, copied):  # noqa: F811
    before = tensors(copied)
    run("--do_check", "--do_eval", f"--output_dir={copied}")
    assert tensors(copied) == before
    details = found(copied)["time", None]["details"]
    assert details["steps"] == 0 and list(details["scored"]) == ["dev"]


def test_splits_that_are_missing_or_refused_are_findings(run, data, tmp_path):  # noqa: F811
    rows = [("id", "text", "label"), ("1", "the app", "bug"), ("2", "a page", "docs")]
    write_rows(tmp_path / "data" / "dev.tsv", *rows)
    (tmp_path / "data" / "train.tsv").write_bytes((data / "train.tsv").read_bytes())
    run("--do_check", f"--data_dir={tmp_path / 'data'}", f"--output_dir={tmp_path / 'out'}")
    findings = found(tmp_path / "out")
    refused = findings["refused", "dev"]
    assert refused["severity"] == "problem"
    assert re.search(r'dev.tsv:3: label "docs" is not one of', refused["text"])
    assert findings["splits", "test"]["severity"] == "fine"
    assert "no file of the test split" in findings["splits", "test"]["text"]


def others(processor, folder, **examples):
    """Returns what --do_check reads besides examples."""
    config = types.SimpleNamespace(do_check=True, baseline=False, data_dir=str(folder))
    return check_stage.other_splits(types.SimpleNamespace(
        config=config, examples={"train": [1], **examples}, labels=["a", "b"]), processor)


class OfTheOriginal:
    """As google-research/bert's XnliProcessor, which has no test and knows no files."""

    def get_dev_examples(self, data_dir):
        return [InputExample("dev-1", "a text", None, "a")]

    def get_test_examples(self, data_dir):
        raise NotImplementedError


def test_a_split_that_a_processor_does_not_have_is_missing_and_not_refused(tmp_path):
    found = others(OfTheOriginal(), tmp_path)
    assert list(found.examples) == ["dev"] and found.refused == {}
    assert found.missing == {"test": ["OfTheOriginal has no get_test_examples"]}
    found = others(get("ax")(), tmp_path)
    assert found.missing["dev"] == ["the task ax has no dev split"]
    assert "diagnostic.tsv: no such file" in found.missing["test"][0]


class OfOurs(DataProcessor):
    """A user's own, on our base, whose files nobody knows."""

    def get_dev_examples(self, data_dir):
        raise KeyError("label")

    def get_test_examples(self, data_dir):
        return self._read_tsv(f"{data_dir}/test.tsv")


def test_a_split_that_is_there_and_cannot_be_read_is_refused_and_not_missing(tmp_path):
    found = others(OfOurs(), tmp_path)
    assert "dev" in found.refused and list(found.missing) == ["test"]
    for name in ("dev.tsv", "dev.csv"):
        (tmp_path / name).write_text("text\tlabel\na\tb\n")
    (tmp_path / "test.tsv").symlink_to("nowhere.tsv")
    found = others(get("delimited")(), tmp_path)
    assert found.missing == {} and set(found.refused) == {"dev", "test"}
    assert "could all be the dev split" in found.refused["dev"][0]
    (tmp_path / "test.tsv").unlink()
    assert "no file of the test split" in others(get("delimited")(), tmp_path).missing["test"][0]


def test_a_split_that_the_run_needs_is_refused_as_ever(main, tiny, tmp_path):
    write_rows(tmp_path / "train.tsv", ("text", "label"), ("the app", "bug"), ("a page", ""))
    status, said = main("--do_check", f"--data_dir={tmp_path}", f"--init_checkpoint={tiny}",
                        f"--output_dir={tmp_path / 'out'}")
    assert status == 2 and "train.tsv:3: the label in column \"label\" is empty" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("flags", "told"), [
    (["--do_check", "--overwrite_output_dir"], "--overwrite_output_dir deletes the classifier"),
    (["--do_train", "--baseline"], "--baseline is scored on dev: give --do_eval, or --do_check"),
    (["--do_train", "--do_eval", "--do_check", "--sweep=x.yaml"],
     "--do_check does not go with --sweep=x.yaml"),
    (["--do_eval", "--baseline", "--train_file=none.tsv"], "--baseline: ")])
def test_what_does_not_go_together(main, copied, data, tiny, flags, told):  # noqa: F811
    before = names(copied)
    status, said = main(f"--data_dir={data}", f"--init_checkpoint={tiny}", *SMALL, *flags,
                        f"--output_dir={copied}")
    assert status == 2 and f"error: {told}" in said
    assert names(copied) == before


def test_a_big_file_is_looked_at_as_a_small_one(
        run, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(cost, "found", lambda *arguments: [])
    run("--do_check", f"--output_dir={tmp_path / 'list'}")
    monkeypatch.setattr(streamed, "STREAMED_FROM", 1)
    run("--do_check", f"--output_dir={tmp_path / 'stream'}")
    assert found(tmp_path / "list") == found(tmp_path / "stream")


# ---- what it costs


def test_measuring_takes_everything_back(tiny_config):
    state = model.create(tiny_config, 3, 1, {}, training=True, loss_scaling=True)
    before = {name: one.numpy().copy() for name, one in state.variables().items()}
    with pytest.raises(ValueError), cost.taken_back(state):
        for variable in state.variables().values():
            variable.assign_add(tf.ones_like(variable))
        raise ValueError
    assert len(before) > 100
    for name, value in before.items():
        assert state.variables()[name].numpy().tobytes() == value.tobytes()
    held = checkpoint.snapshot(state.variables())
    assert held["global_step"].numpy() == 0


def test_the_cost_in_words():
    measured = cost.Cost(84, 0.5, 0.9, 3.0, {"dev": 2.0}, 9 * 10 ** 8, 10 ** 9, 2 * 10 ** 8)
    time, memory = cost.findings(measured)
    assert time.text == "about 47 s: training 45 s (84 steps of 0.5 s), dev 2.0 s"
    assert memory.text == ("0.90 GB of 1.0 GB, with a batch of the longest rows; 0.20 GB of disk "
                           "for checkpoints")
    assert memory.severity.value == "fine"
    [_, memory] = cost.findings(cost.Cost(84, 1, 1, 1, {}, 91, 100, 0))
    assert memory.severity.value == "problem"


def test_no_step_is_made_that_the_memory_cannot_hold(
        run, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(cost, "memory_left", lambda: 10 ** 5)
    monkeypatch.setattr(cost, "measure", None)
    said = run("--do_check", f"--output_dir={tmp_path / 'out'}")
    memory = found(tmp_path / "out")["memory", None]
    assert memory["severity"] == "problem" and memory["details"]["step_bytes"] > 10 ** 5
    assert "check: PROBLEM Memory: a step of the longest rows would take about 0.0 GB more" in said
    assert ("time", None) not in found(tmp_path / "out")


def test_the_memory_of_a_step_grows_as_it_should(make_table):
    def needed(rows, length, parts=1):
        prepared = types.SimpleNamespace(
            bert_config=BertConfig(vocab_size=30522), labels=["a", "b"],
            config=RunConfig(train_batch_size=rows, gradient_accumulation_steps=parts))
        return cost.step_bytes(prepared, make_table(*[length] * 16, 1))

    shapes = model.variable_shapes(BertConfig(vocab_size=30522), 2)
    weights = 16 * sum(int(np.prod(shape)) for shape in shapes.values())
    assert needed(8, 100) - weights == 4 * 12 * (800 * 14592 + 1.7 * 12 * 8 * 100 ** 2)
    assert needed(32, 100, 4) == needed(8, 100)
    assert needed(16, 100) - weights == 2 * (needed(8, 100) - weights)


def test_the_memory_of_this_machine():
    assert 0 < cost.memory_left() <= cost.memory()
    assert cost.peak_memory() < cost.memory()


# ---- the baseline


def test_the_baseline_beside_bert(run, tmp_path):  # noqa: F811
    said = run("--do_train", "--do_eval", "--baseline", f"--output_dir={tmp_path / 'out'}",
               "--num_train_epochs=1")
    folder = tmp_path / "out"
    lines = (folder / "baseline_results.txt").read_text().splitlines()
    baseline = dict(line.split(" = ") for line in lines)
    keys = list(results(folder))
    keys.remove("global_step")
    assert list(baseline) == keys
    assert float(baseline["eval_accuracy"]) > 0.9  # dev is train
    bert = results(folder)
    assert (f"BERT and the baseline on dev: accuracy {float(bert['eval_accuracy']):.4f} and "
            f"{float(baseline['eval_accuracy']):.4f}") in said
    [verdict] = re.findall(r"BERT alone is right in \d+ rows, the baseline alone in \d+: .*", said)
    assert verdict in (folder / "report.html").read_text()


def test_the_baseline_of_a_trained_folder_reads_train_itself(run, copied):  # noqa: F811
    said = run("--do_eval", "--baseline", f"--output_dir={copied}")
    assert "baseline: TF-IDF and logistic regression, 15 of 15 rows" in said


def test_the_baseline_of_a_regression_of_pairs(run, tmp_path):  # noqa: F811
    random = np.random.default_rng(5)
    words = ["page", "button", "file", "app", "mode", "option", "error", "support"]
    for split, count in (("train", 200), ("dev", 60)):
        rows = []
        for _ in range(count):
            one, other = (set(random.choice(words, 4, replace=False)) for _ in range(2))
            rows.append((" ".join(sorted(one)), " ".join(sorted(other)), str(len(one & other))))
        write_rows(tmp_path / "data" / f"{split}.tsv", ("text", "other", "label"), *rows)
    said = run("--do_check", "--baseline", f"--data_dir={tmp_path / 'data'}",
               "--text_b_column=other", "--task_type=regression", f"--output_dir={tmp_path / 'o'}")
    baseline = dict(line.split(" = ") for line in
                    (tmp_path / "o" / "baseline_results.txt").read_text().splitlines())
    assert list(baseline) == ["eval_loss", "loss", "pearson", "spearman", "pearson_spearman",
                              "mse", "mae"]
    assert float(baseline["pearson"]) > 0.9  # what both texts have in common tells it
    assert "baseline: TF-IDF and ridge regression" in said


@pytest.mark.parametrize("rows", [4, 150])
def test_a_baseline_of_texts_that_share_no_word_goes_by_pieces_of_words(rows):
    names = [f"{'aeiou'[number % 2]}n{number:03}" for number in range(rows)]
    examples = [types.SimpleNamespace(text_a=name, text_b=None, label=name[0]) for name in names]
    answers = baseline.fitted_answers(lambda: examples, examples, ["a", "e"], 1)
    assert answers.argmax(1).tolist() == [number % 2 for number in range(rows)]


def test_a_baseline_of_empty_texts_is_refused():
    examples = [types.SimpleNamespace(text_a=" ", text_b=None, label=label) for label in "ab"]
    with pytest.raises(UserError, match="--baseline: the texts of the training split"):
        baseline.fitted_answers(lambda: examples, examples, ["a", "b"], 1)


def test_the_models_of_many_labels_do_not_lie_in_memory_together(monkeypatch):
    from sklearn.linear_model import LogisticRegression

    there, most, fit = weakref.WeakSet(), [], LogisticRegression.fit

    def counted(self, *args):
        there.add(self)
        most.append(len(there))
        return fit(self, *args)
    monkeypatch.setattr(LogisticRegression, "fit", counted)
    labels = [f"label {number}" for number in range(10)]
    examples = [types.SimpleNamespace(text_a=f"word{number % 9} of {number}", text_b=None,
                                      label=labels[number % 9]) for number in range(90)]
    answers = baseline.fitted_answers(lambda: examples, examples, labels, 1)
    assert len(most) == 9 and max(most) <= 2
    np.testing.assert_allclose(answers.sum(1), 1, rtol=1e-6)
    assert answers.argmax(1).tolist() == [number % 9 for number in range(90)]
    assert not answers[:, 9].any()  # no row has it
