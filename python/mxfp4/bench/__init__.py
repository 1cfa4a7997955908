# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Benchmark of gpt-oss shapes and others: ``python -m mxfp4.bench``."""
