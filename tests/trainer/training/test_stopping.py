import os
import signal
import threading

import pytest

from trainer.training import stopping


@pytest.fixture
def received():
    """Signals that arrive at the handlers of before."""
    found = []
    before = {number: signal.signal(number, lambda n, _: found.append(n)) for number in (signal.SIGINT, signal.SIGTERM)}
    yield found
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_stop_request_records_first_signal(received, name):
    with stopping.StopRequest() as stop:
        assert stop.signal == ""
        os.kill(os.getpid(), signal.Signals[name])
        assert stop.signal == name
    assert received == []


def test_second_signal_reaches_previous_handler(received):
    with stopping.StopRequest():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert received == [signal.SIGTERM]


def test_stop_request_restores_handlers(received):
    with stopping.StopRequest():
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    assert received == [signal.SIGTERM]


def test_stop_request_outside_main_thread_does_nothing(received):
    handlers = []

    def enter():
        with stopping.StopRequest():
            handlers.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert handlers == [before]
