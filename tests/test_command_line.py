"""The command line: the original's flags, refusals, --config, --help, exit statuses."""

import dataclasses
import json
import pathlib
import re
import subprocess
import sys
import types

import pytest

import run_classifier_custom as entry
from finetune import command as commands
from finetune import upstream
from finetune.config import RunConfig
from finetune.errors import UserError
from tests.conftest import ROOT

ENOUGH = ["--do_train", "--data_dir=data", "--output_dir=output"]


def made(*arguments):
    return entry.make_config([*ENOUGH, *arguments])


def refused(*arguments):
    """Returns the problems of a command line that has all it needs besides."""
    with pytest.raises(UserError) as caught:
        made(*arguments)
    return list(caught.value.problems)


# --- the flags -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def originals():
    """The flags that bert.run_classifier itself defines, by name."""
    upstream.run_classifier()
    from absl import flags

    return {flag.name: flag for flag in
            flags.FLAGS.flags_by_module_dict()["bert.run_classifier"]}


def test_every_flag_of_the_original_is_here_with_its_type_and_default(originals):
    ours = entry.define_flags()
    assert len(originals) == 26
    assert {name: (ours[name].flag_type(), ours[name].default) for name in originals} == {
        name: (flag.flag_type(), flag.default) for name, flag in originals.items()}


def test_only_the_flags_of_the_original_are_marked_as_its_own(originals):
    assert {name for name, field in entry.FIELDS.items() if field.metadata["original"]} == set(
        originals)


def test_neither_side_sees_the_flags_of_the_other(originals):
    from absl import flags

    ours = entry.define_flags()
    assert "labels" in ours and "labels" not in flags.FLAGS
    entry.parse(ours, ["--data_dir=mine", "--seed=7"])
    assert flags.FLAGS["data_dir"].value is None
    assert entry.define_flags()["seed"].value == 42


@pytest.mark.parametrize(("arguments", "expected"), [
    ([], {}),
    (["--nodo_train", "--do_eval"], {"do_train": False, "do_eval": True}),
    (["--do_lower_case=False", "--use_tpu=true"], {"do_lower_case": False, "use_tpu": True}),
    (["--nodo_lower_case"], {"do_lower_case": False}),
    (["--do_predict=1", "--do_lower_case=f"], {"do_predict": True, "do_lower_case": False}),
    (["--learning_rate", "3e-5", "--max_seq_length", "64"],
     {"learning_rate": 3e-5, "max_seq_length": 64}),
    (["-task_name=CoLA", "-vocab_file", "v.txt"], {"task_name": "CoLA", "vocab_file": "v.txt"}),
    (["--num_train_epochs=3"], {"num_train_epochs": 3.0}),
    (["--seed=1", "--seed=2"], {"seed": 2}),
    (["--labels=bug, feature ,question"], {"labels": ("bug", "feature", "question")}),
    (['--labels="a,b",c'], {"labels": ("a,b", "c")}),
    (["--text_column=title,body"], {"text_column": ("title", "body")}),
    (["--data_format=jsonl", "--header=false"], {"data_format": "jsonl", "header": "false"}),
    (["--master=local"], {"master": "local"})])
def test_a_flag_can_be_written_as_the_original_takes_it(arguments, expected):
    assert made(*arguments) == dataclasses.replace(
        RunConfig(do_train=True, data_dir="data", output_dir="output"), **expected)


def test_labels_come_from_a_file_too(tmp_path):
    (tmp_path / "labels.txt").write_text("bug\nnew, feature\n")
    config = made(f"--labels_file={tmp_path / 'labels.txt'}")
    assert (config.labels, config.labels_file) == (("bug", "new, feature"), None)


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(("argument", "name", "closest"), [
    ("--do_lower=False", "do_lower", "do_lower_case"),  # the original's own README has this one
    ("--lerning_rate=1", "lerning_rate", "learning_rate"),
    ("--max_seq_len=64", "max_seq_len", "max_seq_length"),
    ("--label=a,b", "label", "labels"),
    ("--nodo_lowercase", "nodo_lowercase", "do_lower_case"),
    ("--data-dir=x", "data-dir", "data_dir"),
    ("--DO_TRAIN", "DO_TRAIN", None),
    ("--zzzqqq", "zzzqqq", None)])
