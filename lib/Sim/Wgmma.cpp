//===- Wgmma.cpp - wgmma.mma_async and its groups -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each warp does its 16 rows by itself, when the group is waited for: an
// operand that is overwritten too early gives a wrong result here as it may on
// the chip. Registers and shared memory are marked when the instruction is
// issued.
//
//===----------------------------------------------------------------------===//

#include "Wgmma.h"

#include "Decoder.h"
#include "Memory.h"
#include "WgmmaOperands.h"

#include <algorithm>

using namespace mxfp4::sim;

namespace {

/// Marks the 16-byte chunks of an operand as read by the warp's wgmmas, or only
/// checks them (Access::Peek).
bool touchOperand(ExecContext &X, const Descriptor &D, bool Trans,
                  uint32_t FirstRow, uint32_t Rows, uint32_t Group,
                  uint8_t Flags = 0) {
  if (D.BaseOffset && D.span() > 16 && !X.known("descriptor")) {
    X.report("descriptor",
             "matrix descriptors with a base offset are not supported", 0);
    return false;
  }
  Access A = agentAccess(X, WgmmaAgent, Group, 0,
                         uint8_t(Flags | Access::Async | Access::AnyLane));
  A.What = "this wgmma";
  uint32_t N = Trans ? 16 : Rows, Chunks = Trans ? Rows / 8 : 2;
  uint32_t FirstChunk = Trans ? FirstRow / 8 : 0;
  uint32_t First = Trans ? 0 : FirstRow;
  uint32_t Offs[512];
  size_t Count = 0;
  for (uint32_t R = First; R < First + N; ++R)
    for (uint32_t C = FirstChunk; C < FirstChunk + Chunks; ++C) {
      uint32_t Off = D.chunk(Trans, R, C);
      if (Off < SharedBase || Off + 16 > X.G.SharedBytes) {
        if (!X.known("out-of-bounds"))
          X.report("out-of-bounds",
                   "wgmma reads shared memory at " + hex(Off) +
                       ", out of bounds: its matrix descriptor covers more "
                       "than the block has",
                   0, Off);
        return false;
      }
      Offs[Count++] = Off;
    }
  touchSharedChunks(X, X.C, Offs, Count, A);
  return true;
}

void compute(ExecContext &X, const PendingWgmma &P) {
  const Inst &I = *P.I;
  static thread_local FragmentA A;
  if (I.Mods & RegisterA) {
    const uint32_t *Regs[4];
    for (unsigned J = 0; J < 4; ++J)
      Regs[J] = P.A.data() + 32 * J;
    setA(Regs, 16, I.T, I.Mods & NegA ? -1.0f : 1.0f, A);
  } else {
    loadA(X.C, I, Descriptor(P.DescA), 16 * (X.W.Id % 4), A);
  }
  Descriptor D(P.DescB);
  BlockB B;
  for (unsigned Block = 0; Block < I.A / 8; ++Block) {
    loadB(X.C, I, D, 8 * Block, B);
    float *Acc[4];
    for (unsigned J = 0; J < 4; ++J) {
      Acc[J] = reinterpret_cast<float *>(X.out(X.dst(I, 4 * Block + J)));
      if (!P.ScaleD)
        std::memset(Acc[J], 0, 128);
    }
    multiplyBlock(A, B, 16, Acc);
  }
  X.S.S.WgmmaMacs += uint64_t(16) * 16 * I.A;
}

/// Has the warp marked the same B for a wgmma of the group to come? Who writes
/// there in between is told so, and the mark still stands.
bool sameB(const Warp &W, const Inst &I, uint64_t DescB) {
  return std::any_of(W.Wgmmas.rbegin(), W.Wgmmas.rend(),
                     [&](const PendingWgmma &P) {
                       return !P.Group && P.DescB == DescB && P.I->A == I.A &&
                              !((P.I->Mods ^ I.Mods) & TransB);
                     });
}

void checkRegister(ExecContext &X, const Operand &O, bool Accumulator) {
  RegState &R = X.W.States[O.Slot];
  bool NoFence = X.W.FenceEpoch == 1; // None so far.
  if ((!NoFence && R.WriteEpoch != X.W.FenceEpoch) || O.isConst() ||
      X.known("wgmma-fence"))
    return;
  X.report("wgmma-fence",
           std::string("wgmma uses ") +
               (Accumulator ? "accumulator " : "A register ") +
               X.K.SlotNames[O.Slot] +
               ", written since the last wgmma.fence: a wgmma.fence must come "
               "in between",
           0);
}

void execWgmma(ExecContext &X, const Inst &I) {
  X.requireAligned(I);
  PendingWgmma P;
  P.I = &I;
  unsigned At = 0;
  uint32_t Group = X.W.WgmmaGroups + 1;
  if (I.Mods & RegisterA) {
    P.A.resize(128);
    for (unsigned J = 0; J < 4; ++J) {
      const Operand &O = X.src(I, At++);
      std::memcpy(P.A.data() + 32 * J, X.ptr(O), 128);
      checkRegister(X, O, false);
      if (!O.isConst())
        X.W.States[O.Slot].Busy |= RegState::OperandA;
    }
  } else {
    P.DescA = X.lane(X.src(I, At++), 0);
    // It is the warpgroup's: all of it is there before any warp begins. Until
    // when each row is read, only its warp knows.
    const Descriptor D(P.DescA);
    if (!touchOperand(X, D, I.Mods & TransA, 0, 64, Group, Access::Peek) ||
        !touchOperand(X, D, I.Mods & TransA, 16 * (X.W.Id % 4), 16, Group))
      return;
  }
  P.DescB = X.lane(X.src(I, At++), 0);
  P.ScaleD = X.pred(X.src(I, At)) & 1;
  if (!sameB(X.W, I, P.DescB) &&
      !touchOperand(X, Descriptor(P.DescB), I.Mods & TransB, 0, I.A, Group))
    return;
  // 16 columns of K, two bytes each: A by the warp's rows, B once for all four.
  X.S.S.SharedAsyncReadBytes += (I.Mods & RegisterA ? 0 : 16 * 32) +
                                (X.W.Id % 4 ? 0 : uint64_t(I.A) * 32);
  for (unsigned J = 0; J < I.NumDst; ++J) {
    const Operand &O = X.dst(I, J);
    RegState &R = X.W.States[O.Slot];
    if (!(R.Busy & RegState::Accumulator)) {
      checkRegister(X, O, true);
      if (P.ScaleD && R.Def != ~0u && !X.known("uninitialised"))
        X.report("uninitialised",
                 "wgmma adds to accumulator " + X.K.SlotNames[O.Slot] +
                     ", which holds no value",
                 0);
    }
    R.Busy |= RegState::Accumulator;
    R.Def = 0;
  }
  X.W.Wgmmas.push_back(std::move(P));
  ++X.W.WgmmaCount;
  // Each warp counts a quarter; the report divides.
  ++X.S.S.Wgmma;
}

void execFence(ExecContext &X, const Inst &I) {
  X.requireAligned(I);
  ++X.W.FenceEpoch;
}

void execCommit(ExecContext &X, const Inst &I) {
  X.requireAligned(I);
  ++X.W.WgmmaGroups;
  for (PendingWgmma &P : X.W.Wgmmas)
    if (!P.Group)
      P.Group = X.W.WgmmaGroups;
}

void execWait(ExecContext &X, const Inst &I) {
  X.requireAligned(I);
  if (X.W.WgmmaGroups > I.A)
    finishWgmmas(X, X.W.WgmmaGroups - I.A);
}

bool decodeMmaAsync(Decoder &D) {
  if (std::string What = foreignOperands(D.ast().Opcode); !What.empty())
    return D.fail("wgmma of " + What +
                  " is not supported: the interpreter executes wgmma of bf16 "
                  "and of f16, with f32 accumulators");
  std::string_view Shape;
  if (!D.takePrefix("m64n", &Shape))
    return D.fail("wgmma needs a shape m64nNk16");
  unsigned N = 0;
  size_t J = 4;
  for (; J < Shape.size() && Shape[J] >= '0' && Shape[J] <= '9' && J < 8; ++J)
    N = N * 10 + unsigned(Shape[J] - '0');
  if (Shape.substr(J) != "k16" || N < 8 || N > 256 || N % 8)
    return D.fail("wgmma of bf16 or f16 has shapes m64nNk16, N a multiple of 8 "
                  "up to 256");
  Ty Td = D.takeType(), Ta = D.takeType(), Tb = D.takeType();
  if (Td != Ty::F32 || Ta != Tb || (Ta != Ty::BF16 && Ta != Ty::F16))
    return D.fail("only wgmma of bf16 or f16 with f32 accumulators is "
                  "supported");
  D.I.T = Ta;
  D.I.A = N;
  D.I.Fn = execWgmma;
  if (!D.expectOps(6, 8))
    return false;
  const auto &Ops = D.ops();
  if (Ops[0].K != AstOperand::Vec || Ops[0].Elems.size() != N / 2)
    return D.fail("wgmma of " + std::to_string(N) + " columns has " +
                  plural(N / 2, "accumulator") + " a thread");
  for (const AstOperand &O : Ops[0].Elems)
    if (!D.dst(O, Ty::F32))
      return false;
  bool FromRegs = Ops[1].K == AstOperand::Vec;
  if (FromRegs) {
    D.I.Mods |= RegisterA;
    if (Ops[1].Elems.size() != 4)
      return D.fail("the A fragment has 4 registers");
    for (const AstOperand &O : Ops[1].Elems)
      if (!D.src(O, Ty::B32))
        return false;
  } else if (!D.src(Ops[1], Ty::B64)) {
    return false;
  }
  if (!D.expectOps(FromRegs ? 7 : 8, FromRegs ? 7 : 8))
    return false;
  if (!D.src(Ops[2], Ty::B64) || !D.srcPred(Ops[3]))
    return false;
  int64_t V[4] = {};
  for (size_t K = 4; K < Ops.size(); ++K)
    if (!D.immediate(Ops[K], V[K - 4]))
      return false;
  for (unsigned K = 0; K < 2; ++K) {
    if (V[K] != 1 && V[K] != -1)
      return D.fail("the scales of A and B must be 1 or -1");
    if (V[K] < 0)
      D.I.Mods |= K ? NegB : NegA;
  }
  if (!FromRegs && V[2])
    D.I.Mods |= TransA;
  if (V[FromRegs ? 2 : 3])
    D.I.Mods |= TransB;
  return true;
}

} // namespace

