"""Signals are raised or noted inside a run, and are the caller's again after it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from gantrain.errors import Stopped
from gantrain.signals import ENDING, noted_signals, raised_signals


class Acted(Exception):
    pass


def act(*_: object) -> None:
    raise Acted


def send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.fixture(autouse=True)
def _acting() -> Iterator[None]:
    former = {number: signal.signal(number, act) for number in ENDING}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_is_noted_once_and_the_second_acts(number: signal.Signals) -> None:
    with noted_signals() as noted:
        assert signal.getsignal(number) is not act
        send(number)
        assert noted.first == number
        with pytest.raises(Acted):
            send(number)
    with noted_signals():
        pass
    assert signal.getsignal(number) is act


def test_a_second_of_another_kind_acts_too_but_where_a_launcher_sends_it() -> None:
    with noted_signals() as noted:
        send(signal.SIGUSR1)
        with pytest.raises(Acted):
            send(signal.SIGTERM)
    with noted_signals(alone=False) as noted:
        send(signal.SIGINT)
        send(signal.SIGTERM)
        assert noted.first == signal.SIGINT
        with pytest.raises(Acted):
            send(signal.SIGTERM)


def test_what_is_noted_is_said_at_once(capfd: pytest.CaptureFixture[str]) -> None:
    with noted_signals(aloud=True):
        send(signal.SIGTERM)
        said = capfd.readouterr().err
    assert said == "gantrain: SIGTERM received: this step is finished and saved, another signal stops at once\n"


def test_what_can_be_done_again_is_interrupted() -> None:
    done: list[str] = []

    def evaluate() -> str:
        done.append("begun")
        send(signal.SIGTERM)
        done.append("ended")
        return "figures"

    with noted_signals() as noted:
        assert noted.unless_stopped(lambda: "whole") == "whole"
        assert noted.unless_stopped(evaluate) is None
        assert noted.unless_stopped(evaluate) is None, "nothing is begun after a signal"
    assert done == ["begun"]
    assert noted.first == signal.SIGTERM


def test_outside_the_loop_a_signal_is_raised_and_what_is_ignored_stays_so() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with raised_signals():
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN, "as nohup has it"
        with pytest.raises(Stopped, match=str(int(signal.SIGTERM))) as stopped:
            send(signal.SIGTERM)
        assert (stopped.value.name, stopped.value.exit_code) == ("SIGTERM", 143)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL, "the next one ends the process"
    assert signal.getsignal(signal.SIGINT) is act


def test_runs_that_train_at_once_note_the_same_signals() -> None:
    first, second = noted_signals(), noted_signals()
    mine, its = first.__enter__(), second.__enter__()
    first.__exit__(None, None, None)  # it ends before the other
    send(signal.SIGTERM)
    second.__exit__(None, None, None)
    assert mine is its
    assert its.first == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is act
