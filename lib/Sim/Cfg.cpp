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
  const Kernel &k;
  std::vector<uint32_t> blockOf;           ///< By pc.
  std::vector<uint32_t> first, last;       ///< By block.
  std::vector<std::vector<uint32_t>> succ; ///< By block; exit is block N.
  std::vector<std::vector<uint32_t>> pred;

  explicit Graph(const Kernel &k) : k(k) {}

  static bool isBranch(const Inst &i) {
    return i.fn == execBranch || i.fn == execBranchIndexed;
  }
  static bool isExit(const Inst &i) { return i.fn == execExit; }

  void build() {
    uint32_t n = uint32_t(k.code.size());
    std::vector<bool> leader(n + 1, false);
    leader[0] = true;
    for (uint32_t pc = 0; pc < n; ++pc) {
      const Inst &i = k.code[pc];
      if (!isBranch(i) && !isExit(i))
        continue;
      leader[pc + 1] = true;
      if (i.fn == execBranch)
        leader[i.a] = true;
      if (i.fn == execBranchIndexed)
        for (uint32_t t = 0; t < i.b; ++t)
          leader[k.targets[i.a + t]] = true;
    }
    blockOf.resize(n);
    for (uint32_t pc = 0; pc < n; ++pc) {
      if (leader[pc]) {
        first.push_back(pc);
        last.push_back(pc);
      }
      blockOf[pc] = uint32_t(first.size()) - 1;
      last.back() = pc;
    }
    uint32_t exit = uint32_t(first.size());
    succ.resize(exit + 1);
    pred.resize(exit + 1);
    for (uint32_t b = 0; b < exit; ++b)
      addEdges(b, exit);
    attachEndless(exit);
    for (uint32_t b = 0; b < exit; ++b)
      for (uint32_t s : succ[b])
        pred[s].push_back(b);
  }

  void addEdges(uint32_t b, uint32_t exit) {
    const Inst &i = k.code[last[b]];
    bool guarded = i.flags & Inst::HasGuard;
    if (i.fn == execBranch)
      succ[b].push_back(blockOf[i.a]);
    else if (i.fn == execBranchIndexed)
      for (uint32_t t = 0; t < i.b; ++t)
        succ[b].push_back(blockOf[k.targets[i.a + t]]);
    // A guarded exit removes threads; those that stay all go on together, so
    // it is no fork.
    else if (isExit(i) && !guarded)
      succ[b].push_back(exit);
    bool fallsThrough = (!isBranch(i) && !isExit(i)) || guarded;
    if (fallsThrough)
      succ[b].push_back(last[b] + 1 < k.code.size() ? b + 1 : exit);
  }

  /// Blocks of a loop without an exit would have no post-dominator at all.
  void attachEndless(uint32_t exit) {
    std::vector<std::vector<uint32_t>> back(exit + 1);
    for (uint32_t b = 0; b < exit; ++b)
      for (uint32_t s : succ[b])
        back[s].push_back(b);
    std::vector<bool> seen(exit + 1, false);
    auto flood = [&](uint32_t from) {
      std::vector<uint32_t> work{from};
      seen[from] = true;
      while (!work.empty()) {
        uint32_t b = work.back();
        work.pop_back();
        for (uint32_t p : back[b])
          if (!seen[p]) {
            seen[p] = true;
            work.push_back(p);
          }
      }
    };
    flood(exit);
    for (uint32_t b = exit; b-- > 0;)
      if (!seen[b]) {
        succ[b].push_back(exit);
        flood(b);
      }
  }

  std::vector<uint32_t> postDominators() {
    uint32_t exit = uint32_t(first.size());
    // Post-order of the reversed graph, without recursion.
    std::vector<uint32_t> order, number(exit + 1, 0);
    std::vector<char> state(exit + 1, 0);
    std::vector<std::pair<uint32_t, size_t>> stack{{exit, 0}};
    state[exit] = 1;
    while (!stack.empty()) {
      auto &[B, Next] = stack.back();
      if (Next < pred[B].size()) {
        uint32_t p = pred[B][Next++];
        if (!state[p]) {
          state[p] = 1;
          stack.push_back({p, 0});
        }
        continue;
      }
      number[B] = uint32_t(order.size());
      order.push_back(B);
      stack.pop_back();
    }
    constexpr uint32_t none = ~0u;
    std::vector<uint32_t> idom(exit + 1, none);
    idom[exit] = exit;
    for (bool changed = true; changed;) {
      changed = false;
      for (size_t j = order.size(); j-- > 0;) {
        uint32_t b = order[j];
        if (b == exit)
          continue;
        uint32_t fresh = none;
        for (uint32_t s : succ[b]) {
          if (idom[s] == none)
            continue;
          if (fresh == none) {
            fresh = s;
            continue;
          }
          uint32_t x = s;
          while (x != fresh) {
            while (number[x] < number[fresh])
              x = idom[x];
            while (number[fresh] < number[x])
              fresh = idom[fresh];
          }
        }
        if (fresh != idom[b]) {
          idom[b] = fresh;
          changed = true;
        }
      }
    }
    return idom;
  }
};

} // namespace

void mxfp4::sim::computeReconvergence(Kernel &k) {
  Graph g(k);
  g.build();
  std::vector<uint32_t> idom = g.postDominators();
  uint32_t n = uint32_t(k.code.size()), exit = uint32_t(g.first.size());
  k.reconverge.assign(n, n);
  for (uint32_t b = 0; b < exit; ++b) {
    uint32_t pc = g.last[b];
    if (!Graph::isBranch(k.code[pc]))
      continue;
    uint32_t d = idom[b];
    if (d >= exit)
      continue;
    k.reconverge[pc] = g.first[d];
    k.code[g.first[d]].flags |= Inst::Reconverge;
  }
}