def test_an_unknown_flag_is_refused_with_the_closest(argument, name, closest):
    hint = f"did you mean --{closest}" if closest else "see --help"
    message, = refused(argument)
    assert message.startswith(f"unknown flag --{name}: {hint}")


@pytest.mark.parametrize(("argument", "said"), [
    ("--train_batch_size=", "--train_batch_size=: must be a whole number"),
    ("--learning_rate=abc", "--learning_rate=abc: must be a number"),
    ("--max_seq_length=1.5", "--max_seq_length=1.5: must be a whole number"),
    ("--do_eval=maybe", "--do_eval=maybe: must be true or false"),
    ("--header=yes", "--header=yes: must be one of auto, true, false"),
    ("--data_format=xml", "--data_format=xml: must be one of tsv, csv, jsonl, json"),
    ("--lr_schedule=cosin", "--lr_schedule=cosin: must be one of linear, constant, cosine, "
     "triangular, one_cycle; did you mean cosine?"),
    ("--window_pooling=Max", "; did you mean max?"),
    ("--engine=orignal", "; did you mean original?"),
    ("--learning_rate", "learning_rate"),
    ("--flagfile=none", "none"),
    ("--nodo_lower_case=true", "nodo_lower_case")])
def test_a_bad_value_is_refused_with_its_flag(argument, said):
    message, = refused(argument)
    assert said in message and "\n" not in message


@pytest.mark.parametrize("name", ["config", "labels_file"])
def test_a_file_without_a_name_is_refused(name):
    """As of --config=$SETTINGS where nothing has set it: nothing is left out in silence."""
    with pytest.raises(UserError, match=f"--{name}=: cannot be read: there is no such file"):
        made(f"--{name}=")


@pytest.mark.parametrize("arguments", [
    ["stray"], ["--do_predict", "True"], ["--do_lower_case", "False"], ["--", "--seed=1"]])
def test_a_stray_word_is_refused(arguments):
    # The original ignores it: its `--do_lower_case False` lower-cases.
    assert refused(*arguments) == [
        f"unexpected argument {arguments[-1]!r}: write flags as --name=value"]


def test_all_mistakes_are_told_together():
    found = refused("--lerning_rate=1", "--max_seq_length=x", "--zzzqqq", "stray", "--seed=y")
    assert sorted(message.split(":")[0] for message in found) == [
        "--max_seq_length=x", "--seed=y", "unexpected argument 'stray'",
        "unknown flag --lerning_rate", "unknown flag --zzzqqq"]


def test_what_hides_a_flag_hides_no_other():
    found = refused("--nodo_eval=true", "--flagfile=none", "--seed=y", "--learning_rate")
    for part in ("none", "--nodo_eval=true", "--seed=y", "--learning_rate"):
        assert sum(part in message for message in found) == 1, (part, found)


def test_of_flags_that_cannot_be_read_no_consequence_is_told(tmp_path):
    found = refused("--eval_every_steps=x", "--early_stopping_patience=2", "--seed=-1",
                    f"--labels_file={tmp_path / 'none'}")
    assert [one.split("=")[0] for one in found] == ["--eval_every_steps", "--labels_file", "--seed"]
    with pytest.raises(UserError) as caught:
        entry.make_config(["--data_dr=data", "--do_train"])
    assert [one.split(":")[0] for one in caught.value.problems] == [
        "unknown flag --data_dr", "--output_dir is required"]


@pytest.mark.parametrize(("misread", "others", "told"), [
    ("--do_trian", ["--overwrite_output_dir"], []),
    ("--do_eval=maybe", ["--calibrate"], []),
    ("--do_eval=maybe", ["--calibrate", "--engine=original"],
     ["--calibrate: --engine=original cannot"]),
    ("--train_batch_size=x", ["--gradient_accumulation_steps=64"], []),
    ("--lr_schedule=x", ["--one_cycle_rise=0.5"], []),
    ("--lr_schedule=x", ["--one_cycle_rise=5"], ["--one_cycle_rise=5.0: must lie"]),
    ("--early_stoping_patience=2", ["--metric_for_best=mcc"], ["--metric_for_best compares"]),
    ("--use_tpu=x", ["--distribution=tpu", "--sweep=s"], ["--sweep=s trains every run"])])
