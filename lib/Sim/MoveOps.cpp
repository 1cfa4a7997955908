//===- MoveOps.cpp - mov, packing, address-space conversion, mapa ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// mov passes undefinedness on without a report: a copy of a value that nobody
// looks at is no mistake.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Exec.h"

using namespace mxfp4::sim;

namespace {

template <typename Box> void execMov(ExecContext &x, const Inst &i) {
  const Operand &d = x.dst(i), &s = x.src(i);
  RegState &from = x.w.states[s.slot];
  if (from.busy & RegState::Accumulator)
    x.busyWrite(s); // A read, but reported the same way.
  uint32_t def = from.busy ? ~0u : from.def, epoch = from.writeEpoch;
  alignas(64) Box temp[32];
  std::memcpy(temp, x.ptr(s), sizeof(temp));
  commit(x, d, temp);
  // For wgmma.fence a copy is as old as what it copies: LLVM puts copies and
  // zeros behind the fence, and ptxas coalesces them or orders them itself.
  x.w.states[d.slot].writeEpoch = epoch;
  x.undefine(d, x.mask & ~def, s);
}

void execMovPred(ExecContext &x, const Inst &i) {
  uint32_t def = x.w.states[x.src(i).slot].def;
  x.setPred(x.dst(i), x.pred(x.src(i)));
  x.undefine(x.dst(i), x.mask & ~def, x.src(i));
}

/// mov.b32 d, {a, b}: parts of I.A bits each.
void execPack(ExecContext &x, const Inst &i) {
  const Operand &d = x.dst(i);
  uint32_t def = ~0u;
  Operand from;
  for (unsigned j = 0; j < i.numSrc; ++j) {
    const uint32_t part = x.w.states[x.src(i, j).slot].def;
    if (x.mask & ~part)
      from = x.src(i, j);
    def &= part;
  }
  uint64_t part = (uint64_t(1) << i.a) - 1;
  uint64_t temp[32] = {};
  for (unsigned j = 0; j < i.numSrc; ++j) {
    Operand s = x.src(i, j);
    for (unsigned l = 0; l < 32; ++l)
      temp[l] |= (x.lane(s, l) & part) << (i.a * j);
  }
  if (d.isWide()) {
    commit(x, d, temp);
  } else {
    uint32_t narrow[32];
    for (unsigned l = 0; l < 32; ++l)
      narrow[l] = uint32_t(temp[l]);
    commit(x, d, narrow);
  }
  x.undefine(d, x.mask & ~def, from);
}

/// mov.b32 {a, b}, s
void execUnpack(ExecContext &x, const Inst &i) {
  uint64_t part = (uint64_t(1) << i.a) - 1, temp[32];
  uint32_t def = x.w.states[x.src(i).slot].def;
  for (unsigned l = 0; l < 32; ++l)
    temp[l] = x.lane(x.src(i), l);
  for (unsigned j = 0; j < i.numDst; ++j) {
    const Operand &d = x.dst(i, j);
    forLanes(x.mask, [&](unsigned l) {
      x.setLane(d, l, (temp[l] >> (i.a * j)) & part);
    });
    x.defined(d);
    x.undefine(d, x.mask & ~def, x.src(i));
  }
}

/// mov from a register that changes: the clocks.
void execClock(ExecContext &x, const Inst &i) {
  uint64_t now = x.cl.step * 64 + 1;
  if (i.sub == 1)
    now >>= 32;
  forLanes(x.mask, [&](unsigned l) { x.setLane(x.dst(i), l, now); });
  x.defined(x.dst(i));
}
void execActiveMask(ExecContext &x, const Inst &i) {
  forLanes(x.mask, [&](unsigned l) { x.setLane(x.dst(i), l, x.mask); });
  x.defined(x.dst(i));
}

/// cvta: imm is added, or taken away by cvta.to.
void execCvta(ExecContext &x, const Inst &i) {
  uint64_t window = uint64_t(i.imm);
  const Operand &d = x.dst(i), &s = x.src(i);
  forLanes(x.mask, [&](unsigned l) {
    uint64_t v = x.lane(s, l);
    if (i.sub) // to: an address outside the window stays and is caught later.
      v = v >= window && v < window + kWindowSize ? v - window : v;
    else
      v = v < kWindowSize ? v + window : v;
    x.setLane(d, l, v);
  });
  x.defined(d);
}

void execIsSpace(ExecContext &x, const Inst &i) {
  uint32_t r = 0;
  forLanes(x.mask, [&](unsigned l) {
    uint64_t v = x.lane(x.src(i), l);
    auto in = [&](uint64_t w) { return v >= w && v < w + kWindowSize; };
    bool is = i.s == Space::Shared
                  ? in(kSharedWindow) && (v - kSharedWindow) >> kRankShift == 0
              : i.s == Space::SharedCluster ? in(kSharedWindow)
              : i.s == Space::Local         ? in(kLocalWindow)
              : i.s == Space::Param         ? in(kParamWindow)
                                            : v >= kVariableBase;
    r |= uint32_t(is) << l;
  });
  x.setPred(x.dst(i), r);
}

/// mapa: the same place in another block of the cluster.
void execMapa(ExecContext &x, const Inst &i) {
  bool generic = i.s == Space::Generic;
  forLanes(x.mask, [&](unsigned l) {
    uint64_t v = x.lane(x.src(i, 0), l);
    uint32_t rank = uint32_t(x.lane(x.src(i, 1), l));
    if (rank >= x.cl.ctas.size() && !x.known("cluster"))
      x.report("cluster",
               "mapa asks for block " + std::to_string(rank) +
                   " of the cluster, which has " +
                   plural(x.cl.ctas.size(), "block"),
               l);
    uint64_t off = v & ((1u << kRankShift) - 1);
    v = off | uint64_t(rank + 1) << kRankShift;
    x.setLane(x.dst(i), l, generic ? v + kSharedWindow : v);
  });
  x.defined(x.dst(i));
}

void execGetCtaRank(ExecContext &x, const Inst &i) {
  forLanes(x.mask, [&](unsigned l) {
    uint32_t r = uint32_t(x.lane(x.src(i), l)) >> kRankShift;
    x.setLane(x.dst(i), l, r ? r - 1 : x.c.rank);
  });
  x.defined(x.dst(i));
}

bool decodeVectorMov(Decoder &d, Ty t) {
  const AstOperand &a = d.ops()[0], &b = d.ops()[1];
  bool pack = b.k == AstOperand::Vec;
  const auto &parts = pack ? b.elems : a.elems;
  unsigned n = unsigned(parts.size()), bits = typeBits(t);
  if ((n != 2 && n != 4) || (bits != 32 && bits != 64) || bits / n < 8)
    return d.fail("mov packs or unpacks 2 or 4 parts of a 32- or 64-bit value");
  unsigned part = bits / n;
  Ty partTy = part == 32 ? Ty::B32 : part == 16 ? Ty::B16 : Ty::B8;
  d.i.a = part;
  d.i.fn = pack ? execPack : execUnpack;
  if (pack) {
    if (!d.dst(a, t))
      return false;
    for (const AstOperand &e : parts)
      if (!d.src(e, partTy, part == 8))
        return false;
    return true;
  }
  for (const AstOperand &e : parts)
    if (!d.dst(e, partTy, part == 8))
      return false;
  return d.src(b, t);
}

bool decodeMov(Decoder &d) {
  Ty t = d.takeType();
  d.i.p = Pipe::Alu;
  d.i.flags |= Inst::NoDefCheck;
  if (t == Ty::None || typeBits(t) > 64)
    return d.fail("expected a type of at most 64 bits");
  if (!d.expectOps(2, 2))
    return false;
  const AstOperand &s = d.ops()[1];
  if (s.k == AstOperand::Vec || d.ops()[0].k == AstOperand::Vec)
    return decodeVectorMov(d, t);
  if (!d.dst(d.ops()[0], t))
    return false;
  if (s.k == AstOperand::Name) {
    std::string_view n = s.text;
    if (n == "%clock64" || n == "%globaltimer" || n == "%clock" ||
        n == "%clock_hi" || n == "%globaltimer_lo" || n == "%globaltimer_hi") {
      bool wide = n == "%clock64" || n == "%globaltimer";
      if (typeBits(t) != (wide ? 64u : 32u))
        return d.fail(std::string(n) + " has another width");
      d.i.sub = n == "%clock_hi" || n == "%globaltimer_hi";
      d.i.fn = execClock;
      return true;
    }
  }
  d.i.fn = typeBits(t) == 1    ? execMovPred
           : typeBits(t) == 64 ? execMov<uint64_t>
                               : execMov<uint32_t>;
  return d.src(s, t);
}

bool decodeCvta(Decoder &d) {
  d.i.sub = d.take("to");
  int s = d.takeOneOf({"global", "shared", "shared::cta", "shared::cluster",
                       "const", "local", "param"},
                      -1);
  if (s < 0)
    return d.fail("cvta needs a state space");
  if (s == 6)
    d.take("entry");
  Ty t = d.takeType();
  if (typeBits(t) != 64)
    return d.fail("cvta needs a 64-bit type");
  d.i.imm = int64_t(s >= 1 && s <= 3 ? kSharedWindow
                    : s == 5         ? kLocalWindow
                                     : 0);
  // Global, const and param addresses are generic already.
  d.i.fn = d.i.imm ? execCvta : execMov<uint64_t>;
  d.i.p = Pipe::Alu;
  return d.operands({t, t});
}

} // namespace

