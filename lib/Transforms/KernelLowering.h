//===- KernelLowering.h - Pieces of mxfp4-lower-to-nvvm ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The pass, LowerToNVVM.cpp, is split by subject: kernels in LowerKernels.cpp,
// elements in memory in LowerMemory.cpp, vectors in LowerVectors.cpp, tiles in
// LowerTiles.cpp, stores in LowerStores.cpp, fragments in LowerFragments.cpp,
// mbarriers in LowerBarriers.cpp, bulk and tensor copies in
// LowerBulkCopies.cpp, wgmma in LowerWgmma.cpp, accumulators in
// LowerAccumulators.cpp, sums of K slices in LowerSlices.cpp, functions of f32
// in LowerMath.cpp. What they share, arithmetic above all, is here.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_TRANSFORMS_KERNELLOWERING_H
#define MXFP4_TRANSFORMS_KERNELLOWERING_H

#include "mxfp4/Core/Schedule.h"

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/IR/PatternMatch.h"

namespace mxfp4 {

/// LLVM-dialect integer arithmetic with constants folded into the calls. All
/// values of one expression have one type, i32 or i64. `index` values are i32.
class Arithmetic {
public:
  explicit Arithmetic(mlir::ImplicitLocOpBuilder &b) : b(b) {}

  mlir::Value constant(mlir::Type type, int64_t value);
  mlir::Value add(mlir::Value lhs, mlir::Value rhs);
  mlir::Value add(mlir::Value lhs, int64_t rhs);
  mlir::Value mul(mlir::Value lhs, int64_t rhs);
  mlir::Value andi(mlir::Value lhs, int64_t rhs);
  mlir::Value xori(mlir::Value lhs, mlir::Value rhs);
  mlir::Value shr(mlir::Value lhs, int64_t rhs);
  mlir::Value udiv(mlir::Value lhs, int64_t rhs);
  mlir::Value urem(mlir::Value lhs, int64_t rhs);
  mlir::Value ult(mlir::Value lhs, mlir::Value rhs);
  mlir::Value ult(mlir::Value lhs, int64_t rhs);
  mlir::Value select(mlir::Value condition, mlir::Value yes, mlir::Value no);
  /// Of a number that is not negative.
  mlir::Value toI64(mlir::Value value);

  /// base + bytes, a 64-bit number or a 32-bit one that is not negative.
  mlir::Value offset(mlir::Value base, mlir::Value bytes);

  /// A sum of bit groups of an index (see FragmentMap.h).
  mlir::Value sum(const std::vector<BitGroup> &groups, mlir::Value index);
  /// The first 16-row slice of a warp (see Schedule.h), and the number that a
  /// term multiplies with its stride.
  mlir::Value firstSlice(const WarpPlace &place, mlir::Value warp);
  mlir::Value number(const WarpTerm &term, mlir::Value warp);

