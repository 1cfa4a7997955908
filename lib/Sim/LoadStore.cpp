//===- LoadStore.cpp - ld, st, prefetch -----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Ahead.h"
#include "Decoder.h"
#include "Memory.h"
#include "Sync.h"

#include <algorithm>

using namespace mxfp4::sim;

namespace {

enum : uint8_t { Relaxed = 1, Acquire = 2, Release = 4, NonCoherent = 8 };

/// Passes that shared memory needs for one warp-wide access: in each pass
/// every bank serves one word. 8-byte accesses go half a warp at a time,
/// 16-byte ones a quarter.
void countShared(ExecContext &x, const uint64_t *addr, unsigned bytes) {
  unsigned group = bytes <= 4 ? 32 : bytes == 8 ? 16 : 8;
  unsigned words = bytes <= 4 ? 1 : bytes / 4;
  for (unsigned first = 0; first < 32; first += group) {
    uint32_t seen[32][8];
    uint8_t count[32] = {};
    unsigned most = 0;
    for (unsigned l = first; l < first + group; ++l) {
      if (!(x.mask >> l & 1))
        continue;
      for (unsigned j = 0; j < words; ++j) {
        uint32_t word = uint32_t(addr[l] >> 2) + j, bank = word & 31;
        bool known = false;
        for (unsigned s = 0; s < count[bank] && s < 8; ++s)
          known |= seen[bank][s] == word;
        if (known)
          continue;
        if (count[bank] < 8)
          seen[bank][count[bank]] = word;
        most = std::max<unsigned>(most, ++count[bank]);
      }
    }
    x.s.stats.sharedWavefronts += most;
    x.s.stats.sharedIdealWavefronts += most != 0;
  }
}

void countGlobal(ExecContext &x, const uint64_t *addr, unsigned bytes,
                 bool write) {
  uint64_t sectors[64];
  unsigned n = 0;
  forLanes(x.mask, [&](unsigned l) {
    for (uint64_t s = addr[l] >> 5; s <= (addr[l] + bytes - 1) >> 5; ++s) {
      if (n && sectors[n - 1] == s)
        continue;
      if (n < 64)
        sectors[n++] = s;
    }
  });
  std::sort(sectors, sectors + n);
  uint64_t unique = std::unique(sectors, sectors + n) - sectors;
  uint64_t total = uint64_t(bytes) * unsigned(__builtin_popcount(x.mask));
  (write ? x.s.stats.globalStoreSectors : x.s.stats.globalLoadSectors) +=
      unique;
  (write ? x.s.stats.globalStoreBytes : x.s.stats.globalLoadBytes) += total;
}

void countAccess(ExecContext &x, const Inst &i, const uint64_t *addr,
                 unsigned bytes, bool write) {
  bool shared = i.s == Space::Shared || i.s == Space::SharedCluster;
  if (i.s == Space::Generic) {
    uint64_t a = addr[x.firstLane()];
    shared = a >= kSharedWindow && a < kSharedWindow + kWindowSize;
    if (!shared && a < kVariableBase)
      return;
  }
  if (shared) {
    (write ? x.s.stats.sharedStoreBytes : x.s.stats.sharedLoadBytes) +=
        uint64_t(bytes) * unsigned(__builtin_popcount(x.mask));
    countShared(x, addr, bytes);
  } else if (i.s == Space::Global || i.s == Space::Generic) {
    countGlobal(x, addr, bytes, write);
  }
}

int64_t extend(uint64_t v, unsigned bits) {
  return bits == 64 ? int64_t(v) : int64_t(v << (64 - bits)) >> (64 - bits);
}

/// Notes what a warp may be waiting for.
void notePoll(ExecContext &x, uint64_t addr, const uint8_t *data,
              unsigned bytes) {
  uint64_t value = 0;
  std::memcpy(&value, data, std::min<size_t>(bytes, sizeof(value)));
  Polled &p = x.w.polled;
  if (p.address != addr || p.value != value)
    p = {addr, value, 0, 0};
  ++p.times;
  p.at = x.g.instructions;
}

void execLoad(ExecContext &x, const Inst &i) {
  unsigned element = i.a, bytes = element * i.vec;
  uint64_t addr[32];
  const Operand &base = x.src(i);
  bool sync = i.mods & (Relaxed | Acquire);
  uint8_t flags = sync ? Access::Atomic : 0;
  forLanes(x.mask, [&](unsigned l) {
    addr[l] = x.lane(base, l) + uint64_t(i.imm);
    if (!base.isWide())
      addr[l] = uint32_t(addr[l]);
  });
  countAccess(x, i, addr, bytes, false);
  bool extendsSign = isSigned(i.t);
  uint64_t regMask =
      i.b >= 64 || !i.b ? ~uint64_t(0) : (uint64_t(1) << i.b) - 1;
  forLanes(x.mask, [&](unsigned l) {
    uint8_t data[32] = {};
    MemRef r;
    if (resolve(x, i.s, addr[l], bytes, bytes, false, l, r)) {
      Access a = threadAccess(x, l, flags);
      const bool isAny = (i.mods & (Relaxed | Acquire)) == Relaxed &&
                         mayFindAnything(x, r, addr[l], bytes, a);
      a.flags |= isAny ? Access::Anything : 0;
      if (r.k != MemRef::Plain)
        touch(x, r, bytes, a);
      std::memcpy(data, r.host, bytes);
      if (isAny)
        findAnything(x, bytes, data);
      if (sync) {
        syncLoad(x, r, addr[l], i.mods & Acquire);
        loadCount(x, r, addr[l], bytes, i.mods & Acquire, l, data);
        if (r.k == MemRef::Global)
          notePoll(x, addr[l], data, bytes);
      }
    }
    for (unsigned j = 0; j < i.vec; ++j) {
      uint64_t v = 0;
      std::memcpy(&v, data + j * element, element);
      if (extendsSign) // As wide as the register.
        v = uint64_t(extend(v, 8 * element)) & regMask;
      x.setLane(x.dst(i, j), l, v);
    }
  });
  for (unsigned j = 0; j < i.numDst; ++j)
    x.defined(x.dst(i, j));
}

void execStore(ExecContext &x, const Inst &i) {
  unsigned element = i.a, bytes = element * i.vec;
  uint64_t addr[32];
  const Operand &base = x.src(i);
  bool sync = i.mods & (Relaxed | Release);
  uint8_t flags = Access::Write | (sync ? Access::Atomic : 0);
  forLanes(x.mask, [&](unsigned l) {
    addr[l] = x.lane(base, l) + uint64_t(i.imm);
    if (!base.isWide())
      addr[l] = uint32_t(addr[l]);
  });
  countAccess(x, i, addr, bytes, true);
  forLanes(x.mask, [&](unsigned l) {
    uint8_t data[32];
    for (unsigned j = 0; j < i.vec; ++j) {
      uint64_t v = x.lane(x.src(i, 1 + j), l);
      std::memcpy(data + j * element, &v, element);
    }
    MemRef r;
    if (!resolve(x, i.s, addr[l], bytes, bytes, true, l, r))
      return;
    touch(x, r, bytes, threadAccess(x, l, flags), data);
    if (sync)
      syncStore(x, r, addr[l], i.mods & Release);
    std::memcpy(r.host, data, bytes);
  });
  ++x.cl.progress;
}

/// A prefetch of an address that does not exist is harmless on the chip.
bool decodePrefetch(Decoder &d) {
  d.take("global");
  d.take("local");
  d.take("param");
  d.take("const");
  d.take("tensormap");
  d.take("L1");
  d.take("L2");
  d.takePrefix("L2::");
  d.take("uniform");
  d.i.fn = execNothing;
  d.i.p = Pipe::Lsu;
  return d.expectOps(1, 1) && d.address(d.ops()[0]);
}

/// createpolicy and applypriority: cache policies have no effect here.
void execPolicy(ExecContext &x, const Inst &i) {
  forLanes(x.mask,
           [&](unsigned l) { x.setLane(x.dst(i), l, 0x14f0000000000000); });
  x.defined(x.dst(i));
}
bool decodePolicy(Decoder &d) {
  while (d.takePrefix("L2::") || d.take("fractional") || d.take("global") ||
         d.take("range") || d.take("b64") || d.take("cvt") || d.take("L2"))
    ;
  d.i.fn = execPolicy;
  d.i.p = Pipe::Alu;
  return d.expectOps(1, 4) && d.dst(d.ops()[0], Ty::B64);
}

bool space(Decoder &d) {
  int s = d.takeOneOf({"global", "shared", "shared::cta", "shared::cluster",
                       "const", "param", "local", "param::entry"},
                      -1);
  constexpr Space map[] = {Space::Global,        Space::Shared, Space::Shared,
                           Space::SharedCluster, Space::Const,  Space::Param,
                           Space::Local,         Space::Param};
  d.i.s = s < 0 ? Space::Generic : map[s];
  return true;
}

} // namespace

