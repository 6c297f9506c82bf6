"""Each planted defect is found, at its place and nothing besides; clean data has no finding."""

import dataclasses
import json
import time
import types

import numpy as np
import pytest

from finetune.check import duplicates, labels, lengths, stage, texts, vocabulary
from finetune.check.catalogue import ABOUT
from finetune.check.findings import Severity, share
from finetune.check.survey import Survey
from finetune.config import RunConfig
from finetune.task_kind import SCORE, Labels, TaskKind
from tests.check.conftest import LABELS, finding, told


def test_clean_data_has_no_finding(splits, look):
    result = look(splits)
    assert told(result) == {}
    assert {one.check for one in result.findings} == {
        name for name, about in ABOUT.items()
        if "classification" in {kind.value for kind in about.kinds}
        and name not in ("time", "memory")}  # these are measured


def test_clean_scores_have_no_finding(scored, look):
    result = look(scored, [SCORE])
    assert told(result) == {}
    assert {"spread", "outside", "label_shift"} <= {one.check for one in result.findings}
    assert not {"imbalance", "dev_size", "order"} & {one.check for one in result.findings}


def put(split, row, text):
    def change(splits):
        splits[split][row].text_a = text
    return change


def copy(source, row, target, other, text=lambda text: text, label=True):
    """Makes a row the double of another, with its label or with the next one."""
    def change(splits):
        model = splits[source][row]
        same = model.label or splits[target][other].label
        splits[target][other] = dataclasses.replace(
            splits[target][other], text_a=text(model.text_a),
            label=same if label else LABELS[LABELS.index(same) - 1])
    return change


PLANTED = [
    (put("train", 5, ""), {("empty", "train"): 1}, ["train.tsv:7"]),
    (put("dev", 0, "  \t "), {("empty", "dev"): 1}, ["dev.tsv:2"]),
    (put("train", 9, "open the file\x00 now"), {("control", "train"): 1}, ["train.tsv:11"]),
    (put("dev", 3, "open the caf\ufffd"), {("encoding", "dev"): 1}, ["dev.tsv:5"]),
    (put("train", 3, "open the caf\u00c3\u00a9"), {("encoding", "train"): 1}, ["train.tsv:5"]),
    (put("test", 7, "it is\u00e2\u20ac\u2122 new"), {("encoding", "test"): 1}, ["test.tsv:9"]),
    (put("test", 2, "https://a.b/c http://d"), {("only_url", "test"): 1}, ["test.tsv:4"]),
    (put("train", 1, "12 + 7 = ?"), {("no_letters", "train"): 1}, ["train.tsv:3"]),
    (copy("train", 2, "train", 200), {("duplicates", "train"): 1}, ["train.tsv:202"]),
    (copy("train", 2, "train", 200, lambda text: f" {text.title()}  !"),
     {("duplicates", "train"): 1}, ["train.tsv:202"]),
    (copy("dev", 2, "dev", 20), {("duplicates", "dev"): 1}, ["dev.tsv:22"]),
    (copy("train", 2, "train", 200, label=False),
     {("duplicates", "train"): 1, ("conflicts", "train"): 2}, ["train.tsv:202"]),
    (copy("train", 8, "dev", 30, str.upper), {("leakage", "dev"): 1}, ["dev.tsv:32"]),
    (copy("train", 8, "test", 30), {("leakage", "test"): 1}, ["test.tsv:32"]),
    (copy("dev", 8, "test", 30), {("leakage", "test"): 1}, ["test.tsv:32"]),
]


@pytest.mark.parametrize(("plant", "expected", "places"), PLANTED)
def test_a_defect_is_found_and_no_other(splits, look, plant, expected, places):
    plant(splits)
    result = look(splits)
    assert told(result) == expected
    for check, split in expected:
        assert [example.where for example in finding(result, check, split).examples] == places


def test_doubles_name_each_other_and_their_labels(splits, look):
    copy("train", 2, "train", 200, label=False)(splits)
    copy("train", 4, "dev", 30, lambda text: text + " !")(splits)
    result = look(splits)
    conflict = finding(result, "conflicts")
    assert conflict.severity is Severity.LOOK and conflict.details == {
        "texts": 1, "exact": 2}
    [example] = conflict.examples
    assert (example.where, example.double_of) == ("train.tsv:202", "train.tsv:4")
    assert example.label != example.label_there == splits["train"][2].label
    leak = finding(result, "leakage")
    assert leak.details == {"source": "train", "exact": 0, "other_label": 0}
    assert leak.text == ("1 of 150 rows (0.67 %) are in train too, 0 of them letter for letter; "
                         "0 with another label")


