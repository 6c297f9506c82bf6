"""RunConfig: every problem is found, quotes its flag, and a settings file says what a flag says."""

import dataclasses
import json
import os

import pytest

from finetune import config_problems
from finetune.config import RunConfig, flag_type
from finetune.errors import UserError
from finetune.settings import argument_problems, read_labels_file, read_settings

ENOUGH = {"do_train": True, "data_dir": "data", "output_dir": "output"}
FIELDS = {field.name: field for field in dataclasses.fields(RunConfig)}


def problems(**settings):
    config = RunConfig(**{**ENOUGH, **settings})
    return config.missing() + config.problems()


def refused(call, *arguments):
    with pytest.raises(UserError) as caught:
        call(*arguments)
    return list(caught.value.problems)


@pytest.fixture
def written(tmp_path):
    """Writes a file; returns its path."""
    def write(content, name="settings.yaml"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)
    return write


# --- RunConfig -------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [
    {}, {"do_train": False, "do_eval": True}, {"do_train": False, "do_predict": True},
    {"data_dir": None, "train_file": "/data/train.csv"},
    {"data_dir": None, "dev_file": "d"}, {"data_dir": None, "test_file": "t"},
    {"task_name": "cola"}, {"processor": "mine:Mine"}, {"labels": ("a", "b")},
    {"labels_file": "labels.txt"}, {"max_seq_length": 3}, {"seed": 0}, {"seed": 2 ** 31 - 1},
    {"warmup_proportion": 0.0}, {"warmup_proportion": 1.0}, {"num_train_epochs": 0.01},
    {"keep_checkpoint_max": 0}, {"master": "local"}, {"save_checkpoints_steps": 9999999},
    {"do_train": False, "do_eval": True, "eval_every_steps": 5},
    {"eval_every_steps": 5, "early_stopping_patience": 2, "metric_for_best": "loss"}])
def test_settings_without_a_problem(settings):
    assert problems(**settings) == []


@pytest.mark.parametrize(("settings", "quoted"), [
    ({"do_train": False}, ["--do_train", "--do_eval", "--do_predict"]),
    ({"output_dir": None}, ["--output_dir is required"]),
    ({"output_dir": ""}, ["--output_dir is required"]),
    ({"data_dir": None}, ["--data_dir is required"]),
    ({"task_name": "cola", "processor": "mine:Mine"}, ["--task_name=cola",
                                                       "--processor=mine:Mine"]),
    ({"train_batch_size": 0}, ["--train_batch_size=0: must be 1 or more"]),
    ({"eval_batch_size": 0}, ["--eval_batch_size=0: must be 1 or more"]),
    ({"predict_batch_size": -8}, ["--predict_batch_size=-8: must be 1 or more"]),
    ({"max_seq_length": 2}, ["--max_seq_length=2: must be 3 or more"]),
    ({"save_checkpoints_steps": 0}, ["--save_checkpoints_steps=0: must be 1 or more"]),
    ({"iterations_per_loop": 0}, ["--iterations_per_loop=0: must be 1 or more"]),
    ({"num_tpu_cores": 0}, ["--num_tpu_cores=0: must be 1 or more"]),
    ({"log_every_steps": 0}, ["--log_every_steps=0: must be 1 or more"]),
    ({"keep_checkpoint_max": -1}, ["--keep_checkpoint_max=-1: must be 0 or more"]),
    ({"eval_every_steps": -1}, ["--eval_every_steps=-1: must be 0 or more"]),
    ({"inter_op_threads": -1}, ["--inter_op_threads=-1: must be 0 or more"]),
    ({"intra_op_threads": -2}, ["--intra_op_threads=-2: must be 0 or more"]),
    ({"seed": -1}, ["--seed=-1: must be 0 or more"]),
    ({"seed": 2 ** 31}, ["--seed=2147483648: must be 2147483647 or less"]),
    ({"train_batch_size": 2 ** 31}, ["--train_batch_size=2147483648: must be 2147483647 or less"]),
    ({"log_every_steps": 10 ** 5000}, ["--log_every_steps=a number of very many digits: must be"]),
    ({"shuffle_buffer_size": 10 ** 9}, ["--shuffle_buffer_size=1000000000: must be 10000000 or"]),
    ({"inter_op_threads": 10 ** 6}, ["--inter_op_threads=1000000: must be 4096 or less"]),
    ({"num_train_epochs": 1e308}, ["--num_train_epochs=1e+308: must be 1000000 or less"]),
    ({"learning_rate": 0.0}, ["--learning_rate=0.0: must be a number above 0"]),
    ({"learning_rate": 1e39}, ["--learning_rate=1e+39: must be 1000000 or less"]),
    ({"learning_rate": float("nan")}, ["--learning_rate=nan"]),
    ({"num_train_epochs": float("inf")}, ["--num_train_epochs=inf"]),
    ({"warmup_proportion": 1.1}, ["--warmup_proportion=1.1: must lie between 0 and 1"]),
    ({"warmup_proportion": -0.1}, ["--warmup_proportion=-0.1: must lie between 0 and 1"]),
    ({"warmup_proportion": float("nan")}, ["--warmup_proportion=nan"]),
    ({"labels": ("a", "b"), "labels_file": "f"}, ["--labels and --labels_file exclude"]),
    ({"labels": ("a",)}, ["--labels: ", "two labels or more", "['a']"]),
    ({"do_train": False, "do_eval": True, "overwrite_output_dir": True},
     ["--overwrite_output_dir", "--do_train"]),
    ({"early_stopping_patience": 2}, ["--early_stopping_patience", "--eval_every_steps"]),
    ({"sweep": "", "do_eval": True}, ["--sweep=: must name a file"]),
    ({"metric_for_best": "mcc"}, ["--metric_for_best", "--eval_every_steps"]),
    ({"master": "grpc://10.0.0.2:8470"}, ["--master=grpc://10.0.0.2:8470", "--use_tpu"])])
