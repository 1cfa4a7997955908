//===- Cfg.cpp - Where diverged threads meet again ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Threads of a warp that part at a branch meet at the branch's immediate
// post-dominator. It is computed on basic blocks with the algorithm of Cooper,
// Harvey and Kennedy on the reversed graph, whose root is a virtual exit.
//
//===----------------------------------------------------------------------===//

#include "Exec.h"
#include "Module.h"

#include <algorithm>

using namespace mxfp4::sim;

namespace {

struct Graph {
  const Kernel &K;
  std::vector<uint32_t> BlockOf;           ///< By pc.
  std::vector<uint32_t> First, Last;       ///< By block.
  std::vector<std::vector<uint32_t>> Succ; ///< By block; exit is block N.
  std::vector<std::vector<uint32_t>> Pred;

  explicit Graph(const Kernel &K) : K(K) {}

  static bool isBranch(const Inst &I) {
    return I.Fn == execBranch || I.Fn == execBranchIndexed;
  }
  static bool isExit(const Inst &I) { return I.Fn == execExit; }

  void build() {
    uint32_t N = uint32_t(K.Code.size());
    std::vector<bool> Leader(N + 1, false);
    Leader[0] = true;
    for (uint32_t PC = 0; PC < N; ++PC) {
      const Inst &I = K.Code[PC];
      if (!isBranch(I) && !isExit(I))
        continue;
      Leader[PC + 1] = true;
      if (I.Fn == execBranch)
        Leader[I.A] = true;
      if (I.Fn == execBranchIndexed)
        for (uint32_t T = 0; T < I.B; ++T)
          Leader[K.Targets[I.A + T]] = true;
    }
    BlockOf.resize(N);
    for (uint32_t PC = 0; PC < N; ++PC) {
      if (Leader[PC]) {
        First.push_back(PC);
        Last.push_back(PC);
      }
      BlockOf[PC] = uint32_t(First.size()) - 1;
      Last.back() = PC;
    }
    uint32_t Exit = uint32_t(First.size());
    Succ.resize(Exit + 1);
    Pred.resize(Exit + 1);
    for (uint32_t B = 0; B < Exit; ++B)
      addEdges(B, Exit);
    attachEndless(Exit);
    for (uint32_t B = 0; B < Exit; ++B)
      for (uint32_t S : Succ[B])
        Pred[S].push_back(B);
  }

  void addEdges(uint32_t B, uint32_t Exit) {
    const Inst &I = K.Code[Last[B]];
    bool Guarded = I.Flags & Inst::HasGuard;
    if (I.Fn == execBranch)
      Succ[B].push_back(BlockOf[I.A]);
    else if (I.Fn == execBranchIndexed)
      for (uint32_t T = 0; T < I.B; ++T)
        Succ[B].push_back(BlockOf[K.Targets[I.A + T]]);
    // A guarded exit removes threads; those that stay all go on together, so
    // it is no fork.
    else if (isExit(I) && !Guarded)
      Succ[B].push_back(Exit);
    bool FallsThrough = (!isBranch(I) && !isExit(I)) || Guarded;
    if (FallsThrough)
      Succ[B].push_back(Last[B] + 1 < K.Code.size() ? B + 1 : Exit);
  }

  /// Blocks of a loop without an exit would have no post-dominator at all.
  void attachEndless(uint32_t Exit) {
    std::vector<std::vector<uint32_t>> Back(Exit + 1);
    for (uint32_t B = 0; B < Exit; ++B)
      for (uint32_t S : Succ[B])
        Back[S].push_back(B);
    std::vector<bool> Seen(Exit + 1, false);
    auto Flood = [&](uint32_t From) {
      std::vector<uint32_t> Work{From};
      Seen[From] = true;
      while (!Work.empty()) {
        uint32_t B = Work.back();
        Work.pop_back();
        for (uint32_t P : Back[B])
          if (!Seen[P]) {
            Seen[P] = true;
            Work.push_back(P);
          }
      }
    };
    Flood(Exit);
    for (uint32_t B = Exit; B-- > 0;)
      if (!Seen[B]) {
        Succ[B].push_back(Exit);
        Flood(B);
      }
  }

  std::vector<uint32_t> postDominators() {
    uint32_t Exit = uint32_t(First.size());
    // Post-order of the reversed graph, without recursion.
    std::vector<uint32_t> Order, Number(Exit + 1, 0);
    std::vector<char> State(Exit + 1, 0);
    std::vector<std::pair<uint32_t, size_t>> Stack{{Exit, 0}};
    State[Exit] = 1;
    while (!Stack.empty()) {
      auto &[B, Next] = Stack.back();
      if (Next < Pred[B].size()) {
        uint32_t P = Pred[B][Next++];
        if (!State[P]) {
          State[P] = 1;
          Stack.push_back({P, 0});
        }
        continue;
      }
      Number[B] = uint32_t(Order.size());
      Order.push_back(B);
      Stack.pop_back();
    }
    constexpr uint32_t None = ~0u;
    std::vector<uint32_t> Idom(Exit + 1, None);
    Idom[Exit] = Exit;
    for (bool Changed = true; Changed;) {
      Changed = false;
      for (size_t J = Order.size(); J-- > 0;) {
        uint32_t B = Order[J];
        if (B == Exit)
          continue;
        uint32_t New = None;
        for (uint32_t S : Succ[B]) {
          if (Idom[S] == None)
            continue;
          if (New == None) {
            New = S;
            continue;
          }
          uint32_t X = S;
          while (X != New) {
            while (Number[X] < Number[New])
              X = Idom[X];
            while (Number[New] < Number[X])
              New = Idom[New];
          }
        }
        if (New != Idom[B]) {
          Idom[B] = New;
          Changed = true;
        }
      }
    }
    return Idom;
  }
};

} // namespace

void mxfp4::sim::computeReconvergence(Kernel &K) {
  Graph G(K);
  G.build();
  std::vector<uint32_t> Idom = G.postDominators();
  uint32_t N = uint32_t(K.Code.size()), Exit = uint32_t(G.First.size());
  K.Reconverge.assign(N, N);
  for (uint32_t B = 0; B < Exit; ++B) {
    uint32_t PC = G.Last[B];
    if (!Graph::isBranch(K.Code[PC]))
      continue;
    uint32_t D = Idom[B];
    if (D >= Exit)
      continue;
    K.Reconverge[PC] = G.First[D];
    K.Code[G.First[D]].Flags |= Inst::Reconverge;
  }
}