void mxfp4::sim::execImplicitDef(ExecContext &x, const Inst &i) {
  // Whatever the register holds: the value must not matter.
  x.defined(x.dst(i));
}

bool mxfp4::sim::decodeMove(Decoder &d) {
  std::string_view base = d.base();
  d.i.p = Pipe::Alu;
  if (base == "mov")
    return decodeMov(d);
  if (base == "cvta")
    return decodeCvta(d);
  if (base == "activemask") {
    d.take("b32");
    d.i.fn = execActiveMask;
    return d.operands({Ty::B32});
  }
  int s = d.takeOneOf({"shared::cluster", "shared::cta", "shared", "local",
                       "param", "global", "const"},
                      -1);
  d.i.s = s == 0             ? Space::SharedCluster
          : s == 1 || s == 2 ? Space::Shared
          : s == 3           ? Space::Local
          : s == 4           ? Space::Param
          : s >= 5           ? Space::Global
                             : Space::Generic;
  if (base == "isspacep") {
    d.i.fn = execIsSpace;
    return d.operands({Ty::Pred, Ty::B64});
  }
  Ty t = d.takeType();
  if (typeBits(t) != 32 && typeBits(t) != 64)
    return d.fail("expected a 32- or 64-bit type");
  if (base == "getctarank") {
    d.i.fn = execGetCtaRank;
    return d.operands({Ty::B32, t});
  }
  d.i.fn = execMapa;
  return d.operands({t, t, Ty::B32});
}
