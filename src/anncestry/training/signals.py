"""Ctrl-C, SIGTERM and a closed terminal (SIGHUP): the step in hand is finished, then the run is saved."""

import signal
import threading
from types import FrameType

SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)  # Windows knows no SIGHUP


class StopRequest:
    """Within the block the first signal only sets ``requested``; a second Ctrl-C interrupts at once.

    A closed terminal is nothing to a program that was started to ignore it (``nohup``).
    """

    def __init__(self) -> None:
        self.requested = False
        self.signal_number = 0
        self._before: dict[int, object] = {}

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.requested and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.requested, self.signal_number = True, number

    def __enter__(self) -> "StopRequest":
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                if number == signal.SIGINT or signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # pyright: ignore[reportArgumentType]
