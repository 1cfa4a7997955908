//===- ControlOps.cpp - Branches, exit, and small scheduling hints --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Control.h"
#include "Decoder.h"
#include "Sync.h"

using namespace mxfp4::sim;

/// Sends the lanes of \p taken to \p target; the rest of the split goes on.
static void fork(ExecContext &x, uint32_t taken, uint32_t target,
                 int32_t join) {
  Split s;
  s.pc = target;
  s.mask = taken;
  s.join = join;
  x.w.splits.push_back(s);
}

static int32_t joinFor(ExecContext &x, uint32_t pc) {
  Split &s = x.split();
  uint32_t at = x.k.reconverge[pc];
  // A loop that threads leave one by one reuses the point they wait at.
  if (s.join >= 0 && x.w.joins[s.join].pc == at)
    return s.join;
  JoinPoint j;
  j.pc = at;
  j.expected = s.mask;
  j.parent = s.join;
  j.live = true;
  for (size_t i = 0; i < x.w.joins.size(); ++i)
    if (!x.w.joins[i].live) {
      x.w.joins[i] = j;
      return int32_t(i);
    }
  x.w.joins.push_back(j);
  return int32_t(x.w.joins.size()) - 1;
}

void mxfp4::sim::execBranch(ExecContext &x, const Inst &i) {
  Split &s = x.split();
  uint32_t taken = x.mask & s.mask;
  if (taken == s.mask) {
    s.pc = i.a;
    return;
  }
  s.pc = x.pc + 1;
  if (!taken)
    return;
  if (i.mods && !x.known("divergence"))
    x.report("divergence",
             "bra.uni diverges: only some of the warp's threads take it",
             unsigned(__builtin_ctz(taken)));
  int32_t join = joinFor(x, x.pc);
  x.split().join = join;
  x.split().mask &= ~taken;
  fork(x, taken, i.a, join);
}

void mxfp4::sim::execBranchIndexed(ExecContext &x, const Inst &i) {
  uint32_t left = x.mask & x.split().mask;
  if (left != x.split().mask) {
    // Guarded: those that do not branch fall through.
    uint32_t rest = x.split().mask & ~left;
    if (!left) {
      ++x.split().pc;
      return;
    }
    int32_t join = joinFor(x, x.pc);
    x.split().join = join;
    x.split().mask = left;
    fork(x, rest, x.pc + 1, join);
  }
  int32_t join = -2;
  while (left) {
    unsigned first = unsigned(__builtin_ctz(left));
    uint64_t index = x.lane(x.src(i), first);
    uint32_t same = 0;
    forLanes(left, [&](unsigned l) {
      if (x.lane(x.src(i), l) == index)
        same |= 1u << l;
    });
    if (index >= i.b) {
      x.report("out-of-bounds",
               "brx.idx has index " + std::to_string(index) +
                   " of a table of " + plural(i.b, "label"),
               first);
      index = 0;
    }
    uint32_t target = x.k.targets[i.a + index];
    if (same == x.split().mask) {
      x.split().pc = target;
      return;
    }
    if (join == -2) {
      join = joinFor(x, x.pc);
      x.split().join = join;
    }
    x.split().mask &= ~same;
    fork(x, same, target, join);
    left &= ~same;
  }
}

void mxfp4::sim::execExit(ExecContext &x, const Inst &) {
  uint32_t gone = x.mask & x.split().mask;
  x.split().mask &= ~gone;
  ++x.split().pc;
  exitLanes(x, gone);
}

void mxfp4::sim::execUnsupported(ExecContext &x, const Inst &i) {
  x.report("unsupported", x.k.unsupported[i.a], x.firstLane());
  x.g.stop = true;
  x.yield = true;
}

/// A split at its reconvergence point waits for the rest. Returns true when the
/// split at x.splitIndex no longer exists.
bool mxfp4::sim::arriveAtJoin(ExecContext &x) {
  Warp &w = x.w;
  Split &s = x.split();
  while (s.join >= 0 && w.joins[s.join].pc == s.pc) {
    JoinPoint &j = w.joins[s.join];
    j.arrived |= s.mask;
    if (j.arrived != j.expected) {
      w.splits.erase(w.splits.begin() + x.splitIndex);
      return true;
    }
    s.mask = j.arrived;
    s.join = j.parent;
    j.live = false;
  }
  return false;
}

/// Lanes that exit are no longer expected anywhere.
void mxfp4::sim::exitLanes(ExecContext &x, uint32_t gone) {
  Warp &w = x.w;
  w.live &= ~gone;
  ++x.cl.progress;
  for (size_t n = w.splits.size(); n-- > 0;)
    if (w.splits[n].mask == 0)
      w.splits.erase(w.splits.begin() + n);
  for (JoinPoint &j : w.joins) {
    j.expected &= ~gone;
    j.arrived &= ~gone;
  }
  // Points where everybody who is left has arrived become runnable again.
  for (size_t n = 0; n < w.joins.size(); ++n) {
    JoinPoint &j = w.joins[n];
    if (!j.live || j.arrived != j.expected)
      continue;
    j.live = false;
    if (!j.arrived)
      continue;
    Split s;
    s.pc = j.pc;
    s.mask = j.arrived;
    s.join = j.parent;
    w.splits.push_back(s);
  }
  x.yield = true;
}

