# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Check which instruction defines operand A of each wgmma in a PTX file.

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


def main() -> int:
    """Print what is wrong; 0 if nothing is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ptx")
    parser.add_argument("--a-from", required=True, help="opcode that must define A")
    parser.add_argument("--count", type=int, required=True, help="how many wgmma there must be")
    arguments = parser.parse_args()
    with open(arguments.ptx) as file:
        text = file.read()
    writers = definitions(text)
    found = fragments(text)
    problems = []
    if len(found) != arguments.count:
        problems.append(f"{len(found)} wgmma, not {arguments.count}")
    for registers in found:
        if len(registers) != 4:
            problems.append(f"operand A of {len(registers)} registers")
        for register in registers:
            opcodes = writers.get(register, set())
            if not opcodes or not all(o.startswith(arguments.a_from) for o in opcodes):
                problems.append(f"{register} comes from {sorted(opcodes)}, not {arguments.a_from}")
    print("\n".join(problems) or f"{len(found)} multiplications checked")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
