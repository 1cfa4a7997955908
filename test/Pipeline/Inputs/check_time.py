# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compile times, as mxfp4-compile prints them: median and fastest of several, for a small kernel
and the largest, to PTX and to a cubin.

    check_time.py ptx|cubin
"""

import re
import statistics
import subprocess
import sys
import tempfile

# A regression worth a red test is a multiple, also on a slow machine. Other work
# there only adds time, so that the fastest run is the one to judge.
SLACK = 3
GOALS_MS = {"ptx": {"8": 150, "32768": 300}, "cubin": {"32768": 3000}}
RUNS = {"ptx": 7, "cubin": 3}


def milliseconds(directory: str, rows: str, options: list[str]) -> float:
    """One compilation."""
    command = ["mxfp4-compile", "--problem", "experts=32 n=5760 k=2880", "--rows-hint", rows,
               "-o", directory, *options]  # fmt: skip
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(re.search(r"in (\d+) ms", text).group(1))


def main() -> int:
    """Fail if even the fastest run is past the limit."""
    what = sys.argv[1]
    slow = 0
    for rows, goal in GOALS_MS[what].items():
        with tempfile.TemporaryDirectory() as directory:
            options = ["--cubin"] if what == "cubin" else []
            times = [milliseconds(directory, rows, options) for _ in range(RUNS[what])]
        median, fastest = statistics.median(times), min(times)
        print(
            f"{what}, {rows} rows: median {median:.0f} ms, fastest {fastest:.0f} ms (goal {goal})"
        )
        slow += fastest >= SLACK * goal
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