def test_one_problem_is_one_message_that_quotes_its_flags(settings, quoted):
    message, = problems(**settings)
    for part in quoted:
        assert part in message


def test_all_problems_are_reported_together():
    config = RunConfig(train_batch_size=0, learning_rate=-1.0, labels=("a", "a"), seed=-5,
                       early_stopping_patience=-1, master="grpc://x")
    found = config.missing() + config.problems()
    flags = ["--do_train", "--output_dir", "--data_dir", "--train_batch_size=0",
             "--early_stopping_patience=-1", "--seed=-5", "--learning_rate=-1.0", "--labels",
             "--early_stopping_patience", "--master"]
    assert [flag for flag, message in zip(flags, found, strict=True) if flag not in message] == []


def test_a_configuration_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        RunConfig().seed = 1


@pytest.mark.parametrize(("name", "expected"), [
    ("do_train", bool), ("seed", int), ("learning_rate", float), ("header", str),
    ("output_dir", str), ("labels", tuple), ("text_column", tuple)])
def test_flag_type_is_the_type_behind_the_annotation(name, expected):
    assert flag_type(FIELDS[name]) is expected


@pytest.mark.parametrize("field", FIELDS.values(), ids=FIELDS)
def test_every_field_is_declared_in_full(field):
    assert field.default is None or isinstance(field.default, flag_type(field))
    assert field.metadata["group"] and field.metadata["help"].endswith((".", ")"))
    assert field.metadata["choices"] is None or field.default in (None, *field.metadata["choices"])


# --- a list of labels ------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [("bug", "feature", "question"), ["0", "1"],
                                    ("won't fix", "in progress"), ("a,b", "c"), ("é", "中")])
def test_good_labels(labels):
    assert config_problems.of_labels(labels, "--labels") == []


@pytest.mark.parametrize(("labels", "said"), [
    ([], ["two labels or more, here []"]),
    (["a"], ["two labels or more, here ['a']"]),
    (["a", "", "b"], ["label 2 is empty"]),
    (["a", " \t"], ["label 2 is empty"]),
    (["a", "b "], ["label 'b ' begins or ends with a blank"]),
    (["a\tb", "c\nd"], ["label 'a\\tb'", "label 'c\\nd'"]),
    (["b", "a", "c", "b", "a"], ["given more than once: 'a', 'b'"]),
    (["a", "a", ""], ["label 3 is empty", "given more than once: 'a'"]),
    (["a\u2028b", "c\x85d"], ["label 'a\\u2028b'", "label 'c\\x85d'"]),
    (["a\ud800", "b"], ["label 'a\\ud800' holds half a surrogate pair"])])
