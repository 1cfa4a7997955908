//===- Scheduler.cpp - Turns, landings and deadlocks ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A turn picks a warp and one of its splits at random and lets it execute a
// random number of instructions. Bulk copies land between turns. When nobody
// can go on and nothing is in flight, waits of mbarrier.try_wait time out, as
// they may on the chip; if that changes nothing either, it is a deadlock.
//
//===----------------------------------------------------------------------===//

#include "Scheduler.h"

#include "Control.h"
#include "CpAsync.h"
#include "Sync.h"

#include <algorithm>

using namespace mxfp4::sim;

/// An undefined register decides a branch, an address, or what is stored.
static void undefinedRead(ExecContext &X, const Operand &O, uint32_t Lanes) {
  RegState &R = X.W.States[O.Slot];
  if (R.Busy & RegState::Accumulator)
    return X.busyWrite(O);
  if (!X.G.Opts.CheckUninitialised || X.known("uninitialised"))
    return;
  const std::string &Name = X.K.SlotNames[O.Slot];
  X.report("uninitialised",
           R.Source
               ? "this instruction depends on register " +
                     X.K.SlotNames[R.Source - 1] +
                     ", which nothing has written, by way of " + Name
               : "register " + Name + " is read, but nothing has written it",
           unsigned(__builtin_ctz(Lanes)));
}

/// Lanes of the results that come from undefined sources, and one such source.
static uint32_t undefinedResults(ExecContext &X, const Inst &I, uint32_t Lanes,
                                 Operand &From) {
  uint32_t Undefined[3] = {}, All = 0;
  for (unsigned N = 0; N < I.NumSrc; ++N) {
    const Operand &O = X.src(I, N);
    const uint32_t Missing = Lanes & ~X.W.States[O.Slot].Def;
    if (!Missing)
      continue;
    if (X.W.States[O.Slot].Busy & RegState::Accumulator)
      X.busyWrite(O);
    From = O;
    All |= Missing;
    if (N < 3)
      Undefined[N] = Missing;
  }
  if (!All || !(I.Flags & Inst::Select))
    return All;
  const uint32_t P = X.pred(X.src(I, 2));
  return Undefined[2] | (P & Undefined[0]) | (~P & Undefined[1]);
}

/// An instruction that only computes, where sources or the guard are undefined:
/// so are its results. Partly written registers are common (a reduction loads
/// in some lanes and shuffles in all), and only what becomes of them matters.
static void executePure(ExecContext &X, const Inst &I, uint32_t Split,
                        uint32_t GuardUndefined) {
  Operand From = I.Guard;
  uint32_t Undefined = GuardUndefined;
  if (!(I.Flags & Inst::NoDefCheck))
    Undefined |= undefinedResults(X, I, X.Mask, From);
  if (X.Mask)
    I.Fn(X, I);
  for (unsigned N = 0; N < I.NumDst; ++N)
    X.undefine(X.dst(I, N), Undefined & Split, From);
}

/// Is a source of the instruction undefined in a lane that executes it?
static bool anyUndefined(const ExecContext &X, const Inst &I) {
  const Operand *Src = X.K.Operands.data() + I.Ops + I.NumDst;
  for (unsigned N = I.Flags & Inst::PassesFirst ? 1 : 0; N < I.NumSrc; ++N)
    if (X.Mask & ~X.W.States[Src[N].Slot].Def)
      return true;
  return false;
}

static void reportUndefined(ExecContext &X, const Inst &I) {
  for (unsigned N = I.Flags & Inst::PassesFirst ? 1 : 0; N < I.NumSrc; ++N) {
    const Operand &O = X.src(I, N);
    if (uint32_t Undefined = X.Mask & ~X.W.States[O.Slot].Def)
      undefinedRead(X, O, Undefined);
  }
}

/// Executes the split until its budget is used or it gives up its turn.
static void runSplit(ExecContext &X, unsigned Budget) {
  Warp &W = X.W;
  const Kernel &K = X.K;
  uint64_t Done = 0;
  while (Budget-- && !W.Splits.empty()) {
    uint32_t PC = X.split().PC;
    const Inst &I = K.Code[PC];
    X.PC = PC;
    if ((I.Flags & Inst::Reconverge) && X.split().Join >= 0 && arriveAtJoin(X))
      break;
    uint32_t Mask = X.split().Mask, GuardUndefined = 0;
    if (I.Flags & Inst::HasGuard) {
      uint32_t P = X.pred(I.Guard);
      GuardUndefined = Mask & ~W.States[I.Guard.Slot].Def;
      X.Mask = Mask;
      if (GuardUndefined && !(I.Flags & Inst::Pure))
        undefinedRead(X, I.Guard, GuardUndefined);
      Mask &= I.Flags & Inst::GuardNot ? ~P : P;
    }
    ++X.S.Issued[PC];
    X.S.Threads[PC] += unsigned(__builtin_popcount(Mask));
    ++Done;
    X.Mask = Mask;
    if (I.Flags & Inst::Pure) {
      if (GuardUndefined ||
          (!(I.Flags & Inst::NoDefCheck) && anyUndefined(X, I)))
        executePure(X, I, X.split().Mask, GuardUndefined);
      else if (Mask)
        I.Fn(X, I);
      ++X.split().PC;
      continue;
    }
    if (!Mask) {
      ++X.split().PC;
      continue;
    }
    if (!(I.Flags & Inst::NoDefCheck) && anyUndefined(X, I))
      reportUndefined(X, I);
    I.Fn(X, I);
    if (I.Flags & Inst::Control) {
      if (X.Yield || X.G.Stop)
        break;
    } else {
      ++X.split().PC;
      if (X.Yield)
        break;
    }
  }
  X.G.Instructions += Done;
}