@pytest.mark.parametrize("source", ["train", "dev"])
def test_the_advice_on_leaks_holds_for_any_two_splits(splits, look, source):
    copy(source, 8, "test", 30)(splits)
    [leak] = [one for one in look(splits).as_dict()["findings"]
              if (one["check"], one["split"]) == ("leakage", "test")]
    assert leak["advice"].startswith("Take them out of the other split, or better out of the one")


@pytest.mark.parametrize(("names", "found"), [
    (["0.0", "0.5", "3.0"], True), (["-1", "2.5", "3"], True), (["0", "1", "2"], False),
    (["0.0", "1.0", "2.0"], False), (["0.5", "1.5", "many"], False)])
def test_labels_that_may_be_scores(splits, look, names, found):
    for row in splits["train"] + splits["dev"]:
        row.label = names[LABELS.index(row.label)]
    result = look(splits, names)
    assert told(result) == ({("numbers", None): 3} if found else {})
    if found:
        assert "advice" in result.as_dict()["findings"][0]
        assert "--task_type=regression" in result.as_text()


def test_many_leaks_are_a_problem(splits, look):
    for row in range(2):
        copy("train", row, "dev", row, label=row == 0)(splits)
    leak = finding(look(splits), "leakage")
    assert (leak.severity, leak.count, leak.details["other_label"]) == (Severity.PROBLEM, 2, 1)


def test_texts_without_a_word_are_no_doubles_of_each_other(splits, look):
    put("train", 1, ":-)")(splits)
    put("train", 2, "!?")(splits)
    assert told(look(splits)) == {("no_letters", "train"): 2}


def test_pairs_are_doubles_if_both_texts_are(splits, look):
    for rows in splits.values():
        for row in rows:
            row.text_b = " ".join(row.text_a.split()[::-1])
    splits["train"][7].text_a = splits["train"][8].text_a
    assert told(look(splits, max_seq_length=40), Severity.PROBLEM) == {}
    splits["train"][7].text_b = splits["train"][8].text_b
    splits["train"][7].label = splits["train"][8].label
    splits["dev"][1].text_b = ""
    assert told(look(splits, max_seq_length=40)) == {
        ("duplicates", "train"): 1, ("empty", "dev"): 1}


def test_ids_that_occur_twice(splits, look):
    splits["test"][9].row_id = splits["test"][3].row_id
    splits["dev"][9].row_id = None
    splits["dev"][8].row_id = None
    result = look(splits)
    assert told(result) == {("row_ids", "test"): 1}
    assert finding(result, "row_ids").examples[0].double_of == "test.tsv:5"


def test_html_is_told_of_but_not_types_and_placeholders(splits, look):
    for row, text in enumerate(["open <b>the</b> file", "it is <br/> new", "save &amp; open it"]):
        put("train", row, text)(splits)
    result = look(splits)
    assert told(result, *Severity)["html", "train"] == 3
    assert ("html", "train") in told(result)  # 1.25 % of the rows
    for text in ("List<String> of <file>", "if a < b && c > d", "<path/to> & co; R&D"):
        assert list(texts.marks(text)) == []


def test_addresses_in_addresses_are_read_in_a_moment():
    many = ",".join(f"http://a.b/{number}" for number in range(40))
    began = time.process_time()
    assert list(texts.marks(f"{many} and more")) == []  # 2 ** 40 ways to take it apart
    assert time.process_time() - began < 20
    assert list(texts.marks(f" <{many}> www.c.d\n")) == ["only_url"]


def test_unknown_words_and_how_often(splits, look):
    for row in (3, 4, 9):
        put("train", row, "open the \u65e5 file \u65e5 of \u672c please")(splits)
        splits["train"][row].text_a += f" {['app', 'page', 'mode'][row % 3]}"
        splits["train"][row].label = "bug"
    put("train", 9, "save \u65e5")(splits)
    result = look(splits)
    found = finding(result, "unknown", "train")
    assert found.count == 7 and found.details == {
        "rows": 3, "words": {"\u65e5": 5, "\u672c": 2}}
    assert [one.where for one in found.examples] == ["train.tsv:5", "train.tsv:6", "train.tsv:11"]
    assert found.severity is Severity.FINE  # 7 of some 1,400
    put("train", 0, "\u65e5" * 14)(splits)
    assert told(look(splits))["unknown", "train"] == 21