std::string mxfp4::sim::foreignOperands(std::string_view Opcode) {
  std::string Fp8, Whole;
  for (size_t At = Opcode.find('.'); At != Opcode.npos;) {
    const size_t Next = Opcode.find('.', At + 1);
    const std::string Word(Opcode.substr(At + 1, Next - At - 1));
    if (Word == "e4m3" || Word == "e5m2")
      Fp8 += (Fp8.empty() ? "" : ", ") + Word;
    if (Word == "tf32")
      return "TF32";
    if (Word == "s8" || Word == "u8")
      Whole = "8-bit integers";
    if (Word == "b1")
      Whole = "single bits";
    if (Word == "sp")
      return "sparse matrices";
    At = Next;
  }
  return Fp8.empty() ? Whole : "FP8 (" + Fp8 + ")";
}

void mxfp4::sim::finishWgmmas(ExecContext &X, uint32_t Upto) {
  auto &Pending = X.W.Wgmmas;
  size_t Done = 0;
  while (Done < Pending.size() && Pending[Done].Group &&
         Pending[Done].Group <= Upto) {
    const PendingWgmma &P = Pending[Done++];
    compute(X, P);
    const Inst &I = *P.I;
    for (unsigned J = 0; J < I.NumDst; ++J)
      X.W.States[X.dst(I, J).Slot].Busy = 0;
    if (I.Mods & RegisterA)
      for (unsigned J = 0; J < 4; ++J)
        X.W.States[X.src(I, J).Slot].Busy = 0;
  }
  for (size_t N = 0; N < Done; ++N) {
    const Inst &I = *Pending[N].I;
    for (unsigned J = 0; J < I.NumDst; ++J)
      X.W.States[X.dst(I, J).Slot].Def = ~0u;
  }
  Pending.erase(Pending.begin(), Pending.begin() + Done);
  // What later groups still own stays theirs.
  for (const PendingWgmma &P : Pending) {
    const Inst &I = *P.I;
    for (unsigned J = 0; J < I.NumDst; ++J) {
      RegState &R = X.W.States[X.dst(I, J).Slot];
      R.Busy |= RegState::Accumulator;
      R.Def = 0;
    }
    if (I.Mods & RegisterA)
      for (unsigned J = 0; J < 4; ++J)
        if (!X.src(I, J).isConst())
          X.W.States[X.src(I, J).Slot].Busy |= RegState::OperandA;
  }
  X.W.WgmmaDone = std::max(X.W.WgmmaDone, Upto);
  X.W.Clock.raise(X.W.agent(WgmmaAgent), Upto);
}

bool mxfp4::sim::decodeWgmma(Decoder &D) {
  D.I.P = Pipe::Tensor;
  D.I.Flags |= Inst::Aligned | Inst::WholeWarp;
  int Kind =
      D.takeOneOf({"mma_async", "fence", "commit_group", "wait_group"}, -1);
  D.take("sync");
  D.take("aligned");
  switch (Kind) {
  case 0:
    return decodeMmaAsync(D);
  case 1:
    D.I.Fn = execFence;
    return D.expectOps(0, 0);
  case 2:
    D.I.Fn = execCommit;
    return D.expectOps(0, 0);
  case 3: {
    int64_t N;
    if (!D.expectOps(1, 1) || !D.immediate(D.ops()[0], N))
      return false;
    if (N < 0 || N > 7)
      return D.fail("wgmma.wait_group takes a number from 0 to 7");
    D.I.A = uint32_t(N);
    D.I.Fn = execWait;
    return true;
  }
  default:
    return D.fail("this wgmma operation is not known");
  }
}
