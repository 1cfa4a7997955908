//===- ReadSets.cpp - Interned sets of readers ----------------------------===//
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
  R.E.Who &= ~31u;
  if (LastResult && Id == LastSet && R == LastReader)
    return LastResult;
  Set S;
  if (Id)
    S = get(Id);
  auto It = std::lower_bound(
      S.begin(), S.end(), R,
      [](const Reader &A, const Reader &B) { return A.E.Who < B.E.Who; });
  if (It != S.end() && It->E.Who == R.E.Who)
    *It = R;
  else
    S.insert(It, R);
  LastSet = Id;
  LastReader = R;
  return LastResult = intern(std::move(S));
}

void ReadSets::compact(std::vector<Cell> &Cells) {
  ReadSets Fresh;
  for (Cell &C : Cells)
    if (C.ReadSet)
      C.ReadSet = Fresh.intern(get(C.ReadSet));
  *this = std::move(Fresh);
}
