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
bool touchOperand(ExecContext &x, const Descriptor &d, bool trans,
                  uint32_t firstRow, uint32_t rows, uint32_t group,
                  uint8_t flags = 0) {
  if (d.baseOffset && d.span() > 16 && !x.known("descriptor")) {
    x.report("descriptor",
             "matrix descriptors with a base offset are not supported", 0);
    return false;
  }
  Access a = agentAccess(x, kWgmmaAgent, group, 0,
                         uint8_t(flags | Access::Async | Access::AnyLane));
  a.what = "this wgmma";
  uint32_t n = trans ? 16 : rows, chunks = trans ? rows / 8 : 2;
  uint32_t firstChunk = trans ? firstRow / 8 : 0;
  uint32_t first = trans ? 0 : firstRow;
  uint32_t offs[512];
  size_t count = 0;
  for (uint32_t r = first; r < first + n; ++r)
    for (uint32_t c = firstChunk; c < firstChunk + chunks; ++c) {
      uint32_t off = d.chunk(trans, r, c);
      if (off < kSharedBase || off + 16 > x.g.sharedBytes) {
        if (!x.known("out-of-bounds"))
          x.report("out-of-bounds",
                   "wgmma reads shared memory at " + hex(off) +
                       ", out of bounds: its matrix descriptor covers more "
                       "than the block has",
                   0, off);
        return false;
      }
      offs[count++] = off;
    }
  touchSharedChunks(x, x.c, offs, count, a);
  return true;
}

/// As `compute`, for operands of 8 bits.
void computeFp8(ExecContext &x, const PendingWgmma &p) {
  const Inst &i = *p.i;
  static thread_local Fp8Row a[16], b;
  for (uint32_t row = 0; row < 16; ++row) {
    if (i.mods & RegisterA)
      setA8(p.a.data(), i, row, a[row]);
    else
      loadA8(x.c, i, Descriptor(p.descA), 16 * (x.w.id % 4) + row, a[row]);
  }
  const int fraction =
      fractionBits(i.mods & E5M2A) + fractionBits(i.mods & E5M2B);
  for (uint32_t n = 0; n < i.a; ++n) {
    loadB8(x.c, i, Descriptor(p.descB), n, b);
    for (uint32_t row = 0; row < 16; ++row) {
      // Columns 2t and 2t + 1 of eight are those of lane t of a row.
      const Operand &o = x.dst(i, 4 * (n / 8) + 2 * (row / 8) + n % 2);
      float &sum =
          reinterpret_cast<float *>(x.out(o))[4 * (row % 8) + n % 8 / 2];
      sum = addFp8(a[row], b, fraction, p.scaleD ? sum : 0.0f);
    }
  }
  x.s.stats.wgmmaMacs += uint64_t(16) * 32 * i.a;
}

void compute(ExecContext &x, const PendingWgmma &p) {
  const Inst &i = *p.i;
  if (i.t == kFp8)
    return computeFp8(x, p);
  static thread_local FragmentA a;
  if (i.mods & RegisterA) {
    const uint32_t *regs[4];
    for (unsigned j = 0; j < 4; ++j)
      regs[j] = p.a.data() + 32 * j;
    setA(regs, 16, i.t, i.mods & NegA ? -1.0f : 1.0f, a);
  } else {
    loadA(x.c, i, Descriptor(p.descA), 16 * (x.w.id % 4), a);
  }
  Descriptor d(p.descB);
  BlockB b;
  for (unsigned block = 0; block < i.a / 8; ++block) {
    loadB(x.c, i, d, 8 * block, b);
    float *acc[4];
    for (unsigned j = 0; j < 4; ++j) {
      acc[j] = reinterpret_cast<float *>(x.out(x.dst(i, 4 * block + j)));
      if (!p.scaleD)
        std::memset(acc[j], 0, 128);
    }
    multiplyBlock(a, b, 16, acc);
  }
  x.s.stats.wgmmaMacs += uint64_t(16) * 16 * i.a;
}

