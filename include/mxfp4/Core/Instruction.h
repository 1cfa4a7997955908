//===- Instruction.h - What a tensor-core instruction is --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The facts of the instructions that kernels multiply with, as values: passes,
// verifiers and the chooser ask the traits of a schedule's instruction and not
// which instruction it is. Weights are operand A (M along N of the problem),
// activations operand B. An instruction is a row of `instructions()`; its
// emitter is the operation that stands for it in the IR, with the lowering of
// that operation (lib/Transforms/LowerFragments.cpp, LowerWgmma.cpp and
// PtxText.cpp). Instructions that differ in shape and types share an emitter.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_INSTRUCTION_H
#define MXFP4_CORE_INSTRUCTION_H

#include "mxfp4/Core/FragmentMap.h"
#include "mxfp4/Core/Warp.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mxfp4 {

struct BlockLayout;

/// The tensor-core instruction.
enum class Instruction {
  /// mma.sync.m16n8k16: a warp at a time, both operands in registers.
  MmaSync,
  /// wgmma.m64nNk16: a warpgroup at a time, weights in registers, activations
  /// in shared memory; copies by producer warps of their own.
  Wgmma,
  /// wgmma.m64nNk32: the same on numbers of 8 bits, weights as e5m2 and
  /// activations as e4m3.
  WgmmaFP8,
};

/// Types of operands and sums.
enum class NumberType { BF16, F32, E4M3, E5M2 };
int bits(NumberType type);
/// In PTX.
const char *name(NumberType type);

/// Bytes of a row of a stage along K: the widest swizzle that TMA and matrix
/// descriptors have.
inline constexpr int kRowBytes = 128;

/// The operation that stands for an instruction: mxfp4.mma, which a warp
/// executes on fragments, or mxfp4.wgmma, which a warpgroup starts on a stage.
enum class Emitter { Mma, Wgmma };

/// What an instruction is. A thread's share of A, of B and of the sums is what
/// the fragment maps say.
struct InstructionTraits {
  Instruction instruction;
  /// In schedules, and in PTX.
  const char *name, *ptxName;
  /// M and K; and N, which is a multiple of `nStep` up to `nMax`.
  int m, k, nStep, nMax;
  NumberType typeOfA, typeOfB, typeOfSums;
  Emitter emitter;
  /// Warps that cooperate in one.
  int warps;
  /// Whether A may be read from shared memory, instead of from registers. (B is
  /// read from there if it has no fragment map.)
  bool readsSharedA;
  /// Whether it runs while its warps go on. The copies of such a kernel are the
  /// work of warps of their own, and stages a ring between both.
  bool isAsynchronous;
  /// Who holds which element of A, of B (null if that is in shared memory), and
  /// of the sums of one N.
  FragmentMap (*mapOfA)();
  FragmentMap (*mapOfB)();
  FragmentMap (*mapOfSums)(int n);

  bool readsSharedB() const { return !mapOfB; }
  int threads() const { return kWarpThreads * warps; }
  /// Rows of A that one warp holds: a slice.
  int sliceRows() const { return m / warps; }
  /// Registers of 32 bits of a thread's share of A.
  int registersOfA() const { return mapOfA().elements() * bits(typeOfA) / 32; }
  /// The extent of a stage along K, and what one instruction takes of its rows.
  int tileK() const { return 8 * kRowBytes / bits(typeOfB); }
  int stepBytes() const { return k * bits(typeOfB) / 8; }
  /// Only 16-bit operands may be transposed, which immediates say.
  bool transposes() const { return bits(typeOfB) == 16; }
  /// Whether sums lose bits that f32 has: those of 8-bit operands are cut to 13
  /// bits behind the point at each instruction (docs/Numerics.md), so that a
  /// long sum wants to be added to one in f32 from time to time.
  bool cutsSums() const { return bits(typeOfB) == 8; }
};

/// The traits of an instruction, and all instructions in the order of the enum.
const InstructionTraits &traitsOf(Instruction instruction);
const std::vector<InstructionTraits> &instructions();
/// The instruction that an operation on these types is, or null; the type of A
/// does not matter if it is absent.
const InstructionTraits *findInstruction(Emitter emitter,
                                         std::optional<NumberType> a,
                                         NumberType b, NumberType sums);

/// Whether the words that a thread holds of a step along K (`stepWords`) are
/// its share of A in one instruction, with rows renamed by the layout's
/// permutation, which the epilogue undoes. What is decoded then needs no
/// exchange between threads.
bool wordsAreFragments(const BlockLayout &layout, Instruction instruction);

const char *name(Instruction instruction);
bool parse(const std::string &text, Instruction &instruction);

} // namespace mxfp4

#endif // MXFP4_CORE_INSTRUCTION_H
