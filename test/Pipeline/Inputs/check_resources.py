# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compile kernels of every schedule the chooser can return, of a quarter of the kinds of problem.

The PTX of each must be what ptx-hashes.txt says. What ptxas makes of it is known from there; a
sample of the kernels is assembled again, and each must use no stack, spill nothing and draw no
warning from ptxas. With --all, every kind of problem is compiled and assembled with every schedule.
"""

import sys
from pathlib import Path

import assembled
import every_kernel
import ptx_hashes
from every_kernel import Case


def main() -> int:
    """Print every kernel that is not clean."""
    known = ptx_hashes.recorded()
    cases = every_kernel.cases()
    if list(known) != cases:
        print("ptx-hashes.txt has other kernels than the compiler; run ptx_hashes.py --update")
        return 1
    every = "--all" in sys.argv[1:] or not assembled.counts(ptx_hashes.LIST.read_text())
    again = set(cases if every else cases[:: assembled.SAMPLE])
    compiled = again | set(every_kernel.quarter(cases))
    wanted = [case for case in cases if case in compiled]

    def check(case: Case, directory: Path) -> list[str]:
        """What is wrong with one kernel."""
        if case in again:
            wrong = ptx_hashes.assemble(case, directory)
            value = assembled.hash_of(directory) if (directory / "kernel.ptx").exists() else ""
        else:
            text, value = assembled.ptx_of(case, directory, every_kernel.compile_case)
            wrong = [text] if text else []
        if value and value != known[case]:
            wrong.append(f"its PTX has the hash {value}, ptx-hashes.txt has {known[case]}")
            if case not in again:
                wrong += ptx_hashes.assemble(case, directory)
        return wrong

    failures = 0
    for case, wrong in every_kernel.for_each(wanted, check):
        if wrong:
            failures += 1
            print(f"{case.schedule}\n  {case.problem}\n  " + "\n  ".join(wrong))
    print(f"{len(wanted)} of {len(cases)} kernels, {len(again)} assembled, {failures} not clean")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