/// Whether the warp has already marked the same B for a wgmma of the group that
/// is not committed yet. The mark still stands, because a write to B in between
/// would have been reported.
bool sameB(const Warp &w, const Inst &i, uint64_t descB) {
  return std::any_of(w.wgmmas.rbegin(), w.wgmmas.rend(),
                     [&](const PendingWgmma &p) {
                       return !p.group && p.descB == descB && p.i->a == i.a &&
                              !((p.i->mods ^ i.mods) & TransB);
                     });
}

void checkRegister(ExecContext &x, const Operand &o, bool accumulator) {
  RegState &r = x.w.states[o.slot];
  bool noFence = x.w.fenceEpoch == 1; // None so far.
  if ((!noFence && r.writeEpoch != x.w.fenceEpoch) || o.isConst() ||
      x.known("wgmma-fence"))
    return;
  x.report("wgmma-fence",
           std::string("wgmma uses ") +
               (accumulator ? "accumulator " : "A register ") +
               x.k.slotNames[o.slot] +
               ", written since the last wgmma.fence: a wgmma.fence must come "
               "in between",
           0);
}

void execWgmma(ExecContext &x, const Inst &i) {
  x.requireAligned(i);
  PendingWgmma p;
  p.i = &i;
  unsigned at = 0;
  uint32_t group = x.w.wgmmaGroups + 1;
  if (i.mods & RegisterA) {
    p.a.resize(128);
    for (unsigned j = 0; j < 4; ++j) {
      const Operand &o = x.src(i, at++);
      std::memcpy(p.a.data() + 32 * j, x.ptr(o), 128);
      checkRegister(x, o, false);
      if (!o.isConst())
        x.w.states[o.slot].busy |= RegState::OperandA;
    }
  } else {
    p.descA = x.lane(x.src(i, at++), 0);
    // All four warps share A. All of A must have arrived before any warp
    // begins, so that all 64 rows are checked. A warp marks only its own 16
    // rows as read, because the others are read until their warps wait.
    const Descriptor d(p.descA);
    if (!touchOperand(x, d, i.mods & TransA, 0, 64, group, Access::Peek) ||
        !touchOperand(x, d, i.mods & TransA, 16 * (x.w.id % 4), 16, group))
      return;
  }
  p.descB = x.lane(x.src(i, at++), 0);
  p.scaleD = x.pred(x.src(i, at)) & 1;
  if (!sameB(x.w, i, p.descB) &&
      !touchOperand(x, Descriptor(p.descB), i.mods & TransB, 0, i.a, group))
    return;
  // 32 bytes along K: A by the warp's rows, B once for all four.
  x.s.stats.sharedAsyncReadBytes += (i.mods & RegisterA ? 0 : 16 * 32) +
                                    (x.w.id % 4 ? 0 : uint64_t(i.a) * 32);
  for (unsigned j = 0; j < i.numDst; ++j) {
    const Operand &o = x.dst(i, j);
    RegState &r = x.w.states[o.slot];
    if (!(r.busy & RegState::Accumulator)) {
      checkRegister(x, o, true);
      if (p.scaleD && r.def != ~0u && !x.known("uninitialised"))
        x.report("uninitialised",
                 "wgmma adds to accumulator " + x.k.slotNames[o.slot] +
                     ", which holds no value",
                 0);
    }
    r.busy |= RegState::Accumulator;
    r.def = 0;
  }
  x.w.wgmmas.push_back(std::move(p));
  ++x.w.wgmmaCount;
  // Each of the four warps counts the instruction; the report divides by four.
  ++x.s.stats.wgmma;
}

void execFence(ExecContext &x, const Inst &i) {
  x.requireAligned(i);
  ++x.w.fenceEpoch;
}

void execCommit(ExecContext &x, const Inst &i) {
  x.requireAligned(i);
  ++x.w.wgmmaGroups;
  for (PendingWgmma &p : x.w.wgmmas)
    if (!p.group)
      p.group = x.w.wgmmaGroups;
}

