"""Signals are noted inside a run, and are the caller's again after it."""

from __future__ import annotations

import os
import signal

import pytest

from gantrain.training.signals import noted_signals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_once_and_the_second_acts(number: signal.Signals) -> None:
    class Acted(Exception):
        pass

    def act(*_: object) -> None:
        raise Acted

    former = signal.signal(number, act)
    try:
        with noted_signals() as caught:
            assert signal.getsignal(number) is not act
            os.kill(os.getpid(), number)
            assert caught == [number]
            with pytest.raises(Acted):
                os.kill(os.getpid(), number)
        with noted_signals():
            pass
        assert signal.getsignal(number) is act
    finally:
        signal.signal(number, former)


def test_runs_that_train_at_once_note_the_same_signals() -> None:
    before = signal.getsignal(signal.SIGTERM)
    first, second = noted_signals(), noted_signals()
    mine, its = first.__enter__(), second.__enter__()
    first.__exit__(None, None, None)  # it ends before the other
    signal.raise_signal(signal.SIGTERM)
    second.__exit__(None, None, None)
    assert mine is its
    assert its == [signal.SIGTERM]
    assert signal.getsignal(signal.SIGTERM) is before
