"""A vocabulary, configuration or checkpoint that does not fit the run."""

import json
import shutil

import numpy as np

from finetune.checkpoints import checkpoint
from tests.bad_input.conftest import LABELS, only
from tests.conftest import TINY, vocabulary


def test_max_seq_length_above_the_models(refused, tiny):
    only(refused("--do_train", "--max_seq_length=41"), "--max_seq_length=41",
         tiny / "bert_config.json", "40 tokens")


def test_vocabulary_of_another_size(refused, tiny, tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text((tiny / "vocab.txt").read_text() + "foreign\n")
    size = len(vocabulary(cased=False))
    only(refused("--do_train", f"--vocab_file={path}"), f"--vocab_file={path}", size + 1, size,
         "not the checkpoint's")


def test_vocabulary_of_the_same_size_with_other_tokens(refused, tiny, tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text((tiny / "vocab.txt").read_text().replace("\ncrash\n", "\nfehler\n"))
    only(refused("--do_train", f"--vocab_file={path}"), f"--vocab_file={path}",
         tiny / "vocab.txt", "differs")


def test_missing_vocabulary_and_configuration(refused, tmp_path):
    found = refused("--do_train", f"--vocab_file={tmp_path / 'a'}",
                    f"--bert_config_file={tmp_path / 'b'}")
    assert len(found) == 2
    assert any(f"--vocab_file={tmp_path / 'a'}" in message for message in found)
    assert any(f"--bert_config_file={tmp_path / 'b'}" in message for message in found)


def misnamed(source, target):
    """Copies a checkpoint to a folder whose name lies about its casing."""
    return shutil.copytree(source, target)


def test_cased_model_with_lower_case(refused, tiny_cased, tmp_path):
    folder = misnamed(tiny_cased, tmp_path / "uncased_L-2_H-16_A-2")
    only(refused("--do_train", f"--init_checkpoint={folder}"), "--do_lower_case=True",
         folder / "vocab.txt", "--do_lower_case=False")


def test_uncased_model_without_lower_case(refused, tiny, tmp_path):
    folder = misnamed(tiny, tmp_path / "cased_L-2_H-16_A-2")
    only(refused("--do_train", f"--init_checkpoint={folder}", "--do_lower_case=False"),
         "--do_lower_case=False", folder / "vocab.txt", "--do_lower_case=True")


def test_a_checkpoint_that_matches_nothing(refused, tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "other")
    checkpoint.save(str(folder / "bert_model.ckpt"), {"resnet/conv": np.zeros(3, np.float32)})
    only(refused("--do_train", f"--init_checkpoint={folder}"),
         f"--init_checkpoint={folder / 'bert_model.ckpt'}", "nothing in it fits", "resnet/conv",
         "bert/embeddings/word_embeddings")


def test_a_checkpoint_of_another_width(refused, tiny, tmp_path):
    path = tmp_path / "bert_config.json"
    size = len(vocabulary(cased=False))
    path.write_text(json.dumps({**TINY, "vocab_size": size, "num_hidden_layers": 3}))
    only(refused("--do_train", f"--bert_config_file={path}"), tiny / "bert_model.ckpt",
         "bert/encoder/layer_2")


def test_no_checkpoint(refused, tmp_path):
    path = tmp_path / "bert_model.ckpt"
    found = refused("--do_train", f"--init_checkpoint={path}")
    assert any(f"--init_checkpoint={path}" in message and f"{path}.index" in message
               for message in found), found


def test_a_damaged_checkpoint(refused, tiny, tmp_path):
    folder = shutil.copytree(tiny, tmp_path / "damaged")
    path = folder / "bert_model.ckpt.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:5000])
    only(refused("--do_train", f"--init_checkpoint={folder}"), folder / "bert_model.ckpt")


def test_predicting_without_a_trained_head(refused, tiny):
    only(refused("--do_predict", LABELS), tiny / "bert_model.ckpt",
         "no trained head", "--do_train")


def test_predicting_with_nothing(refused, tiny):
    for flags in ([], [f"--vocab_file={tiny / 'vocab.txt'}",
                       f"--bert_config_file={tiny / 'bert_config.json'}"]):
        only(refused("--do_eval", LABELS, *flags, _model=False), "holds no checkpoint",
             "give --init_checkpoint=<the folder of a training>")
