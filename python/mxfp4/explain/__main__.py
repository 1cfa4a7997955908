# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""``python -m mxfp4.explain``."""

import sys

from . import main

if __name__ == "__main__":
    sys.exit(main())
