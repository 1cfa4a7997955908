//===- CpAsync.cpp - cp.async and its groups ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A copy writes the shared memory's shadow when it is issued, as the warp's
// copy agent with the number of the group to come, and the bytes themselves
// when it is waited for. Whoever looks in between has no clock that covers the
// group, and is told so.
//
//===----------------------------------------------------------------------===//

#include "CpAsync.h"
#include "Decoder.h"

#include <algorithm>

using namespace mxfp4::sim;

/// Lands the copies of the active lanes, of groups up to \p group[lane]. What
/// the warp then knows of its copies is one number: all groups up to it have
/// landed, whichever lane's they are.
static void land(ExecContext &x, const std::array<uint32_t, 32> &group) {
  Warp &w = x.w;
  size_t kept = 0;
  uint32_t known = *std::max_element(w.copyGroups.begin(), w.copyGroups.end());
  for (PendingCopy &c : w.copies) {
    if (x.mask >> c.lane & 1 && c.group && c.group <= group[c.lane]) {
      landCopy(x.g, x.c, c);
      continue;
    }
    uint32_t number = c.group ? c.group : w.copyGroups[c.lane] + 1;
    known = std::min(known, number - 1);
    w.copies[kept++] = c;
  }
  w.copies.resize(kept);
  w.copyDone = std::max(w.copyDone, known);
  // A lane that has committed fewer groups must not use these numbers again.
  for (uint32_t &groups : w.copyGroups)
    groups = std::max(groups, known);
  w.clock.raise(w.agent(kCopyAgent), known);
}

void mxfp4::sim::landCopy(Grid &g, Cta &t, const PendingCopy &c) {
  uint8_t *to = t.shared.data() + c.shared;
  std::memset(to, 0, c.bytes);
  if (GlobalRegion *r = findRegion(g, c.global))
    if (c.valid && c.global - r->address + c.valid <= r->size)
      std::memcpy(to, r->data + (c.global - r->address), c.valid);
}