static void landDue(Grid &G, Cluster &Cl, LocalStats &S, bool All) {
  for (size_t N = 0; N < Cl.Bulk.size();) {
    if (!All && Cl.Bulk[N].Due > Cl.Step) {
      ++N;
      continue;
    }
    BulkOp Op = Cl.Bulk[N];
    Cl.Bulk.erase(Cl.Bulk.begin() + N);
    Cta &C = Cl.Ctas[Op.SrcCta];
    Warp &W = C.Warps[Op.WarpId];
    ExecContext X{G, Cl, C, W, *G.K, S, G.K->ConstData.data(), W.Regs};
    X.PC = uint32_t(Op.I - G.K->Code.data());
    X.Mask = 1u << Op.Lane;
    landBulk(X, Op);
  }
}

void mxfp4::sim::warpExited(ExecContext &X) {
  Warp &W = X.W;
  --X.C.LiveWarps;
  X.PC = std::min<uint32_t>(X.PC, uint32_t(X.K.Code.size()) - 1);
  if (!W.Wgmmas.empty() && !X.known("wgmma-register"))
    X.report("wgmma-register",
             "the warp exits while a wgmma is in flight: wgmma.wait_group must "
             "come first",
             0);
  for (unsigned L = 0; L < 32; ++L)
    if (2 * W.BulkGroups[L] >
            W.Clock.get(laneAgent(W.agent(BulkAgent) << 5 | L)) &&
        !X.known("bulk-exit"))
      X.report("bulk-exit",
               "the thread exits while a bulk store may still read shared "
               "memory: cp.async.bulk.wait_group.read must come first",
               L);
  if (X.C.LiveWarps)
    return;
  X.C.Retired = true;
  for (auto &[Off, B] : X.C.Mbarriers) {
    if (!B.Valid || (B.Tx == 0 && B.InFlight == 0) ||
        X.known("transaction-bytes", 1))
      continue;
    // Bytes on their way belong to both sides of the account.
    int64_t Missing = B.Tx - B.InFlightBytes;
    std::string What;
    if (B.InFlight && Missing == 0)
      What = "while a bulk copy into its shared memory is on its way";
    else if (Missing > 0)
      What = "while an mbarrier still expects " +
             plural(uint64_t(Missing), "byte") + " that no copy brings";
    else
      What = "with " + plural(uint64_t(-Missing), "byte") +
             " copied that no expect_tx has announced";
    X.report("transaction-bytes",
             "the block exits " + What + " (mbarrier at " + hex(Off) + ")", 0,
             Off, 1);
  }
}

/// What a blocked split waits for.
static std::string waitingFor(const Cluster &Cl, const Cta &C, const Split &S) {
  switch (S.Wait) {
  case WaitKind::Barrier: {
    const NamedBarrier &B = C.Barriers[S.WaitId];
    return "barrier " + std::to_string(S.WaitId) + " (" +
           std::to_string(B.Arrived) + " of " + std::to_string(B.Expected) +
           " threads have arrived)";
  }
  case WaitKind::Mbarrier: {
    std::string Text = "the mbarrier at " + hex(S.WaitId);
    const Cta &T = Cl.Ctas[S.WaitCta];
    auto It = T.Mbarriers.find(S.WaitId);
    if (It == T.Mbarriers.end())
      return Text;
    const Mbarrier &B = It->second;
    return Text + " (parity " + std::to_string(S.WaitValue) + ", " +
           std::to_string(B.Phase) + " phases completed, " +
           std::to_string(B.Pending) + " of " + plural(B.Count, "arrival") +
           " missing, " + std::to_string(B.Tx) +
           " transaction bytes outstanding)";
  }
  case WaitKind::Cluster:
    return "the cluster barrier";
  case WaitKind::WarpSync:
    return "other threads of its warp, named by the member mask";
  default:
    return "nothing";
  }
}