namespace {

void execTrap(ExecContext &x, const Inst &) {
  x.report("trap", "the kernel executed trap", x.firstLane());
  x.g.stop = true;
  x.yield = true;
}

void execNanosleep(ExecContext &x, const Inst &) { x.yield = true; }

/// The launch ahead is over by then: all that is left to know is who waited.
void execGridWait(ExecContext &x, const Inst &) {
  if (!x.w.gridWaited)
    x.c.gridWaits.push_back(
        threadAccess(x, unsigned(__builtin_ctz(x.mask)), 0).e);
  x.w.gridWaited |= x.mask;
  x.g.anyWaits = true;
}

void execLaunchDependents(ExecContext &x, const Inst &) {
  x.g.anyLets = true;
  if (x.mask & ~x.w.gridWaited)
    x.g.letsAhead = true;
}

void execSetMaxNReg(ExecContext &x, const Inst &i) {
  x.requireAligned(i);
  uint32_t old = x.w.registers;
  x.w.registers = i.a;
  if (old && ((i.sub && i.a < old) || (!i.sub && i.a > old)) &&
      !x.known("setmaxnreg"))
    x.report("setmaxnreg",
             std::string("setmaxnreg.") + (i.sub ? "inc" : "dec") + " to " +
                 std::to_string(i.a) + " from " + std::to_string(old) +
                 " registers goes the wrong way",
             x.firstLane());
  if (!x.g.opts.launchRegisters || !i.sub)
    return;
  // The pool is what the block was launched with.
  uint64_t sum = 0, pool = 0;
  for (const Warp &w : x.c.warps) {
    sum += w.registers ? w.registers : x.g.opts.launchRegisters;
    pool += x.g.opts.launchRegisters;
  }
  // Warps that have yet to give theirs back keep the count too high: only a
  // sum over warps that have all executed setmaxnreg is final.
  for (const Warp &w : x.c.warps)
    if (w.id != x.w.id && w.registers == x.g.opts.launchRegisters)
      return;
  if (sum > pool && !x.known("setmaxnreg", 1))
    x.report("setmaxnreg",
             "the block's warps ask for " + std::to_string(sum * 32) +
                 " registers, but it was launched with " +
                 std::to_string(pool * 32) + ": this hangs on the chip",
             x.firstLane(), ~uint64_t(0), 1);
}

bool decodeSetMaxNReg(Decoder &d) {
  d.i.sub = d.take("inc");
  d.take("dec");
  d.take("sync");
  d.take("aligned");
  d.take("u32");
  int64_t n;
  if (!d.expectOps(1, 1) || !d.immediate(d.ops()[0], n))
    return false;
  if (n < 24 || n > 256 || n % 8)
    return d.fail("setmaxnreg takes a multiple of 8 from 24 to 256, found " +
                  std::to_string(n));
  d.i.a = uint32_t(n);
  d.i.fn = execSetMaxNReg;
  d.i.flags |= Inst::Aligned;
  return true;
}

} // namespace

bool mxfp4::sim::decodeControl(Decoder &d) {
  std::string_view base = d.base();
  d.i.p = Pipe::Control;
  if (base == "bra") {
    d.i.mods = d.take("uni");
    d.i.flags |= Inst::Control;
    d.i.fn = execBranch;
    if (!d.expectOps(1, 1))
      return false;
    if (d.ops()[0].k != AstOperand::Name)
      return d.fail("expected a label");
    return d.label(d.ops()[0].text, d.i.a);
  }
  if (base == "brx") {
    d.take("idx");
    d.take("uni");
    d.i.flags |= Inst::Control;
    d.i.fn = execBranchIndexed;
    std::vector<uint32_t> targets;
    if (!d.expectOps(2, 2) || !d.src(d.ops()[0], Ty::B32))
      return false;
    if (d.ops()[1].k != AstOperand::Name)
      return d.fail("expected the name of a branch table");
    if (!d.branchTable(d.ops()[1].text, targets))
      return false;
    if (targets.empty())
      return d.fail("the branch table is empty");
    d.i.a = uint32_t(d.kernel().targets.size());
    d.i.b = uint32_t(targets.size());
    d.kernel().targets.insert(d.kernel().targets.end(), targets.begin(),
                              targets.end());
    return true;
  }
  if (base == "ret" || base == "exit") {
    d.take("uni");
    d.i.flags |= Inst::Control;
    d.i.fn = execExit;
    return d.expectOps(0, 0);
  }
  if (base == "trap" || base == "brkpt") {
    d.i.flags |= Inst::Control;
    d.i.fn = execTrap;
    return d.expectOps(0, 0);
  }
  if (base == "nanosleep") {
    d.take("u32");
    d.i.fn = execNanosleep;
    return d.expectOps(1, 1) && d.src(d.ops()[0], Ty::B32);
  }
  if (base == "griddepcontrol") {
    bool wait = d.take("wait");
    if (!wait && !d.take("launch_dependents"))
      return d.fail("expected .wait or .launch_dependents");
    d.i.fn = wait ? execGridWait : execLaunchDependents;
    return d.expectOps(0, 0);
  }
  if (base == "pmevent") {
    d.i.fn = execNothing;
    return true;
  }
  return decodeSetMaxNReg(d);
}
