# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Every installed header compiles by itself and pulls in no heavy one.

usage: check_headers.py C++-COMPILER C-COMPILER INCLUDE-FOLDER MLIR-INCLUDE-FOLDER...

The dialects below take 9 to 23 s to parse: what includes a public header should not pay that.
"""

from __future__ import annotations

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

HEAVY = re.compile(r"\b(NVVMDialect|LLVMDialect|GPUDialect|Linalg|VectorOps)\.h\b")


def check(header: pathlib.Path, include: pathlib.Path) -> str:
    """What is wrong with a header; empty if nothing is."""
    is_c = header.parts[len(include.parts)].endswith("-c")
    language = ["-x", "c", "-std=c11"] if is_c else ["-x", "c++", "-std=c++17"]
    mlir = [f"-isystem{folder}" for folder in sys.argv[4:]]
    command = [sys.argv[2 if is_c else 1], *language, "-Wall", "-Wextra", "-Werror"]
    if not is_c:
        command += ["-Wno-unused-parameter", *mlir]
    # -H names each file included, a line each, beside the errors.
    run = subprocess.run(
        [*command, "-fsyntax-only", "-H", f"-I{include}", "-"],
        input=f'#include "{header.relative_to(include)}"\n',
        capture_output=True,
        text=True,
    )
    if run.returncode:
        return "\n".join(line for line in run.stderr.splitlines() if not line.startswith("."))
    heavy = sorted(set(HEAVY.findall(run.stderr)))
    return f"includes {', '.join(heavy)}" if heavy else ""


def main() -> int:
    """Print every header that fails."""
    include = pathlib.Path(sys.argv[3])
    headers = sorted(include.rglob("*.h"))
    names = [str(header.relative_to(include)) for header in headers]
    missing = {"mxfp4-c/mxfp4.h", "mxfp4/IR/MXFP4.h", "mxfp4/Pipeline/Pipeline.h"} - set(names)
    if missing:
        print(f"not installed: {', '.join(sorted(missing))}")
        return 1
    failures = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(check, headers, [include] * len(headers))
        for name, wrong in zip(names, results, strict=True):
            if wrong:
                failures += 1
                print(f"{name}: {wrong}")
    print(f"{len(names)} headers, {failures} wrong")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
