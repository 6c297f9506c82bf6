"""Flags that do not go with --kfold, --ensemble and --average_checkpoints."""

import pytest

from finetune.config import RunConfig

GIVEN = {"do_train": True, "do_eval": True, "output_dir": "out", "data_dir": "data"}


@pytest.mark.parametrize("given, told", [
    ({"kfold": 1}, "--kfold=1: must be 2 to 20"),
    ({"kfold": 21}, "--kfold=21: must be 2 to 20"),
    ({"kfold": 5, "do_train": False}, "--kfold=5 trains on all folds but one"),
    ({"kfold": 5, "ensemble": 3}, "--kfold=5 and --ensemble=3 exclude each other"),
    ({"kfold": 5, "eval_every_steps": 5}, "chosen by the rows that it is then scored on"),
    ({"kfold": 5, "sweep": "s.yaml"}, "--kfold=5 does not go with --sweep=s.yaml"),
    ({"kfold": 5, "engine": "original"}, "--kfold=5: --engine=original cannot"),
    ({"kfold": 5, "distribution": "multi_worker"}, "works on one machine without a TPU"),
    ({"kfold": 5, "do_export": True}, "--do_export does not go with --kfold=5"),
    ({"ensemble": 101}, "--ensemble=101: must be 2 to 100"),
    ({"ensemble": -1}, "--ensemble=-1: must be 2 to 100"),
    ({"ensemble": 3, "seed": 2 ** 31 - 2}, "is above 2147483647"),
    ({"ensemble": 3, "baseline": True}, "--baseline does not go with --ensemble=3"),
    ({"average_checkpoints": 1}, "--average_checkpoints=1: must be 2 or more"),
    ({"average_checkpoints": 6}, "--keep_checkpoint_max=5 keeps fewer"),
    ({"average_checkpoints": 3, "eval_every_steps": 9}, "exclude each other: either the mean"),
    ({"average_checkpoints": 3, "engine": "original"}, "--engine=original cannot")])
def test_what_does_not_go_together(given, told):
    assert any(told in problem for problem in RunConfig(**{**GIVEN, **given}).problems())


@pytest.mark.parametrize("given", [
    {"kfold": 20}, {"kfold": 2, "average_checkpoints": 5, "do_eval": False},
    {"ensemble": 2, "eval_every_steps": 9}, {"ensemble": 100, "do_train": False},
    {"average_checkpoints": 9, "keep_checkpoint_max": 0}])
def test_what_goes_together(given):
    assert RunConfig(**{**GIVEN, **given}).problems() == []
