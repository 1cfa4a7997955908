# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Check that each invalid case of the files named ends the tool with an error, and not only a word.

`--verify-diagnostics` is content with the message; a verifier that says it and goes on is not.
"""

import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Print every case that is accepted."""
    cases = accepted = 0
    for name in sys.argv[1:]:
        for case in Path(name).read_text().split("// -----"):
            if "expected-error" not in case:
                continue
            cases += 1
            run = subprocess.run(["mxfp4-opt"], input=case, capture_output=True, text=True)
            if run.returncode == 0:
                accepted += 1
                print(f"{name} accepts:\n{case.strip()}\n")
    print(f"{cases} cases, {accepted} accepted")
    return 1 if accepted or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
