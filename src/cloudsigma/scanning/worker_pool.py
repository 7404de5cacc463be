"""A process pool with a separate pipe for each worker.

In the standard library's pool, workers share pipes and locks: if one is killed while it sends an answer, the others,
and the caller that closes the pool, wait forever. Here a worker that dies closes only its own pipe; the others are not
affected. Workers are spawned, not forked, since a fork would copy locks that other threads hold.
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
"""Tasks sent to a worker at a time, so that it never waits for the next one."""
_PATIENCE = 5.0
"""Seconds to wait for a worker to exit before killing it."""


class WorkerDied(Exception):  # noqa: N818  # the caller does the task itself
    """The worker with this task has died, or all workers have."""


class Future(Generic[_Task]):
    """A task that was submitted."""

    def __init__(self, task: _Task) -> None:
        self.task = task
        self.answer: Any = None
        self.done = False


class _Worker:
    def __init__(self, process: SpawnProcess, connection: Connection[Any, Any]) -> None:
        self.process = process
        self.connection = connection
        self.given: deque[Future[Any]] = deque()


class WorkerPool(Generic[_Task, _Answer]):
    """A pool that starts a worker when a task arrives and all others are busy; not thread-safe."""

    def __init__(self, most: int, begin: Callable[[Any], Callable[[_Task], _Answer]], setup: Any) -> None:
        """At most `most` workers; each calls `begin(setup)` once, and the function it returns for every task."""
        self._most = most
        self._begin = begin
        self._setup = setup
        self._started = 0
        self._workers: list[_Worker] = []
        self._waiting: deque[Future[_Task]] = deque()

    def _start(self) -> None:
        import multiprocessing

        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._begin, self._setup), daemon=True)
        with _signals_held():
            process.start()
        theirs.close()
        self._started += 1
        self._workers.append(_Worker(process, ours))

    def submit(self, task: _Task) -> Future[_Task]:
        """Submit a task."""
        future = Future(task)
        self._waiting.append(future)
        self._receive(wait=False)
        if self._started < self._most and all(worker.given for worker in self._workers):
            self._start()
        self._send()
        return future

    def result(self, future: Future[_Task]) -> _Answer:
        """Wait for the answer to a task; raises `WorkerDied`, or the exception that the worker raised."""
        while not future.done:
            if not self._workers:
                raise WorkerDied
            self._receive(wait=True)
            self._send()
        answer: Any = future.answer
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[no-any-return]  # it came through a pipe

    def close(self) -> None:
        """Stop the workers, even in the middle of a task."""
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

    def _send(self) -> None:
        for count in range(_AHEAD):
            for worker in list(self._workers):
                if self._waiting and len(worker.given) <= count:
                    future = self._waiting.popleft()
                    worker.given.append(future)
                    try:
                        worker.connection.send(future.task)
                    except OSError:
                        self._bury(worker)

    def _receive(self, *, wait: bool) -> None:
        """Receive the available answers; with `wait`, block until a worker answers or dies."""
        from multiprocessing import connection

        busy = {worker.connection: worker for worker in self._workers if worker.given}
        for ready in connection.wait(list(busy), None if wait and busy else 0):
            worker = busy[ready]  # type: ignore[index]  # one of these connections
            try:
                answer = worker.connection.recv()
            except (EOFError, OSError):
                self._bury(worker)
            else:
                _finish(worker.given.popleft(), answer)

    def _bury(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.join(_PATIENCE)
        for future in worker.given:
            _finish(future, WorkerDied())


def _finish(future: Future[Any], answer: Any) -> None:
    future.answer, future.done = answer, True


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
        except Exception as error:  # noqa: BLE001  # raised again in the parent
            answer = error
        with suppress(OSError):  # the parent has gone; `_take_tasks` ends the process
            connection.send(answer)


def _take_tasks(connection: Connection[Any, Any], tasks: queue.SimpleQueue[Any]) -> None:
    """Receive tasks at once, so that the parent never waits to send one.

    If the parent is killed, its end of the pipe closes, and this process exits.
    """
    while True:
        try:
            tasks.put(connection.recv())
        except (EOFError, OSError):
            os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _signals_held() -> Iterator[None]:
    """Block signals while a process starts: a signal during its start would end it with a traceback.

    The new process inherits the signal mask until it ignores Ctrl-C itself. The system may deliver a signal to another
    thread, and Python then calls the handler in this one, so the handlers are replaced too.
    """
    if not hasattr(signal, "pthread_sigmask"):  # not on Windows
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # start it now: its start unblocks signals
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