void execWait(ExecContext &x, const Inst &i) {
  x.requireAligned(i);
  if (x.w.wgmmaGroups > i.a)
    finishWgmmas(x, x.w.wgmmaGroups - i.a);
}

/// Takes the types of A and B, which stand behind the type of the accumulators
/// in the instruction's name, if they are FP8.
bool takeFp8(Decoder &d) {
  const std::string_view opcode = d.ast().opcode;
  const size_t at = opcode.find(".f32.e");
  if (at == opcode.npos)
    return false;
  const std::string_view a = opcode.substr(at + 5, 4),
                         b = opcode.substr(at + 10);
  const auto isE5M2 = [&](std::string_view type) {
    d.take(type);
    return type == "e5m2";
  };
  if ((a != "e4m3" && a != "e5m2") || (b != "e4m3" && b != "e5m2"))
    return false;
  d.i.t = kFp8;
  d.i.mods |= (isE5M2(a) ? E5M2A : 0) | (isE5M2(b) ? E5M2B : 0);
  return true;
}

bool decodeMmaAsync(Decoder &d) {
  const bool isFp8 = takeFp8(d);
  if (std::string what = foreignOperands(d.ast().opcode);
      !isFp8 && !what.empty())
    return d.fail("wgmma of " + what +
                  " is not supported: the interpreter executes wgmma of bf16, "
                  "of f16 and of FP8, with f32 accumulators");
  std::string_view shape;
  if (!d.takePrefix("m64n", &shape))
    return d.fail("wgmma needs a shape m64nNk16");
  unsigned n = 0;
  size_t j = 4;
  for (; j < shape.size() && shape[j] >= '0' && shape[j] <= '9' && j < 8; ++j)
    n = n * 10 + unsigned(shape[j] - '0');
  if (shape.substr(j) != (isFp8 ? "k32" : "k16") || n < 8 || n > 256 || n % 8)
    return d.fail(
        "wgmma of bf16 or f16 has shapes m64nNk16, and of FP8 m64nNk32, "
        "N a multiple of 8 up to 256");
  Ty td = d.takeType();
  if (!isFp8) {
    Ty ta = d.takeType(), tb = d.takeType();
    if (td != Ty::F32 || ta != tb || (ta != Ty::BF16 && ta != Ty::F16))
      return d.fail("only wgmma of bf16, f16 or FP8 with f32 accumulators is "
                    "supported");
    d.i.t = ta;
  }
  d.i.a = n;
  d.i.fn = execWgmma;
  if (!d.expectOps(6, 8))
    return false;
  const auto &ops = d.ops();
  if (ops[0].k != AstOperand::Vec || ops[0].elems.size() != n / 2)
    return d.fail("wgmma of " + std::to_string(n) + " columns has " +
                  plural(n / 2, "accumulator") + " a thread");
  for (const AstOperand &o : ops[0].elems)
    if (!d.dst(o, Ty::F32))
      return false;
  bool fromRegs = ops[1].k == AstOperand::Vec;
  if (fromRegs) {
    d.i.mods |= RegisterA;
    if (ops[1].elems.size() != 4)
      return d.fail("the A fragment has 4 registers");
    for (const AstOperand &o : ops[1].elems)
      if (!d.src(o, Ty::B32))
        return false;
  } else if (!d.src(ops[1], Ty::B64)) {
    return false;
  }
  // Operands end with a transpose bit for each 16-bit operand in shared memory:
  // neither 8-bit operands nor registers can be transposed.
  const unsigned operands = isFp8 ? 6 : fromRegs ? 7 : 8;
  if (!d.expectOps(operands, operands))
    return false;
  if (!d.src(ops[2], Ty::B64) || !d.srcPred(ops[3]))
    return false;
  int64_t v[4] = {};
  for (size_t k = 4; k < ops.size(); ++k)
    if (!d.immediate(ops[k], v[k - 4]))
      return false;
  for (unsigned k = 0; k < 2; ++k) {
    if (v[k] != 1 && v[k] != -1)
      return d.fail("the scales of A and B must be 1 or -1");
    if (v[k] < 0)
      d.i.mods |= k ? NegB : NegA;
  }
  if (isFp8)
    return true;
  if (!fromRegs && v[2])
    d.i.mods |= TransA;
  if (v[fromRegs ? 2 : 3])
    d.i.mods |= TransB;
  return true;
}

} // namespace