static void reportDeadlock(Grid &G, Cluster &Cl, LocalStats &S) {
  // One line for each place where warps wait.
  std::map<std::pair<uint32_t, std::string>, std::vector<unsigned>> Places;
  Warp *First = nullptr;
  uint32_t FirstPC = 0;
  for (Cta &C : Cl.Ctas)
    for (Warp &W : C.Warps)
      for (Split &Sp : W.Splits) {
        uint32_t PC =
            Sp.Wait == WaitKind::Barrier || Sp.Wait == WaitKind::Cluster
                ? Sp.PC - 1
                : Sp.PC;
        if (!First) {
          First = &W;
          FirstPC = PC;
        }
        Places[{PC, waitingFor(Cl, C, Sp)}].push_back(C.Rank * 32 + W.Id);
      }
  if (!First)
    return;
  std::string Text = "deadlock: no thread of the block can go on";
  for (auto &[Key, Warps] : Places) {
    Text += "\n  note: warp" + std::string(Warps.size() > 1 ? "s" : "");
    for (size_t N = 0; N < Warps.size() && N < 8; ++N)
      Text += (N ? ", " : " ") + std::to_string(Warps[N] % 32);
    Text += " at " + describeInst(*G.K, Key.first) + " for " + Key.second;
  }
  Cta &C = *First->C;
  ExecContext X{G, Cl, C, *First, *G.K, S, nullptr, nullptr};
  X.PC = FirstPC;
  X.report("deadlock", Text, 0);
}

/// Nobody can run. Returns false when nothing will ever change.
static bool resolveIdle(Grid &G, Cluster &Cl, LocalStats &S) {
  if (!Cl.Bulk.empty()) {
    uint64_t Next = ~uint64_t(0);
    for (const BulkOp &Op : Cl.Bulk)
      Next = std::min(Next, Op.Due);
    Cl.Step = std::max(Cl.Step, Next);
    landDue(G, Cl, S, false);
    return true;
  }
  Cl.IdleRounds = Cl.Progress == Cl.LastProgress ? Cl.IdleRounds + 1 : 0;
  Cl.LastProgress = Cl.Progress;
  bool Any = false;
  for (Cta &C : Cl.Ctas)
    for (Warp &W : C.Warps)
      for (Split &Sp : W.Splits)
        if (Sp.Wait == WaitKind::Mbarrier) {
          Sp.TimedOut = true;
          Any = true;
        }
  return Any && Cl.IdleRounds < 3;
}

/// Picks a runnable split of the warp; false when all are blocked.
static bool pickSplit(ExecContext &X) {
  Warp &W = X.W;
  size_t N = W.Splits.size(), First = N > 1 ? X.Cl.Rng.below(uint32_t(N)) : 0;
  for (size_t J = 0; J < N; ++J) {
    X.SplitIndex = (First + J) % N;
    Split &S = X.split();
    if (S.Wait == WaitKind::None)
      return true;
    if (S.Wait == WaitKind::Mbarrier && X.Cl.Rng.below(64) == 0)
      S.TimedOut = true;
    X.PC = std::min<uint32_t>(S.PC, uint32_t(X.K.Code.size()) - 1);
    if (tryUnblock(X, S))
      return true;
  }
  return false;
}

bool mxfp4::sim::runTurns(Grid &G, Cluster &Cl, LocalStats &S, unsigned Turns) {
  uint32_t PerCta = uint32_t(Cl.Ctas[0].Warps.size());
  uint32_t Total = PerCta * uint32_t(Cl.Ctas.size());
  while (Turns-- && !G.Stop) {
    ++Cl.Step;
    if (!Cl.Bulk.empty())
      landDue(G, Cl, S, false);
    uint32_t First = Cl.Rng.below(Total);
    bool Ran = false, Alive = false;
    for (uint32_t J = 0; J < Total && !Ran; ++J) {
      uint32_t Index = (First + J) % Total;
      Cta &C = Cl.Ctas[Index / PerCta];
      Warp &W = C.Warps[Index % PerCta];
      if (W.done())
        continue;
      Alive = true;
      ExecContext X{G, Cl, C, W, *G.K, S, G.K->ConstData.data(), W.Regs};
      if (!pickSplit(X))
        continue;
      Ran = true;
      runSplit(X, 1 + Cl.Rng.below(128));
      if (W.done())
        warpExited(X);
    }
    if (!Alive) {
      landDue(G, Cl, S, true);
      return false;
    }
    if (!Ran && !resolveIdle(G, Cl, S)) {
      reportDeadlock(G, Cl, S);
      return false;
    }
    if (G.Instructions > G.Opts.MaxInstructions) {
      Cl.Dead = true;
      return true;
    }
  }
  return true;
}
