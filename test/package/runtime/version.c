/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */
/* Exits with 0 if header and library are of one version. */
#include "mxfp4-c/Runtime.h"

int main(void) { return mxfp4rt_abi_version() != MXFP4RT_ABI_VERSION; }
