//===- PtxName.h - Identifiers of PTX ---------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A symbol of MLIR is any string, such as "jit(f)"; an identifier of PTX is
// made of letters, digits, `_` and `$`. LLVM ends the process when it prints
// another.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_PTXNAME_H
#define MXFP4_CORE_PTXNAME_H

#include <string>
#include <string_view>

namespace mxfp4 {

/// Whether a name is an identifier of PTX.
bool isPtxName(std::string_view name);

/// An identifier for a symbol: `prefix`, an identifier itself, and the symbol
/// as far as PTX has its characters. Each other byte, and each `$` next to one,
/// becomes `$` and two hexadecimal digits: "jit(f)" becomes "jit$28f$29". Of
/// what is longer than 200 bytes, 16 digits of a hash replace the end. The same
/// symbol has the same name everywhere; two symbols have two names, but for a
/// symbol that looks like the name of another, and for collisions of the hash.
std::string ptxName(std::string_view prefix, std::string_view symbol);

} // namespace mxfp4

#endif // MXFP4_CORE_PTXNAME_H
