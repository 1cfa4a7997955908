# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Assemble a kernel for every schedule the chooser can return, and every kind of problem.

Each must use no stack, spill nothing and draw no warning from ptxas; and its PTX must be what
ptx-hashes.txt says.
"""

import json
import sys
from pathlib import Path

import every_kernel
import ptx_hashes
from every_kernel import Case, number


def static_shared_bytes(schedule: str) -> int:
    """What the chooser leaves room for."""
    if "mma_sync" in schedule:
        return number(schedule, "rows") * 128 if "shared" in schedule else 0
    return 2048 if "side_by_side = true" in schedule else 1024


def main() -> int:
    """Print every kernel that is not clean."""
    known = ptx_hashes.recorded()
    cases = every_kernel.cases()
    if list(known) != cases:
        print("ptx-hashes.txt has other kernels than the compiler; run ptx_hashes.py --update")
        return 1

    def assemble(case: Case, directory: Path) -> list[str]:
        """What is wrong with one kernel."""
        if wrong := every_kernel.compile_case(case, directory, "--cubin"):
            return [wrong]
        resources = json.loads((directory / "manifest.json").read_text())["resources"]
        wrong = [
            f"{key}={resources[key]}" for key in ("stack_bytes", "spill_bytes") if resources[key]
        ]
        if not 0 < resources["registers"] <= 255:
            wrong.append(f"registers={resources['registers']}")
        if resources["static_shared_bytes"] > static_shared_bytes(case.schedule):
            wrong.append(f"static_shared_bytes={resources['static_shared_bytes']}")
        if (value := ptx_hashes.hash_of(directory)) != known[case]:
            wrong.append(f"its PTX has the hash {value}, ptx-hashes.txt has {known[case]}")
        return wrong + resources["warnings"]

    failures = 0
    for case, wrong in every_kernel.for_each(cases, assemble):
        if wrong:
            failures += 1
            print(f"{case.schedule}\n  {case.problem}\n  " + "\n  ".join(wrong))
    print(f"{len(cases)} kernels, {failures} not clean")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
