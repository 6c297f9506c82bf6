"""scripts/serve.py as a process with a real model: answers, load, kills, restart, SIGTERM."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading

import numpy as np
import pytest

from finetune.errors import UserError
from finetune.serving import server
from finetune.serving.limits import Limits
from scripts import serve
from tests.conftest import ROOT
from tests.use.conftest import LABELS, Client, Model, in_threads, wait_until


class Process:
    """A service of its own."""

    def __init__(self, folder, log, *flags):
        self.log = log
        with open(log, "wb") as file:
            self.popen = subprocess.Popen(
                [sys.executable, ROOT / "scripts" / "serve.py", str(folder), *flags], stderr=file)

    def client(self):
        wait_until(lambda: "listening" in self.log.read_text() or self.popen.poll() is not None,
                   120)
        return Client(int(re.search(r"listening on http://127\.0\.0\.1:(\d+)",
                                    self.log.read_text())[1]))


@pytest.mark.slow
def test_load_kill_restart_and_stop(classifier, predictor, tmp_path):
    texts = [["the app crashes"], ["why ?", ("how can i", "use it ?")], ["a new page " * 9]]
    expected = [predictor.answers(some) for some in texts]
    service = Process(classifier, tmp_path / "first", "--port=0")
    try:
        client = service.client()

        def talk(number):
            found = client.predict(*texts[number % 3])
            return np.array([[one["probabilities"][label] for label in LABELS] for one in found])
        for number, found in enumerate(in_threads(talk, range(100))):
            np.testing.assert_allclose(found, expected[number % 3], atol=1e-6)

        service.popen.send_signal(signal.SIGKILL)
        assert service.popen.wait(20) == -signal.SIGKILL
        service = Process(classifier, tmp_path / "second", f"--port={client.port}")
        assert service.client().port == client.port
        np.testing.assert_allclose(talk(0), expected[0], atol=1e-6)

        stopped = threading.Event()

        def until_stopped(number):
            for turn in range(10_000):
                try:
                    np.testing.assert_allclose(talk(number), expected[number % 3], atol=1e-6)
                except (ConnectionError, http.client.HTTPException):  # no answer is no half one
                    return turn if stopped.is_set() else "refused too early"
                if turn == 2 and number == 0:
                    stopped.set()
                    service.popen.send_signal(signal.SIGTERM)
            return "never stopped"
        turns = in_threads(until_stopped, range(20))
        assert all(isinstance(turn, int) for turn in turns), turns
        assert service.popen.wait(40) == 128 + signal.SIGTERM
        said = (tmp_path / "second").read_text()
        assert "stopped by SIGTERM; requests that were under way have been answered" in said
        assert "Traceback" not in said
    finally:
        service.popen.kill()
        service.popen.wait()


@pytest.mark.parametrize(("flags", "told"), [
    (["--port=65536"], "--port=65536: must be 0 (any free one) to 65535"),
    (["--host=no such host"], "--host=no such host --port=8000: there is no such address"),
    (["--host=a..b"], "--host=a..b --port=8000: there is no such address (no name can be so)"),
    (["--batch_rows=0", "--queue_rows=5"], "--batch_rows=0: must be above 0")])
def test_what_it_cannot_do(flags, told, capfd):
    assert serve.main(["nowhere", *flags]) == 2
    assert f"error: {told}" in capfd.readouterr().err


def test_a_folder_that_cannot_serve(tmp_path, capfd):
    assert serve.main([str(tmp_path), "--port=0"]) == 2
    assert capfd.readouterr().err.startswith(f"error: {tmp_path}: ")


def test_a_port_in_use(capfd):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert serve.main(["nowhere", f"--port={port}"]) == 2
    assert f"--port={port}: Address already in use; name another" in capfd.readouterr().err


def test_a_port_that_another_takes_while_the_model_is_read():
    with server._bound("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]

        def load():
            taken.listen()
            return Model()
        with pytest.raises(UserError, match=f"--port={port}: Address already in use; name anoth"):
            server.run(load, "127.0.0.1", port, Limits())


def test_without_its_packages(monkeypatch, capfd):
    monkeypatch.setattr(serve, "PACKAGES", ("fastapi", "not_there"))
    assert serve.main(["nowhere"]) == 2
    assert "lacks not_there; scripts/setup.sh --serve installs them" in capfd.readouterr().err


def test_flags_and_limits_agree():
    assert list(serve.HELP) == [field.name for field in serve.dataclasses.fields(serve.Limits)]


def test_serve_sh_passes_flags_on(tmp_path):
    python = tmp_path / "python"
    python.write_text('#!/usr/bin/env bash\necho "$(basename "$1") ${*:2}"\n')
    python.chmod(0o755)
    for given, passed in ((["a b", "--port=1"], "a b --port=1"), (["--flags"], "--help")):
        done = subprocess.run([ROOT / "scripts" / "serve.sh", *given], capture_output=True,
                              text=True, env={**os.environ, "SERVE_PYTHON": str(python)})
        assert (done.returncode, done.stdout) == (0, f"serve.py {passed}\n"), done.stderr
