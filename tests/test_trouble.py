"""What is the user's to mend while a run works, and what is a defect and keeps its traceback."""

import errno

import pytest
import tensorflow as tf

from finetune import trouble
from finetune.config import RunConfig


def op_error(kind, message):
    return kind(None, None, message)


@pytest.mark.parametrize(("error", "said"), [
    (OSError(errno.ENOSPC, "No space left on device"), "the disk is full (", ),
    (op_error(tf.errors.ResourceExhaustedError, "OUT/x; No space left on device"),
     "the disk is full ("),
    (op_error(tf.errors.PermissionDeniedError, "OUT/x; Permission denied"),
     "cannot be written to ("),
    (op_error(tf.errors.ResourceExhaustedError, "OOM when allocating tensor with shape[9,9]"),
     "not enough memory (OOM when allocating tensor with shape[9,9]); lower --train_batch_size"),
    (MemoryError("Unable to allocate 16. GiB"), "not enough memory (Unable to allocate 16. GiB)"),
    (IsADirectoryError(errno.EISDIR, "Is a directory", "OUT/run.log"), "Is a directory"),
    (op_error(tf.errors.FailedPreconditionError, "OUT/runs.json; Is a directory"),
     "OUT/runs.json; Is a directory"),
    (op_error(tf.errors.UnimplementedError, "File system scheme 'foo' not implemented (file: "
              "'foo://bar')"), "File system scheme 'foo' not implemented (file: 'foo://bar')")])
def test_what_the_user_can_mend(tmp_path, error, said):
    if isinstance(error, tf.errors.OpError):
        error = type(error)(None, None, error.message.replace("OUT", str(tmp_path)))
    [problem] = trouble.of(error, RunConfig(output_dir=str(tmp_path))).problems
    assert said.replace("OUT", str(tmp_path)) in problem


def test_a_folder_that_is_gone(tmp_path):
    error = op_error(tf.errors.NotFoundError, f"{tmp_path}/gone/x; No such file or directory")
    [problem] = trouble.of(error, RunConfig(output_dir=f"{tmp_path}/gone")).problems
    assert problem.startswith(f"--output_dir={tmp_path}/gone: the folder is gone (")


def test_an_output_folder_in_a_file_system_that_nobody_knows():
    error = op_error(tf.errors.UnimplementedError,
                     "File system scheme 'foo' not implemented (file: 'foo://bar/x')")
    [problem] = trouble.of(error, RunConfig(output_dir="foo://bar")).problems
    assert problem.startswith("--output_dir=foo://bar: File system scheme 'foo' not implemented")


@pytest.mark.parametrize("error", [
    op_error(tf.errors.InvalidArgumentError, "indices[0] = 9 is not in [0, 5)"),
    op_error(tf.errors.UnavailableError, "failed to connect; Connection refused"),
    op_error(tf.errors.UnimplementedError, "no kernel for this type")])
def test_a_defect(tmp_path, error):
    assert trouble.of(error, RunConfig(output_dir=str(tmp_path))) is None