def test_each_mistake_in_a_label_list_is_told_with_its_origin(labels, said):
    found = config_problems.of_labels(labels, "here")
    assert [part for part, message in zip(said, found, strict=True) if part not in message] == []
    assert all(message.startswith("here: ") for message in found)


def test_a_whole_file_taken_for_a_list_of_labels_is_told_in_a_few_lines_and_at_once():
    found = config_problems.of_labels([f"{number}\tit crashes" for number in range(100_000)], "f")
    assert len(found) == 21 and found[-1] == "f: ... and 99,980 more problems"
    labels = ["a" * 9000, *map(str, range(50_000))]
    message, = config_problems.of_labels(labels * 2, "f")
    assert message.endswith(", ... (50,001 in all)") and len(message) < 500


@pytest.mark.parametrize("content", ["bug\nnew, feature\n", "bug\nnew, feature", "bug\r\nnew, "
                                     "feature\r\n", "\ufeffbug\nnew, feature\n"])
def test_a_labels_file_is_a_label_a_line(written, content):
    assert read_labels_file(written(content)) == ("bug", "new, feature")


def test_all_mistakes_of_a_labels_file_are_told_with_its_name(written):
    path = written("a\n\nb\na\n")
    assert refused(read_labels_file, path) == [
        f"--labels_file={path}: label 2 is empty",
        f"--labels_file={path}: label names must differ; given more than once: 'a'"]


@pytest.mark.parametrize("content", [None, b"caf\xe9\nbar\n"])
def test_a_labels_file_that_cannot_be_read(written, tmp_path, content):
    path = str(tmp_path / "none") if content is None else written(content)
    message, = refused(read_labels_file, path)
    assert message.startswith(f"--labels_file={path}: cannot be read: ")


# --- a file of settings ----------------------------------------------------------------------


@pytest.mark.parametrize(("content", "expected"), [
    ("learning_rate: 5e-5", {"learning_rate": "5e-5"}),
    ('{"learning_rate": 5e-05, "seed": 7}', {"learning_rate": "5e-05", "seed": "7"}),
    ("num_train_epochs: 3.0", {"num_train_epochs": "3.0"}),
    ("do_train: true\ndo_eval: no", {"do_train": "true", "do_eval": "false"}),
    ('{"do_train": true, "do_eval": false}', {"do_train": "true", "do_eval": "false"}),
    ("labels: [bug, feature]", {"labels": "bug,feature"}),
    ("labels:\n- 0\n- 1\n", {"labels": "0,1"}),
    ("labels: bug,feature", {"labels": "bug,feature"}),
    ("task_name: null\ndata_dir:\nseed: 3", {"seed": "3"}),
    ("\ufeffseed: 3", {"seed": "3"}),
    ("# a comment\nseed: 3  # another", {"seed": "3"}),
    ("text_column: 0", {"text_column": "0"}),
    ("header: false", {"header": "false"}),
    ("unknown: 1", {"unknown": "1"}),  # the entry point refuses it as it does on the command line
    ('{\n\t"seed": 3\n}', {"seed": "3"}),
    ('{"labels": ["\\ud83d\\ude00", "b"]}', {"labels": "😀,b"})])
def test_settings_are_read_as_they_would_stand_on_the_command_line(written, content, expected):
    assert read_settings(written(content)) == expected


