"""What a user sees while a run works, on a terminal, in a pipe and in run.log."""

import io
import os
import re
import sys

import pytest

from finetune import log

WIPE = "\r\033[K"


class Clock:
    """time.monotonic() that only moves when told."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


class Terminal(io.StringIO):
    """Standard error, as a terminal or as a pipe."""

    def __init__(self, isatty):
        super().__init__()
        self.isatty = lambda: isatty


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(log, "time", clock)
    return clock


@pytest.fixture
def shown(monkeypatch, tmp_path):
    """Starts the log; returns standard error."""
    def start(isatty=False, to_file=False):
        terminal = Terminal(isatty)
        monkeypatch.setattr(sys, "stderr", terminal)
        log.start(str(tmp_path / "run.log") if to_file else None)
        return terminal
    yield start
    log.stop()


@pytest.mark.parametrize(("seconds", "text"), [
    (0, "0 s"), (0.4, "0 s"), (41.6, "42 s"), (59.4, "59 s"), (59.6, "1 min 0 s"),
    (185, "3 min 5 s"), (3599.6, "1 h 0 min"), (7800, "2 h 10 min"), (180000, "50 h 0 min")])
def test_duration_as_people_write_it(seconds, text):
    assert log.duration(seconds) == text


# --- messages --------------------------------------------------------------------------------


def test_a_message_goes_to_the_screen_plain_and_to_the_file_with_time_and_level(shown, tmp_path):
    terminal = shown(to_file=True)
    log.LOGGER.info("%d rows", 3)
    log.LOGGER.warning("größer")
    assert terminal.getvalue() == "3 rows\ngrößer\n"
    lines = (tmp_path / "run.log").read_text(encoding="utf-8").splitlines()
    assert [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ", "", line) for line in lines] == [
        "INFO 3 rows", "WARNING größer"]


def test_the_log_of_a_second_run_is_appended_and_said_once(shown, tmp_path):
    for text in ("first", "second"):
        terminal = shown(to_file=True)
        log.LOGGER.info(text)
        assert terminal.getvalue() == f"{text}\n"
    assert [line.split()[-1] for line in (tmp_path / "run.log").read_text().splitlines()] == [
        "first", "second"]


def test_nothing_is_written_before_the_first_message(shown, tmp_path):
    shown(to_file=True)
    assert not (tmp_path / "run.log").exists()


# --- progress --------------------------------------------------------------------------------


def test_progress_says_how_far_how_fast_and_how_long(shown, clock):
    terminal = shown()
    progress = log.Progress("train", total=100, log_every=10)
    for _ in range(20):
        clock.now += 0.5
        progress.advance(32, "loss 0.7")
    assert terminal.getvalue().splitlines() == [
        "train 10/100  loss 0.7  64.0 examples/s  45 s left",
        "train 20/100  loss 0.7  64.0 examples/s  40 s left"]


def test_a_resumed_run_is_timed_by_the_steps_it_made_itself(shown, clock):
    terminal = shown()
    progress = log.Progress("train", total=100, done=90, log_every=5)
    for _ in range(5):
        clock.now += 2
        progress.advance(8)
    assert terminal.getvalue() == "train 95/100  4.0 examples/s  10 s left\n"


def test_the_first_step_which_builds_the_graph_is_no_measure_of_those_to_come(shown, clock):
    terminal = shown()
    progress = log.Progress("train", total=11, log_every=1)
    for seconds in (20, 2, 2):
        clock.now += seconds
        progress.advance(8)
    assert terminal.getvalue().splitlines()[::2] == [
        "train 1/11  0.4 examples/s  3 min 20 s left", "train 3/11  4.0 examples/s  16 s left"]
    progress.reach(3)  # nothing new


@pytest.mark.parametrize("asks", [True, False])
def test_half_a_minute_without_a_line_ends_with_one(shown, clock, asks):
    terminal = shown()
    progress = log.Progress("explain", total=40)
    for _ in range(20):
        note = "loss 0.7" if asks and progress.due() else ""
        clock.now += 4
        progress.advance(1, note)
    steps = [9, 18] if asks else [8, 16]  # who asks has computed the note before the step
    lines = terminal.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == [f"{step}/40" for step in steps]
    assert all(("loss 0.7" in line) == asks for line in lines)


def test_the_last_step_is_always_told(shown, clock):
    terminal = shown()
    progress = log.Progress("train", total=3, log_every=20)
    for _ in range(3):
        clock.now += 1
        progress.advance(1)
    assert terminal.getvalue() == "train 3/3  1.0 examples/s  0 s left\n"


def test_progress_can_count_rows(shown, clock, tmp_path):
    terminal = shown(isatty=True, to_file=True)
    progress = log.Progress("features of train", total=3000)
    clock.now += 2
    progress.reach(1000)
    assert terminal.getvalue() == (
        WIPE + "features of train 1000/3000  500.0 examples/s  4 s left")
    assert not (tmp_path / "run.log").exists()


def test_on_a_terminal_a_line_moves_twice_a_second_and_gives_way_to_plain_ones(
        shown, clock, tmp_path):
    terminal = shown(isatty=True, to_file=True)
    progress = log.Progress("train", total=8, log_every=4)
    for _ in range(4):
        clock.now += 0.4
        progress.advance(2)
    log.LOGGER.info("checkpoint written")
    plain = "train 4/8  5.0 examples/s  2 s left"
    assert terminal.getvalue() == (f"{WIPE}train 2/8  5.0 examples/s  2 s left{WIPE}{plain}\n"
                                   "checkpoint written\n")
    assert [line.split(" INFO ")[1] for line in (tmp_path / "run.log").read_text().splitlines()
            ] == [plain, "checkpoint written"]


@pytest.mark.parametrize("isatty", [True, False])
def test_without_plain_lines_only_a_terminal_shows_progress(shown, clock, isatty):
    terminal = shown(isatty)
    progress = log.Progress("predict", total=2)
    for _ in range(2):
        clock.now += 0.6
        progress.advance(8)
    assert bool(terminal.getvalue()) == isatty
    assert "\n" not in terminal.getvalue()


@pytest.mark.parametrize("isatty", [True, False])
def test_a_line_is_due_exactly_when_the_next_step_shows_one(shown, clock, isatty):
    terminal = shown(isatty)
    progress = log.Progress("train", total=10, log_every=4)
    for _ in range(10):
        clock.now += 0.2
        due, before = progress.due(), terminal.getvalue()
        progress.advance(1)
        assert due == (terminal.getvalue() != before)


def test_the_moving_line_is_wiped_when_the_log_ends(shown, clock):
    terminal = shown(isatty=True)
    progress = log.Progress("train", total=8)
    clock.now += 1
    progress.advance(2)
    log.stop()
    print("error: the disk is full", file=terminal)
    assert terminal.getvalue().endswith(f"left{WIPE}error: the disk is full\n")


# --- quiet -----------------------------------------------------------------------------------


GREETING = (b"WARNING: All log messages before absl::InitializeLog() is called are written to "
            b"STDERR\nI0000 00:00:1 port.cc:153] oneDNN custom operations are on.\n"
            b"E0000 00:00:1 cuda.cc:1] failed call to cuInit: no CUDA-capable device\n\n")


@pytest.fixture
def level(monkeypatch):
    """TF_CPP_MIN_LOG_LEVEL as the user has it; what quiet() sets goes away with the test."""
    def set_to(value):
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", value or "")
        if value is None:
            monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    return set_to


@pytest.mark.parametrize(("before", "after"), [(None, "2"), ("1", "1"), ("3", "3")])
def test_quiet_drops_the_greeting_and_shows_the_rest_afterwards(capfd, level, before, after):
    level(before)
    with log.quiet():
        os.write(2, GREETING + b"libfoo.so: cannot open\n")
        held = capfd.readouterr().err
    assert held == ""
    assert capfd.readouterr().err == "libfoo.so: cannot open\n"
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == after
    os.write(2, b"afterwards\n")
    assert capfd.readouterr().err == "afterwards\n"


def test_quiet_hides_nothing_of_what_went_wrong(capfd, level):
    level("2")
    with pytest.raises(ImportError, match="no libfoo"), log.quiet():
        os.write(2, GREETING + b"libfoo.so: cannot open \xff\n")
        raise ImportError("no libfoo")
    assert capfd.readouterr().err == "libfoo.so: cannot open \ufffd\n"


def test_quiet_holds_nothing_back_from_who_asks_for_everything(capfd, level):
    level("0")
    with log.quiet():
        os.write(2, GREETING)
        assert capfd.readouterr().err == GREETING.decode()


def test_quiet_leaves_no_file_open(level):
    level("2")
    before = os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd") else []
    with log.quiet():
        pass
    assert len(os.listdir("/proc/self/fd") if before else []) == len(before)


def test_only_what_is_not_ours_is_told_to_be_traced_too_often(caplog):
    from tensorflow.python.eager.polymorphic_function import polymorphic_function

    def traced(name):
        detector = polymorphic_function._FrequentTracingDetector()
        for _ in range(9):
            detector.called_with_tracing(f"<function {name} at 0x7f>", False)

    with log.quiet():
        pass
    for ours in ("Predictor.__init__.<locals>.forward", "make_step.<locals>.step",
                 "IntegratedGradients.__init__.<locals>.along"):
        traced(ours)
    assert not caplog.messages
    traced("Mine.<locals>.forward")
    assert "triggered tf.function retracing" in caplog.text


@pytest.mark.parametrize("isatty", [False, True])
def test_warnings_alone(monkeypatch, tmp_path, isatty):
    terminal = Terminal(isatty)
    monkeypatch.setattr(sys, "stderr", terminal)
    with log.showing(False):
        log.start(str(tmp_path / "run.log"))
    log.LOGGER.info("usual")
    progress = log.Progress("train", 2, log_every=1)
    progress.advance(1)
    log.LOGGER.warning("beware")
    log.stop()
    assert terminal.getvalue() == "beware\n"
    assert "usual" in (tmp_path / "run.log").read_text()
    log.start()
    log.LOGGER.info("again")
    log.stop()
    assert terminal.getvalue() == "beware\nagain\n"
