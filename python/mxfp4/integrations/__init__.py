# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Models of other libraries on mxfp4 kernels."""
