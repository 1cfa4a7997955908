//===- Memory.cpp - Addresses and bounds ----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Memory.h"

#include <algorithm>

using namespace mxfp4::sim;

GlobalRegion *mxfp4::sim::findRegion(Grid &g, uint64_t addr) {
  // The last region that starts at or below the address.
  size_t lo = 0, hi = g.regions.size();
  while (lo < hi) {
    size_t mid = (lo + hi) / 2;
    if (g.regions[mid].address <= addr)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo ? &g.regions[lo - 1] : nullptr;
}

static const char *verb(bool write) { return write ? "writes " : "reads "; }

static bool misaligned(ExecContext &x, uint64_t addr, unsigned bytes,
                       unsigned align, bool write, unsigned lane) {
  if ((addr & (align - 1)) == 0)
    return false;
  if (!x.known("misaligned"))
    x.report("misaligned",
             "this instruction " + std::string(verb(write)) +
                 plural(bytes, "byte") + " at " + hex(addr) +
                 ", which is not a multiple of " + std::to_string(align),
             lane, addr);
  return true;
}

bool mxfp4::sim::resolveShared(ExecContext &x, uint64_t addr, uint64_t bytes,
                               unsigned align, unsigned lane, Cta *&t,
                               uint32_t &off) {
  if (addr >= kSharedWindow && addr < kSharedWindow + kWindowSize)
    addr -= kSharedWindow;
  uint64_t rank = addr >> kRankShift;
  off = uint32_t(addr & ((1u << kRankShift) - 1));
  if (rank > x.cl.ctas.size() || off < kSharedBase ||
      off + bytes > x.g.sharedBytes) {
    if (x.known("out-of-bounds"))
      return false;
    std::string have = "shared memory of this launch is [" + hex(kSharedBase) +
                       ", " + hex(x.g.sharedBytes) + ")";
    x.report("out-of-bounds",
             "access to " + plural(bytes, "byte") + " of shared memory at " +
                 hex(addr) + " is out of bounds: " + have,
             lane, addr);
    return false;
  }
  if (misaligned(x, off, unsigned(bytes), align, false, lane))
    return false;
  t = rank ? &x.cl.ctas[rank - 1] : &x.c;
  if (t->retired) {
    if (!x.known("cluster"))
      x.report("cluster",
               "this instruction accesses shared memory of block " +
                   std::to_string(t->rank) +
                   " of the cluster, which has exited; a cluster barrier must "
                   "keep it alive",
               lane, addr);
    return false;
  }
  return true;
}

static void outOfBounds(ExecContext &x, uint64_t addr, unsigned bytes,
                        bool write, unsigned lane) {
  if (x.known("out-of-bounds"))
    return;
  std::string message = "this instruction " + std::string(verb(write)) +
                        plural(bytes, "byte") + " at " + hex(addr);
  GlobalRegion *near = findRegion(x.g, addr);
  // Name the buffer that was probably meant: the one before, or the one after.
  if (near && addr - (near->address + near->size) < (1 << 24)) {
    uint64_t end = near->address + near->size;
    message += addr >= end
                   ? ", " + plural(addr - end, "byte") + " past the end of "
                   : ", which runs past the end of ";
    message += near->name + " (" + plural(near->size, "byte") + ")";
  } else if (near && addr < near->address + near->size) {
    message += ", which runs past the end of " + near->name + " (" +
               plural(near->size, "byte") + ")";
  } else {
    GlobalRegion *next = findRegion(x.g, addr + (1 << 16));
    if (next && next->address > addr)
      message += ", " + plural(next->address - addr, "byte") +
                 " before the start of " + next->name;
    else
      message += ", which is in no buffer";
  }
  x.report("out-of-bounds", message, lane, addr);
}

static bool resolveGlobal(ExecContext &x, uint64_t addr, unsigned bytes,
                          unsigned align, bool write, unsigned lane,
                          MemRef &r) {
  GlobalRegion *&last = x.cl.lastRegion;
  if (!last || addr - last->address >= last->size)
    last = findRegion(x.g, addr);
  if (!last || addr - last->address >= last->size ||
      addr - last->address + bytes > last->size) {
    outOfBounds(x, addr, bytes, write, lane);
    last = nullptr;
    return false;
  }
  if (misaligned(x, addr, bytes, align, write, lane))
    return false;
  if (write && !last->writable) {
    if (!x.known("read-only"))
      x.report("read-only",
               "this instruction writes to " + last->name +
                   ", which the launch declares read-only",
               lane, addr);
    return false;
  }
  r.k = MemRef::Global;
  r.region = last;
  r.off = addr - last->address;
  r.host = last->data + r.off;
  return true;
}

static bool plainRange(ExecContext &x, const char *name, uint8_t *data,
                       uint64_t size, uint64_t off, unsigned bytes,
                       unsigned align, bool write, unsigned lane, MemRef &r) {
  if (off > size || bytes > size - off) {
    if (!x.known("out-of-bounds"))
      x.report("out-of-bounds",
               "access to " + plural(bytes, "byte") + " at offset " +
                   std::to_string(off) + " of " + name + ", which has " +
                   plural(size, "byte"),
               lane, off);
    return false;
  }
  if (misaligned(x, off, bytes, align, write, lane))
    return false;
  r.k = MemRef::Plain;
  r.host = data + off;
  return true;
}

bool mxfp4::sim::resolve(ExecContext &x, Space s, uint64_t addr, unsigned bytes,
                         unsigned align, bool write, unsigned lane, MemRef &r) {
  auto in = [&](uint64_t w) { return addr >= w && addr < w + kWindowSize; };
  if (s == Space::Generic)
    s = in(kSharedWindow)  ? Space::SharedCluster
        : in(kLocalWindow) ? Space::Local
        : in(kParamWindow) ? Space::Param
                           : Space::Global;
  if (s == Space::Param && in(kLocalWindow)) // Of a call.
    s = Space::Local;
  switch (s) {
  case Space::Shared:
  case Space::SharedCluster: {
    uint32_t off;
    if (!resolveShared(x, addr, bytes, align, lane, r.target, off))
      return false;
    r.k = MemRef::Shared;
    r.off = off;
    r.host = r.target->shared.data() + off;
    return true;
  }
  case Space::Local: {
    uint64_t off = in(kLocalWindow) ? addr - kLocalWindow : addr;
    uint64_t size = x.k.localBytes;
    if (x.w.local.empty())
      x.w.local.assign(32 * size_t(size), 0xa5);
    return plainRange(x, "local memory", x.w.local.data() + size * lane, size,
                      off - 16, bytes, align, write, lane, r);
  }
  case Space::Param:
    if (write) {
      if (!x.known("read-only"))
        x.report("read-only", "kernel parameters cannot be written", lane,
                 addr);
      return false;
    }
    return plainRange(x, "the kernel's parameters", x.g.params.data(),
                      x.g.params.size(),
                      in(kParamWindow) ? addr - kParamWindow : addr, bytes,
                      align, write, lane, r);
  default:
    return resolveGlobal(x, addr, bytes, align, write, lane, r);
  }
}
