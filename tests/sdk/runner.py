"""Runs the cases of a script one after the other, and says of each whether it held."""

import sys
import time
import traceback

CASES = []


def case(function):
    """Marks a function as a case."""
    CASES.append(function)
    return function


def until(ask, what, seconds=10.0):
    """Asks until the answer is true, and gives it back."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.02)


def run(before):
    """Runs all cases (or those named on the command line), `before` ahead of each."""
    wanted = sys.argv[1:]
    failed = []
    for function in CASES:
        name = function.__name__
        if wanted and name not in wanted:
            continue
        try:
            before()
            function()
            print(f"ok {name}", flush=True)
        except Exception:
            failed.append(name)
            print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
    print(f"{len(failed)} failed: {' '.join(failed)}" if failed else "all held", flush=True)
    sys.exit(1 if failed else 0)
