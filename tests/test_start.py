"""Every way a run can start: its own folder, --init_checkpoint, chance; and every refusal."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from finetune import model, outputs, preflight, start
from finetune.bert_config import variable_shapes
from finetune.checkpoints import checkpoint
from finetune.config import RunConfig
from finetune.errors import UserError
from finetune.training.schedules import Plan

LABELS = ["bug", "feature", "question"]
HEAD = ["output_weights", "output_bias"]


def zeros(shapes, without=()):
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()
            if not name.startswith(tuple(without))}


@pytest.fixture
def own(tmp_path, tiny_config):
    """Writes checkpoints as a training run leaves them in output_dir."""
    def write(step=3, labels=3, without=("nothing",), config=tiny_config):
        (tmp_path / "out").mkdir(exist_ok=True)
        shapes = model.variable_shapes(config, labels)
        tensors = zeros({**shapes, **model.slot_shapes(shapes)}, without)
        folder = checkpoint.Folder(str(tmp_path / "out"), 5)
        return folder.write(step, {**tensors, "global_step": np.int64(step)}), folder
    return write


@pytest.fixture
def given(tmp_path, tiny_config):
    """Writes a checkpoint for --init_checkpoint: an encoder, or with labels a classifier."""
    def write(labels=0, without=("nothing",), config=tiny_config, **more):
        (tmp_path / "given").mkdir()
        prefix = str(tmp_path / "given/bert_model.ckpt")
        shapes = model.variable_shapes(config, labels) if labels else variable_shapes(config)
        checkpoint.save(prefix, {**zeros(shapes, without), **more})
        return prefix
    return write


@pytest.fixture
def choose(tmp_path, tiny_config):
    def run(labels=LABELS, **settings):
        config = RunConfig(**{"output_dir": str(tmp_path / "out"), "do_train": True,
                              "bert_config_file": "tiny.json", **settings})
        return start.choose_start(config, tiny_config, labels)
    return run


@pytest.fixture
def refused(choose):
    """Returns the only problem of a start that is refused."""
    def run(*arguments, **settings):
        with pytest.raises(UserError) as caught:
            choose(*arguments, **settings)
        problem, = caught.value.problems
        return problem
    return run


PREDICT = {"do_train": False, "do_predict": True}


def test_chance(choose):
    chosen = choose()
    assert (chosen.prefix, chosen.names, chosen.resumed) == (None, [], False)
    assert chosen.notices[0].startswith("no --init_checkpoint: all weights start at random")


def test_from_a_pre_trained_encoder(choose, given, tiny_config):
    prefix = given()
    assert choose(init_checkpoint=prefix) == start.Start(
        prefix, list(variable_shapes(tiny_config)), False, [])


def test_a_pooler_may_be_missing_and_is_named(choose, given):
    chosen = choose(init_checkpoint=given(without=["bert/pooler"]))
    assert not any(name.startswith("bert/pooler") for name in chosen.names)
    assert chosen.notices == ["not in the checkpoint, starting at random: "
                              "bert/pooler/dense/kernel, bert/pooler/dense/bias"]


def test_another_encoder_is_refused(refused, given):
    problem = refused(init_checkpoint=given(without=["bert/encoder/layer_1"]))
    assert problem.endswith("lacks 16 of 39 variables that bert_config.json asks for, first "
                            "bert/encoder/layer_1/attention/self/query/kernel")


def test_layers_that_are_not_used_are_told(choose, given, tiny_config):
    deep = dataclasses.replace(tiny_config, num_hidden_layers=5)
    assert choose(init_checkpoint=given(config=deep)).notices == [
        "the checkpoint has 3 layers more than bert_config.json asks for; they are not used"]


def test_the_optimizers_slots_are_no_layers(choose, own, tmp_path):
    prefix, _ = own()
    chosen = choose(init_checkpoint=prefix, output_dir=str(tmp_path / "elsewhere"))
    assert not any("layers more" in notice for notice in chosen.notices)


@pytest.mark.parametrize(("trained", "written", "reused"), [
    (3, LABELS, True), (3, None, True), (3, ["a", "b", "c"], False), (3, LABELS[::-1], False),
    (2, None, False)])
def test_a_trained_head_is_used_if_its_labels_are_these(choose, given, tmp_path, trained, written,
                                                        reused):
    prefix = given(labels=trained)
    if written:
        (tmp_path / "given/labels.txt").write_text("\n".join(written) + "\n")
    chosen = choose(init_checkpoint=prefix)
    assert (set(HEAD) <= set(chosen.names)) == (chosen.names[-2:] == HEAD) == reused
    assert chosen.notices == ["the checkpoint's trained head is the starting point" if reused else
                              f"the checkpoint's head ({trained} labels) is of other labels; a "
                              "new one starts at random"]


def test_half_a_head_is_none(choose, given):
    assert not set(HEAD) & set(choose(init_checkpoint=given(3, without=["output_bias"])).names)


@pytest.mark.parametrize("more", [{}, {"global_step": np.int64(9)}])
def test_predicting_with_a_trained_checkpoint(choose, given, tiny_config, more):
    prefix = given(3, **more)
    assert choose(init_checkpoint=prefix, **PREDICT) == start.Start(
        prefix, [*model.variable_shapes(tiny_config, 3), *more], False, [])


@pytest.mark.parametrize(("checkpoint_of", "says"), [
    ({"labels": 2}, "is a classifier of 2 labels, this run has 3; give a checkpoint that was "
     "trained for that, or train one: --do_train and a new --output_dir"),
    ({"labels": 3, "without": ["bert/pooler"]},
     "lacks bert/pooler/dense/kernel, bert/pooler/dense/bias"),
    ({"labels": 3, "without": ["bert/embeddings/LayerNorm"]},
     "lacks 2 of 41 variables that bert_config.json asks for, first "
     "bert/embeddings/LayerNorm/beta")])
def test_what_cannot_predict(refused, given, checkpoint_of, says):
    prefix = given(**checkpoint_of)
    assert refused(init_checkpoint=prefix, **PREDICT) == f"--init_checkpoint={prefix}: {says}"


@pytest.fixture
def headless(tmp_path):
    """Returns the only problem of a run without training, or None."""
    def run(**settings):
        try:
            start.check_head(RunConfig(output_dir=str(tmp_path / "out"), **PREDICT, **settings))
        except UserError as error:
            problem, = error.problems
            return problem
        return None
    return run


def test_nothing_to_predict_with(headless, tmp_path):
    assert headless() == (
        "there is nothing to evaluate or predict with: give --init_checkpoint=<the folder of a "
        f"training>, or --do_train; --output_dir={tmp_path / 'out'} holds no checkpoint")


@pytest.mark.parametrize("without", [["output_weights"], HEAD])
def test_without_a_trained_head_there_is_no_answer(headless, own, given, tiny_config, without):
    says = ("{}: has no trained head (output_weights), so its answers would be random; give a "
            "fine-tuned checkpoint, or --do_train")
    prefix = given(3, without=without)
    assert headless(init_checkpoint=prefix) == says.format(prefix)
    prefix, _ = own(without=without)
    assert headless() == says.format(prefix)


def test_a_trained_head(headless, own, given):
    fine_tuned = given(3)
    assert headless(init_checkpoint=fine_tuned) is None
    _, folder = own(3)
    assert headless() is None
    own(6, without=HEAD)
    assert "model.ckpt-6: has no trained head" in headless(init_checkpoint=fine_tuned)
    folder.note_evaluation(3, "accuracy", 0.9)  # the best one is what answers
    assert headless() is None


def test_a_head_that_cannot_be_read(headless, given):
    prefix = given(3)
    with open(prefix + ".index", "wb"):
        assert "is no whole TensorFlow checkpoint" in headless(init_checkpoint=prefix)


@pytest.mark.parametrize(("trained", "told"), [
    ({"max_seq_length": 64, "do_lower_case": True}, [
        "--max_seq_length is 128, and was 64 when the checkpoint was trained"]),
    ({"max_seq_length": 128, "do_lower_case": False}, [
        "--do_lower_case is True, and was False when the checkpoint was trained"]),
    ({"max_seq_length": 512, "do_lower_case": False, "seed": 1}, [
        "--max_seq_length is 128, and was 512 when the checkpoint was trained",
        "--do_lower_case is True, and was False when the checkpoint was trained"]),
    ({"max_seq_length": 128, "do_lower_case": True, "learning_rate": 1.0}, []), ({}, []),
    (None, [])])
@pytest.mark.parametrize("place", ["given", "out"])
def test_texts_that_are_read_otherwise_than_in_training_are_told(
        choose, own, given, tmp_path, trained, told, place):
    settings = {"init_checkpoint": given(3)} if place == "given" else {}
    if place == "out":
        own()
    if trained is not None:
        outputs.write_json(str(tmp_path / place / outputs.RUN_CONFIG), trained)
    assert choose(**settings, **PREDICT).notices == told
    assert not set(choose(**settings).notices) & set(told)  # training starts or goes on by itself


def test_a_checkpoint_back_from_hugging_face_tells_its_length_too(choose, given, tmp_path):
    prefix = given(3)
    outputs.write_json(str(tmp_path / "given" / "source.json"),
                       {"max_seq_length": 64, "do_lower_case": None, "notices": []})
    assert choose(init_checkpoint=prefix, **PREDICT).notices == [
        "--max_seq_length is 128, and was 64 when the checkpoint was trained"]


_THEN = "when the checkpoint was trained"
_CLOSE = "the two differ by less than 5e-4"


@pytest.mark.parametrize("settings", [{}, PREDICT])
@pytest.mark.parametrize(("beside", "asked", "told"), [
    ({"source.json": {"activation": "gelu_erf"}, "bert_config.json": {"hidden_act": "gelu"}},
     "gelu",
     f"gelu (the original's tanh form), and was gelu_erf (the exact form) {_THEN}; {_CLOSE}"),
    ({"bert_config.json": {"hidden_act": "gelu"}}, "gelu_erf",
     f"gelu_erf (the exact form), and was gelu (the original's tanh form) {_THEN}; {_CLOSE}"),
    ({"bert_config.json": {"hidden_act": "relu"}}, "gelu",
     f"gelu (the original's tanh form), and was relu {_THEN}"),
    ({"source.json": {"activation": "gelu_erf"}, "bert_config.json": {"hidden_act": "gelu"}},
     "gelu_erf", None),
    ({"source.json": {"name": "minilm"}, "bert_config.json": {"hidden_act": "gelu"}}, "gelu", None),
    ({"source.json": [1], "bert_config.json": "{"}, "gelu", None), ({}, "gelu_erf", None)])
def test_another_activation_than_in_training_is_told(settings, beside, asked, told, given, tmp_path,
                                                     tiny_config):
    prefix = given(3)
    for name, content in beside.items():
        (tmp_path / "given" / name).write_text(
            content if isinstance(content, str) else json.dumps(content))
    config = RunConfig(**{"output_dir": str(tmp_path / "out"), "do_train": True,
                          "init_checkpoint": prefix, **settings})
    chosen = start.choose_start(config, dataclasses.replace(tiny_config, hidden_act=asked), LABELS)
    assert [note for note in chosen.notices if "hidden_act" in note] == ([] if told is None else [
        f"hidden_act, the layers' activation function, is {told} (docs/checkpoints.md)"])


def test_the_own_folder_comes_before_init_checkpoint(choose, own, given, tiny_config):
    prefix, _ = own()
    shapes = model.variable_shapes(tiny_config, 3)
    chosen = choose(init_checkpoint=given())
    assert (chosen.prefix, chosen.resumed, chosen.notices) == (prefix, True, [])
    assert set(chosen.names) == {*shapes, *model.slot_shapes(shapes), "global_step"}


def test_a_checkpoint_without_a_step_in_its_name(choose, own, tmp_path):
    """As TensorFlow's Saver writes one without global_step, and people rename them."""
    prefix, folder = own(step=3)
    for ending in (".index", ".data-00000-of-00001"):
        shutil.copy(prefix + ending, tmp_path / f"out/model.ckpt{ending}")
    (tmp_path / "out/checkpoint").write_text('model_checkpoint_path: "model.ckpt"\n')
    made = choose()
    assert (made.prefix, made.resumed) == (str(tmp_path / "out/model.ckpt"), True)
    for steps, expected in ((3, False), (4, True)):
        prepared = preflight.Prepared(RunConfig(), *[None] * 6, made, Plan(steps, 0), "", [])
        assert prepared.makes_steps() is expected
    folder.note_evaluation(3, "accuracy", 0.5)
    damage_best = tmp_path / "out/model.ckpt-3.data-00000-of-00001"
    damage_best.write_bytes(damage_best.read_bytes()[:100])
    with pytest.raises(UserError, match="no whole checkpoint to make it again from"):
        choose()  # whether model.ckpt is older nobody knows