namespace {

void execCopy(ExecContext &x, const Inst &i) {
  unsigned bytes = i.a;
  forLanes(x.mask, [&](unsigned l) {
    uint64_t addr = x.lane(x.src(i, 0), l) + uint64_t(i.imm);
    uint64_t from = x.lane(x.src(i, 1), l) + uint64_t(int64_t(int32_t(i.c)));
    uint64_t valid = bytes;
    if (i.mods & 1)
      valid = uint32_t(x.lane(x.src(i, 2), l));
    if (valid > bytes) {
      if (!x.known("copy-size"))
        x.report("copy-size",
                 "cp.async takes " + std::to_string(valid) +
                     " bytes from its source, more than the " +
                     std::to_string(bytes) + " that it copies",
                 l);
      valid = bytes;
    }
    if (i.mods & 2)
      valid = x.pred(x.src(i, 2)) >> l & 1 ? 0 : bytes;
    Cta *t;
    uint32_t off;
    MemRef r;
    if (!resolveShared(x, addr, bytes, bytes, l, t, off))
      return;
    if (valid &&
        !resolve(x, Space::Global, from, unsigned(valid), bytes, false, l, r))
      return;
    uint32_t group = x.w.copyGroups[l] + 1;
    if (valid)
      touch(x, r, uint32_t(valid), threadAccess(x, l, 0));
    touchShared(x, *t, off, bytes,
                agentAccess(x, kCopyAgent, group, l, Access::Write));
    x.w.copies.push_back(
        {l, x.pc, off, from, uint8_t(bytes), uint8_t(valid), 0});
    x.s.stats.asyncCopyBytes += valid;
    x.s.stats.sharedStoreBytes += bytes;
  });
  ++x.cl.progress;
}

void execCommit(ExecContext &x, const Inst &) {
  forLanes(x.mask, [&](unsigned l) { ++x.w.copyGroups[l]; });
  for (PendingCopy &c : x.w.copies)
    if (c.group == 0 && x.mask >> c.lane & 1)
      c.group = x.w.copyGroups[c.lane];
}

void execWait(ExecContext &x, const Inst &i) {
  if (i.sub) // wait_all commits too.
    execCommit(x, i);
  uint32_t keep = i.sub ? 0 : i.a;
  std::array<uint32_t, 32> upto = x.w.copyGroups;
  for (uint32_t &group : upto)
    group = group > keep ? group - keep : 0;
  land(x, upto);
  ++x.cl.progress;
}

/// The barrier gets an arrival when the thread's copies so far have landed.
/// They land at once: later is the same to everybody who waits.
void execArrive(ExecContext &x, const Inst &i) {
  execCommit(x, i);
  // Others learn of it at the barrier, the warp itself not before it waits.
  VectorClock before = x.w.clock;
  uint32_t done = x.w.copyDone;
  land(x, x.w.copyGroups);
  VectorClock landed;
  tell(x.w, x.mask, landed);
  x.w.clock = std::move(before);
  x.w.copyDone = done;
  forLanes(x.mask, [&](unsigned l) {
    Cta *t;
    uint32_t off;
    uint64_t addr = x.lane(x.src(i, 0), l) + uint64_t(i.imm);
    if (!resolveShared(x, addr, 8, 8, l, t, off))
      return;
    Mbarrier *b = findMbarrier(x, *t, off, l, "cp.async.mbarrier.arrive");
    if (!b)
      return;
    b->pend.join(landed);
    b->pendProxy.join(x.w.proxyShared);
    if (!(i.mods & 1)) // Without .noinc the pending count grows first.
      ++b->pending;
    arriveMbarrier(x, *t, off, *b, 1, l);
  });
  ++x.w.now;
}

bool decodeArrive(Decoder &d) {
  d.take("arrive");
  if (d.take("noinc"))
    d.i.mods |= 1;
  d.takeOneOf({"shared", "shared::cta"}, 0);
  d.take("b64");
  d.i.fn = execArrive;
  return d.expectOps(1, 1) && d.address(d.ops()[0]);
}

/// Sources: destination, source, and the valid size or the ignore predicate.
/// The operand imm belongs to the destination, c to the source.
bool decodeAddresses(Decoder &d) {
  if (!d.address(d.ops()[0]))
    return false;
  const int64_t to = d.i.imm;
  if (!d.address(d.ops()[1]))
    return false;
  if (d.i.imm != int32_t(d.i.imm))
    return d.fail("the offset of the source is out of range");
  d.i.c = uint32_t(int32_t(d.i.imm));
  d.i.imm = to;
  return true;
}

bool decodeCopy(Decoder &d) {
  bool cg = d.take("cg");
  if (!cg && !d.take("ca"))
    return d.fail("cp.async needs .ca or .cg");
  d.takeOneOf({"shared", "shared::cta"}, 0);
  d.take("global");
  bool hint = d.take("L2::cache_hint");
  d.takePrefix("L2::");
  int64_t size;
  if (!d.expectOps(3, 5) || !d.immediate(d.ops()[2], size))
    return false;
  if (size != 16 && (cg || (size != 4 && size != 8)))
    return d.fail(cg ? "cp.async.cg copies 16 bytes"
                     : "cp.async.ca copies 4, 8 or 16 bytes");
  d.i.a = uint32_t(size);
  d.i.fn = execCopy;
  if (!decodeAddresses(d))
    return false;
  if (d.ops().size() == 3u + hint)
    return true;
  const AstOperand &last = d.ops()[3];
  if (last.k == AstOperand::Reg && d.regType(last) == Ty::Pred) {
    d.i.mods |= 2;
    return d.srcPred(last);
  }
  d.i.mods |= 1;
  return d.src(last, Ty::B32);
}

} // namespace

bool mxfp4::sim::decodeGroupCount(Decoder &d) {
  int64_t n;
  if (!d.expectOps(1, 1) || !d.immediate(d.ops()[0], n))
    return false;
  if (n < 0 || n > (1 << 20))
    return d.fail("the number of groups is out of range");
  d.i.a = uint32_t(n);
  return true;
}

bool mxfp4::sim::decodeCpAsync(Decoder &d) {
  d.i.p = Pipe::Lsu;
  if (!d.take("async"))
    return d.fail("cp without .async is not known");
  std::string_view whole = d.ast().opcode;
  if (whole.find(".bulk") != whole.npos)
    return decodeBulk(d);
  if (d.take("commit_group")) {
    d.i.fn = execCommit;
    return d.expectOps(0, 0);
  }
  if (d.take("wait_all")) {
    d.i.fn = execWait;
    d.i.sub = 1;
    return d.expectOps(0, 0);
  }
  if (d.take("wait_group")) {
    d.i.fn = execWait;
    return decodeGroupCount(d);
  }
  return d.take("mbarrier") ? decodeArrive(d) : decodeCopy(d);
}
