//===- Atomics.cpp - atom and red -----------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ahead.h"
#include "CpAsync.h"
#include "Decoder.h"
#include "Float.h"
#include "Sync.h"

using namespace mxfp4::sim;

namespace {

enum AtomOp : uint8_t { And, Or, Xor, Exch, Cas, Add, Inc, Dec, Min, Max };
enum : uint8_t { Acquire = 1, Release = 2 };

template <typename T> T integerOp(AtomOp op, T old, T b) {
  using U = std::make_unsigned_t<T>;
  switch (op) {
  case And:
    return old & b;
  case Or:
    return old | b;
  case Xor:
    return old ^ b;
  case Exch:
    return b;
  case Add:
    return T(U(old) + U(b));
  case Inc:
    return U(old) >= U(b) ? T(0) : T(U(old) + 1);
  case Dec:
    return old == 0 || U(old) > U(b) ? b : T(U(old) - 1);
  case Min:
    return old < b ? old : b;
  case Max:
    return old > b ? old : b;
  default:
    return old;
  }
}

uint16_t halfAdd(bool brain, uint16_t a, uint16_t b) {
  if (brain)
    return toBF16(addToOdd(fromBF16(a), fromBF16(b)));
  return toF16(addToOdd(fromF16(a), fromF16(b)));
}

uint64_t combine(const Inst &i, uint64_t old, uint64_t b) {
  AtomOp op = AtomOp(i.sub);
  switch (i.t) {
  case Ty::F32:
    if (op == Add)
      // Atomics on memory flush nothing here; global f32 atomics keep
      // subnormals.
      return bitsTo<uint32_t>(
          canonical(bitsTo<float>(uint32_t(old)) + bitsTo<float>(uint32_t(b))));
    return b;
  case Ty::F64:
    return op == Add ? bitsTo<uint64_t>(bitsTo<double>(old) + bitsTo<double>(b))
                     : b;
  case Ty::BF16:
    return halfAdd(true, uint16_t(old), uint16_t(b));
  case Ty::F16:
    return halfAdd(false, uint16_t(old), uint16_t(b));
  case Ty::BF16x2:
  case Ty::F16x2: {
    bool brain = i.t == Ty::BF16x2;
    return halfAdd(brain, uint16_t(old), uint16_t(b)) |
           uint64_t(halfAdd(brain, uint16_t(old >> 16), uint16_t(b >> 16)))
               << 16;
  }
  case Ty::S32:
    return uint32_t(integerOp<int32_t>(op, int32_t(old), int32_t(b)));
  case Ty::S64:
    return uint64_t(integerOp<int64_t>(op, int64_t(old), int64_t(b)));
  default:
    return typeBits(i.t) == 64
               ? integerOp<uint64_t>(op, old, b)
               : integerOp<uint32_t>(op, uint32_t(old), uint32_t(b));
  }
}

void oneAtomic(ExecContext &x, const Inst &i, unsigned l) {
  const Operand &base = x.src(i, 0);
  unsigned element = typeBits(i.t) / 8, bytes = element * i.vec;
  uint64_t addr = x.lane(base, l) + uint64_t(i.imm);
  if (!base.isWide())
    addr = uint32_t(addr);
  MemRef r;
  if (!resolve(x, i.s, addr, bytes, bytes, true, l, r))
    return;
  // Reading and writing: both sides are checked.
  touch(x, r, bytes, threadAccess(x, l, Access::Atomic | Access::Peek));
  touch(x, r, bytes, threadAccess(x, l, Access::Atomic | Access::Write));
  if (i.mods & Release)
    syncStore(x, r, addr, true);
  else
    syncStore(x, r, addr, false);
  static std::mutex hostLock;
  {
    std::unique_lock<std::mutex> guard(hostLock, std::defer_lock);
    if (x.g.opts.hostThreads > 1)
      guard.lock();
    for (unsigned j = 0; j < i.vec; ++j) {
      uint64_t old = 0, b = x.lane(x.src(i, 1 + j), l);
      std::memcpy(&old, r.host + j * element, element);
      uint64_t fresh;
      if (i.sub == Cas) {
        uint64_t m =
            element == 8 ? ~uint64_t(0) : (uint64_t(1) << (8 * element)) - 1;
        fresh = old == (b & m) ? x.lane(x.src(i, 2), l) : old;
      } else {
        fresh = combine(i, old, b);
      }
      std::memcpy(r.host + j * element, &fresh, element);
      if (i.vec == 1)
        keepCount(x, r, addr, old, fresh);
      if (i.numDst)
        x.setLane(x.dst(i, j), l, old);
    }
  }
  syncLoad(x, r, addr, i.mods & Acquire);
}

void execAtomic(ExecContext &x, const Inst &i) {
  x.s.stats.atomics += unsigned(__builtin_popcount(x.mask));
  forLanes(x.mask, [&](unsigned l) { oneAtomic(x, i, l); });
  for (unsigned j = 0; j < i.numDst; ++j)
    x.defined(x.dst(i, j));
  ++x.cl.progress;
}

bool checkForm(Decoder &d, int op, Ty t) {
  bool half =
      t == Ty::BF16 || t == Ty::F16 || t == Ty::BF16x2 || t == Ty::F16x2;
  if (half && op != Add)
    return d.fail("half types are supported for .add only");
  if (isFloat(t) && op != Add && op != Exch && op != Cas)
    return d.fail("this atomic operation has no such type");
  unsigned bits = typeBits(t);
  if (bits < 16 || bits > 64 || (bits == 16 && !half && op != Cas))
    return d.fail("this atomic operation has no such type");
  return true;
}

} // namespace