def test_overwriting_ignores_the_own_folder(choose, own, given):
    own(labels=2)
    prefix = given()
    assert choose(init_checkpoint=prefix, overwrite_output_dir=True).prefix == prefix


def test_training_goes_on_where_slots_are_missing(choose, own, tiny_config):
    own(without=["output_bias/adam"])
    chosen = choose()
    assert chosen.resumed and "output_bias" in chosen.names
    assert not {"output_bias/adam_m", "output_bias/adam_v"} & set(chosen.names)
    assert [note for note in chosen.notices if "lacks 2 of " in note and "Adam's averages" in note]


def test_predicting_takes_no_slots_and_says_that_init_checkpoint_is_not_used(choose, own,
                                                                             tiny_config):
    prefix, _ = own()
    chosen = choose(init_checkpoint="other.ckpt", **PREDICT)
    assert set(chosen.names) == {*model.variable_shapes(tiny_config, 3), "global_step"}
    assert not chosen.resumed
    assert chosen.notices == [f"--init_checkpoint=other.ckpt is not used: {prefix} is there"]


def test_predicting_takes_the_best_and_training_the_newest(choose, own):
    best, folder = own(3)
    folder.note_evaluation(3, "accuracy", 0.9)
    newest, _ = own(6)
    assert choose(**PREDICT).prefix == best
    assert choose().prefix == newest


