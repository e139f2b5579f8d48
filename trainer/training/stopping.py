"""Graceful shutdown: the first SIGINT or SIGTERM lets the current step finish."""

import signal
import threading
from types import TracebackType
from typing import Any


class StopRequest:
    """Context manager that records SIGINT and SIGTERM; a second signal has the previous handler.

    Attributes:
        signal: name of the signal that arrived, or "".
    """

    def __init__(self) -> None:
        self.signal = ""
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopRequest":
        # Python installs handlers in the main thread only.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._record)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._restore()

    def _record(self, number: int, frame: Any) -> None:
        self.signal = signal.Signals(number).name
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()
