"""Starts one command and writes down what it took: `python -I -S launch.py RESULT OUTPUT CORES COMMAND...`.

The command is a child of this small process, not of the benchmark: Linux counts the memory of the process that starts
a command into the command's own peak. RESULT gets the exit code, the seconds of CPU time (user and system, of the
command and all its children), the seconds by the clock and the largest resident memory of any of those processes;
OUTPUT gets standard output.
"""

import json
import os
import sys
import time


def main() -> None:
    """Run the command pinned to the cores, and wait for it."""
    result, output, cores, *command = sys.argv[1:]
    os.sched_setaffinity(0, [int(core) for core in cores.split(",")])
    began = time.perf_counter()
    child = os.fork()
    if child == 0:
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(file, 1)
        try:
            os.execvp(command[0], command)  # noqa: S606  # the command that was asked for
        finally:
            os._exit(127)
    _, status, usage = os.wait4(child, 0)
    taken = {
        "exit_code": os.waitstatus_to_exitcode(status),
        "cpu": usage.ru_utime + usage.ru_stime,
        "wall": time.perf_counter() - began,
        "peak": usage.ru_maxrss * 1024,
    }
    with open(result, "w", encoding="utf-8") as file:  # noqa: PTH123  # pathlib would be the largest import here
        json.dump(taken, file)


if __name__ == "__main__":
    main()