@pytest.mark.parametrize("lost", ["model.ckpt-6.index", "checkpoint"])
def test_predicting_takes_the_best_also_where_the_newest_is_gone(choose, headless, own, tmp_path,
                                                                 lost):
    best, folder = own(3)
    folder.note_evaluation(3, "accuracy", 0.9)
    own(6)
    (tmp_path / "out" / lost).unlink()
    assert headless() is None and choose(**PREDICT).prefix == best


@pytest.mark.parametrize("mode", [{}, PREDICT])
@pytest.mark.parametrize(("held", "says"), [
    ({"labels": 2}, "holds a classifier of 2 labels; this run has 3: "),
    ({"without": ["bert/encoder/layer_1/output"]},
     "holds another model than --bert_config_file=tiny.json describes (4 variables differ, first "
     "bert/encoder/layer_1/output/dense/kernel): "),
    ({"without": HEAD}, "holds another model than --bert_config_file=tiny.json describes (2 "
                        "variables differ, first output_weights): ")])
def test_an_own_folder_of_another_model_is_refused(refused, own, tmp_path, mode, held, says):
    own(**held)
    assert refused(**mode) == (
        f"--output_dir={tmp_path / 'out'} {says}name another --output_dir, or give "
        "--overwrite_output_dir to delete it")


