# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compare the PTX of every kernel with the hashes in ptx-hashes.txt, or write the list anew.

A refactoring must leave the list as it is. A change of a kernel changes its lines, and the commit
says why and shows by measurement what it gains. Only kernels that ptxas assembles well come into
the list.

  ptx_hashes.py [--sample N] [--update]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import assembled
import every_kernel
from assembled import hash_of
from every_kernel import Case, number

LIST = Path(__file__).with_name("ptx-hashes.txt")


def recorded() -> dict[Case, str]:
    """The hashes in the list: a line of `schedule: ...` precedes the lines of its problems."""
    hashes, schedule = {}, ""
    for line in LIST.read_text().splitlines():
        if line.startswith("#mxfp4"):
            schedule = line
        elif line and not line.startswith("//"):
            value, problem = line.split(maxsplit=1)
            hashes[Case(schedule, problem)] = value
    return hashes


def write(hashes: dict[Case, str]) -> None:
    """Write the list."""
    lines = [
        "// Hashes of the PTX of every schedule that the chooser can return; see ptx_hashes.py.",
        assembled.note(),
    ]
    schedule = ""
    for case, value in hashes.items():
        if case.schedule != schedule:
            schedule = case.schedule
            lines.append(schedule)
        lines.append(f"{value} {case.problem}")
    LIST.write_text("\n".join(lines) + "\n")


def static_shared_bytes(schedule: str) -> int:
    """What the chooser leaves room for."""
    if "mma_sync" in schedule:
        return number(schedule, "rows") * 128 if "shared" in schedule else 0
    programs = ("side_by_side = true", "wide_from", "short_to")
    return 2048 if any(field in schedule for field in programs) else 1024


def assemble(case: Case, directory: Path) -> list[str]:
    """Assemble a kernel, and say what is wrong with it."""
    if wrong := every_kernel.compile_case(case, directory, "--cubin"):
        return [wrong]
    return assembled.faults(directory, static_shared_bytes(case.schedule))


def main() -> int:
    """Print every kernel whose PTX is another than the list says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--update", action="store_true", help="write the list anew")
    parser.add_argument("--sample", type=int, default=1, help="every Nth kernel only")
    options = parser.parse_args()
    cases, known = every_kernel.cases(), recorded()
    if options.update:
        wanted = cases
    else:
        if list(known) != cases:
            print("the list has other kernels than the compiler; write it anew with --update")
            return 1
        wanted = cases[:: options.sample]
    hashes: dict[Case, str] = {}
    bad = 0
    # With another ptxas, every kernel is assembled again.
    clean = set(known.values()) if options.update and assembled.counts(LIST.read_text()) else set()

    def compile_and_hash(case: Case, directory: Path) -> list[str]:
        if wrong := every_kernel.compile_case(case, directory):
            return [wrong]
        hashes[case] = hash_of(directory)
        return assemble(case, directory) if options.update and hashes[case] not in clean else []

    for case, wrong in every_kernel.for_each(wanted, compile_and_hash):
        if not wrong and not options.update and hashes[case] != known[case]:
            wrong = [f"its PTX has the hash {hashes[case]}, the list has {known[case]}"]
        if wrong:
            bad += 1
            print(f"{case.schedule}\n  {case.problem}\n  " + "\n  ".join(wrong))
    print(f"{len(wanted)} kernels, {bad} {'not clean' if options.update else 'different'}")
    if options.update and not bad:
        write({case: hashes[case] for case in cases})
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
