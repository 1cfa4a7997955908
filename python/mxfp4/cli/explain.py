# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""``mxfp4 explain``: the command line of `mxfp4.explain`."""

from ..explain import DESCRIPTION, EXAMPLES, arguments, run

__all__ = ["DESCRIPTION", "EXAMPLES", "SUMMARY", "arguments", "run"]

SUMMARY = "write a page that shows how a kernel comes to be"
