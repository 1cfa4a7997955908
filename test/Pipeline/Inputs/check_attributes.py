# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Which discardable attributes stand in IR after each pass.

Operations of this dialect have their attributes as properties. The names here are all that others
carry, operations of MLIR's dialects, where a verifier says what each may be. The generic form
prints properties in `<{...}>`, and discardable attributes in `{...}` on the last line of an
operation.

  mxfp4-opt ... --mlir-print-ir-after-all --mlir-print-op-generic 2>&1 | check_attributes.py
"""

from __future__ import annotations

import re
import sys

ALLOWED = {
    # What MLIR's own dialects put on modules and kernels.
    "builtin.module": {"gpu.container_module"},
    "gpu.func": {"gpu.kernel", "nvvm.minctasm", "sym_name", "workgroup_attributions"},
    "llvm.func": {"gpu.kernel", "nvvm.kernel", "nvvm.minctasm", "nvvm.reqntid"},
    # Whose kernels these are, for which chip, and who has compiled them.
    "gpu.module": {"mxfp4.kernels", "mxfp4.target", "mxfp4.compiled"},
    "gpu.binary": {"mxfp4.compiled"},
    "llvm.br": {"llvm.loop_annotation"},
    "llvm.cond_br": {"llvm.loop_annotation"},
    # The chooser's sentence, for people and for the manifest.
    "mxfp4.grouped_matmul": {"schedule_reason"},
}
# Texts hold no names; neither do properties.
NOT_NAMES = re.compile(r'"(?:[^"\\]|\\.)*"|<\{.*\}>')
NAME = re.compile(r"[{,] ?([a-z_][\w.]*)(?= = |[,}])")


def attributes(text: str) -> set[tuple[str, str]]:
    """Pairs of an operation and a discardable attribute that it has."""
    found, opened = set(), []
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        if match := re.match(r'\s*(?:%[^=]*= )?"([\w.]+)"\(', line):
            operation = match[1]
            if line.endswith("({"):
                opened.append((indent, operation))
                continue
        elif opened and opened[-1][0] == indent and line.startswith("})", indent):
            operation = opened.pop()[1]
        else:
            continue
        rest = NOT_NAMES.sub("", line)
        if " {" in rest:
            attributes = rest[rest.index(" {") : rest.rindex("}") + 1]
            found |= {(operation, name) for name in NAME.findall(attributes)}
    if opened:
        raise SystemExit(f"no end of {opened[-1][1]}")
    return found


def main() -> int:
    """Print what no list allows, and how much was seen."""
    printed = re.split(r"^// -----// IR Dump After (\w+).*\n", sys.stdin.read(), flags=re.M)
    wrong, seen = [], set()
    for name, text in zip(printed[1::2], printed[2::2], strict=True):
        for operation, attribute in sorted(attributes(text)):
            seen.add(attribute)
            if attribute not in ALLOWED.get(operation, set()):
                wrong.append(f"after {name}: {operation} has {attribute}")
    print("\n".join([*dict.fromkeys(wrong), f"{len(printed) // 2} passes, {len(wrong)} wrong"]))
    print("attributes:", " ".join(sorted(seen)))
    return 1 if wrong or len(printed) < 20 else 0


if __name__ == "__main__":
    sys.exit(main())
