//===- WarpOps.cpp - shfl, vote, match, redux, elect ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Rendezvous.h"

using namespace mxfp4::sim;

namespace {

enum ShflMode : uint8_t { Up, Down, Bfly, Idx };

void shfl(ExecContext &x, const Inst &i) {
  const uint32_t def = x.w.states[x.src(i, 0).slot].def;
  uint32_t result[32], valid = 0, fromIdle = 0, undefined = 0;
  forLanes(x.mask, [&](unsigned l) {
    uint32_t b = uint32_t(x.lane(x.src(i, 1), l)) & 31;
    uint32_t c = uint32_t(x.lane(x.src(i, 2), l));
    uint32_t segment = c >> 8 & 31, clamp = c & 31;
    uint32_t maxLane = (l & segment) | (clamp & ~segment);
    uint32_t minLane = l & segment;
    int32_t j;
    bool p;
    switch (i.sub) {
    case Up:
      j = int32_t(l) - int32_t(b);
      p = j >= int32_t(maxLane);
      break;
    case Down:
      j = int32_t(l + b);
      p = j <= int32_t(maxLane);
      break;
    case Bfly:
      j = int32_t(l ^ b);
      p = j <= int32_t(maxLane);
      break;
    default:
      j = int32_t(minLane | (b & ~segment));
      p = j <= int32_t(maxLane);
    }
    if (!p)
      j = int32_t(l);
    if (!(x.mask >> (j & 31) & 1))
      fromIdle |= 1u << l;
    undefined |= uint32_t(!(def >> (j & 31) & 1)) << l;
    result[l] = uint32_t(x.lane(x.src(i, 0), unsigned(j) & 31));
    valid |= uint32_t(p) << l;
  });
  if (fromIdle && !x.known("shfl"))
    x.report("shfl", "shfl.sync reads from a thread that does not take part",
             unsigned(__builtin_ctz(fromIdle)));
  forLanes(x.mask, [&](unsigned l) { x.setLane(x.dst(i, 0), l, result[l]); });
  x.defined(x.dst(i, 0));
  x.undefine(x.dst(i, 0), undefined, x.src(i, 0));
  if (i.numDst > 1)
    x.setPred(x.dst(i, 1), valid);
}

/// Of one value for all: it is undefined if that of any thread that takes part
/// is.
uint32_t undefinedForAll(const ExecContext &x, const Inst &i) {
  return x.mask & ~x.w.states[x.src(i, 0).slot].def ? x.mask : 0;
}

void vote(ExecContext &x, const Inst &i) {
  const uint32_t undefined = undefinedForAll(x, i);
  uint32_t p = x.pred(x.src(i, 0)) & x.mask;
  if (i.sub == 3) {
    forLanes(x.mask, [&](unsigned l) { x.setLane(x.dst(i), l, p); });
    x.defined(x.dst(i));
    return x.undefine(x.dst(i), undefined, x.src(i, 0));
  }
  bool v = i.sub == 0   ? p == x.mask
           : i.sub == 1 ? p != 0
                        : p == 0 || p == x.mask;
  x.setPred(x.dst(i), v ? ~0u : 0);
  x.undefine(x.dst(i), undefined, x.src(i, 0));
}

void match(ExecContext &x, const Inst &i) {
  uint32_t masks[32], allSame = x.mask;
  forLanes(x.mask, [&](unsigned l) {
    masks[l] = 0;
    forLanes(x.mask, [&](unsigned m) {
      if (x.lane(x.src(i), m) == x.lane(x.src(i), l))
        masks[l] |= 1u << m;
    });
    if (masks[l] != x.mask)
      allSame = 0;
  });
  forLanes(x.mask, [&](unsigned l) {
    x.setLane(x.dst(i, 0), l, i.sub ? allSame : masks[l]);
  });
  x.defined(x.dst(i, 0));
  if (i.numDst > 1)
    x.setPred(x.dst(i, 1), allSame ? ~0u : 0);
}

void redux(ExecContext &x, const Inst &i) {
  bool first = true;
  uint32_t r = 0;
  bool s = isSigned(i.t);
  forLanes(x.mask, [&](unsigned l) {
    uint32_t v = uint32_t(x.lane(x.src(i), l));
    if (first) {
      r = v;
      first = false;
      return;
    }
    switch (i.sub) {
    case 0:
      r += v;
      break;
    case 1:
      r = (s ? int32_t(v) < int32_t(r) : v < r) ? v : r;
      break;
    case 2:
      r = (s ? int32_t(v) > int32_t(r) : v > r) ? v : r;
      break;
    case 3:
      r &= v;
      break;
    case 4:
      r |= v;
      break;
    default:
      r ^= v;
      break;
    }
  });
  const uint32_t undefined = undefinedForAll(x, i);
  forLanes(x.mask, [&](unsigned l) { x.setLane(x.dst(i), l, r); });
  x.defined(x.dst(i));
  x.undefine(x.dst(i), undefined, x.src(i));
}

void elect(ExecContext &x, const Inst &i) {
  unsigned leader = x.firstLane();
  forLanes(x.mask, [&](unsigned l) { x.setLane(x.dst(i, 0), l, leader); });
  x.defined(x.dst(i, 0));
  x.setPred(x.dst(i, 1), 1u << leader);
}

void syncWarp(ExecContext &x, const Inst &) { warpSynced(x.w); }

bool decodeShfl(Decoder &d) {
  d.take("sync");
  d.i.sub = uint8_t(d.takeOneOf({"up", "down", "bfly", "idx"}, Idx));
  d.take("b32");
  d.i.fn = execRendezvous<shfl>;
  d.i.flags |= Inst::PassesFirst;
  d.i.a = 3; // The member mask is this source.
  if (!d.expectOps(5, 5))
    return false;
  const AstOperand &out = d.ops()[0];
  if (out.k == AstOperand::Pair) {
    if (!d.dst(out.elems[0], Ty::B32) || !d.dstPred(out.elems[1]))
      return false;
  } else if (!d.dst(out, Ty::B32)) {
    return false;
  }
  for (unsigned j = 1; j < 5; ++j)
    if (!d.src(d.ops()[j], Ty::B32))
      return false;
  return true;
}

} // namespace

