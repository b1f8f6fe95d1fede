"""Signals ask for a stop after the step in hand."""

import os
import signal

import pytest

from anncestry.training.signals import SIGNALS, StopRequest


@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_asks_for_a_stop_and_its_handler_is_put_back(number):
    before = signal.getsignal(number)
    with StopRequest() as request:
        os.kill(os.getpid(), number)
        assert request.requested
        assert request.signal_number == number
    assert signal.getsignal(number) == before
    assert signal.SIGHUP in SIGNALS


def test_a_program_told_to_ignore_its_terminal_trains_on_without_it():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest() as request:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not request.requested
    finally:
        signal.signal(signal.SIGHUP, before)
