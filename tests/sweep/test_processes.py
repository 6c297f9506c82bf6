"""Runs of a sweep as processes: their command, what they say, how they end, the lock."""

import errno
import os
import signal
import subprocess
import sys

import pytest

import run_classifier_custom as entry
from finetune.errors import UserError
from finetune.sweep import processes


@pytest.mark.parametrize("arguments", [
    ["--do_train", "--data_dir=my data", "--output_dir=o", "--learning_rate=3e-5"],
    ["--do_eval", "--data_dir=d", "--output_dir=o", "--labels=\"a,b\",c", "--nodo_lower_case"],
    ["--do_eval", "--data_dir=d", "--output_dir=o", "--text_column=title,body", "--seed=0"]])
def test_the_flags_of_a_configuration_give_it_back(arguments):
    config = entry.make_config(arguments)
    assert entry.make_config(processes.flags_of(config)) == config


def test_flags_that_are_named_are_written_with_their_defaults_too():
    config = entry.make_config(["--do_eval", "--data_dir=d", "--output_dir=o"])
    assert processes.flags_of(config, ["learning_rate", "id_column"]) == [
        "--do_eval", "--output_dir=o", "--data_dir=d", "--learning_rate=5e-05"]


def said_by(code, tmp_path):
    path = tmp_path / "program.py"
    path.write_text(code)
    return processes.run([str(path)])


@pytest.mark.parametrize(("code", "status", "error"), [
    ("print('done')", 0, ""),
    ("import sys; print('error: one\\nerror: two', file=sys.stderr); sys.exit(2)", 2, "one / two"),
    ("1 / 0", 1, "exit status 1: ZeroDivisionError: division by zero"),
    ("import sys; sys.exit(3)", 3, "exit status 3: it said nothing"),
    ("import os; print('step 7', flush=True); os.kill(os.getpid(), 9)", -9,
     "ended by SIGKILL; was the memory full? (last line: step 7)"),
    ("import sys; sys.stdout.buffer.write(b'\\xff\\n'); sys.exit(1)", 1,
     "exit status 1: \ufffd")])
def test_how_a_run_ends(code, status, error, tmp_path):
    assert said_by(code, tmp_path) == (status, error)


def test_what_a_run_says_is_repeated(tmp_path, capfd):
    said_by("import sys; print('one'); print('two', file=sys.stderr)", tmp_path)
    assert sorted(capfd.readouterr().err.splitlines()) == ["    one", "    two"]


def test_a_run_that_was_stopped_stops_the_sweep(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        said_by("import sys; sys.exit(130)", tmp_path)


STOPPED = """
import signal, sys, time
from finetune.training import stopping
from finetune.sweep import processes
if sys.argv[2] == "in front":
    signal.signal(signal.SIGINT, signal.default_int_handler)
else:  # as a shell starts what ends with &
    signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
stopping.raise_at_once()
try:
    processes.run([sys.argv[1]])
except KeyboardInterrupt:
    sys.exit("the sweep has stopped")
"""
SAVES = """
import time
try:
    print("at work", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.2)
    print("saved", flush=True)
"""


@pytest.mark.parametrize("number, where", [
    (signal.SIGINT, "in front"), (signal.SIGTERM, "in front"), (signal.SIGHUP, "in front"),
    (signal.SIGTERM, "behind"), (signal.SIGHUP, "behind")])
def test_a_stop_is_passed_on_and_the_run_may_save(tmp_path, number, where):
    (tmp_path / "saves.py").write_text(SAVES)
    process = subprocess.Popen([sys.executable, "-c", STOPPED, str(tmp_path / "saves.py"),
                                where],
                               stderr=subprocess.PIPE, text=True)
    assert process.stderr.readline() == "    at work\n"
    process.send_signal(number)
    assert process.stderr.read() == "    saved\nthe sweep has stopped\n"
    assert process.wait() == 1


STOPPED_AT_ONCE = """
import os, signal, subprocess, sys
from finetune.training import stopping
from finetune.sweep import processes

class Popen(subprocess.Popen):
    def __init__(self, *arguments, **settings):
        super().__init__(*arguments, **settings)
        os.kill(os.getpid(), int(sys.argv[3]))

subprocess.Popen = Popen
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & makes us ignore it
stopping.raise_at_once()
with processes.locked(sys.argv[2]) as lock:
    try:
        processes.run([sys.argv[1]], lock)
    except KeyboardInterrupt:
        sys.exit("the sweep has stopped")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_while_a_run_starts_leaves_no_run_behind(tmp_path, number):
    (tmp_path / "works.py").write_text("import time; time.sleep(30)")
    done = subprocess.run([sys.executable, "-c", STOPPED_AT_ONCE, str(tmp_path / "works.py"),
                           str(tmp_path), str(int(number))], stderr=subprocess.PIPE, text=True)
    assert done.stderr.endswith("the sweep has stopped\n") and done.returncode == 1
    with processes.locked(str(tmp_path)):  # which a run that lives on would hold
        pass


def test_the_lock_lives_as_long_as_a_run_that_has_it(tmp_path):
    with processes.locked(str(tmp_path)) as lock:
        orphan = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, pass_fds=(lock,))
    with pytest.raises(UserError, match="still at work"), processes.locked(str(tmp_path)):
        pass
    orphan.communicate(b"\n")
    with processes.locked(str(tmp_path)):
        assert os.path.exists(tmp_path / processes.LOCK)


def test_a_drive_without_locks_keeps_nobody_out(tmp_path, monkeypatch):
    import fcntl

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with processes.locked(str(tmp_path)) as lock:
        assert lock is not None
