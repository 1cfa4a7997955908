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

const uint32_t *words(ExecContext &x, const Operand &o) {
  return reinterpret_cast<const uint32_t *>(x.ptr(o));
}

void execMma(ExecContext &x, const Inst &i) {
  x.requireAligned(i);
  unsigned k = i.a, regsA = k / 4;
  static thread_local FragmentA a;
  BlockB b;
  const uint32_t *ra[4];
  for (unsigned j = 0; j < 4; ++j)
    ra[j] = words(x, x.src(i, j < regsA ? j : 0));
  setA(ra, k, i.t, 1.0f, a);
  for (unsigned half = 0; half < k / 8; ++half) {
    const uint32_t *rb = words(x, x.src(i, regsA + half));
    const void *columns[8];
    for (unsigned n = 0; n < 8; ++n)
      columns[n] = rb + 4 * n;
    setB(i.t, columns, 1.0f, half, b);
  }
  alignas(64) float acc[4][32];
  float *ptr[4];
  for (unsigned j = 0; j < 4; ++j) {
    std::memcpy(acc[j], x.ptr(x.src(i, regsA + k / 8 + j)), 128);
    ptr[j] = acc[j];
  }
  multiplyBlock(a, b, k, ptr);
  for (unsigned j = 0; j < 4; ++j) {
    uint32_t bits[32];
    for (unsigned l = 0; l < 32; ++l)
      bits[l] = bitsTo<uint32_t>(canonical(acc[j][l]));
    commit(x, x.dst(i, j), bits);
  }
  ++x.s.stats.mma;
  x.s.stats.mmaMacs += 16 * 8 * k;
}

/// Reads or checks the rows whose addresses lanes 8m..8m+7 give.
bool matrixRow(ExecContext &x, const Inst &i, unsigned lane, bool write,
               MemRef &r) {
  uint64_t addr = x.lane(x.src(i, 0), lane) + uint64_t(i.imm);
  if (!x.src(i, 0).isWide())
    addr = uint32_t(addr);
  return resolve(x, Space::Shared, addr, 16, 16, write, lane, r);
}

void countRows(ExecContext &x, const Inst &i, bool write) {
  (write ? x.s.stats.sharedStoreBytes : x.s.stats.sharedLoadBytes) += 128 * i.a;
  for (unsigned m = 0; m < i.a; ++m) {
    // A row covers four banks: eight rows conflict where their residues meet.
    unsigned count[8] = {}, most = 0;
    for (unsigned r = 0; r < 8; ++r) {
      uint64_t addr = x.lane(x.src(i, 0), 8 * m + r) + uint64_t(i.imm);
      unsigned c = ++count[addr >> 4 & 7];
      most = c > most ? c : most;
    }
    x.s.stats.sharedWavefronts += most;
    ++x.s.stats.sharedIdealWavefronts;
  }
}

void execLdMatrix(ExecContext &x, const Inst &i) {
  x.requireAligned(i);
  countRows(x, i, false);
  uint16_t rows[8][8];
  for (unsigned m = 0; m < i.a; ++m) {
    std::memset(rows, 0, sizeof(rows));
    for (unsigned r = 0; r < 8; ++r) {
      MemRef ref;
      unsigned l = 8 * m + r;
      if (!matrixRow(x, i, l, false, ref))
        continue;
      touch(x, ref, 16, threadAccess(x, l, 0));
      std::memcpy(rows[r], ref.host, 16);
    }
    uint32_t out[32];
    for (unsigned l = 0; l < 32; ++l) {
      unsigned g = l / 4, t = 2 * (l % 4);
      out[l] = i.sub ? rows[t][g] | uint32_t(rows[t + 1][g]) << 16
                     : rows[g][t] | uint32_t(rows[g][t + 1]) << 16;
    }
    commit(x, x.dst(i, m), out);
  }
}

void execStMatrix(ExecContext &x, const Inst &i) {
  x.requireAligned(i);
  countRows(x, i, true);
  for (unsigned m = 0; m < i.a; ++m) {
    const uint32_t *v = words(x, x.src(i, 1 + m));
    for (unsigned r = 0; r < 8; ++r) {
      uint16_t row[8];
      for (unsigned c = 0; c < 8; ++c)
        row[c] = i.sub ? uint16_t(v[4 * c + r / 2] >> (16 * (r & 1)))
                       : uint16_t(v[4 * r + c / 2] >> (16 * (c & 1)));
      MemRef ref;
      unsigned l = 8 * m + r;
      if (!matrixRow(x, i, l, true, ref))
        continue;
      touch(x, ref, 16, threadAccess(x, l, Access::Write),
            reinterpret_cast<uint8_t *>(row));
      std::memcpy(ref.host, row, 16);
    }
  }
  ++x.cl.progress;
}

