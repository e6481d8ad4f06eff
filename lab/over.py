"""The end of a run, asked for before its time: what waits is woken, and nothing new begins."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock


class Over:
    """Shared by all threads of a run. Ctrl-C and a test run that stops at its first failure both ask for it."""

    def __init__(self) -> None:
        self._asked, self._bound, self._lock = Event(), set[Event](), Lock()

    def ask(self) -> None:
        """End the run: sets every bound event, now and later."""
        self._asked.set()
        with self._lock:
            for event in self._bound:
                event.set()

    @property
    def asked(self) -> bool:
        return self._asked.is_set()

    @property
    def event(self) -> Event:
        """What `ask` sets, for those who only wait for it; whoever sets one himself takes one that is bound."""
        return self._asked

    def check(self) -> None:
        """Raise KeyboardInterrupt when the end was asked for."""
        if self.asked:
            raise KeyboardInterrupt

    @contextmanager
    def bound(self) -> Iterator[Event]:
        """An event that is set when the end is asked for, for as long as the block runs."""
        event = Event()
        with self._lock:
            self._bound.add(event)
        if self.asked:
            event.set()
        try:
            yield event
        finally:
            with self._lock:
                self._bound.discard(event)
