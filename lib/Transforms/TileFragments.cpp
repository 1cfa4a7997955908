//===- TileFragments.cpp - A thread's part of a tile ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "TileFragments.h"

#include "KernelBuilding.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"

using namespace mlir;
using namespace mxfp4;

TileFragments::TileFragments(TileMatmulOp op)
    : op(op), schedule(op.getSchedule().toSchedule()),
      layout(layoutOf(op.getWeights().getType())), slices(schedule.slices()),
      columns(schedule.warpTokens() / traits().nStep),
      steps(layout.cols / traits().k) {}

/// One term of a warp's coordinate: (warp / divisor % modulus) * stride.
static Value emitTerm(ImplicitLocOpBuilder &b, Value warp,
                      const WarpTerm &term) {
  Value part = warp;
  if (term.divisor != 1)
    part = arith::DivUIOp::create(b, part, indexConstant(b, term.divisor));
  if (term.modulus != 0)
    part = arith::RemUIOp::create(b, part, indexConstant(b, term.modulus));
  if (term.stride != 1)
    part = arith::MulIOp::create(b, part, indexConstant(b, term.stride));
  return part;
}

WarpPosition TileFragments::locateWarp(ImplicitLocOpBuilder &b) const {
  Value thread = gpu::ThreadIdOp::create(b, gpu::Dimension::x);
  Value warp =
      arith::DivUIOp::create(b, thread, indexConstant(b, kWarpThreads));
  const WarpPlace place = schedule.placeOfWarps(schedule.consumerWarps());
  Value firstSlice = emitTerm(b, warp, place.slice.front());
  for (const WarpTerm &term : ArrayRef(place.slice).drop_front())
    firstSlice = arith::AddIOp::create(b, firstSlice, emitTerm(b, warp, term));
  return {warp, firstSlice, emitTerm(b, warp, place.token)};
}

PackedSlice TileFragments::load(ImplicitLocOpBuilder &b, Value slot,
                                Value slice) const {
  Value weights = TileMatmulOp(op).getWeights();
  PackedSlice packed;
  for (int part = 0; part < layout.loads(); ++part)
    llvm::append_range(
        packed.codes,
        LoadCodesOp::create(b, weights, slot, slice, part).getResults());
  for (int part = 0; 4 * part < layout.quadScaleBytes(); ++part)
    packed.scales.push_back(
        LoadScalesOp::create(b, weights, slot, slice, part));
  return packed;
}

SmallVector<Value> TileFragments::decode(ImplicitLocOpBuilder &b,
                                         const PackedSlice &packed,
                                         int64_t step) const {
  const Type block = getElementTypeOrSelf(TileMatmulOp(op).getWeights());
  const auto number = static_cast<uint64_t>(step);
  if (layout.stepWords() == 1)
    return SmallVector<Value>(
        DecodeOp::create(b, packed.codes[step], packed.scales[0], number, block)
            .getResults());
  SmallVector<Value> registers(4);
  for (int row = 0; row < 2; ++row) {
    auto decoded = DecodeRowOp::create(b, packed.codes[2 * step + row],
                                       packed.scales[row], number, block);
    registers[row] = decoded.getLow();
    registers[row + 2] = decoded.getHigh();
  }
  return registers;
}

void TileFragments::store(ImplicitLocOpBuilder &b, ValueRange fragment,
                          Value tile, Value slice, int64_t step) {
  StoreDecodedOp::create(b, fragment[0], fragment[1], fragment[2], fragment[3],
                         tile, slice, step, /*buffer=*/0);
}
