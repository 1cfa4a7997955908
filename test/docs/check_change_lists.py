# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Check the lists of files in docs/Architecture.md, "Which files a change touches".

Every file that a list names exists, under one name. And what a list promises to be the only place
is the only place: an expression that is found in another file of lib, include or tools means that
a change of this kind touches more files than the page says.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

PAGE = "docs/Architecture.md"
FOLDERS = ("lib", "include", "tools", "python", "test")
FILE = re.compile(r"`([\w./-]+\.(?:cpp|h|td|py|txt))`")
ROW = re.compile(r"^\| (?!change |---)(.+?) \| (.+) \|$", re.MULTILINE)

# What nothing but these files may say, and the kind of change that would touch more otherwise.
ONLY = {
    "an instruction": (r"\bInstruction::[A-Z]\w*", {"Instruction.cpp", "Target.cpp"}),
    "a chip": (r"\btargets\(\)(?:\[|\.front)", {"Target.cpp"}),
    "another shape of block": (r"\bBlockLayout(?:\(\)|\{\})", set()),
}


def main() -> int:
    """Print everything in the lists that is not true."""
    root = Path(sys.argv[1])
    page = (root / PAGE).read_text()
    section = page[page.index("## Which files a change touches") :]
    rows = ROW.findall(section)
    names: dict[str, list[Path]] = {}
    for folder in FOLDERS:
        for path in (root / folder).rglob("*.*"):
            names.setdefault(path.name, []).append(path.relative_to(root))
    wrong = []
    for change, files in rows:
        for name in FILE.findall(files):
            found = [p for p in names.get(Path(name).name, []) if str(p).endswith(name)]
            if not found:
                wrong.append(f"{change}: there is no file {name}")
    for change, (expression, allowed) in ONLY.items():
        if not any(row.startswith(change) for row, _ in rows):
            wrong.append(f"{PAGE} has no list for {change}")
        for paths in names.values():
            for path in paths:
                if (
                    path.parts[0] in ("lib", "include", "tools")
                    and path.suffix in (".cpp", ".h", ".td")
                    and path.name not in allowed
                    and (match := re.search(expression, (root / path).read_text()))
                ):
                    wrong.append(f"{change}: {path} says {match[0]}")
    print("\n".join([*wrong, f"{len(rows)} lists, {len(wrong)} wrong"]))
    return 1 if wrong or len(rows) < 10 else 0


if __name__ == "__main__":
    sys.exit(main())
