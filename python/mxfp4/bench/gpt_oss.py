# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The layers of gpt-oss, and how many tokens go through them. Imports nothing."""

LAYERS = {"gate_up": (5760, 2880), "down": (2880, 2880), "dense": (8192, 8192)}
"""(N, K) of a layer; "dense" is not gpt-oss's, but one expert to compare with cuBLAS."""

TOKENS = (1, 4, 16, 64, 256, 1024, 4096, 8192)
TOP = 4
"""Experts of a token."""