def test_an_own_folder_of_other_widths_is_refused(refused, own, tiny_config):
    own(config=dataclasses.replace(tiny_config, max_position_embeddings=41))
    assert "(1 variables differ, first bert/embeddings/position_embeddings)" in refused()


def test_copies_of_an_earlier_run_have_to_be_the_same(choose, refused, own, tmp_path,
                                                      tiny_config):
    prefix, _ = own()
    vocabulary, out = tmp_path / "vocab.txt", tmp_path / "out"
    vocabulary.write_text("[PAD]\na\n")
    (out / outputs.BERT_CONFIG).write_text(tiny_config.to_json())
    shutil.copy(vocabulary, out / outputs.VOCABULARY)
    assert choose(vocab_file=str(vocabulary)).prefix == prefix
    vocabulary.write_text("[PAD]\nb\n")
    assert refused(vocab_file=str(vocabulary)).startswith(
        f"--output_dir={out} was trained with another vocabulary than --vocab_file={vocabulary}: ")
    shutil.copy(vocabulary, out / outputs.VOCABULARY)
    other = dataclasses.replace(tiny_config, hidden_act="relu")
    (out / outputs.BERT_CONFIG).write_text(other.to_json())
    assert refused(vocab_file=str(vocabulary)).startswith(
        f"--output_dir={out} was trained with another configuration than "
        "--bert_config_file=tiny.json: ")


