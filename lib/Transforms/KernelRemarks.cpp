//===- KernelRemarks.cpp - What passes on kernels decide ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelRemarks.h"

#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/Support/Debug.h"

using namespace mlir;
using namespace mxfp4;
using remark::RemarkKind;
using remark::detail::InFlightRemark;

static InFlightRemark begin(Location loc, RemarkKind kind,
                            remark::RemarkOpts options) {
  switch (kind) {
  case RemarkKind::RemarkPassed:
    return remark::passed(loc, options);
  case RemarkKind::RemarkMissed:
    return remark::missed(loc, options);
  default:
    return remark::analysis(loc, options);
  }
}

void mxfp4::remarkOn(Operation *op, RemarkKind kind, StringLiteral pass,
                     StringLiteral name, function_ref<std::string()> text) {
  // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): a literal.
  DEBUG_WITH_TYPE(pass.data(), llvm::dbgs() << "[" << pass << "] " << name
                                            << ": " << text() << "\n");
  auto function = dyn_cast<FunctionOpInterface>(op);
  if (!function)
    function = op->getParentOfType<FunctionOpInterface>();
  const StringRef functionName = function ? function.getName() : "";
  if (InFlightRemark remark = begin(
          op->getLoc(), kind,
          remark::RemarkOpts::name(name).category(pass).function(functionName)))
    remark << remark::detail::Remark::Arg(llvm::StringRef("Remark"), text());
}
