//===- Unended.cpp - What launches may still be writing -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Sim/Sim.h"

using namespace mxfp4::sim;

bool Unended::has(uint64_t address, uint64_t bytes) const {
  if (hasAll)
    return true;
  for (uint64_t at = address; at < address + bytes; ++at) {
    const auto page = pages.find(at / kPage);
    if (page == pages.end())
      at = at / kPage * kPage + kPage - 1;
    else if (page->second[at % kPage])
      return true;
  }
  return false;
}

void Unended::add(uint64_t address, uint64_t bytes) {
  for (uint64_t at = address; at < address + bytes; ++at)
    pages[at / kPage].set(at % kPage);
}

void Unended::clear() {
  hasAll = false;
  pages.clear();
}

void Unended::add(const Unended &other) {
  for (const auto &[number, bits] : other.pages)
    pages[number] |= bits;
}