@pytest.mark.parametrize(("content", "reason"), [
    (None, "cannot be read: there is no such file"),
    ("a: [", "cannot be read: line 1 is neither YAML nor JSON; it has to be 'name: value', for"),
    ("{", "cannot be read: line 1 is neither"),
    ("# Title\n\nThis: is: a text\n", "line 3 is neither YAML nor JSON"),
    ("# Title\n\n`code` is text\n", "line 3 is neither YAML nor JSON"),
    (b"\xff\xfe", "cannot be read: line 1 holds the byte 0xff and is not UTF-8"),
    (b"seed: 1\nb: \x00", "cannot be read: line 2 is neither YAML nor JSON"),
    ("", "must hold flags as 'name: value'"),
    ("--seed=3", "must hold flags as 'name: value'"),
    ("- seed", "must hold flags as 'name: value'"),
    ("seed: 1\ntraining: {epochs: 3}", "training: holds a mapping"),
    ("train_file: 2024-99-99", "cannot be read: month must be"),
    ("labels: [bug: 1, feature: 2]", "labels: holds a mapping"),
    ("labels: !!set {a, b}", "labels: holds a mapping"),
    ("seed: !!int ''", "a tag (!!name) does not fit its value"),
    ("do_train: !!bool x", "a tag (!!name) does not fit its value"),
    ("data_dir: !!timestamp x", "a tag (!!name) does not fit its value"),
    ("labels: !!map [a]", "cannot be read: expected a mapping node"),
    ("labels: *a", "line 1 is neither YAML nor JSON"),
    ('{"labels": ' + "[" * 100_000, "nested too deeply"),
    ("labels: " + "[" * 5_000, "nested too deeply"),
    ("a: &a [x, x]\n" + "".join(f"b{n}: *a\n" for n in range(31)), "more than 30 aliases"),
    ("# " + "x" * 1_000_000, "has 1,000,002 bytes; 1,000,000 are the most"),
    (f"seed: 0x{'f' * 5000}", "seed: holds a number larger than any flag takes"),
    ('data_dir: "a\\0b"', "data_dir: 'a\\x00b' holds a NUL"),
    ('{"data_dir": "\\ud800"}', "data_dir: '\\ud800' holds a NUL or half a surrogate pair")])
def test_what_is_no_file_of_settings(written, tmp_path, content, reason):
    path = str(tmp_path / "none") if content is None else written(content)
    message, = refused(read_settings, path)
    assert message.startswith(f"--config={path}: ") and reason in message and len(message) < 500
    assert "\n" not in message


def test_a_pipe_is_read_if_somebody_writes_into_it(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    message, = refused(read_settings, str(path))  # at once
    assert "must hold flags" in message
    read, write = os.pipe()
    os.write(write, b"seed: 3")
    os.close(write)
    assert read_settings(f"/dev/fd/{read}") == {"seed": "3"}  # as --config=<(...) has it
    os.close(read)


def test_arguments_that_are_no_utf_8():
    assert argument_problems(["--labels=é", "--data_dir=\udcff"]) == [
        "'--data_dir=\\udcff' is not UTF-8"]
    message, = argument_problems([f"--{'x' * 70_000}=1", "-" + "x" * 99])
    assert message.startswith("unknown flag '--xxxx") and len(message) < 200


def test_a_name_in_a_file_that_is_too_long(written):
    path = written(json.dumps({"x" * 200: 1}))
    message, = refused(read_settings, path)
    assert message.startswith(f"--config={path}: unknown flag '--xxxx")


def test_as_dict_is_ready_for_json_and_leaves_out_what_must_not_be_repeated():
    settings = RunConfig(**ENOUGH, labels=("a", "b"), config="old.yaml",
                         sweep="sweep.yaml", overwrite_output_dir=True).as_dict()
    assert json.loads(json.dumps(settings)) == settings
    assert settings["labels"] == ["a", "b"]
    assert set(settings) == set(FIELDS) - {"config", "overwrite_output_dir", "sweep"}


@pytest.mark.parametrize("labels", [
    None, ("bug", "feature"), ("new, feature", 'the "bug"')])
def test_as_dict_comes_back_through_the_config_flag(written, labels):
    import run_classifier_custom

    config = RunConfig(
        **ENOUGH, labels=labels, learning_rate=3e-5, do_lower_case=False, seed=0, header="true",
        num_train_epochs=0.5, text_column=("title", "body"), data_format="csv", language="de")
    path = written(json.dumps(config.as_dict()))
    again = run_classifier_custom.make_config([f"--config={path}"])
    assert dataclasses.replace(again, config=None) == config
