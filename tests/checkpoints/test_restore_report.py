"""What a checkpoint gives a model."""

import pytest

from finetune.checkpoints.restore_report import RestoreReport, compare, start_problems

WANTED = {"bert/embeddings/word_embeddings": (9, 4), "bert/a": (4,), "bert/b": (4,),
          "bert/c": (4,), "bert/d": (4,), "bert/e": (4,), "bert/pooler/dense/bias": (4,)}


def test_compare():
    held = {"same": (2, 3), "other": (2,), "more": (5,)}
    assert compare(held, {"other": (3,), "new": (1,), "same": (2, 3)}) == RestoreReport(
        loaded=["same"], fresh=["new"], reshaped=[("other", (2,), (3,))], ignored=["more"])


@pytest.mark.parametrize("held", [
    WANTED, {**WANTED, "output_weights": (2, 4)},
    {name: shape for name, shape in WANTED.items() if "pooler" not in name}])
def test_training_can_start_from_a_whole_encoder(held):
    assert start_problems("p", held, WANTED) == []


@pytest.mark.parametrize(("held", "says"), [
    ({"z/w": (3,), "z/a": (4,)}, ["nothing in it fits this model; it holds z/a, z/w, ... and a "
                                  "BERT checkpoint has bert/embeddings/word_embeddings"]),
    ({**WANTED, "bert/a": (5,)},
     ["bert/a has shape [5] there, but bert_config.json asks for [4]"]),
    ({"bert/a": (4,), "bert/b": (4,)}, ["lacks 4 of 7 variables that bert_config.json asks for, "
                                        "first bert/embeddings/word_embeddings"]),
    ({"bert/a": (4,), "bert/b": (5,)},
     ["bert/b has shape [5] there, but bert_config.json asks for [4]",
      "lacks 4 of 7 variables that bert_config.json asks for, "
      "first bert/embeddings/word_embeddings"])])
def test_why_training_cannot_start(held, says):
    assert start_problems("p", held, WANTED) == [f"--init_checkpoint=p: {one}" for one in says]


def test_problems_of_one_kind_are_cut_short():
    held = {name: (*shape, 2) for name, shape in WANTED.items()} | {"bert/a": (4,)}
    found = start_problems("p", held, WANTED)
    assert len(found) == 5 and found[-1] == "... and 2 more of the same"
