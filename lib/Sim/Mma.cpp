//===- Mma.cpp - mma.sync, ldmatrix, stmatrix, movmatrix ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "MmaKernel.h"

#include "Decoder.h"
#include "Float.h"
#include "Memory.h"

using namespace mxfp4::sim;

namespace {

const uint32_t *words(ExecContext &X, const Operand &O) {
  return reinterpret_cast<const uint32_t *>(X.ptr(O));
}

void execMma(ExecContext &X, const Inst &I) {
  X.requireAligned(I);
  unsigned K = I.A, RegsA = K / 4;
  static thread_local FragmentA A;
  BlockB B;
  const uint32_t *RA[4];
  for (unsigned J = 0; J < 4; ++J)
    RA[J] = words(X, X.src(I, J < RegsA ? J : 0));
  setA(RA, K, I.T, 1.0f, A);
  for (unsigned Half = 0; Half < K / 8; ++Half) {
    const uint32_t *RB = words(X, X.src(I, RegsA + Half));
    const void *Columns[8];
    for (unsigned N = 0; N < 8; ++N)
      Columns[N] = RB + 4 * N;
    setB(I.T, Columns, 1.0f, Half, B);
  }
  alignas(64) float Acc[4][32];
  float *Ptr[4];
  for (unsigned J = 0; J < 4; ++J) {
    std::memcpy(Acc[J], X.ptr(X.src(I, RegsA + K / 8 + J)), 128);
    Ptr[J] = Acc[J];
  }
  multiplyBlock(A, B, K, Ptr);
  for (unsigned J = 0; J < 4; ++J) {
    uint32_t Bits[32];
    for (unsigned L = 0; L < 32; ++L)
      Bits[L] = bitsTo<uint32_t>(canonical(Acc[J][L]));
    commit(X, X.dst(I, J), Bits);
  }
  ++X.S.S.Mma;
  X.S.S.MmaMacs += 16 * 8 * K;
}

/// Reads or checks the rows whose addresses lanes 8m..8m+7 give.
bool matrixRow(ExecContext &X, const Inst &I, unsigned Lane, bool Write,
               MemRef &R) {
  uint64_t Addr = X.lane(X.src(I, 0), Lane) + uint64_t(I.Imm);
  if (!X.src(I, 0).isWide())
    Addr = uint32_t(Addr);
  return resolve(X, Space::Shared, Addr, 16, 16, Write, Lane, R);
}

void countRows(ExecContext &X, const Inst &I, bool Write) {
  (Write ? X.S.S.SharedStoreBytes : X.S.S.SharedLoadBytes) += 128 * I.A;
  for (unsigned M = 0; M < I.A; ++M) {
    // A row covers four banks: eight rows conflict where their residues meet.
    unsigned Count[8] = {}, Most = 0;
    for (unsigned R = 0; R < 8; ++R) {
      uint64_t Addr = X.lane(X.src(I, 0), 8 * M + R) + uint64_t(I.Imm);
      unsigned C = ++Count[Addr >> 4 & 7];
      Most = C > Most ? C : Most;
    }
    X.S.S.SharedWavefronts += Most;
    ++X.S.S.SharedIdealWavefronts;
  }
}

void execLdMatrix(ExecContext &X, const Inst &I) {
  X.requireAligned(I);
  countRows(X, I, false);
  uint16_t Rows[8][8];
  for (unsigned M = 0; M < I.A; ++M) {
    std::memset(Rows, 0, sizeof(Rows));
    for (unsigned R = 0; R < 8; ++R) {
      MemRef Ref;
      unsigned L = 8 * M + R;
      if (!matrixRow(X, I, L, false, Ref))
        continue;
      touch(X, Ref, 16, threadAccess(X, L, 0));
      std::memcpy(Rows[R], Ref.Host, 16);
    }
    uint32_t Out[32];
    for (unsigned L = 0; L < 32; ++L) {
      unsigned G = L / 4, T = 2 * (L % 4);
      Out[L] = I.Sub ? Rows[T][G] | uint32_t(Rows[T + 1][G]) << 16
                     : Rows[G][T] | uint32_t(Rows[G][T + 1]) << 16;
    }
    commit(X, X.dst(I, M), Out);
  }
}

void execStMatrix(ExecContext &X, const Inst &I) {
  X.requireAligned(I);
  countRows(X, I, true);
  for (unsigned M = 0; M < I.A; ++M) {
    const uint32_t *V = words(X, X.src(I, 1 + M));
    for (unsigned R = 0; R < 8; ++R) {
      uint16_t Row[8];
      for (unsigned C = 0; C < 8; ++C)
        Row[C] = I.Sub ? uint16_t(V[4 * C + R / 2] >> (16 * (R & 1)))
                       : uint16_t(V[4 * R + C / 2] >> (16 * (C & 1)));
      MemRef Ref;
      unsigned L = 8 * M + R;
      if (!matrixRow(X, I, L, true, Ref))
        continue;
      touch(X, Ref, 16, threadAccess(X, L, Access::Write),
            reinterpret_cast<uint8_t *>(Row));
      std::memcpy(Ref.Host, Row, 16);
    }
  }
  ++X.Cl.Progress;
}

void execMovMatrix(ExecContext &X, const Inst &I) {
  X.requireAligned(I);
  const uint32_t *V = words(X, X.src(I, 0));
  uint32_t Out[32];
  for (unsigned L = 0; L < 32; ++L) {
    unsigned R = L / 4, C = 2 * (L % 4);
    auto At = [&](unsigned Row, unsigned Col) {
      return uint32_t(uint16_t(V[4 * Row + Col / 2] >> (16 * (Col & 1))));
    };
    Out[L] = At(C, R) | At(C + 1, R) << 16;
  }
  commit(X, X.dst(I), Out);
}

const std::vector<AstOperand> *vec(Decoder &D, unsigned N, size_t Want) {
  const AstOperand &O = D.ops()[N];
  if (O.K == AstOperand::Vec && O.Elems.size() == Want)
    return &O.Elems;
  D.fail("operand " + std::to_string(N + 1) + " must be a list of " +
         plural(Want, "register"));
  return nullptr;
}

} // namespace