def test_what_is_wrong_whatever_the_flags_at_fault_say_is_told(misread, others, told):
    with pytest.raises(UserError) as caught:
        entry.make_config(["--data_dir=d", "--output_dir=o", "--do_predict", misread, *others])
    found = caught.value.problems[1:]
    assert [one.startswith(start) for one, start in zip(found, told, strict=True)
            ] == [True] * len(told), found


@pytest.mark.parametrize(("arguments", "told"), [
    (["--lerning_rate=1", "--do_train"], True),
    (["--xla=on", "--lr_schedule=x", "--do_train"], True),
    (["--lerning_rate=1", "--do_eval"], False),  # what a checkpoint decides is not known
    (["--text_colum=x", "--do_train"], False), (["--do_eva", "--do_train"], False),
    (["--zzzqqq", "--do_train"], False), (["stray", "--do_train"], False)])
def test_what_is_wrong_with_the_data_is_told_where_no_flag_at_fault_decides_it(
        main, tmp_path, arguments, told):
    (tmp_path / "train.tsv").write_text("text\tlabel\na\tbug\n")
    status, said = main(*arguments, f"--data_dir={tmp_path}", "--output_dir=output")
    assert status == 2 and ('every row has the label "bug"' in said) == told, said


def test_what_is_lacking_and_what_does_not_fit_are_told_together():
    with pytest.raises(UserError) as caught:
        entry.make_config(["--do_train", "--seed=-1", "--labels=a"])
    assert [message.split(":")[0].split()[0] for message in caught.value.problems] == [
        "--output_dir", "--data_dir", "--seed=-1", "--labels"]


# --- --config --------------------------------------------------------------------------------


@pytest.fixture
def settings(tmp_path):
    """Writes a file of settings; returns its flag."""
    def write(**values):
        (tmp_path / "run.json").write_text(json.dumps(values))
        return f"--config={tmp_path / 'run.json'}"
    return write


def test_a_file_gives_flags(settings):
    config = entry.make_config([settings(do_eval=True, data_dir="d", output_dir="o", seed=3,
                                         do_lower_case=False, learning_rate=2e-5)])
    assert dataclasses.replace(config, config=None) == RunConfig(
        do_eval=True, data_dir="d", output_dir="o", seed=3, do_lower_case=False,
        learning_rate=2e-5)


@pytest.mark.parametrize("place", [0, 1])
def test_the_command_line_wins_over_the_file_wherever_it_stands(settings, place):
    flags = ["--seed=9", "--nodo_eval", "--labels=x,y"]
    flags.insert(place * len(flags), settings(seed=3, do_eval=True, labels=["a", "b", "c"],
                                              max_seq_length=64))
    config = made(*flags)
    assert (config.seed, config.do_eval, config.labels, config.max_seq_length) == (
        9, False, ("x", "y"), 64)


def test_mistakes_in_the_file_are_refused_as_on_the_command_line(settings):
    file = settings(lerning_rate=1, max_seq_length="x")
    assert {message.removeprefix(f"{file}: ").split(":")[0] for message in refused(file)} == {
        "unknown flag --lerning_rate", "--max_seq_length=x"}


# --- --help ----------------------------------------------------------------------------------


def test_help_names_every_flag_under_its_group_with_default_and_meaning():
    sections = re.split(r"\n\n(.+):\n(?=  --)", entry.help_text())
    groups = dict(zip(sections[1::2], sections[2::2], strict=True))
    assert len(groups) == 7
    for name, field in entry.FIELDS.items():
        head, *meaning = re.search(rf"  --{name}\b[^\n]*(\n      .+)+",
                                   groups[field.metadata["group"]])[0].splitlines()
        default = "" if field.default is None else f"={field.default}".lower()
        assert head == f"  --{name}{default}{' *' * field.metadata['original']}"
        assert field.metadata["help"] in " ".join(" ".join(meaning).split())


