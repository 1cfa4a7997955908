//===- ShadowCells.cpp - Cells of bytes and words, sets of readers --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Shadow.h"

#include <algorithm>

using namespace mxfp4::sim;

uint32_t ReadSets::intern(Set S) {
  auto [It, New] = Ids.insert({std::move(S), uint32_t(Sets.size())});
  if (New)
    Sets.push_back(&It->first);
  return It->second;
}

uint32_t ReadSets::add(uint32_t Id, Reader R) {
  // Tiles are read by all lanes of a warp, which mostly tell of it together.
  // Lanes that issue copies wait for these each by itself.
  if (R.Kind == Reader::Plain &&
      (agentOf(R.E.Who) < CopyAgent || agentOf(R.E.Who) >= MbarAgent))
    R.E.Who &= ~31u;
  if (LastResult && Id == LastSet && R == LastReader)
    return LastResult;
  Set S;
  if (Id)
    S = get(Id);
  auto Key = [](const Reader &Of) { return std::pair(Of.E.Who, Of.Kind); };
  auto It = std::lower_bound(
      S.begin(), S.end(), R,
      [&](const Reader &A, const Reader &B) { return Key(A) < Key(B); });
  if (It != S.end() && Key(*It) == Key(R))
    *It = R;
  else
    S.insert(It, R);
  LastSet = Id;
  LastReader = R;
  return LastResult = intern(std::move(S));
}

Shadow::Bytes &Shadow::split(Cell &Word) {
  if (Word.is(Cell::Split))
    return Parts[Word.ReadSet];
  uint32_t Id = uint32_t(Parts.size());
  if (Free.empty()) {
    Parts.emplace_back();
  } else {
    Id = Free.back();
    Free.pop_back();
  }
  Parts[Id].fill(Word);
  Word.Flags = Cell::Split;
  Word.ReadSet = Id;
  return Parts[Id];
}

void Shadow::merge(Cell &Word) {
  Bytes &B = Parts[Word.ReadSet];
  if (!(B[0] == B[1]) || !(B[0] == B[2]) || !(B[0] == B[3]))
    return;
  Free.push_back(Word.ReadSet);
  Word = B[0];
  B.fill(Cell());
}

void Shadow::mark(uint64_t Off, unsigned Words, uint16_t Set, uint16_t Clear) {
  auto Change = [&](Cell &C) { C.Flags = uint16_t((C.Flags & ~Clear) | Set); };
  for (unsigned W = 0; W < Words; ++W) {
    Cell &C = word(Off + uint64_t(4) * W);
    if (!C.is(Cell::Split)) {
      Change(C);
      continue;
    }
    for (Cell &Byte : split(C))
      Change(Byte);
    merge(C);
  }
}

void Shadow::compact() {
  ReadSets Fresh;
  auto Keep = [&](Cell &C) {
    if (C.ReadSet && !C.is(Cell::Split))
      C.ReadSet = Fresh.intern(Sets.get(C.ReadSet));
  };
  for (Cell &C : Cells)
    Keep(C);
  for (Bytes &B : Parts)
    for (Cell &C : B)
      Keep(C);
  Sets = std::move(Fresh);
}
