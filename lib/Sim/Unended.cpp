//===- Unended.cpp - What launches may still be writing -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Sim/Sim.h"

#include <algorithm>

using namespace mxfp4::sim;

bool Unended::isIn(const Pages &pages, uint64_t address, uint64_t bytes) {
  for (uint64_t at = address; at < address + bytes; ++at) {
    const auto page = pages.find(at / kPage);
    if (page == pages.end())
      at = at / kPage * kPage + kPage - 1;
    else if (page->second[at % kPage])
      return true;
  }
  return false;
}

bool Unended::has(uint64_t address, uint64_t bytes) const {
  return hasAll || isIn(pages, address, bytes);
}

bool Unended::hadBefore(uint64_t address, uint64_t bytes) const {
  return isIn(ended, address, bytes);
}

void Unended::add(uint64_t address, uint64_t bytes) {
  for (uint64_t at = address; at < address + bytes; ++at)
    pages[at / kPage].set(at % kPage);
}

void Unended::clear() {
  hasAll = false;
  for (const auto &[number, bits] : pages)
    ended[number] |= bits;
  pages.clear();
}

void Unended::forget(uint64_t address, uint64_t bytes) {
  const uint64_t end = address + bytes;
  for (Pages *of : {&pages, &ended}) {
    auto page = of->lower_bound(address / kPage);
    while (page != of->end() && page->first * kPage < end) {
      const uint64_t first = page->first * kPage;
      for (uint64_t at = std::max(first, address);
           at < std::min(first + kPage, end); ++at)
        page->second.reset(at % kPage);
      page = page->second.none() ? of->erase(page) : std::next(page);
    }
  }
}

void Unended::add(const Unended &other) {
  for (const auto &[number, bits] : other.pages)
    pages[number] |= bits;
}