# --- regression: a head of one row -----------------------------------------------------------


def test_the_head_tells_a_regression_from_a_classifier(refused, choose, own):
    own(labels=1)
    assert refused().endswith(
        "holds a regression; this run is a classifier of 3 labels: name another --output_dir, or "
        "give --overwrite_output_dir to delete it")
    assert choose(["score"]).resumed


def test_a_classifier_in_the_folder_of_a_regression(refused, own):
    own(labels=3)
    assert "holds a classifier of 3 labels; this run is a regression: " in refused(["score"])


def test_a_classifier_cannot_answer_with_scores(refused, given):
    prefix = given(labels=3)
    assert refused(["score"], init_checkpoint=prefix, **PREDICT) == (
        f"--init_checkpoint={prefix}: is a classifier of 3 labels, this run is a regression; give "
        "a checkpoint that was trained for that, or train one: --do_train and a new --output_dir")


def test_a_classifier_s_head_is_no_start_for_a_regression(choose, given):
    found = choose(["score"], init_checkpoint=given(labels=3))
    assert not set(HEAD) & set(found.names)
    assert found.notices == ["the checkpoint's head is that of a classifier of 3 labels; a new one "
                             "starts at random"]


def test_a_regression_s_head_is_a_start_for_another(choose, given):
    found = choose(["score"], init_checkpoint=given(labels=1))
    assert set(HEAD) <= set(found.names)
    assert found.notices == ["the checkpoint's trained head is the starting point"]


def cut(prefix):
    with open(f"{prefix}.data-00000-of-00001", "r+b") as file:
        file.truncate(100)


def test_without_training_no_older_checkpoint_stands_in_for_a_damaged_newest(own, tmp_path):
    older, newest = own(3)[0], own(6)[0]
    config = RunConfig(output_dir=str(tmp_path / "out"), do_predict=True)
    assert start.own_checkpoint(config) == newest
    cut(newest)
    with pytest.raises(UserError) as caught:
        start.own_checkpoint(config)
    damage, remedy = caught.value.problems
    assert damage.startswith(f"{newest}: ")
    assert "the training command makes it again" in remedy
    assert f"--init_checkpoint={older}, which is whole" in remedy
    assert start.own_checkpoint(dataclasses.replace(config, do_train=True)) == older
    cut(older)
    with pytest.raises(UserError, match="holds no whole checkpoint but those above"):
        start.own_checkpoint(config)
