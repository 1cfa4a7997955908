# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Check which instruction defines each operand of each mma.sync in a PTX file.

FileCheck can follow one multiplication; this follows them all.
"""

import argparse
import re
import sys

REGISTER = re.compile(r"%r\d+")


def definitions(text: str) -> dict[str, set[str]]:
    """Opcodes that write each 32-bit register."""
    found: dict[str, set[str]] = {}
    for statement in text.replace("\n", " ").split(";"):
        match = re.search(r"(?:@!?%p\d+\s+)?([a-z]\w*(?:\.\w+(?:::\w+)*)+)\s+(.*)", statement)
        if not match:
            continue
        opcode, operands = match.groups()
        target = re.match(r"\{[^}]*\}|[^,]+", operands.strip())
        for register in REGISTER.findall(target.group(0)) if target else []:
            found.setdefault(register, set()).add(opcode)
    return found


def multiplications(text: str) -> list[tuple[list[str], list[str]]]:
    """Registers of operands A and B of each mma.sync."""
    groups = re.findall(r"mma\.sync[.\w]*\s+((?:\{[^}]*\}[,;]\s*){4})", text)
    result = []
    for group in groups:
        _, a, b, _ = re.findall(r"\{([^}]*)\}", group)
        result.append((REGISTER.findall(a), REGISTER.findall(b)))
    return result


def main() -> int:
    """Print what is wrong; 0 if nothing is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ptx")
    parser.add_argument("--a-from", required=True, help="opcode that must define A")
    parser.add_argument("--b-from", required=True, help="opcode that must define B")
    arguments = parser.parse_args()
    with open(arguments.ptx) as file:
        text = file.read()
    writers = definitions(text)
    products = multiplications(text)
    problems = []
    if not products:
        problems.append("no mma.sync")
    for a, b in products:
        if (len(a), len(b)) != (4, 2):
            problems.append(f"operands of {len(a)} and {len(b)} registers")
        for registers, wanted in ((a, arguments.a_from), (b, arguments.b_from)):
            for register in registers:
                opcodes = writers.get(register, set())
                if not opcodes or not all(o.startswith(wanted) for o in opcodes):
                    problems.append(f"{register} comes from {sorted(opcodes)}, not {wanted}")
    print("\n".join(problems) or f"{len(products)} multiplications checked")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