def test_help_lists_tasks_and_choices():
    text = " ".join(entry.help_text().split())
    assert ("One of: ax, cola, delimited, mnli, mnli-mm, mrpc, qnli, qqp, rte, sst-2, sts-b, wnli, "
            "xnli." in text)
    assert "One of: tsv, csv, jsonl, json." in text
    assert max(map(len, entry.help_text().splitlines())) <= 100


def test_help_wins_over_mistakes_and_ends_with_0(capsys):
    assert entry.main(["--zzzqqq", "--help"]) == 0
    assert capsys.readouterr().out == entry.help_text() + "\n"


@pytest.mark.parametrize(("arguments", "status"), [
    (["--help"], 0), (["--zzzqqq"], 2), ([], 2),
    (["--lerning_rate=1", "--do_train", "--data_dir=no", "--output_dir=o"], 2)])
def test_what_needs_no_work_starts_no_tensorflow(arguments, status):
    # "under a second", said so that a busy machine cannot fail it
    code = ("import sys, run_classifier_custom\n"
            f"status = run_classifier_custom.main({arguments})\n"
            "heavy = {'tensorflow', 'numpy', 'sklearn', 'bert', 'yaml'} & set(sys.modules)\n"
            "sys.exit(f'imported: {heavy}' if heavy else status)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert bool(done.stdout) == (status == 0) and bool(done.stderr) == (status == 2)


# --- main() ----------------------------------------------------------------------------------


@pytest.fixture
def runner(monkeypatch):
    """In place of finetune.runner: keeps its `calls`, and raises what `fail` holds."""
    def run(config, processor, command, problems, watch):
        assert not problems
        stand_in.calls.append((config, processor, command))
        if stand_in.fail:
            raise stand_in.fail
    stand_in = types.SimpleNamespace(calls=[], fail=None)
    monkeypatch.setattr("finetune.runner.run", run)
    return stand_in


def test_the_problems_of_the_flags_go_to_standard_error_a_line_each(main):
    assert main("--zzzqqq", "stray", *ENOUGH) == (2, (
        "error: unknown flag --zzzqqq: see --help\n"
        "error: unexpected argument 'stray': write flags as --name=value\n"))


def test_a_flag_the_task_has_no_use_for_is_refused(main):
    status, said = main(*ENOUGH, "--task_name=mrpc", "--text_column=3")
    assert status == 2 and said.startswith(
        "error: --text_column has no meaning for Mrpc, which knows its own files\n")


def test_an_unknown_task_is_refused_with_the_closest(main):
    status, said = main(*ENOUGH, "--task_name=colla")
    assert status == 2 and said.startswith("error: --task_name=colla: there is no such task")
    assert "cola" in said.partition(";")[0]


@pytest.mark.parametrize(("arguments", "kind"), [
    ([], "Delimited"), (["--task_name=MRPC"], "Mrpc"),
    (["--task_name=xnli", "--language=de"], "Xnli"),
    (["--processor=bert.run_classifier:ColaProcessor"], "ColaProcessor")])
def test_the_runner_gets_configuration_processor_and_command(main, runner, arguments, kind):
    arguments = [*ENOUGH, "--vocab_file=my vocab.txt", *arguments]
    assert main(*arguments)[0] == 0
    (config, processor, command), = runner.calls
    assert config == entry.make_config(arguments)
    assert type(processor).__name__ == kind
    assert command.startswith("run_classifier_custom.py --do_train ")
    assert "'--vocab_file=my vocab.txt'" in command


@pytest.mark.parametrize(("error", "status", "said"), [
    (UserError(["data: no such folder", "second"]), 2,
     "error: data: no such folder\nerror: second\n"),
    (KeyboardInterrupt(), 130,
     f"stopped by the user; {commands.AFTER_STOP}\n")])
def test_exit_status_and_message_of_a_run_that_ends_early(main, runner, error, status, said):
    runner.fail = error
    assert main(*ENOUGH) == (status, said)


def test_a_bug_of_ours_keeps_its_traceback(main, runner):
    runner.fail = ValueError("no mistake of the user's")
    with pytest.raises(ValueError, match="no mistake of the user's"):
        main(*ENOUGH)


def test_the_entry_point_stays_short():
    assert len(pathlib.Path(entry.__file__).read_text().splitlines()) <= 150
