# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Benchmark on gpt-oss shapes: ``python -m mxfp4.bench``."""
