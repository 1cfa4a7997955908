//===- KernelLowering.cpp - What lowerings of kernels share ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace mxfp4;

Value Arithmetic::constant(Type type, int64_t value) {
  return LLVM::ConstantOp::create(b, type, b.getIntegerAttr(type, value));
}
// Nothing that kernels count overflows; saying so lets constants move out of
// sums that are extended to addresses.
constexpr LLVM::IntegerOverflowFlags kNoOverflow =
    LLVM::IntegerOverflowFlags::nsw;

Value Arithmetic::add(Value lhs, Value rhs) {
  return LLVM::AddOp::create(b, lhs, rhs, kNoOverflow);
}
Value Arithmetic::add(Value lhs, int64_t rhs) {
  return rhs == 0 ? lhs : add(lhs, constant(lhs.getType(), rhs));
}
Value Arithmetic::mul(Value lhs, int64_t rhs) {
  return rhs == 1 ? lhs
                  : Value(LLVM::MulOp::create(
                        b, lhs, constant(lhs.getType(), rhs), kNoOverflow));
}
Value Arithmetic::andi(Value lhs, int64_t rhs) {
  return LLVM::AndOp::create(b, lhs, constant(lhs.getType(), rhs));
}
Value Arithmetic::xori(Value lhs, Value rhs) {
  return LLVM::XOrOp::create(b, lhs, rhs);
}
Value Arithmetic::shr(Value lhs, int64_t rhs) {
  return rhs == 0 ? lhs
                  : Value(LLVM::LShrOp::create(b, lhs,
                                               constant(lhs.getType(), rhs)));
}
Value Arithmetic::udiv(Value lhs, int64_t rhs) {
  return LLVM::UDivOp::create(b, lhs, constant(lhs.getType(), rhs));
}
Value Arithmetic::urem(Value lhs, int64_t rhs) {
  return LLVM::URemOp::create(b, lhs, constant(lhs.getType(), rhs));
}
Value Arithmetic::ult(Value lhs, Value rhs) {
  return LLVM::ICmpOp::create(b, LLVM::ICmpPredicate::ult, lhs, rhs);
}
Value Arithmetic::ult(Value lhs, int64_t rhs) {
  return ult(lhs, constant(lhs.getType(), rhs));
}
Value Arithmetic::select(Value condition, Value yes, Value no) {
  return LLVM::SelectOp::create(b, condition, yes, no);
}
Value Arithmetic::toI64(Value value) {
  return LLVM::ZExtOp::create(b, b.getI64Type(), value, /*nonNeg=*/true);
}
Value Arithmetic::offset(Value base, Value bytes) {
  if (bytes.getType().isInteger(32))
    bytes = toI64(bytes);
  return LLVM::GEPOp::create(b, base.getType(), b.getI8Type(), base,
                             ArrayRef<LLVM::GEPArg>{bytes});
}
Value Arithmetic::sum(const std::vector<BitGroup> &groups, Value index) {
  Value total;
  for (const BitGroup &group : groups) {
    Value term = mul(andi(shr(index, group.shift), group.mask), group.stride);
    total = total ? add(total, term) : term;
  }
  return total ? total : constant(index.getType(), 0);
}
Value Arithmetic::number(const WarpTerm &term, Value warp) {
  Value number = term.divisor == 1 ? warp : udiv(warp, term.divisor);
  return term.modulus == 0 ? number : urem(number, term.modulus);
}
Value Arithmetic::firstSlice(const WarpPlace &place, Value warp) {
  const auto part = [&](const WarpTerm &term) {
    return mul(number(term, warp), term.stride);
  };
  Value total = part(place.slice.front());
  for (const WarpTerm &term : ArrayRef(place.slice).drop_front())
    total = add(total, part(term));
  return total;
}
Value Arithmetic::thread() {
  return NVVM::ThreadIdXOp::create(b, b.getI32Type());
}
Value Arithmetic::warp() { return shr(thread(), llvm::Log2_32(kWarpThreads)); }
Value Arithmetic::lane() { return andi(thread(), kWarpThreads - 1); }

void mxfp4::keepRolled(scf::ForOp loop) {
  MLIRContext *context = loop.getContext();
  auto disable = LLVM::LoopUnrollAttr::get(
      context, BoolAttr::get(context, true), {}, {}, {}, {}, {}, {});
  loop->setAttr("llvm.loop_annotation",
                LLVM::LoopAnnotationAttr::get(context, {}, {}, {}, disable, {},
                                              {}, {}, {}, {}, {}, {}, {}, {},
                                              {}, {}));
}
