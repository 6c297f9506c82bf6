"""Mutated inputs: each ends in success or in messages of ours, in time, with nothing half done.

    FAULTS=full scripts/test.sh tests/faults/test_fuzz.py      10,000 cases
    FUZZ_CASE=7 scripts/test.sh tests/faults/test_fuzz.py      case 7 alone

Most cases end where a run would write and compute for the first time, all checks behind them; a
share of those that passed the checks goes on to the end, one step of training. A case that hangs
where Python cannot interrupt it ends the tests with a traceback, and the folder of the case stays.
"""

import contextlib
import faulthandler
import os
import pathlib
import random
import re
import shlex
import shutil
import signal
import time

import pytest

import run_classifier_custom
from finetune import runner
from finetune.sweep import runner as sweep_runner
from tests.faults import cases
from tests.faults.tally import scale

CASES = scale(400, 10_000)
TO_THE_END = scale(2, 6)  # in a hundred, of the cases that pass the checks
LIMIT = 30.0  # seconds; 0.05 is what a case takes
MOST_SHOWN = 10
# What reading.ask says of an exception in a processor: one of the user's, or a defect in ours.
UNFORESEEN = re.compile(r"^error: (Delimited|[A-Z]\w*)\.get_\w+ failed: ", re.MULTILINE)


class TookTooLong(BaseException):
    """Raised by the watchdog; no `except Exception` on the way swallows it."""


@contextlib.contextmanager
def watched(folder):
    """Ends what takes longer than LIMIT; and the whole process if that cannot be interrupted."""
    def stop(number, frame):
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, stop)
    with open(folder.with_suffix(".hangs-here"), "w") as file:
        faulthandler.dump_traceback_later(2 * LIMIT, exit=True, file=file)
        signal.setitimer(signal.ITIMER_REAL, LIMIT)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            faulthandler.cancel_dump_traceback_later()
            signal.signal(signal.SIGALRM, before)
    pathlib.Path(file.name).unlink()


def snapshot(folder):
    """Returns what lies in a folder, without opening what might be a pipe."""
    return {path: (status.st_mode, status.st_size, status.st_mtime_ns)
            for root, folders, files in os.walk(folder)
            for path in (root, *(os.path.join(root, name) for name in (*folders, *files)))
            for status in [os.lstat(path)]}


@pytest.fixture(scope="module")
def models(tiny, tmp_path_factory):
    """The checkpoint and the run that cases start from."""
    folder = tmp_path_factory.mktemp("models")
    case = cases.Case(random.Random(0), folder, cases.Models(tiny, folder / "out"))
    case.write_data()
    (folder / "tiny").symlink_to(tiny)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        flags = case.flags(*cases.STAGES, "--eval_every_steps=1")
        assert run_classifier_custom.main(flags) == 0
    return case.models


@pytest.fixture
def tried(models, main, capfd, tmp_path, monkeypatch):
    """Returns a function: number -> what is wrong with the end of that case, "" if nothing is."""
    went = []
    execute = runner.Run.execute

    def execute_some(run):
        plan, bert = run._prepared.plan, run._prepared.bert_config
        small = (plan is None or plan.steps <= 3) and bert.hidden_size <= 64 and (
            bert.num_hidden_layers <= 4 and bert.intermediate_size <= 1000)
        inside = run._config.output_dir in ("out", "next")  # and not in / or ..
        if small and inside and not run._config.xla and chance.random() * 100 < TO_THE_END:
            went.append(run)
            execute(run)

    monkeypatch.setattr(runner.Run, "execute", execute_some)
    monkeypatch.setattr(sweep_runner.Sweep, "execute", lambda sweep: 0)
    chance = random.Random()

    def run(number):
        folder = tmp_path / f"case-{number}"
        folder.mkdir()
        flags = cases.make(number, folder, models)
        chance.seed(f"to the end? {number}")
        monkeypatch.chdir(folder)
        before, began, status, said = snapshot(folder), time.monotonic(), None, ""
        went.clear()
        try:
            with watched(folder):
                status, said = main(*flags)
        except BaseException as error:  # SystemExit and what else may be raised, all wrong
            if isinstance(error, KeyboardInterrupt):
                raise
            wrong = f"{type(error).__name__}: {str(error)[:500]} ({last_frame(error)})"
            capfd.readouterr()  # so that the next case is not taken for this one
        else:
            wrong = what_is_wrong(status, said, changed(before, snapshot(folder)), bool(went))
        monkeypatch.chdir(tmp_path)
        if not wrong:
            shutil.rmtree(folder)
            return ""
        lines = [f"case {number}, {cases.family_of(number)}, {time.monotonic() - began:.1f} s:",
                 wrong[:3000], f"flags: {shlex.join(flags)[:3000]}", f"input: {folder}",
                 f"alone: FUZZ_CASE={number} scripts/test.sh tests/faults/test_fuzz.py"]
        return "\n".join(lines).encode("utf-8", "backslashreplace").decode()
    return run


