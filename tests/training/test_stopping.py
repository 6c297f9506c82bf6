"""Signals while a run works: noted, raised, or left ignored."""

import signal
import threading

import pytest

from finetune.training import stopping

NUMBERS = [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, stopping.Stopped),
           (signal.SIGHUP, stopping.Stopped)]


@pytest.fixture(autouse=True)
def handlers():
    """Leaves the handlers as they were."""
    before = {number: signal.getsignal(number) for number, _ in NUMBERS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in stopping.OTHERS:
        signal.signal(number, signal.SIG_DFL)
    stopping.raise_at_once()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(("number", "error"), NUMBERS)
def test_the_first_signal_waits_and_the_second_does_not(number, error):
    with pytest.raises(error), stopping.deferred() as stop:
        assert stop.asked is None
        signal.raise_signal(number)
        assert stop.asked == number
        signal.raise_signal(number)
        raise AssertionError("the second signal has raised nothing")
    with pytest.raises(error):
        stop.obey()


@pytest.mark.parametrize(("number", "error"), NUMBERS)
def test_long_work_that_may_be_left_is_left(number, error):
    with stopping.deferred() as stop:
        with pytest.raises(error), stop.at_once():
            signal.raise_signal(number)
            raise AssertionError("the signal has raised nothing")
        signal.raise_signal(number)  # again deferred
        assert stop.asked == number


def test_long_work_is_not_begun_once_a_stop_is_asked_for():
    with stopping.deferred() as stop:
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt), stop.at_once():
            raise AssertionError("the work has begun")


@pytest.mark.parametrize(("number", "error"), NUMBERS)
def test_afterwards_signals_raise_again(number, error):
    with stopping.deferred() as stop:
        pass
    stop.obey()  # nothing was asked for
    with pytest.raises(error):
        signal.raise_signal(number)


def test_a_signal_that_is_ignored_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell's & has it
    with stopping.deferred() as stop:
        signal.raise_signal(signal.SIGINT)
        assert stop.asked is None


def test_nohup_is_respected():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stopping.raise_at_once()
    signal.raise_signal(signal.SIGHUP)


def test_another_thread_gets_no_handlers():
    found = []

    def work():
        stopping.raise_at_once()
        with stopping.deferred() as stop:
            found.append(stop.asked)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [None]


def test_what_waits_in_tensorflow_is_ended_by_the_signal_itself():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    before = {number: signal.getsignal(number) for number, _ in NUMBERS}
    with stopping.by_default():
        found = [signal.getsignal(number) for number, _ in NUMBERS]
    assert found == [signal.SIG_DFL, signal.SIG_DFL, signal.SIG_IGN]
    assert {number: signal.getsignal(number) for number, _ in NUMBERS} == before
