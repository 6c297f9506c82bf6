"""The file of a sweep: what it expands to, and every mistake in it, all at once."""

import dataclasses
import json
import re

import pytest

import run_classifier_custom as entry
from finetune.errors import UserError
from finetune.sweep import spec
from tests.conftest import ROOT

FLAGS = ["--do_train", "--do_eval", "--data_dir=data", "--output_dir=out", "--seed=7"]


@pytest.fixture
def read(tmp_path):
    """Reads a sweep file: its text, or what it is to hold as JSON."""
    def run(content, *flags):
        path = tmp_path / "sweep.yaml"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        arguments = [*FLAGS, *flags, f"--sweep={path}"]
        return spec.read(entry.make_config(arguments),
                         lambda flag: entry.make_config([*arguments, flag]))
    return run


@pytest.fixture
def refused(read, tmp_path):
    """Returns the problems of a sweep file, without the name of the file."""
    def run(content, *flags):
        with pytest.raises(UserError) as caught:
            read(content, *flags)
        return [problem.removeprefix(f"--sweep={tmp_path / 'sweep.yaml'}: ")
                for problem in caught.value.problems]
    return run


def test_a_grid_has_all_combinations_each_with_all_seeds(read):
    file = read("grid: {train_batch_size: [16, 32], learning_rate: [5.0e-5, 3.0e-5]}\n"
                "seeds: [1, 2]\n")
    assert [(run.config.train_batch_size, run.config.learning_rate, run.config.seed)
            for run in file.runs] == [
        (size, rate, seed) for size in (16, 32) for rate in (5e-5, 3e-5) for seed in (1, 2)]
    assert file.runs[5].label == "bs32_lr5e-05_seed2"
    assert file.runs[5].setting == "bs32_lr5e-05"
    assert file.runs[5].varied == {"train_batch_size": 32, "learning_rate": 5e-5, "seed": 2}
    assert (file.choose_by, file.keep_all) == (None, False)


def test_a_list_adds_single_settings_behind_the_grid(read):
    file = read("grid: {learning_rate: [1.0e-4]}\nlist: [{num_train_epochs: 1}, {seed: 1}]\n"
                .replace("{seed: 1}", "{max_seq_length: 64, do_lower_case: false}"))
    assert [run.label for run in file.runs] == [
        "lr0.0001_ep3_len128_do_lower_caseTrue", "lr5e-05_ep1_len128_do_lower_caseTrue",
        "lr5e-05_ep3_len64_do_lower_caseFalse"]


def test_the_name_of_a_run_is_one_that_a_folder_can_have(read):
    many = dict.fromkeys(("gradient_accumulation_steps", "shuffle_buffer_size", "log_every_steps",
                          "save_checkpoints_steps", "keep_checkpoint_max", "eval_batch_size",
                          "predict_batch_size"), 7)
    one, two = read({"grid": {"vocab_file": ["v" * 300]}, "list": [many], "seeds": [1]}).runs
    assert len(one.label) < 200 < len(one.setting)
    assert one.label.endswith("_seed1") and one.setting.startswith(one.label[:100])
    assert one.setting != two.setting


def test_the_number_that_yaml_takes_for_text_is_a_number(read):
    file = read("grid: {learning_rate: [5e-5, 3E-5, 1e-04]}")  # YAML 1.1: without a dot, text
    assert [run.config.learning_rate for run in file.runs] == [5e-5, 3e-5, 1e-4]


def test_lists_of_columns_paths_and_texts(read):
    file = read("grid: {text_column: [[title], [title, body], 'a,b'],"
                " init_checkpoint: [c/minilm, c/base/bert_model.ckpt]}")
    assert [run.config.text_column for run in file.runs][::2] == [
        ("title",), ("title", "body"), ("a", "b")]
    assert [run.label for run in file.runs][2:4] == [
        "text_columntitle+body_minilm", "text_columntitle+body_base"]


@pytest.mark.parametrize("content", [{"seeds": 3}, {"restarts": 3}, {"seeds": [7, 8, 9]}])
def test_seeds_alone_are_restarts_of_the_command_line_s_setting(read, content):
    file = read(content)
    assert [run.config.seed for run in file.runs] == [7, 8, 9]
    assert [run.label for run in file.runs] == ["seed7", "seed8", "seed9"]
    assert {run.setting for run in file.runs} == {"as on the command line"}


def test_all_else_is_as_on_the_command_line(read):
    base = entry.make_config([*FLAGS, "--train_batch_size=4"])
    [run] = read({"grid": {"learning_rate": [1]}, "choose_by": "mcc", "keep": "all"},
                 "--train_batch_size=4").runs
    assert run.config == dataclasses.replace(base, learning_rate=1.0)


