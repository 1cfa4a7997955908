# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Verification of compiled kernels on a GPU: ``python -m mxfp4.verify``."""