std::string mxfp4::sim::foreignOperands(std::string_view opcode) {
  std::string fp8, whole;
  for (size_t at = opcode.find('.'); at != opcode.npos;) {
    const size_t next = opcode.find('.', at + 1);
    const std::string word(opcode.substr(at + 1, next - at - 1));
    if (word == "e4m3" || word == "e5m2")
      fp8 += (fp8.empty() ? "" : ", ") + word;
    if (word == "tf32")
      return "TF32";
    if (word == "s8" || word == "u8")
      whole = "8-bit integers";
    if (word == "b1")
      whole = "single bits";
    if (word == "sp")
      return "sparse matrices";
    at = next;
  }
  return fp8.empty() ? whole : "FP8 (" + fp8 + ")";
}

void mxfp4::sim::finishWgmmas(ExecContext &x, uint32_t upto) {
  auto &pending = x.w.wgmmas;
  size_t done = 0;
  while (done < pending.size() && pending[done].group &&
         pending[done].group <= upto) {
    const PendingWgmma &p = pending[done++];
    compute(x, p);
    const Inst &i = *p.i;
    for (unsigned j = 0; j < i.numDst; ++j)
      x.w.states[x.dst(i, j).slot].busy = 0;
    if (i.mods & RegisterA)
      for (unsigned j = 0; j < 4; ++j)
        x.w.states[x.src(i, j).slot].busy = 0;
  }
  for (size_t n = 0; n < done; ++n) {
    const Inst &i = *pending[n].i;
    for (unsigned j = 0; j < i.numDst; ++j)
      x.w.states[x.dst(i, j).slot].def = ~0u;
  }
  pending.erase(pending.begin(), pending.begin() + done);
  // Registers of groups that are still pending stay busy.
  for (const PendingWgmma &p : pending) {
    const Inst &i = *p.i;
    for (unsigned j = 0; j < i.numDst; ++j) {
      RegState &r = x.w.states[x.dst(i, j).slot];
      r.busy |= RegState::Accumulator;
      r.def = 0;
    }
    if (i.mods & RegisterA)
      for (unsigned j = 0; j < 4; ++j)
        if (!x.src(i, j).isConst())
          x.w.states[x.src(i, j).slot].busy |= RegState::OperandA;
  }
  x.w.wgmmaDone = std::max(x.w.wgmmaDone, upto);
  x.w.clock.raise(x.w.agent(kWgmmaAgent), upto);
}

bool mxfp4::sim::decodeWgmma(Decoder &d) {
  d.i.p = Pipe::Tensor;
  d.i.flags |= Inst::Aligned | Inst::WholeWarp;
  int kind =
      d.takeOneOf({"mma_async", "fence", "commit_group", "wait_group"}, -1);
  d.take("sync");
  d.take("aligned");
  switch (kind) {
  case 0:
    return decodeMmaAsync(d);
  case 1:
    d.i.fn = execFence;
    return d.expectOps(0, 0);
  case 2:
    d.i.fn = execCommit;
    return d.expectOps(0, 0);
  case 3: {
    int64_t n;
    if (!d.expectOps(1, 1) || !d.immediate(d.ops()[0], n))
      return false;
    if (n < 0 || n > 7)
      return d.fail("wgmma.wait_group takes a number from 0 to 7");
    d.i.a = uint32_t(n);
    d.i.fn = execWait;
    return true;
  }
  default:
    return d.fail("this wgmma operation is not known");
  }
}
