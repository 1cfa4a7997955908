# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""``python -m mxfp4``: the command line, where its script is not on the PATH."""

from .cli import main

raise SystemExit(main())