uint64_t mxfp4::sim::reduceElement(Ty t, uint8_t op, uint64_t old,
                                   uint64_t fresh) {
  Inst i;
  i.t = t;
  i.sub = op;
  return combine(i, old, fresh);
}

bool mxfp4::sim::decodeAtomic(Decoder &d) {
  bool atom = d.base() == "atom";
  d.i.p = Pipe::Lsu;
  if (d.take("async"))
    return d.fail("red.async is not supported");
  if (d.take("acq_rel"))
    d.i.mods |= Acquire | Release;
  if (d.take("acquire"))
    d.i.mods |= Acquire;
  if (d.take("release"))
    d.i.mods |= Release;
  d.take("relaxed");
  d.take("noftz");
  d.takeOneOf({"cta", "cluster", "gpu", "sys"}, 0);
  int s =
      d.takeOneOf({"global", "shared", "shared::cta", "shared::cluster"}, -1);
  d.i.s = s < 0    ? Space::Generic
          : s == 0 ? Space::Global
          : s == 3 ? Space::SharedCluster
                   : Space::Shared;
  bool hint = d.take("L2::cache_hint");
  int op = d.takeOneOf(
      {"and", "or", "xor", "exch", "cas", "add", "inc", "dec", "min", "max"},
      -1);
  if (op < 0)
    return d.fail("expected an atomic operation such as .add");
  d.i.vec = uint8_t(d.take("v2") ? 2 : d.take("v4") ? 4 : d.take("v8") ? 8 : 1);
  Ty t = d.takeType();
  if (!checkForm(d, op, t))
    return false;
  d.i.t = t;
  d.i.sub = uint8_t(op);
  d.i.fn = execAtomic;
  size_t n = 2 + atom + (op == Cas);
  if (!d.expectOps(n, n + hint))
    return false;
  const auto &ops = d.ops();
  auto list = [](const AstOperand &o) {
    return o.k == AstOperand::Vec ? o.elems : std::vector<AstOperand>{o};
  };
  if (atom) {
    std::vector<AstOperand> dst = list(ops[0]);
    if (dst.size() != d.i.vec)
      return d.fail("the vector has another length");
    for (const AstOperand &e : dst)
      if (!d.dst(e, t))
        return false;
  }
  std::vector<AstOperand> src = list(ops[1 + atom]);
  if (src.size() != d.i.vec)
    return d.fail("the vector has another length");
  if (!d.address(ops[atom]))
    return false;
  for (const AstOperand &e : src)
    if (!d.src(e, t))
      return false;
  return op != Cas || d.src(ops[2 + atom], t);
}
