//===- Names.h - Names that a user may have meant ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_NAMES_H
#define MXFP4_CORE_NAMES_H

#include <string>
#include <string_view>
#include <vector>

namespace mxfp4 {

/// The name that `given` most likely stands for, or "" if none is near: case
/// and '_' for '-' do not count, then a beginning of one name ("E" is
/// "experts"), then the fewest changed letters, of which a third may be wrong.
std::string nearestName(std::string_view given,
                        const std::vector<std::string> &names);

/// What follows "unknown `what` 'given'" in a message: the nearest name, and
/// all names: "; did you mean 'n'? The `what`s are experts, n, k".
std::string alternatives(std::string_view given, std::string_view what,
                         const std::vector<std::string> &names);

} // namespace mxfp4

#endif // MXFP4_CORE_NAMES_H