def test_a_script_that_the_vocabulary_lacks(splits, look):
    for row in splits["dev"]:
        row.text_a = "".join(chr(ord(one) % 26 + 0x430) if one != " " else one
                             for one in row.text_a)
    result = look(splits)
    found = told(result)
    assert {("unknown", "dev"), ("script", None), ("other_script", "dev")} <= set(found)
    script = finding(result, "script")
    assert script.severity is Severity.PROBLEM and "Cyrillic" in script.details
    assert script.details["Cyrillic"]["unknown"] == 1
    assert "Latin" in result.as_dict()["scripts"]


@pytest.mark.parametrize(("character", "name"), [
    ("a", "Latin"), ("\u00e9", "Latin"), ("\uff21", "Latin"), ("\u0416", "Cyrillic"),
    ("\u4e2d", "Han"), ("\u3042", "Hiragana"), ("\ud55c", "Hangul"), ("\u0939", "Devanagari"),
    ("7", None), ("!", None), ("\U0001f600", None), ("\u0301", None)])
def test_scripts_of_letters(character, name):
    assert vocabulary.script(character) == name


def test_text_in_small_letters_for_a_cased_model(splits, look):
    assert told(look(splits, do_lower_case=False)) == {("casing", None): 0}
    for row in splits["train"]:
        row.text_a = row.text_a.capitalize()
    assert told(look(splits, do_lower_case=False)) == {}


def test_accents_that_are_dropped(splits, look):
    for rows in splits.values():
        for row in rows:
            row.text_a = row.text_a.replace("a", "\u00e4")
    assert [check for check, _ in told(look(splits))] == ["accents"]


def test_rows_that_are_cut(splits, look):
    long = " ".join(["open the file"] * 10)
    for row in range(3):
        put("train", row, f"{long} {['app', 'page', 'mode'][row]}")(splits)
    result = look(splits)
    found = finding(result, "truncation")
    assert told(result) == {("truncation", "train"): 3}
    assert found.details["tokens_lost"] == 3 * (33 - 16)
    assert found.examples[0].where == "train.tsv:2"
    assert found.advice.startswith("--max_seq_length=40 cuts none, for 1.0")
    assert "--truncation" not in found.advice  # it costs next to nothing
    assert finding(look(splits, max_seq_length=33), "truncation").severity is Severity.FINE
    assert ("truncation", "train") not in told(look(splits, max_seq_length=33), *Severity)


def test_where_a_longer_input_costs_much_the_ways_to_keep_the_length_are_named(splits, look):
    for row in range(60):
        put("train", row, f"{'open the file ' * 10} {row}")(splits)
    advice = finding(look(splits), "truncation").advice
    assert "times the tokens" in advice and advice.startswith("--max_seq_length=40 cuts none")
    assert "At --max_seq_length=16 --truncation=tail or head_tail" in advice
    assert "--window_stride reads all" in advice


def test_what_each_length_would_cut(splits, look):
    tokens = look(splits).surveys["train"].tokens
    table = lengths.options(look(splits).surveys["train"], 40)
    assert [one["max_seq_length"] for one in table] == [16, 32, 40]
    table = lengths.options(dataclasses.replace(
        look(splits).surveys["train"], tokens=np.array([10, 20, 70], np.int32),
        second=np.zeros(3, np.int32)), 40)
    assert [one["rows_cut"] for one in table] == [2, 1, 1]
    assert [one["tokens_lost"] for one in table] == [58 / 100, 38 / 100, 30 / 100]
    assert tokens.max() < 16


# ---- labels


def relabel(splits, split, choose):
    for number, row in enumerate(splits[split]):
        row.label = choose(number, row)