def last_frame(error):
    """Returns where in the project an exception came from."""
    place, trace = "", error.__traceback__
    while trace:
        name = trace.tb_frame.f_code.co_filename
        if "/finetune/" in name or "/processors/" in name or "run_classifier_custom" in name:
            place = f"{name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


def changed(before, after):
    """Returns what is new, gone or altered."""
    return sorted(path for path in before.keys() | after.keys()
                  if before.get(path) != after.get(path))


def what_is_wrong(status, said, written, went_to_the_end):
    """Returns what in the end of a case breaks the contract, "" if nothing does."""
    lines = [line for line in said.splitlines() if line.strip()]
    if status not in (0, 2):
        return f"status {status}: {said}"
    if "Traceback" in said or "--- Logging error" in said:
        return said
    if status == 2:
        strange = [line for line in lines if not line.startswith("error: ")]
        if strange or not lines:
            return f"no message of ours: {strange[:3] or 'nothing said'}\n{said}"
        if UNFORESEEN.search(said):
            return f"nobody foresaw this: {said}"
        if len(said) > 100_000:
            return f"{len(said)} characters of messages: {said[:300]}"
    if written and not (status == 0 and went_to_the_end):
        return f"status {status}, and yet changed: {written[:5]}\n{said}"
    halves = [path for path in written if ".writing" in path]
    return f"left half done: {halves}" if halves else ""


@pytest.mark.parametrize("family", cases.FAMILIES)
def test_mutated(family, tried, tally):
    alone = os.environ.get("FUZZ_CASE")
    numbers = [number for number in ([int(alone)] if alone else range(CASES))
               if cases.family_of(number) == family]
    if not numbers:
        pytest.skip("the case is of another family")
    seen = tally(f"mutated {family}", tried=0, survived=0,
                 detail="success, or status 2 and messages; nothing half written")
    wrong = []
    for number in numbers:
        found = tried(number)
        seen.tried += 1
        seen.survived += not found
        wrong += [found] if found else []
        if len(wrong) == MOST_SHOWN:
            break
    if wrong:
        pytest.fail("\n\n".join(["", *wrong]), pytrace=False)


@pytest.mark.parametrize(("status", "said", "written", "went", "wrong"), [
    (0, "", [], False, ""), (0, "train 1/1\n", ["out/model.ckpt-1.index"], True, ""),
    (2, "error: a\nerror: b\n", [], False, ""), (1, "", [], False, "status 1"),
    (2, "", [], False, "nothing said"), (2, "error: a\nb\n", [], False, "no message of ours"),
    (2, "error: a\n", ["out"], True, "changed"), (0, "", ["out"], False, "changed"),
    (0, "Traceback (most recent call last)", ["out"], True, "Traceback"),
    (2, "error: Delimited.get_labels failed: KeyError: 1\n", [], False, "nobody foresaw"),
    (0, "", ["out/labels.txt.writing"], True, "half done")])
def test_what_counts_as_wrong(status, said, written, went, wrong):
    found = what_is_wrong(status, said, written, went)
    assert (wrong in found) if wrong else not found


def test_a_case_is_the_same_every_time(models, tmp_path):
    def content(number, folder):
        folder.mkdir()
        flags = cases.make(number, folder, models)
        return flags, {
            str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.is_symlink()}

    for number in range(20):
        assert content(number, tmp_path / f"a{number}") == content(number, tmp_path / f"b{number}")


def test_the_watchdog_ends_what_hangs(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.LIMIT", 0.1)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TookTooLong), watched(tmp_path / "case"), open(tmp_path / "pipe"):
        pass
