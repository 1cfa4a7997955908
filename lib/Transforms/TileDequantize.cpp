//===- TileDequantize.cpp - Decodes in memory to kernels ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A thread decodes eight values: 4 bytes of codes of one block with its scale,
// to 16 bytes of bf16. Neighbouring threads have neighbouring bytes.
//
//===----------------------------------------------------------------------===//

#include "CtaBuilder.h"
#include "KernelBuilding.h"
#include "KernelOutlining.h"

#include "mxfp4/Core/Format.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mxfp4 {
#define GEN_PASS_DEF_TILEDEQUANTIZE
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

static constexpr int64_t kThreads = 256, kValues = 8, kBytes = kValues / 2;

static MemRefType typeOf(Value buffer) {
  return cast<MemRefType>(buffer.getType());
}

/// What keeps a decode from becoming a kernel, as the rest of a sentence; empty
/// if nothing does.
static std::string unmetForDequantize(DequantizeOp op) {
  if (std::string reason = unmetForOutlining(op); !reason.empty())
    return reason;
  MemRefType type = typeOf(op.getInit());
  if (!type.hasStaticShape())
    return "requires static sizes to become a kernel";
  // `index` has 32 bits in a kernel.
  if (type.getNumElements() > std::numeric_limits<int32_t>::max())
    return "requires fewer than 2^31 values to become a kernel";
  return "";
}

/// The bytes of a buffer one behind the other.
static MemRefType flat(Value buffer) {
  MemRefType type = typeOf(buffer);
  return MemRefType::get({type.getNumElements()}, type.getElementType());
}

static SmallVector<KernelArgument> signatureOf(DequantizeOp op) {
  SmallVector<KernelArgument> arguments;
  const auto add = [&](StringRef name, Value buffer, int64_t align) {
    MemRefType type = flat(buffer);
    arguments.push_back(
        {type, ArgAttr::get(op.getContext(), name, Provider::Caller, align,
                            MemRefType(), /*nullable=*/false)});
  };
  add("codes", op.getCodes(), kBytes);
  add("scales", op.getScales(), 1);
  add("values", op.getInit(), 16);
  return arguments;
}

static void buildKernel(gpu::GPUFuncOp kernel) {
  CtaBuilder c(kernel.getLoc(), &kernel.getBody().front(), kThreads);
  emitGridDependency(c.b);
  Value codes = findArgument(kernel, "codes"),
        scales = findArgument(kernel, "scales"),
        values = findArgument(kernel, "values");
  Type element = typeOf(values).getElementType();
  Value number = c.add(c.mul(c.cta, kThreads), c.thread);
  const int64_t count = typeOf(values).getNumElements() / kValues;
  c.ifThen(c.less(number, count), [&] {
    Value bytes =
        vector::LoadOp::create(c.b, VectorType::get({kBytes}, c.b.getI8Type()),
                               codes, ValueRange{c.mul(number, kBytes)});
    Value block = c.op<arith::DivUIOp>(number, kScaleBlock / kValues);
    Value scale = c.scaleValue(c.load(scales, block));
    SmallVector<Value> decoded;
    for (int64_t i = 0; i < kValues; ++i) {
      Value byte = vector::ExtractOp::create(c.b, bytes, i / 2);
      decoded.push_back(c.decode(c.nibble(byte, c.index(i)), scale));
    }
    Value all = vector::FromElementsOp::create(
        c.b, VectorType::get({kValues}, c.b.getF32Type()), decoded);
    if (!element.isF32())
      all = arith::TruncFOp::create(c.b, VectorType::get({kValues}, element),
                                    all);
    vector::StoreOp::create(c.b, all, values,
                            ValueRange{c.mul(number, kValues)});
  });
  gpu::ReturnOp::create(c.b);
}

/// A contiguous buffer as one dimension.
static Value flatten(ImplicitLocOpBuilder &b, Value buffer) {
  MemRefType type = flat(buffer);
  return memref::ReinterpretCastOp::create(
      b, type, buffer, /*offset=*/0, ArrayRef<int64_t>(type.getNumElements()),
      ArrayRef<int64_t>(1));
}

static void launch(DequantizeOp op, gpu::GPUFuncOp kernel) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  const int64_t perCta = kThreads * kValues,
                count = typeOf(op.getInit()).getNumElements();
  Value one = indexConstant(b, 1);
  Value ctas = indexConstant(b, (count + perCta - 1) / perCta);
  emitLaunch(b, kernel, {ctas, one, one}, kThreads, /*sharedBytes=*/0,
             {flatten(b, op.getCodes()), flatten(b, op.getScales()),
              flatten(b, op.getInit())});
}

namespace {

struct TileDequantizePass
    : mxfp4::impl::TileDequantizeBase<TileDequantizePass> {
  using TileDequantizeBase::TileDequantizeBase;

  void runOnOperation() override {
    SmallVector<DequantizeOp> ops;
    getOperation().walk([&](DequantizeOp op) {
      if (op.hasPureBufferSemantics())
        ops.push_back(op);
    });
    for (DequantizeOp op : ops) {
      if (std::string reason = unmetForDequantize(op); !reason.empty()) {
        op.emitRemark() << "is left for the host, because it " << reason;
        continue;
      }
      if (typeOf(op.getInit()).getNumElements() == 0) {
        op.erase();
        continue;
      }
      gpu::GPUFuncOp kernel = outlineKernel(op, signatureOf(op), kThreads,
                                            /*ctasPerMultiprocessor=*/1);
      buildKernel(kernel);
      launch(op, kernel);
      op.erase();
      ++numTiled;
    }
  }
};

} // namespace