def test_labels_of_which_one_has_nearly_all_rows(splits, look):
    for split in ("train", "dev"):
        relabel(splits, split, lambda number, row: "bug" if number % 12 else
                ("feature", "question")[number // 12 % 2])
    result = look(splits)
    assert told(result) == {("imbalance", "train"): 220}
    assert "accuracy 0.917" in finding(result, "imbalance").text


def test_labels_without_rows_and_with_few(splits, look):
    relabel(splits, "train", lambda number, row: "feature" if number < 4 else "bug")
    relabel(splits, "dev", lambda number, row: "question" if number in (5, 6) else "bug")
    result = look(splits)
    assert told(result) == {
        ("no_rows", "train"): 0, ("few_rows", "train"): 4, ("imbalance", "train"): 236,
        ("never_trained", "dev"): 2}
    assert finding(result, "no_rows").details == {"labels": ["question"]}
    assert [one.where for one in finding(result, "never_trained").examples] == [
        "dev.tsv:7", "dev.tsv:8"]


def test_a_label_of_dev_that_is_not_in_the_list(splits, look):
    splits["dev"][4].label = "docs"
    result = look(splits)
    assert told(result) == {("never_trained", "dev"): 1}
    assert "'docs' (1 row)" in finding(result, "never_trained").text


def test_labels_that_differ_in_case_only(splits, look):
    relabel(splits, "train", lambda number, row: "Bug" if row.label == "question" else row.label)
    relabel(splits, "dev", lambda number, row: "Bug" if row.label == "question" else row.label)
    assert told(look(splits, ["bug", "feature", "Bug"])) == {("label_names", None): 2}
    assert not list(labels.alike(["C", "C++", "C#", "-", "_"]))


def test_many_labels_are_not_counted_once_for_each(splits, look, monkeypatch):
    calls, counts = [], Survey.counts
    monkeypatch.setattr(Survey, "counts", lambda survey: calls.append(survey) or counts(survey))
    look(splits, [*LABELS, *(f"label {number}" for number in range(1000))])
    assert 0 < len(calls) < 20


def test_labels_of_dev_that_are_all_unknown_are_told_in_a_moment(splits, look):
    model = splits["dev"][0]
    splits["dev"] = [dataclasses.replace(model, label=f"l{number}") for number in range(60_000)]
    began = time.process_time()
    assert finding(look(splits), "never_trained").count == 60_000
    assert time.process_time() - began < 6  # each looked for among all, it took 10 s


def test_which_of_many_labels_go_together_is_told_in_a_moment(splits, look):
    names = Labels((f"l{number}" for number in range(3000)), TaskKind.MULTILABEL)
    for rows in splits.values():
        for number, row in enumerate(rows):
            row.label = f"l{number % 40},l{100 + number % 20},l{200 + number % 13}"
    began = time.process_time()
    details = finding(look(splits, names), "label_sets").details
    assert time.process_time() - began < 3  # label by label it took 4 s
    assert details["together"][:2] == [["l0", "l100", 6], ["l1", "l101", 6]]
    assert details["implied"] == [[f"l{number}", f"l{100 + number % 20}"] for number in range(40)]


@pytest.mark.parametrize("names", [LABELS, [SCORE]])
def test_a_training_split_without_labels_is_looked_at_all_the_same(splits, look, names):
    for row in splits["train"]:
        row.label = None  # of a processor that gives none; a run without --do_train reads dev alone
    for number, row in enumerate(splits["dev"] if names == [SCORE] else ()):
        row.label = str(number)
    found = {one.check for one in look(splits, names).findings}
    assert "duplicates" in found and "spread" not in found


def test_labels_that_are_spread_otherwise_in_dev(splits, look):
    relabel(splits, "dev", lambda number, row: "bug" if number % 3 < 2 else "feature")
    assert set(told(look(splits))) == {("label_shift", "dev")}


def test_a_sorted_file_is_a_problem_for_a_small_buffer_only(splits, look):
    splits["train"].sort(key=lambda row: row.label)
    assert told(look(splits)) == {}
    assert finding(look(splits), "order").advice.startswith("Nothing")
    assert told(look(splits, shuffle_buffer_size=100)) == {("order", "train"): 2}


def test_length_that_gives_the_label_away(splits, look):
    for row in splits["train"]:
        if row.label == "question":
            row.text_a += " how can i ?"
    assert set(told(look(splits))) == {("length", "train")}


def test_a_small_dev_split(splits, look):
    del splits["dev"][69:]
    result = look(splits)
    assert told(result) == {("dev_size", "dev"): 69}
    assert "7.1 points" in finding(result, "dev_size").text


# ---- scores


def test_scores_that_are_all_the_same(scored, look):
    relabel(scored, "train", lambda number, row: "2.5")
    result = look(scored, [SCORE])
    assert finding(result, "spread").severity is Severity.PROBLEM


def test_doubles_whose_scores_are_far_apart(scored, look):
    for number, score in ((10, "4.5"), (20, "1.0"), (30, "4.3")):
        scored["train"][number].text_a = scored["train"][10].text_a
        scored["train"][number].label = score
    result = look(scored, [SCORE])
    assert told(result) == {("duplicates", "train"): 2, ("conflicts", "train"): 3}
    assert [one.where for one in finding(result, "conflicts").examples] == ["train.tsv:22"]


def test_scores_that_are_far_apart_but_not_from_the_first(scored, look):
    for number, score in ((10, "2.4"), (20, "2.8"), (30, "2.1")):  # a tenth of the range is 0.5
        scored["train"][number].text_a = scored["train"][10].text_a
        scored["train"][number].label = score
    conflict = finding(look(scored, [SCORE]), "conflicts")
    assert (conflict.count, conflict.details) == (3, {"texts": 1, "exact": 3})
    [example] = conflict.examples
    assert (example.where, example.label) == ("train.tsv:32", "2.1")
    assert (example.double_of, example.label_there) == ("train.tsv:22", "2.8")


def test_scores_outside_of_train_and_shifted(scored, look):
    scored["dev"][3].label = "7.5"
    assert told(look(scored, [SCORE])) == {("outside", "dev"): 1}
    relabel(scored, "dev", lambda number, row: "4.5" if number % 2 else "4.9")
    assert set(told(look(scored, [SCORE]))) == {("label_shift", "dev")}


def test_length_that_gives_the_score_away(scored, look):
    for row in scored["train"]:
        row.label = str(len(row.text_a.split()) / 2)
    assert ("length", "train") in told(look(scored, [SCORE]))


# ---- splits that are not there


def test_missing_and_refused_splits_are_told(splits, look):
    del splits["dev"]
    others = stage.Others({}, {"test": ["test.tsv:3: label 'x'"] * 7}, {"dev": ["no file of dev"]})
    result = look(splits, others=others)
    assert told(result) == {("splits", "dev"): 0, ("refused", "test"): 7}
    assert finding(result, "refused").text.endswith("and 2 more")
    assert "dev_size" not in {one.check for one in result.findings}


# ---- the pieces


def test_shares_are_never_rounded_to_nothing_or_all():
    assert share(12, 336) == "12 of 336 rows (3.6 %)"
    assert share(0, 5) == "0 of 5 rows (0.0 %)"
    assert share(1, 1000, "tokens") == "1 of 1,000 tokens (0.10 %)"
    assert share(1, 10 ** 6) == "1 of 1,000,000 rows (below 0.01 %)"
    assert share(10 ** 6 - 1, 10 ** 6).endswith("(above 99.99 %)")


def test_first_alike():
    assert duplicates.first_alike(np.array([7, 9, 7, 7, 9, 1])).tolist() == [0, 1, 0, 0, 1, 5]


def test_plain_text_keeps_what_tells_texts_apart():
    assert texts.plain("  Save,\tthe FILE!\u200b ") == "save the file"
    assert texts.plain("C++") != texts.plain("C")
    assert texts.plain("\u0915\u093f") != texts.plain("\u0915\u0940")  # vowel signs are marks
    assert texts.plain("good \U0001f600") != texts.plain("good \U0001f621")


def test_the_values_are_json_and_the_text_names_every_finding(splits, look):
    put("train", 5, "broken \ud800 half")(splits)
    splits["train"][6].text_a = "open \x07 \u65e5"
    result = look(splits)
    values = json.loads(json.dumps(result.as_dict(), ensure_ascii=False).encode())
    assert values["version"] == 1 and values["splits"]["train"]["rows"] == 240
    assert values["splits"]["dev"]["labels"] == dict.fromkeys(LABELS, 50)
    text = result.as_text()
    text.encode()
    for one in result.findings:
        assert ABOUT[one.check].title in text
    assert f"{len(told(result))} worth a look" in text


def test_bytes_are_texts_too(splits, look):
    splits["train"][0].text_a = splits["train"][0].text_a.encode()
    splits["train"][1].text_a = splits["train"][0].text_a.decode()
    splits["train"][1].label = splits["train"][0].label
    assert told(look(splits)) == {("duplicates", "train"): 1}


@pytest.mark.parametrize(("settings", "alone", "answered"), [
    ({}, False, []), ({}, True, ["dev", "test"]), ({"do_eval": True}, False, ["dev"]),
    ({"eval_every_steps": 5}, False, ["dev"]), ({"do_predict": True}, False, ["test"])])
def test_what_a_run_answers_is_measured(monkeypatch, settings, alone, answered):
    asked, result = [], types.SimpleNamespace(
        surveys={"train": 0, "dev": 0, "test": 0}, tokens=len, adding=lambda found: result,
        as_text=str, as_dict=dict)
    monkeypatch.setattr(stage, "look", lambda *_: result)
    for name in ("outputs.write_text", "outputs.write_json", "_tell"):
        monkeypatch.setattr(f"finetune.check.stage.{name}", lambda *_: None)
    prepared = types.SimpleNamespace(config=RunConfig(
        output_dir="out", do_check=True, do_train=True, **settings))
    stage.run(prepared, None, alone, lambda tokens: asked.extend(tokens) or [])
    assert asked == answered