  /// threadIdx.x, its warp, and its number in the warp, i32.
  mlir::Value thread();
  mlir::Value warp();
  mlir::Value lane();

private:
  mlir::ImplicitLocOpBuilder &b;
};

/// Accumulators, vectors of f32 of rank 2 and up, are arrays of arrays of f32
/// in LLVM, ... x 4 for a thread's share of eight tokens. Those four, as a
/// vector; and the accumulator with others in their place.
mlir::Value readFour(mlir::ImplicitLocOpBuilder &b, mlir::Value accumulator,
                     mlir::ArrayRef<int64_t> at);
mlir::Value writeFour(mlir::ImplicitLocOpBuilder &b, mlir::Value accumulator,
                      mlir::ArrayRef<int64_t> at, mlir::Value four);

/// All sums of the first `columns` times eight tokens of a block, appended
/// as scalars; and the accumulator with others in the first places of a block.
void readSums(mlir::ImplicitLocOpBuilder &b, mlir::Value accumulator,
              mlir::ArrayRef<int64_t> block, int64_t columns,
              mlir::SmallVectorImpl<mlir::Value> &sums);
mlir::Value writeSums(mlir::ImplicitLocOpBuilder &b, mlir::Value accumulator,
                      mlir::ArrayRef<int64_t> block,
                      mlir::ArrayRef<mlir::Value> sums);

/// Bytes of a swizzled unit of a staged row.
inline constexpr int kUnitBytes = 16;

/// Threads of the CTA, whole warps: kernels have a known block size. Diagnoses
/// `op` if not.
mlir::FailureOr<int64_t> threadsOf(mlir::Operation *op);

/// What should be unrolled is unrolled before the lowering. LLVM would unroll a
/// producer's loop past its few registers, and a consumer's into batches that
/// ptxas cannot overlap.
void keepRolled(mlir::scf::ForOp loop);

/// Of patterns that go ahead of upstream's, which expect memref descriptors.
inline constexpr int kKernelBenefit = 10;

/// The type of memory, and its elements.
void populateMemoryLowering(mlir::LLVMTypeConverter &converter,
                            mlir::RewritePatternSet &patterns);

/// Kernels, their shared memory and the type of tensor maps; and whether a
/// kernel can be lowered, which is diagnosed.
void populateKernelLowering(mlir::LLVMTypeConverter &converter,
                            mlir::RewritePatternSet &patterns);
mlir::LogicalResult checkKernel(mlir::gpu::GPUFuncOp kernel);

/// copy_weights, copy_activations, locate_tile.
void populateTileLowering(const mlir::LLVMTypeConverter &converter,
                          mlir::RewritePatternSet &patterns);

/// load_rows, gather_activations.
void populateGatherLowering(const mlir::LLVMTypeConverter &converter,
                            mlir::RewritePatternSet &patterns);

/// store_tile.
void populateStoreLowering(const mlir::LLVMTypeConverter &converter,
                           mlir::RewritePatternSet &patterns);

/// load_codes, load_scales, load_activations, mma, store_decoded,
/// load_decoded.
void populateFragmentLowering(const mlir::LLVMTypeConverter &converter,
                              mlir::RewritePatternSet &patterns);

/// Mbarriers; and the address of one in an array of them.
void populateBarrierLowering(const mlir::LLVMTypeConverter &converter,
                             mlir::RewritePatternSet &patterns);
mlir::Value barrierAddress(mlir::ImplicitLocOpBuilder &b, mlir::Value base,
                           mlir::Value slot);

/// Bulk and tensor copies, and prefetches.
void populateBulkCopyLowering(const mlir::LLVMTypeConverter &converter,
                              mlir::RewritePatternSet &patterns);

/// wgmma and its waits, and pins.
void populateWgmmaLowering(const mlir::LLVMTypeConverter &converter,
                           mlir::RewritePatternSet &patterns);

/// Bulk copies of rows, and waits for counters.
void populateRowCopyLowering(const mlir::LLVMTypeConverter &converter,
                             mlir::RewritePatternSet &patterns);

/// Whether a kernel of 8-bit numbers has accumulators of enough tokens that its
/// blocks should hand them on as scalars; and what makes them do so, in the
/// lowered kernel.
bool hasTallSums(mlir::gpu::GPUFuncOp kernel);
void splitSums(mlir::LLVM::LLVMFuncOp kernel);

/// The type of accumulators, and the operations of `vector` on them.
void populateAccumulatorLowering(mlir::LLVMTypeConverter &converter,
                                 mlir::RewritePatternSet &patterns);

/// Division and functions of f32 (`math`), and whether all that `kernels` use
/// can be lowered; diagnoses the first that cannot.
void populateMathLowering(const mlir::LLVMTypeConverter &converter,
                          mlir::RewritePatternSet &patterns);
mlir::LogicalResult checkMath(mlir::Operation *kernels);

/// Vectors of neighbouring elements in memory.
void populateVectorMemoryLowering(const mlir::LLVMTypeConverter &converter,
                                  mlir::RewritePatternSet &patterns);

/// reduce_slices.
void populateSliceLowering(const mlir::LLVMTypeConverter &converter,
                           mlir::RewritePatternSet &patterns);

} // namespace mxfp4

#endif // MXFP4_TRANSFORMS_KERNELLOWERING_H
