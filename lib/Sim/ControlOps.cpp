//===- ControlOps.cpp - Branches, exit, and small scheduling hints --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Control.h"
#include "Decoder.h"
#include "Sync.h"

using namespace mxfp4::sim;

/// Sends the lanes of \p Taken to \p Target; the rest of the split goes on.
static void fork(ExecContext &X, uint32_t Taken, uint32_t Target,
                 int32_t Join) {
  Split S;
  S.PC = Target;
  S.Mask = Taken;
  S.Join = Join;
  X.W.Splits.push_back(S);
}

static int32_t joinFor(ExecContext &X, uint32_t PC) {
  Split &S = X.split();
  uint32_t At = X.K.Reconverge[PC];
  // A loop that threads leave one by one reuses the point they wait at.
  if (S.Join >= 0 && X.W.Joins[S.Join].PC == At)
    return S.Join;
  JoinPoint J;
  J.PC = At;
  J.Expected = S.Mask;
  J.Parent = S.Join;
  J.Live = true;
  for (size_t I = 0; I < X.W.Joins.size(); ++I)
    if (!X.W.Joins[I].Live) {
      X.W.Joins[I] = J;
      return int32_t(I);
    }
  X.W.Joins.push_back(J);
  return int32_t(X.W.Joins.size()) - 1;
}

void mxfp4::sim::execBranch(ExecContext &X, const Inst &I) {
  Split &S = X.split();
  uint32_t Taken = X.Mask & S.Mask;
  if (Taken == S.Mask) {
    S.PC = I.A;
    return;
  }
  S.PC = X.PC + 1;
  if (!Taken)
    return;
  if (I.Mods && !X.known("divergence"))
    X.report("divergence",
             "bra.uni diverges: only some of the warp's threads take it",
             unsigned(__builtin_ctz(Taken)));
  int32_t Join = joinFor(X, X.PC);
  X.split().Join = Join;
  X.split().Mask &= ~Taken;
  fork(X, Taken, I.A, Join);
}

void mxfp4::sim::execBranchIndexed(ExecContext &X, const Inst &I) {
  uint32_t Left = X.Mask & X.split().Mask;
  if (Left != X.split().Mask) {
    // Guarded: those that do not branch fall through.
    uint32_t Rest = X.split().Mask & ~Left;
    if (!Left) {
      ++X.split().PC;
      return;
    }
    int32_t Join = joinFor(X, X.PC);
    X.split().Join = Join;
    X.split().Mask = Left;
    fork(X, Rest, X.PC + 1, Join);
  }
  int32_t Join = -2;
  while (Left) {
    unsigned First = unsigned(__builtin_ctz(Left));
    uint64_t Index = X.lane(X.src(I), First);
    uint32_t Same = 0;
    forLanes(Left, [&](unsigned L) {
      if (X.lane(X.src(I), L) == Index)
        Same |= 1u << L;
    });
    if (Index >= I.B) {
      X.report("out-of-bounds",
               "brx.idx has index " + std::to_string(Index) +
                   " of a table of " + plural(I.B, "label"),
               First);
      Index = 0;
    }
    uint32_t Target = X.K.Targets[I.A + Index];
    if (Same == X.split().Mask) {
      X.split().PC = Target;
      return;
    }
    if (Join == -2) {
      Join = joinFor(X, X.PC);
      X.split().Join = Join;
    }
    X.split().Mask &= ~Same;
    fork(X, Same, Target, Join);
    Left &= ~Same;
  }
}

void mxfp4::sim::execExit(ExecContext &X, const Inst &) {
  uint32_t Gone = X.Mask & X.split().Mask;
  X.split().Mask &= ~Gone;
  ++X.split().PC;
  exitLanes(X, Gone);
}

void mxfp4::sim::execUnsupported(ExecContext &X, const Inst &I) {
  X.report("unsupported", X.K.Unsupported[I.A], X.firstLane());
  X.G.Stop = true;
  X.Yield = true;
}

/// A split at its reconvergence point waits for the rest. Returns true when the
/// split at X.SplitIndex no longer exists.
bool mxfp4::sim::arriveAtJoin(ExecContext &X) {
  Warp &W = X.W;
  Split &S = X.split();
  while (S.Join >= 0 && W.Joins[S.Join].PC == S.PC) {
    JoinPoint &J = W.Joins[S.Join];
    J.Arrived |= S.Mask;
    if (J.Arrived != J.Expected) {
      W.Splits.erase(W.Splits.begin() + X.SplitIndex);
      return true;
    }
    S.Mask = J.Arrived;
    S.Join = J.Parent;
    J.Live = false;
  }
  return false;
}

/// Lanes that exit are no longer expected anywhere.
void mxfp4::sim::exitLanes(ExecContext &X, uint32_t Gone) {
  Warp &W = X.W;
  W.Live &= ~Gone;
  ++X.Cl.Progress;
  for (size_t N = W.Splits.size(); N-- > 0;)
    if (W.Splits[N].Mask == 0)
      W.Splits.erase(W.Splits.begin() + N);
  for (size_t N = 0; N < W.Joins.size(); ++N) {
    JoinPoint &J = W.Joins[N];
    if (!J.Live)
      continue;
    J.Expected &= ~Gone;
    J.Arrived &= ~Gone;
  }
  // Points where everybody who is left has arrived become runnable again.
  for (size_t N = 0; N < W.Joins.size(); ++N) {
    JoinPoint &J = W.Joins[N];
    if (!J.Live || J.Arrived != J.Expected)
      continue;
    J.Live = false;
    if (!J.Arrived)
      continue;
    Split S;
    S.PC = J.PC;
    S.Mask = J.Arrived;
    S.Join = J.Parent;
    W.Splits.push_back(S);
  }
  X.Yield = true;
}

