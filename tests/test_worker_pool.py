"""Workers over pipes of their own: nothing waits for ever, whatever becomes of a worker, and whatever it was at."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable

import pytest

from cloudsigma.scanning.worker_pool import WorkerDied, WorkerPool

Task = tuple[str, int]


def begin(setup: int) -> Callable[[Task], object]:
    def work(task: Task) -> object:
        kind, number = task
        match kind:
            case "add":
                return setup + number
            case "large":
                return bytes(number)
            case "sleep":
                time.sleep(number)
            case "fail":
                raise ValueError(f"no {number}")
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "die later":
                import threading

                threading.Timer(number / 1000, os.kill, (os.getpid(), signal.SIGKILL)).start()
                return [bytes(30_000_000)]
        return os.getpid()

    return work


def pool(count: int = 2) -> WorkerPool[Task, object]:
    return WorkerPool(count, begin, 100)


def test_answers_come_to_their_tasks() -> None:
    workers = pool(3)
    futures = [workers.submit(("add", number)) for number in range(200)]
    random.Random(1).shuffle(futures)  # noqa: S311  # any order does
    assert [workers.result(future) for future in futures] == [100 + future.task[1] for future in futures]
    workers.close()


def test_all_workers_work() -> None:
    workers = pool(2)
    futures = [workers.submit(("sleep", 0)) for _ in range(100)]
    assert len({workers.result(future) for future in futures}) == 2
    workers.close()


def test_tasks_and_answers_larger_than_a_pipe_holds_block_nobody() -> None:
    workers = pool(2)
    size = 5_000_000
    futures = [workers.submit(("x" * size, 0)) for _ in range(8)] + [workers.submit(("large", size)) for _ in range(8)]
    time.sleep(0.2)
    for future in reversed(futures):
        answer = workers.result(future)
        assert isinstance(answer, int) or answer == bytes(size)
    workers.close()


def test_what_a_worker_raises_is_raised_here_and_it_goes_on() -> None:
    workers = pool(1)
    bad, good = workers.submit(("fail", 7)), workers.submit(("add", 1))
    with pytest.raises(ValueError, match="no 7"):
        workers.result(bad)
    assert workers.result(good) == 101
    workers.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize("kind", [("die", 0), *(("die later", after) for after in (0, 1, 2, 4, 8, 16))])
def test_a_worker_that_is_killed_at_any_moment_is_told(kind: Task) -> None:
    """Also while it sends its answer; what it had not begun is told, too, and others go on."""
    workers = pool(2)
    futures = [workers.submit(task) for task in [kind, *(("add", number) for number in range(50))]]
    answered = died = 0
    for future in futures:
        try:
            workers.result(future)
            answered += 1
        except WorkerDied:
            died += 1
    assert answered + died == 51
    assert answered >= 45
    workers.close()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_without_workers_nothing_is_waited_for() -> None:
    workers = pool(2)
    futures = [workers.submit(("die", 0)) for _ in range(20)]
    for future in futures:
        with pytest.raises(WorkerDied):
            workers.result(future)
    with pytest.raises(WorkerDied):
        workers.result(workers.submit(("add", 1)))
    workers.close()


def test_closing_waits_for_nobody() -> None:
    workers = pool(2)
    for _ in range(6):
        workers.submit(("sleep", 60))
    workers.submit(("large", 50_000_000))
    began = time.monotonic()
    workers.close()
    assert time.monotonic() - began < 4