bool mxfp4::sim::decodeLoadStore(Decoder &d) {
  std::string_view base = d.base();
  if (base == "prefetch" || base == "prefetchu")
    return decodePrefetch(d);
  if (base == "createpolicy")
    return decodePolicy(d);
  if (d.take("async"))
    return decodeStoreAsync(d);
  bool load = base == "ld" || base == "ldu";
  if (d.take("volatile") || d.take("relaxed") || d.take("mmio"))
    d.i.mods |= Relaxed;
  if (d.take("acquire"))
    d.i.mods |= Acquire;
  if (d.take("release"))
    d.i.mods |= Release;
  d.take("weak");
  d.takeOneOf({"cta", "cluster", "gpu", "sys"}, -1);
  if (d.take("nc"))
    d.i.mods |= NonCoherent;
  space(d);
  d.takeOneOf({"ca", "cg", "cs", "lu", "cv", "wb", "wt"}, -1);
  bool policy = d.take("L2::cache_hint");
  while (d.takePrefix("L1::") || d.takePrefix("L2::"))
    ;
  d.i.vec = uint8_t(d.take("v2") ? 2 : d.take("v4") ? 4 : d.take("v8") ? 8 : 1);
  Ty t = d.takeType();
  unsigned bits = typeBits(t);
  if (bits < 8 || bits > 64)
    return d.fail("expected a type of 8 to 64 bits");
  if (bits * d.i.vec > 256)
    return d.fail("a vector has at most 256 bits");
  d.i.t = t;
  d.i.a = bits / 8;
  d.i.p = d.i.s == Space::Param ? Pipe::Alu : Pipe::Lsu;
  if (!d.expectOps(2, 2 + policy))
    return false;
  const AstOperand &data = d.ops()[load ? 0 : 1], &addr = d.ops()[load ? 1 : 0];
  d.i.fn = load ? execLoad : execStore;
  std::vector<AstOperand> one{data};
  const auto &elems = data.k == AstOperand::Vec ? data.elems : one;
  if (elems.size() != d.i.vec)
    return d.fail("expected " + plural(d.i.vec, "register") +
                  " of data, found " + std::to_string(elems.size()));
  if (!d.address(addr))
    return false;
  for (const AstOperand &e : elems)
    if (!(load ? d.dst(e, t, true) : d.src(e, t, true)))
      return false;
  if (load && elems[0].k == AstOperand::Reg)
    d.i.b = typeBits(d.regType(elems[0]));
  return true;
}