bool mxfp4::sim::decodeMma(Decoder &D) {
  D.I.P = Pipe::Tensor;
  D.I.Flags |= Inst::Aligned | Inst::WholeWarp;
  D.take("sync");
  D.take("aligned");
  if (std::string What = foreignOperands(D.ast().Opcode); !What.empty())
    return D.fail("mma of " + What +
                  " is not supported: the interpreter executes mma of bf16 and "
                  "of f16, with f32 accumulators");
  bool K16 = D.take("m16n8k16"), K8 = !K16 && D.take("m16n8k8");
  if (!K16 && !K8)
    return D.fail("only mma shapes m16n8k16 and m16n8k8 are supported");
  if (!D.take("row") || !D.take("col"))
    return D.fail("mma takes A by rows and B by columns (.row.col)");
  Ty Td = D.takeType(), Ta = D.takeType(), Tb = D.takeType(), Tc = D.takeType();
  if (Td != Ty::F32 || Tc != Ty::F32 || Ta != Tb ||
      (Ta != Ty::BF16 && Ta != Ty::F16))
    return D.fail("only mma of bf16 or f16 with f32 accumulators is supported");
  D.I.T = Ta;
  D.I.A = K16 ? 16 : 8;
  D.I.Fn = execMma;
  if (!D.expectOps(4, 4))
    return false;
  auto *Vd = vec(D, 0, 4), *Va = vec(D, 1, K16 ? 4 : 2),
       *Vb = vec(D, 2, K16 ? 2 : 1), *Vc = vec(D, 3, 4);
  if (!Vd || !Va || !Vb || !Vc)
    return false;
  for (const AstOperand &O : *Vd)
    if (!D.dst(O, Ty::F32))
      return false;
  for (auto *V : {Va, Vb, Vc})
    for (const AstOperand &O : *V)
      if (!D.src(O, Ty::B32))
        return false;
  return true;
}

bool mxfp4::sim::decodeMatrixMove(Decoder &D) {
  D.I.P = Pipe::Lsu;
  D.I.Flags |= Inst::Aligned | Inst::WholeWarp;
  std::string_view Base = D.base();
  D.take("sync");
  D.take("aligned");
  if (!D.take("m8n8"))
    return D.fail("only 8x8 matrices of 16-bit elements are supported");
  int N = D.takeOneOf({"x1", "x2", "x4"}, 0);
  D.I.A = 1u << N;
  D.I.Sub = D.take("trans");
  D.takeOneOf({"shared", "shared::cta"}, 0);
  if (!D.take("b16"))
    return D.fail("only 8x8 matrices of 16-bit elements are supported");
  if (!D.expectOps(2, 2))
    return false;
  if (Base == "movmatrix") {
    D.I.Fn = execMovMatrix;
    return D.dst(D.ops()[0], Ty::B32) && D.src(D.ops()[1], Ty::B32);
  }
  bool Load = Base == "ldmatrix";
  D.I.Fn = Load ? execLdMatrix : execStMatrix;
  const AstOperand &Data = D.ops()[Load ? 0 : 1];
  std::vector<AstOperand> One{Data};
  const auto &Elems = Data.K == AstOperand::Vec ? Data.Elems : One;
  if (Elems.size() != D.I.A)
    return D.fail("expected " + plural(D.I.A, "register") + ", found " +
                  std::to_string(Elems.size()));
  if (!D.address(D.ops()[Load ? 1 : 0]))
    return false;
  for (const AstOperand &O : Elems)
    if (!(Load ? D.dst(O, Ty::B32) : D.src(O, Ty::B32)))
      return false;
  return true;
}
