"""Processes that answer tasks, each over a pipe of its own.

The standard library's pool shares its pipes and locks among workers: one that is killed while it sends an answer leaves
the others, and whoever ends the pool, waiting for ever. Here a worker's end is the end of its pipe, whatever it was at.
Workers are spawned, never forked: a fork would copy the threads' locks and clients that others in the process hold.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:  # imported where workers are started
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

_Task = TypeVar("_Task")
_Answer = TypeVar("_Answer")

_AHEAD = 2
"""Tasks that a worker has at a time: the next one is there when it has answered."""
_PATIENCE = 5.0
"""Seconds that a worker has to end by itself."""


class WorkerDied(Exception):  # noqa: N818  # whoever asks does the task itself
    """The worker that a task was given to is gone, or there is none any more."""


class Ticket(Generic[_Task]):
    """One task that was handed in."""

    def __init__(self, task: _Task) -> None:
        self.task = task
        self.answer: Any = None
        self.done = False


class _Worker:
    def __init__(self, process: SpawnProcess, connection: Connection[Any, Any]) -> None:
        self.process = process
        self.connection = connection
        self.given: deque[Ticket[Any]] = deque()


class WorkerPool(Generic[_Task, _Answer]):
    """A fixed number of workers; used from one thread."""

    def __init__(self, count: int, begin: Callable[[Any], Callable[[_Task], _Answer]], setup: Any) -> None:
        """Start `count` workers; each calls `begin(setup)` once, and what that gives for each task."""
        import multiprocessing

        context = multiprocessing.get_context("spawn")
        self._workers: list[_Worker] = []
        self._waiting: deque[Ticket[_Task]] = deque()
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, begin, setup), daemon=True)
            with _signals_held():
                process.start()
            theirs.close()
            self._workers.append(_Worker(process, ours))

    def submit(self, task: _Task) -> Ticket[_Task]:
        """Hand in a task."""
        ticket = Ticket(task)
        self._waiting.append(ticket)
        self._receive(wait=False)
        self._hand_out()
        return ticket

    def answer(self, ticket: Ticket[_Task]) -> _Answer:
        """The answer to a task, once it is there; raises `WorkerDied`, and what the worker raised."""
        while not ticket.done:
            if not self._workers:
                raise WorkerDied
            self._receive(wait=True)
            self._hand_out()
        answer: Any = ticket.answer
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[no-any-return]  # it came through a pipe

    def close(self) -> None:
        """End the workers, whatever they are at."""
        for worker in self._workers:
            worker.connection.close()
        end = time.monotonic() + _PATIENCE
        for worker in self._workers:
            worker.process.join(max(0.0, end - time.monotonic()))
            if worker.process.exitcode is None:
                worker.process.kill()
                worker.process.join()
            worker.process.close()
        self._workers.clear()

    def _hand_out(self) -> None:
        for count in range(_AHEAD):
            for worker in list(self._workers):
                if self._waiting and len(worker.given) <= count:
                    ticket = self._waiting.popleft()
                    worker.given.append(ticket)
                    try:
                        worker.connection.send(ticket.task)
                    except OSError:
                        self._bury(worker)

    def _receive(self, *, wait: bool) -> None:
        """Take the answers that are there; with `wait`, one at least, or the news that a worker is gone."""
        from multiprocessing import connection

        busy = {worker.connection: worker for worker in self._workers if worker.given}
        for ready in connection.wait(list(busy), None if wait and busy else 0):
            worker = busy[ready]  # type: ignore[index]  # one of those that were asked for
            try:
                answer = worker.connection.recv()
            except (EOFError, OSError):
                self._bury(worker)
            else:
                _settle(worker.given.popleft(), answer)

    def _bury(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.join(_PATIENCE)
        for ticket in worker.given:
            _settle(ticket, WorkerDied())


def _settle(ticket: Ticket[Any], answer: Any) -> None:
    ticket.answer, ticket.done = answer, True


# --- in a worker --------------------------------------------------------------------------------------------


def _serve(connection: Connection[Any, Any], begin: Callable[[Any], Callable[[Any], Any]], setup: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # it may be ignored there; `_take_tasks` ends the process by it
    tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_take_tasks, args=(connection, tasks), daemon=True).start()
    work = begin(setup)
    while True:
        task = tasks.get()
        try:
            answer = work(task)
        except Exception as error:  # noqa: BLE001  # whoever asked is told
            answer = error
        with suppress(OSError):  # nobody waits for it any more; `_take_tasks` ends the process
            connection.send(answer)


def _take_tasks(connection: Connection[Any, Any], tasks: queue.SimpleQueue[Any]) -> None:
    """Take tasks as they come, so that who sends them never waits; the process ends where no more can come.

    Were the parent killed, its workers would else wait for ever.
    """
    while True:
        try:
            tasks.put(connection.recv())
        except (EOFError, OSError):
            os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Let signals wait while a process is started: half started, it would end with a traceback.

    Ctrl-C also waits in that process, until it ignores it by itself. Other threads may take a signal although this one
    does not, and then it is raised here: so the handlers are exchanged, too.
    """
    if not hasattr(signal, "pthread_sigmask"):  # not on Windows
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # a process of its own, whose start would let the signal in again
    came: list[int] = []
    handlers = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if callable(signal.getsignal(number)):
                handlers[number] = signal.signal(number, lambda taken, _: came.append(taken))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
