"""finetune/command.py: the exit status of every command, and what it says when it ends early."""

import errno
import os
import pty
import signal
import subprocess
import sys

import pytest

from finetune import command
from finetune.errors import UserError
from finetune.log import LOGGER
from finetune.training import stopping
from tests.conftest import ROOT


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


_AT_A_TERMINAL = """
import sys
from finetune import command, log
from finetune.errors import UserError
from finetune.training.stopping import Stopped

def work():
    progress = log.Progress("train", 1000, log_every=1)
    log.Progress("wait", 1, log_every=1).advance(1)
    sys.stdin.read()                          # until the terminal is closed
    for step in range(1000):
        progress.advance(1)
        progress._terminal.move("moving")
    open(sys.argv[1], "w").write("done")
    {end}

sys.exit(command.run(work))
"""


@pytest.mark.parametrize(("end", "status"), [
    ("pass", 0), ("raise UserError('wrong')", 2), ("raise Stopped(1)", 129)])
def test_work_goes_on_when_its_terminal_is_closed(end, status, tmp_path):
    """As of a job that was disowned, or of one that SIGHUP asks to write a checkpoint."""
    ours, its = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", _AT_A_TERMINAL.format(end=end), tmp_path / "made"],
                          stdin=subprocess.PIPE, stdout=its, stderr=its, cwd=ROOT) as process:
        os.close(its)
        shown = b""
        while b"wait" not in shown:
            shown += os.read(ours, 1000)
        os.close(ours)
        process.stdin.close()
    assert (tmp_path / "made").read_text() == "done"
    assert process.returncode == status


def test_work_without_standard_error(tmp_path):
    work = ("import sys; from finetune import command, log; sys.exit(command.run(lambda: (log.quiet"
            "().__enter__(), log.LOGGER.info('x'), open(sys.argv[1], 'w').write('done'), 7)[-1]))")
    done = subprocess.run(["bash", "-c", '"$0" -c "$1" "$2" 2>&-', sys.executable, work,
                           tmp_path / "made"], cwd=ROOT, stdin=subprocess.DEVNULL, check=False)
    assert (done.returncode, (tmp_path / "made").read_text()) == (7, "done")


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


@pytest.fixture
def parser():
    """Of a script with a word, a list of words, a number and a choice."""
    made = command.Parser(prog="do.sh", words="do.sh MODEL < FILE")
    made.add_argument("MODEL")
    made.add_argument("--length", type=int)
    made.add_argument("--part", choices=("head", "head_tail"))
    return made


@pytest.mark.parametrize(("arguments", "said"), [
    ([], ["MODEL is missing; see do.sh --help"]),
    (["a", "my file"], ["unexpected argument 'my file': do.sh MODEL < FILE"]),
    (["a", "--lenght=3", "--zzz"], ["unknown flag --lenght: did you mean --length?",
                                    "unknown flag --zzz: see --help"]),
    (["a", "--len=3"], ["unknown flag --len: did you mean --length?"]),
    (["a", "--length=x"], ["--length=x: must be a whole number"]),
    (["a", "--length"], ["--length: expected one argument"]),
    (["a", "--part=haed"], ["--part=haed: must be one of head, head_tail; did you mean head?"])])
@pytest.mark.parametrize("parse", ["parse_args", "parse_intermixed_args"])
def test_mistakes_in_the_arguments_of_a_script(parser, arguments, said, parse, capsys):
    with pytest.raises(SystemExit) as caught:
        getattr(parser, parse)(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr() == ("", "".join(f"error: {one}\n" for one in said))


def test_a_command_of_a_script_that_is_none(capsys):
    made = command.Parser(prog="do.sh")
    commands = made.add_subparsers(dest="command", metavar="COMMAND")
    for name in ("strip", "convert"):
        commands.add_parser(name)
    with pytest.raises(SystemExit):
        made.parse_args(["stripp"])
    assert capsys.readouterr().err == (
        "error: COMMAND=stripp: must be one of strip, convert; did you mean strip?\n")


def test_arguments_of_a_script(parser, capsys):
    options = parser.parse_args(["a", "--part=head", "--length=3"])
    assert vars(options) == {"MODEL": "a", "part": "head", "length": 3}
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(["--help"])
    assert caught.value.code == 0 and capsys.readouterr().out.startswith("usage: do.sh [-h] ")


@pytest.mark.parametrize("words", [
    ["run_classifier_custom.py"], ["scripts/predict.py"],
    ["scripts/convert_checkpoint.py", "strip"]])
def test_help_is_for_a_reader_that_stops_too(words):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, *words, "--help"], cwd=ROOT, stdout=writing,
                          stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")
