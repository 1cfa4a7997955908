//===- ShadowCells.cpp - Cells of bytes and words, sets of readers --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Shadow.h"

#include <algorithm>

using namespace mxfp4::sim;

uint32_t ReadSets::intern(Set s) {
  auto [It, New] = ids.try_emplace(std::move(s), uint32_t(sets.size()));
  if (New)
    sets.push_back(&It->first);
  return It->second;
}

uint32_t ReadSets::add(uint32_t id, Reader r) {
  // Tiles are read by all lanes of a warp, which mostly tell of it together.
  // Lanes that issue copies wait for these each by itself.
  if (r.kind == Reader::Plain &&
      (agentOf(r.e.who) < kCopyAgent || agentOf(r.e.who) >= kMbarAgent))
    r.e.who &= ~31u;
  // Cells next to each other and warps in turn ask for the same again.
  if (answers.empty())
    answers.resize(64);
  Answer &answer =
      answers[((id ^ r.e.who >> 5 ^ r.inst << 3) * 0x9e3779b1u + r.e.clock) >>
                  8 &
              63];
  if (answer.result && answer.id == id && answer.r == r)
    return answer.result;
  Set s;
  if (id)
    s = get(id);
  auto key = [](const Reader &of) { return std::pair(of.e.who, of.kind); };
  auto it = std::lower_bound(
      s.begin(), s.end(), r,
      [&](const Reader &a, const Reader &b) { return key(a) < key(b); });
  if (it != s.end() && key(*it) == key(r))
    *it = r;
  else
    s.insert(it, r);
  answer = {id, intern(std::move(s)), r};
  return answer.result;
}

Shadow::Bytes &Shadow::split(Cell &word) {
  if (word.is(Cell::Split))
    return parts[word.readSet];
  uint32_t id = uint32_t(parts.size());
  if (free.empty()) {
    parts.emplace_back();
  } else {
    id = free.back();
    free.pop_back();
  }
  parts[id].fill(word);
  word.flags = Cell::Split;
  word.readSet = id;
  return parts[id];
}

void Shadow::merge(Cell &word) {
  Bytes &b = parts[word.readSet];
  if (!(b[0] == b[1]) || !(b[0] == b[2]) || !(b[0] == b[3]))
    return;
  free.push_back(word.readSet);
  word = b[0];
  b.fill(Cell());
}

void Shadow::mark(uint64_t off, unsigned words, uint16_t set, uint16_t clear) {
  auto change = [&](Cell &c) { c.flags = uint16_t((c.flags & ~clear) | set); };
  for (unsigned w = 0; w < words; ++w) {
    Cell &c = word(off + uint64_t(4) * w);
    if (!c.is(Cell::Split)) {
      change(c);
      continue;
    }
    for (Cell &byte : split(c))
      change(byte);
    merge(c);
  }
}

void Shadow::compact() {
  ReadSets fresh;
  auto keep = [&](Cell &c) {
    if (c.readSet && !c.is(Cell::Split))
      c.readSet = fresh.intern(sets.get(c.readSet));
  };
  for (Cell &c : cells)
    keep(c);
  for (Bytes &b : parts)
    for (Cell &c : b)
      keep(c);
  sets = std::move(fresh);
}