@pytest.mark.parametrize(("content", "message"), [
    ({"grid": {"lerning_rate": [1]}},
     "grid: lerning_rate: there is no such flag: did you mean learning_rate"),
    ({"grid": {"learning_rate": ["abc"]}}, "grid: learning_rate: --learning_rate=abc: must be"),
    ({"grid": {"train_batch_size": [1.5]}}, "grid: train_batch_size: --train_batch_size=1.5: must"),
    ({"grid": {"header": ["maybe"]}}, "grid: header: --header=maybe: must be one of"),
    ({"grid": {"learning_rate": []}}, "grid: learning_rate: must be a list of values"),
    ({"grid": {"learning_rate": 1}}, "grid: learning_rate: must be a list of values, as [1]"),
    ({"grid": {"learning_rate": [None]}}, "grid: learning_rate: has no value"),
    ({"grid": {"learning_rate": [1e-4] * 10 ** 5}}, "grid: has 100000 combinations; 1000 runs"),
    ({"list": [{"learning_rate": 1e-4}] * 10 ** 4}, "list: has 10000 entries; 1000 runs are"),
    ({"list": [["x" * 1000]]}, "list: entry 1: ['xxxxx"),
    ({"seeds": [["x" * 1000]]}, "seeds: [['xxxxx"),
    ("grid: {seed: 0x" + "f" * 5000 + "}", "grid: seed: cannot be varied"),
    ("seeds: 0x" + "f" * 5000, "seeds: a number of very many digits: 1000 runs are the most"),
    ({"grid": {"data_format": ["\ud800"]}}, "grid: data_format: '\\ud800' holds a NUL or half"),
    ({"grid": {"learning_rate": [{"a": 1}]}}, "grid: learning_rate: holds a mapping"),
    ({"grid": {}}, "grid: must hold lists"), ({"grid": [1]}, "grid: must hold lists"),
    ({"list": []}, "list: must hold settings"), ({"list": [3]}, "list: entry 1: 3 is no setting"),
    ({"list": [{"seed": 1}]}, "list: entry 1: seed: cannot be varied: write seeds:"),
    ({"list": [{"learning_rate": 1}, {"learning_rate": "x"}]}, "list: entry 2: learning_rate:"),
    *(({"grid": {name: ["x"]}}, f"grid: {name}: cannot be varied")
      for name in ("output_dir", "sweep", "do_train", "config", "task_name", "dev_file")),
    ({"grid": {"learning_rate": [-1]}}, "lr-1: --learning_rate=-1.0: must be a number above 0"),
    ({"grid": {"early_stopping_patience": [2]}}, "early_stopping_patience2: --early_stopping"),
    ({"grid": {"learning_rate": [5e-5, "0.00005"]}}, "lr5e-05: is asked for more than once"),
    ({"list": [{"learning_rate": 5e-5}, {"num_train_epochs": 3}]}, "is asked for more than once"),
    ({"seeds": [1, 1]}, "seed1: is asked for more than once"),
    *(({"seeds": value}, "seeds: ") for value in (0, -1, [], "x", [1.5], True)),
    ({"seeds": [-1]}, "seed-1: --seed=-1: must be 0 or more"),
    ({"seeds": 2, "restarts": 2}, "seeds and restarts mean the same"),
    ({"seed": [1]}, "seed: did you mean seeds"),
    ({"grids": {}}, "grids: did you mean grid"), ({"zzz": 1}, "zzz: known are grid"),
    ({"learning_rate": [1e-4]}, "keep; a flag goes into grid or list"),
    ({"seeds": 1, "keep": "none"}, "keep: 'none' is not one of best, all"),
    ({"seeds": 1, "choose_by": ["mcc"]}, "choose_by: ['mcc'] is no name of a metric"),
    ({"seeds": 5000}, "seeds: 5000: 1000 runs are the most"),
    ({"seeds": 600, "grid": {"learning_rate": [1, 2]}}, "asks for 1200 runs"),
    ({"grid": {"train_batch_size": list(range(1, 99)), "max_seq_length": list(range(9, 99))}},
     "grid: has 8820 combinations; 1000 runs are the most"),
    ([], "must hold at least one of"), ({}, "must hold at least one of"),
    ("just words", "must hold at least one of")])
def test_one_mistake_one_message(refused, content, message):
    found = refused(content)
    assert len(found) == 1 and message in found[0], found


def test_all_mistakes_are_told_together(refused):
    found = refused({"grid": {"lerning_rate": [1], "train_batch_size": ["x", "y"], "seed": [1]},
                     "list": [{"output_dir": "o"}], "seeds": 0, "keep": "few", "choose": "mcc"})
    assert len(found) == 8


@pytest.mark.parametrize("text", [
    "grid: {learning_rate: [1]}\ngrid: {learning_rate: [2]}",
    '{"grid": {"learning_rate": [1], "learning_rate": [2]}}'])
def test_a_name_given_twice_is_refused(refused, text):
    [message] = refused(text)
    assert "is given more than once" in message


def test_a_file_that_is_not_there_or_not_yaml(refused, tmp_path):
    assert "cannot be read" in refused("grid: [")[0]
    config = entry.make_config([*FLAGS, f"--sweep={tmp_path / 'none'}"])
    with pytest.raises(UserError, match="none: cannot be read"):
        spec.read(config, None)


def test_the_page_names_every_flag_that_cannot_be_varied():
    page = (ROOT / "docs" / "sweep.md").read_text(encoding="utf-8")
    told = page.partition("The flags that cannot be varied are")[2].partition("The same run")[0]
    assert {name.strip("`") for name in re.findall("`[a-z_]+`", told)} - {"seeds"} == {
        *spec.REFUSED}
