"""Facts of made-up runs, and what a browser makes of a page."""

import re
import shutil
import subprocess
import types

import numpy as np
import pytest

from finetune.config import RunConfig
from finetune.report.facts import Facts, of_folder
from finetune.report.page import KINDS
from finetune.report.rows import fetched
from finetune.task_kind import TaskKind

LABELS = ["bug", "feature", "question"]
# Truth and probabilities of eight rows, one with a label that is likely wrong: the fifth.
TRUTH = np.array([0, 0, 1, 1, 0, 2, 2, 2], np.int32)
ANSWERS = np.array([[.9, .05, .05], [.6, .3, .1], [.1, .8, .1], [.3, .6, .1],
                    [.05, .9, .05], [.1, .1, .8], [.2, .2, .6], [.5, .1, .4]], np.float32)


def facts(folder, truth=TRUTH, answers=ANSWERS, labels=LABELS, kind=TaskKind.CLASSIFICATION,
          texts=None, **settings):
    """Returns the facts of a run in a folder; the texts are those of its rows."""
    texts = texts or [f"text {row}" for row in range(len(truth))]
    examples = [types.SimpleNamespace(guid=f"dev-{row}", text_a=text, text_b=None, label="",
                                      row_id=f"id{row}") for row, text in enumerate(texts)]
    if kind is TaskKind.REGRESSION:
        losses = (answers[:, 0] - truth) ** 2
    elif kind is TaskKind.MULTILABEL:
        losses = -np.log(np.where(truth, answers, 1 - answers)).mean(1)
    else:
        losses = -np.log(answers[np.arange(len(truth)), truth])
    made = Facts(RunConfig(output_dir=str(folder), max_seq_length=8, do_eval=True, **settings),
                 labels, truth, answers, losses, np.arange(len(truth)) % 8 + 3, 1,
                 {"accuracy": 0.75, "loss": float(losses.mean())}, "accuracy", 84,
                 of_folder(str(folder), None))
    made.rows.update(fetched(examples, KINDS[kind].rows(made)))
    return made


def headings(content):
    """Returns the headings of a page's sections."""
    return re.findall(r'<h2 id="[^"]*">(.*?)</h2>', content)


@pytest.fixture
def browse(tmp_path):
    """Opens a page in chromium; skips where there is none.

    Returns:
        A function: path of a page -> (its DOM, what the browser logged, what it asked for).
    """
    if not shutil.which("chromium"):
        pytest.skip("needs the browser chromium")

    def run(path):
        done = subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-background-networking", "--enable-logging=stderr", "--v=0",
             f"--log-net-log={tmp_path / 'net.json'}", f"--user-data-dir={tmp_path / 'profile'}",
             "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=180)
        assert done.returncode == 0, done.stderr
        return done.stdout, done.stderr, (tmp_path / "net.json").read_text()
    return run