namespace {

void execTrap(ExecContext &X, const Inst &) {
  X.report("trap", "the kernel executed trap", X.firstLane());
  X.G.Stop = true;
  X.Yield = true;
}

void execNanosleep(ExecContext &X, const Inst &) { X.Yield = true; }
void execNothing(ExecContext &, const Inst &) {}

/// The launch ahead is over by then: all that is left to know is who waited.
void execGridWait(ExecContext &X, const Inst &) {
  if (!X.W.GridWaited)
    X.C.GridWaits.push_back(
        threadAccess(X, unsigned(__builtin_ctz(X.Mask)), 0).E);
  X.W.GridWaited |= X.Mask;
}

void execSetMaxNReg(ExecContext &X, const Inst &I) {
  X.requireAligned(I);
  uint32_t Old = X.W.Registers;
  X.W.Registers = I.A;
  if (Old && ((I.Sub && I.A < Old) || (!I.Sub && I.A > Old)) &&
      !X.known("setmaxnreg"))
    X.report("setmaxnreg",
             std::string("setmaxnreg.") + (I.Sub ? "inc" : "dec") + " to " +
                 std::to_string(I.A) + " from " + std::to_string(Old) +
                 " registers goes the wrong way",
             X.firstLane());
  if (!X.G.Opts.LaunchRegisters || !I.Sub)
    return;
  // The pool is what the block was launched with.
  uint64_t Sum = 0, Pool = 0;
  for (const Warp &W : X.C.Warps) {
    Sum += W.Registers ? W.Registers : X.G.Opts.LaunchRegisters;
    Pool += X.G.Opts.LaunchRegisters;
  }
  // Warps that have yet to give theirs back keep the count too high: only a
  // sum over warps that have all executed setmaxnreg is final.
  for (const Warp &W : X.C.Warps)
    if (W.Id != X.W.Id && W.Registers == X.G.Opts.LaunchRegisters)
      return;
  if (Sum > Pool && !X.known("setmaxnreg", 1))
    X.report("setmaxnreg",
             "the block's warps ask for " + std::to_string(Sum * 32) +
                 " registers, but it was launched with " +
                 std::to_string(Pool * 32) + ": this hangs on the chip",
             X.firstLane(), ~uint64_t(0), 1);
}

bool decodeSetMaxNReg(Decoder &D) {
  D.I.Sub = D.take("inc");
  D.take("dec");
  D.take("sync");
  D.take("aligned");
  D.take("u32");
  int64_t N;
  if (!D.expectOps(1, 1) || !D.immediate(D.ops()[0], N))
    return false;
  if (N < 24 || N > 256 || N % 8)
    return D.fail("setmaxnreg takes a multiple of 8 from 24 to 256, found " +
                  std::to_string(N));
  D.I.A = uint32_t(N);
  D.I.Fn = execSetMaxNReg;
  D.I.Flags |= Inst::Aligned;
  return true;
}

} // namespace

bool mxfp4::sim::decodeControl(Decoder &D) {
  std::string_view Base = D.base();
  D.I.P = Pipe::Control;
  if (Base == "bra") {
    D.I.Mods = D.take("uni");
    D.I.Flags |= Inst::Control;
    D.I.Fn = execBranch;
    if (!D.expectOps(1, 1))
      return false;
    if (D.ops()[0].K != AstOperand::Name)
      return D.fail("expected a label");
    return D.label(D.ops()[0].Text, D.I.A);
  }
  if (Base == "brx") {
    D.take("idx");
    D.take("uni");
    D.I.Flags |= Inst::Control;
    D.I.Fn = execBranchIndexed;
    std::vector<uint32_t> Targets;
    if (!D.expectOps(2, 2) || !D.src(D.ops()[0], Ty::B32))
      return false;
    if (D.ops()[1].K != AstOperand::Name)
      return D.fail("expected the name of a branch table");
    if (!D.branchTable(D.ops()[1].Text, Targets))
      return false;
    if (Targets.empty())
      return D.fail("the branch table is empty");
    D.I.A = uint32_t(D.kernel().Targets.size());
    D.I.B = uint32_t(Targets.size());
    D.kernel().Targets.insert(D.kernel().Targets.end(), Targets.begin(),
                              Targets.end());
    return true;
  }
  if (Base == "ret" || Base == "exit") {
    D.take("uni");
    D.I.Flags |= Inst::Control;
    D.I.Fn = execExit;
    return D.expectOps(0, 0);
  }
  if (Base == "trap" || Base == "brkpt") {
    D.I.Flags |= Inst::Control;
    D.I.Fn = execTrap;
    return D.expectOps(0, 0);
  }
  if (Base == "nanosleep") {
    D.take("u32");
    D.I.Fn = execNanosleep;
    return D.expectOps(1, 1) && D.src(D.ops()[0], Ty::B32);
  }
  if (Base == "griddepcontrol") {
    bool Wait = D.take("wait");
    if (!Wait && !D.take("launch_dependents"))
      return D.fail("expected .wait or .launch_dependents");
    D.I.Fn = Wait ? execGridWait : execNothing;
    return D.expectOps(0, 0);
  }
  if (Base == "pmevent") {
    D.I.Fn = execNothing;
    return true;
  }
  return decodeSetMaxNReg(D);
}