void execMovMatrix(ExecContext &x, const Inst &i) {
  x.requireAligned(i);
  const uint32_t *v = words(x, x.src(i, 0));
  uint32_t out[32];
  for (unsigned l = 0; l < 32; ++l) {
    unsigned r = l / 4, c = 2 * (l % 4);
    auto at = [&](unsigned row, unsigned col) {
      return uint32_t(uint16_t(v[4 * row + col / 2] >> (16 * (col & 1))));
    };
    out[l] = at(c, r) | at(c + 1, r) << 16;
  }
  commit(x, x.dst(i), out);
}

const std::vector<AstOperand> *vec(Decoder &d, unsigned n, size_t want) {
  const AstOperand &o = d.ops()[n];
  if (o.k == AstOperand::Vec && o.elems.size() == want)
    return &o.elems;
  d.fail("operand " + std::to_string(n + 1) + " must be a list of " +
         plural(want, "register"));
  return nullptr;
}

} // namespace

bool mxfp4::sim::decodeMma(Decoder &d) {
  d.i.p = Pipe::Tensor;
  d.i.flags |= Inst::Aligned | Inst::WholeWarp;
  d.take("sync");
  d.take("aligned");
  if (std::string what = foreignOperands(d.ast().opcode); !what.empty())
    return d.fail("mma of " + what +
                  " is not supported: the interpreter executes mma of bf16 and "
                  "of f16, with f32 accumulators");
  bool k16 = d.take("m16n8k16"), k8 = !k16 && d.take("m16n8k8");
  if (!k16 && !k8)
    return d.fail("only mma shapes m16n8k16 and m16n8k8 are supported");
  if (!d.take("row") || !d.take("col"))
    return d.fail("mma takes A by rows and B by columns (.row.col)");
  Ty td = d.takeType(), ta = d.takeType(), tb = d.takeType(), tc = d.takeType();
  if (td != Ty::F32 || tc != Ty::F32 || ta != tb ||
      (ta != Ty::BF16 && ta != Ty::F16))
    return d.fail("only mma of bf16 or f16 with f32 accumulators is supported");
  d.i.t = ta;
  d.i.a = k16 ? 16 : 8;
  d.i.fn = execMma;
  if (!d.expectOps(4, 4))
    return false;
  auto *vd = vec(d, 0, 4), *va = vec(d, 1, k16 ? 4 : 2),
       *vb = vec(d, 2, k16 ? 2 : 1), *vc = vec(d, 3, 4);
  if (!vd || !va || !vb || !vc)
    return false;
  for (const AstOperand &o : *vd)
    if (!d.dst(o, Ty::F32))
      return false;
  for (auto *v : {va, vb, vc})
    for (const AstOperand &o : *v)
      if (!d.src(o, Ty::B32))
        return false;
  return true;
}

bool mxfp4::sim::decodeMatrixMove(Decoder &d) {
  d.i.p = Pipe::Lsu;
  d.i.flags |= Inst::Aligned | Inst::WholeWarp;
  std::string_view base = d.base();
  d.take("sync");
  d.take("aligned");
  if (!d.take("m8n8"))
    return d.fail("only 8x8 matrices of 16-bit elements are supported");
  int n = d.takeOneOf({"x1", "x2", "x4"}, 0);
  d.i.a = 1u << n;
  d.i.sub = d.take("trans");
  d.takeOneOf({"shared", "shared::cta"}, 0);
  if (!d.take("b16"))
    return d.fail("only 8x8 matrices of 16-bit elements are supported");
  if (!d.expectOps(2, 2))
    return false;
  if (base == "movmatrix") {
    d.i.fn = execMovMatrix;
    return d.dst(d.ops()[0], Ty::B32) && d.src(d.ops()[1], Ty::B32);
  }
  bool load = base == "ldmatrix";
  d.i.fn = load ? execLdMatrix : execStMatrix;
  const AstOperand &data = d.ops()[load ? 0 : 1];
  std::vector<AstOperand> one{data};
  const auto &elems = data.k == AstOperand::Vec ? data.elems : one;
  if (elems.size() != d.i.a)
    return d.fail("expected " + plural(d.i.a, "register") + ", found " +
                  std::to_string(elems.size()));
  if (!d.address(d.ops()[load ? 1 : 0]))
    return false;
  for (const AstOperand &o : elems)
    if (!(load ? d.dst(o, Ty::B32) : d.src(o, Ty::B32)))
      return false;
  return true;
}
