"""finetune/command.py: the exit status of every command, and what it says when it ends early."""

import errno
import os
import signal

import pytest

from finetune import command, stopping
from finetune.errors import UserError
from finetune.log import LOGGER


def raising(error):
    def work():
        raise error
    return work


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (1, 1)])
def test_work_that_ends_well_is_shown_while_it_goes_on(returned, status, capsys):
    def work():
        LOGGER.info("at work")
        return returned

    assert command.run(work) == status
    assert capsys.readouterr() == ("", "at work\n")
    assert LOGGER.handlers == []


@pytest.mark.parametrize(("error", "status", "said"), [
    (UserError(["one", "two"]), 2, "error: one\nerror: two\n"),
    (UserError("--output_dir=a\nb\x1b[2J\u2028\x85é: no"), 2,
     "error: --output_dir=a\\nb\\x1b[2J\\u2028\\x85é: no\n"),
    (UserError(f"{'a' * 9000}: must be b"), 2,
     f"error: {'a' * 2000} ... {'a' * 1989}: must be b\n"),
    (PermissionError(errno.EACCES, "Permission denied", "made/x"), 2,
     "error: made/x: Permission denied\n"),
    (OSError(errno.ENOSPC, "No space left on device"), 2,
     "error: made: No space left on device\n"),
    (OSError("cannot read from timed out object"), 2,
     "error: made: cannot read from timed out object\n"),
    (KeyboardInterrupt(), 130, "stopped by the user; made is empty\n"),
    (stopping.Stopped(signal.SIGTERM), 143, "stopped by SIGTERM; made is empty\n"),
    (stopping.Stopped(signal.SIGHUP), 129, "stopped by SIGHUP; made is empty\n")])
def test_work_that_ends_early(error, status, said, capsys):
    assert command.run(raising(error), "made", "made is empty") == status
    assert capsys.readouterr() == ("", said)
    assert LOGGER.handlers == []


@pytest.mark.parametrize("error", [ValueError("a bug"), OSError("where nothing is written")])
def test_what_is_no_mistake_of_the_users_keeps_its_traceback(error):
    with pytest.raises(type(error)):
        command.run(raising(error))
    assert LOGGER.handlers == []


def test_the_gpus_are_hidden_and_the_level_of_tensorflow_can_be_chosen(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    command.hide_gpus()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "-1"
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"