bool mxfp4::sim::decodeWarpOp(Decoder &d) {
  std::string_view base = d.base();
  d.i.p = Pipe::Sync;
  d.i.flags |= Inst::Control;
  if (base == "shfl")
    return decodeShfl(d);
  bool sync = d.take("sync");
  if (!sync)
    return d.fail("only the .sync form is supported");
  if (base == "vote") {
    d.i.sub = uint8_t(d.takeOneOf({"all", "any", "uni", "ballot"}, 3));
    Ty t = d.takeType();
    d.i.fn = execRendezvous<vote>;
    d.i.flags |= Inst::PassesFirst;
    d.i.a = 1;
    if ((t == Ty::Pred) == (d.i.sub == 3))
      return d.fail("vote.ballot gives .b32, the others .pred");
    return d.operands({t, Ty::Pred, Ty::B32});
  }
  if (base == "match") {
    d.i.sub = uint8_t(d.takeOneOf({"any", "all"}, 0));
    Ty t = d.takeType();
    if (typeBits(t) != 32 && typeBits(t) != 64)
      return d.fail("match needs .b32 or .b64");
    d.i.fn = execRendezvous<match>;
    d.i.a = 1;
    if (!d.expectOps(3, 3))
      return false;
    const AstOperand &out = d.ops()[0];
    bool good = out.k == AstOperand::Pair
                    ? d.dst(out.elems[0], Ty::B32) && d.dstPred(out.elems[1])
                    : d.dst(out, Ty::B32);
    return good && d.src(d.ops()[1], t) && d.src(d.ops()[2], Ty::B32);
  }
  if (base == "redux") {
    d.i.sub =
        uint8_t(d.takeOneOf({"add", "min", "max", "and", "or", "xor"}, 0));
    d.i.t = d.takeType();
    d.i.fn = execRendezvous<redux>;
    d.i.flags |= Inst::PassesFirst;
    d.i.a = 1;
    if (typeBits(d.i.t) != 32 || isFloat(d.i.t))
      return d.fail("redux needs a 32-bit integer type");
    return d.operands({Ty::B32, Ty::B32, Ty::B32});
  }
  if (base == "elect") {
    d.i.fn = execRendezvous<elect>;
    d.i.a = 0;
    if (!d.expectOps(2, 2) || d.ops()[0].k != AstOperand::Pair)
      return d.fail("elect.sync takes \"dst|pred, mask\"");
    return d.dst(d.ops()[0].elems[0], Ty::B32) &&
           d.dstPred(d.ops()[0].elems[1]) && d.src(d.ops()[1], Ty::B32);
  }
  return d.fail("this instruction is not supported");
}

bool mxfp4::sim::decodeWarpSync(Decoder &d) {
  d.i.flags |= Inst::Control;
  d.i.p = Pipe::Sync;
  d.i.fn = execRendezvous<syncWarp>;
  d.i.a = 0;
  return d.expectOps(1, 1) && d.src(d.ops()[0], Ty::B32);
}
