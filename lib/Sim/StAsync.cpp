//===- StAsync.cpp - st.async: stores that signal an mbarrier -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A store into a block of the cluster that lands later and then counts its
// bytes on an mbarrier of that block. Like a bulk copy it writes as the agent
// of the barrier, so that whoever reads it must have waited there.
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Sync.h"

using namespace mxfp4::sim;

static void execStoreAsync(ExecContext &x, const Inst &i) {
  unsigned bytes = i.a * i.vec;
  forLanes(x.mask, [&](unsigned l) {
    BulkOp op{};
    op.k = BulkOp::Direct;
    op.i = &i;
    op.lane = l;
    op.srcCta = x.c.rank;
    op.warpId = x.w.id;
    op.bytes = bytes;
    Cta *t, *mt;
    if (!resolveShared(x, x.lane(x.src(i, 0), l) + uint64_t(i.imm), bytes,
                       bytes, l, t, op.shared) ||
        !resolveShared(x,
                       x.lane(x.src(i, 1 + i.vec), l) + int64_t(int32_t(i.c)),
                       8, 8, l, mt, op.mbar))
      return;
    if (mt != t && !x.known("mbarrier", 5))
      x.report("mbarrier",
               "st.async must complete on an mbarrier of the block it writes "
               "to",
               l, op.mbar, 5);
    Mbarrier *b = findMbarrier(x, *t, op.mbar, l, "st.async");
    if (!b)
      return;
    for (unsigned j = 0; j < i.vec; ++j) {
      uint64_t v = x.lane(x.src(i, 1 + j), l);
      std::memcpy(op.data.data() + size_t(j) * i.a, &v, i.a);
    }
    Access a = threadAccess(x, l, Access::Write);
    a.e = mbarEpoch(*b);
    a.what = "st.async";
    touchShared(x, *t, op.shared, bytes, a);
    ++b->inFlight;
    b->inFlightBytes += bytes;
    op.ctaMask = uint16_t(1u << t->rank);
    op.due = x.cl.step + x.cl.rng.below(x.cl.rng.below(8) ? 40 : 400);
    x.cl.bulk.push_back(op);
    x.s.stats.sharedStoreBytes += bytes;
  });
  ++x.cl.progress;
}

bool mxfp4::sim::decodeStoreAsync(Decoder &d) {
  d.take("weak");
  if (!d.take("shared::cluster") || !d.take("mbarrier::complete_tx::bytes"))
    return d.fail("st.async is known as "
                  ".shared::cluster.mbarrier::complete_tx::bytes alone");
  d.i.vec = uint8_t(d.take("v2") ? 2 : d.take("v4") ? 4 : 1);
  Ty t = d.takeType();
  unsigned bits = typeBits(t);
  if ((bits != 32 && bits != 64) || bits * d.i.vec > 128)
    return d.fail("st.async stores elements of 32 or 64 bits, 128 in all");
  d.i.t = t;
  d.i.a = bits / 8;
  d.i.s = Space::SharedCluster;
  d.i.p = Pipe::Lsu;
  d.i.fn = execStoreAsync;
  if (!d.expectOps(3, 3))
    return false;
  const AstOperand &data = d.ops()[1];
  std::vector<AstOperand> one{data};
  const auto &elems = data.k == AstOperand::Vec ? data.elems : one;
  if (elems.size() != d.i.vec)
    return d.fail("expected " + plural(d.i.vec, "register") +
                  " of data, found " + std::to_string(elems.size()));
  if (!d.address(d.ops()[0]))
    return false;
  for (const AstOperand &e : elems)
    if (!d.src(e, t, true))
      return false;
  return d.addressInto(d.ops()[2], d.i.c);
}
