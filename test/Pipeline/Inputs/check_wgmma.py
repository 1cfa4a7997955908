# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Check the groups of wgmma in a PTX file, and where their operands A come from.

FileCheck can follow one multiplication; this follows them all.
"""

import argparse
import re
import sys

from check_operands import REGISTER, definitions


def fragments(text: str) -> list[list[str]]:
    """Registers of operand A of each wgmma; none where it is a descriptor."""
    groups = re.findall(r"wgmma\.mma_async[.\w]*\s+\{[^}]*\},\s*([^;]*);", text)
    result = []
    for group in groups:
        match = re.match(r"\{([^}]*)\}", group)
        result.append(REGISTER.findall(match.group(1)) if match else [])
    return result


def follow_moves(text: str, writers: dict[str, set[str]]) -> dict[str, set[str]]:
    """Opcodes that write each register, those of its source for a move."""
    moves = re.findall(r"mov\.b32\s+(%r\d+), (%r\d+);", text)
    result = {register: opcodes - {"mov.b32"} for register, opcodes in writers.items()}
    # A move of what is no register stays one.
    for register in re.findall(r"mov\.b32\s+(%r\d+), [^%]", text):
        result[register].add("mov.b32")
    before = None
    while before != result:
        before = {register: set(opcodes) for register, opcodes in result.items()}
        for target, source in moves:
            result[target] |= result.get(source, {"nothing"})
    return result


def are_groups(text: str) -> bool:
    """Whether each four wgmma stand between a fence and a commit."""
    letters = re.findall(r"wgmma\.(f)ence|wgmma\.(m)ma_async|wgmma\.(c)ommit_group", text)
    return bool(re.fullmatch(r"(f+m{4}c)+", "".join("".join(letter) for letter in letters)))


def main() -> int:
    """Print what is wrong; 0 if nothing is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ptx")
    parser.add_argument(
        "--a-from", required=True, help="opcode that must define A, or 'descriptor'"
    )
    parser.add_argument("--count", type=int, required=True, help="how many wgmma there must be")
    arguments = parser.parse_args()
    with open(arguments.ptx) as file:
        text = file.read()
    writers = follow_moves(text, definitions(text))
    found = fragments(text)
    problems = []
    if len(found) != arguments.count:
        problems.append(f"{len(found)} wgmma, not {arguments.count}")
    if not are_groups(text):
        problems.append("a wgmma that is not one of four between a fence and a commit")
    wanted = 0 if arguments.a_from == "descriptor" else 4
    for registers in found:
        if len(registers) != wanted:
            problems.append(f"operand A of {len(registers)} registers")
        for register in registers:
            opcodes = writers.get(register, set())
            if not opcodes or not all(o.startswith(arguments.a_from) for o in opcodes):
                problems.append(f"{register} comes from {sorted(opcodes)}, not {arguments.a_from}")
    print("\n".join(problems) or f"{len(found)} multiplications checked")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
