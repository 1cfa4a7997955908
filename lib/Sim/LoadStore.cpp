//===- LoadStore.cpp - ld, st, prefetch -----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Decoder.h"
#include "Memory.h"
#include "Sync.h"

#include <algorithm>

using namespace mxfp4::sim;

namespace {

enum : uint8_t {
  Relaxed = 1,
  Acquire = 2,
  Release = 4,
  NonCoherent = 8,
  Wide = 16
};

/// Passes that shared memory needs for one warp-wide access: in each pass
/// every bank serves one word. 8-byte accesses go half a warp at a time,
/// 16-byte ones a quarter.
void countShared(ExecContext &X, const uint64_t *Addr, unsigned Bytes) {
  unsigned Group = Bytes <= 4 ? 32 : Bytes == 8 ? 16 : 8;
  unsigned Words = Bytes <= 4 ? 1 : Bytes / 4;
  for (unsigned First = 0; First < 32; First += Group) {
    uint32_t Seen[32][8];
    uint8_t Count[32] = {};
    unsigned Most = 0;
    for (unsigned L = First; L < First + Group; ++L) {
      if (!(X.Mask >> L & 1))
        continue;
      for (unsigned J = 0; J < Words; ++J) {
        uint32_t Word = uint32_t(Addr[L] >> 2) + J, Bank = Word & 31;
        bool Known = false;
        for (unsigned S = 0; S < Count[Bank] && S < 8; ++S)
          Known |= Seen[Bank][S] == Word;
        if (Known)
          continue;
        if (Count[Bank] < 8)
          Seen[Bank][Count[Bank]] = Word;
        Most = std::max<unsigned>(Most, ++Count[Bank]);
      }
    }
    X.S.S.SharedWavefronts += Most;
    X.S.S.SharedIdealWavefronts += Most != 0;
  }
}

void countGlobal(ExecContext &X, const uint64_t *Addr, unsigned Bytes,
                 bool Write) {
  uint64_t Sectors[64];
  unsigned N = 0;
  forLanes(X.Mask, [&](unsigned L) {
    for (uint64_t S = Addr[L] >> 5; S <= (Addr[L] + Bytes - 1) >> 5; ++S) {
      if (N && Sectors[N - 1] == S)
        continue;
      if (N < 64)
        Sectors[N++] = S;
    }
  });
  std::sort(Sectors, Sectors + N);
  uint64_t Unique = std::unique(Sectors, Sectors + N) - Sectors;
  uint64_t Total = uint64_t(Bytes) * unsigned(__builtin_popcount(X.Mask));
  (Write ? X.S.S.GlobalStoreSectors : X.S.S.GlobalLoadSectors) += Unique;
  (Write ? X.S.S.GlobalStoreBytes : X.S.S.GlobalLoadBytes) += Total;
}

void countAccess(ExecContext &X, const Inst &I, const uint64_t *Addr,
                 unsigned Bytes, bool Write) {
  bool Shared = I.S == Space::Shared || I.S == Space::SharedCluster;
  if (I.S == Space::Generic) {
    uint64_t A = Addr[X.firstLane()];
    Shared = A >= SharedWindow && A < SharedWindow + WindowSize;
    if (!Shared && A < VariableBase)
      return;
  }
  if (Shared) {
    (Write ? X.S.S.SharedStoreBytes : X.S.S.SharedLoadBytes) +=
        uint64_t(Bytes) * unsigned(__builtin_popcount(X.Mask));
    countShared(X, Addr, Bytes);
  } else if (I.S == Space::Global || I.S == Space::Generic) {
    countGlobal(X, Addr, Bytes, Write);
  }
}

int64_t extend(uint64_t V, unsigned Bits) {
  return Bits == 64 ? int64_t(V) : int64_t(V << (64 - Bits)) >> (64 - Bits);
}

void execLoad(ExecContext &X, const Inst &I) {
  unsigned Element = I.A, Bytes = Element * I.Vec;
  uint64_t Addr[32];
  const Operand &Base = X.src(I);
  bool Sync = I.Mods & (Relaxed | Acquire);
  uint8_t Flags = Sync ? Access::Atomic : 0;
  forLanes(X.Mask, [&](unsigned L) {
    Addr[L] = X.lane(Base, L) + uint64_t(I.Imm);
    if (!Base.isWide())
      Addr[L] = uint32_t(Addr[L]);
  });
  countAccess(X, I, Addr, Bytes, false);
  bool Signed = isSigned(I.T);
  uint64_t RegMask =
      I.B >= 64 || !I.B ? ~uint64_t(0) : (uint64_t(1) << I.B) - 1;
  forLanes(X.Mask, [&](unsigned L) {
    uint8_t Data[32] = {};
    MemRef R;
    if (resolve(X, I.S, Addr[L], Bytes, Bytes, false, L, R)) {
      if (R.K != MemRef::Plain)
        touch(X, R, Bytes, threadAccess(X, L, Flags));
      std::memcpy(Data, R.Host, Bytes);
      if (Sync)
        syncLoad(X, R, Addr[L], I.Mods & Acquire);
    }
    for (unsigned J = 0; J < I.Vec; ++J) {
      uint64_t V = 0;
      std::memcpy(&V, Data + J * Element, Element);
      if (Signed) // As wide as the register.
        V = uint64_t(extend(V, 8 * Element)) & RegMask;
      X.setLane(X.dst(I, J), L, V);
    }
  });
  for (unsigned J = 0; J < I.NumDst; ++J)
    X.defined(X.dst(I, J));
}

void execStore(ExecContext &X, const Inst &I) {
  unsigned Element = I.A, Bytes = Element * I.Vec;
  uint64_t Addr[32];
  const Operand &Base = X.src(I);
  bool Sync = I.Mods & (Relaxed | Release);
  uint8_t Flags = Access::Write | (Sync ? Access::Atomic : 0);
  forLanes(X.Mask, [&](unsigned L) {
    Addr[L] = X.lane(Base, L) + uint64_t(I.Imm);
    if (!Base.isWide())
      Addr[L] = uint32_t(Addr[L]);
  });
  countAccess(X, I, Addr, Bytes, true);
  forLanes(X.Mask, [&](unsigned L) {
    uint8_t Data[32];
    for (unsigned J = 0; J < I.Vec; ++J) {
      uint64_t V = X.lane(X.src(I, 1 + J), L);
      std::memcpy(Data + J * Element, &V, Element);
    }
    MemRef R;
    if (!resolve(X, I.S, Addr[L], Bytes, Bytes, true, L, R))
      return;
    touch(X, R, Bytes, threadAccess(X, L, Flags), Data);
    if (Sync)
      syncStore(X, R, Addr[L], I.Mods & Release);
    std::memcpy(R.Host, Data, Bytes);
  });
  ++X.Cl.Progress;
}

void execNothing(ExecContext &, const Inst &) {}

/// A prefetch of an address that does not exist is harmless on the chip.
bool decodePrefetch(Decoder &D) {
  D.take("global");
  D.take("local");
  D.take("param");
  D.take("const");
  D.take("tensormap");
  D.take("L1");
  D.take("L2");
  D.takePrefix("L2::");
  D.take("uniform");
  D.I.Fn = execNothing;
  D.I.P = Pipe::Lsu;
  return D.expectOps(1, 1) && D.address(D.ops()[0]);
}

/// createpolicy and applypriority: cache policies have no effect here.
void execPolicy(ExecContext &X, const Inst &I) {
  forLanes(X.Mask,
           [&](unsigned L) { X.setLane(X.dst(I), L, 0x14f0000000000000); });
  X.defined(X.dst(I));
}
bool decodePolicy(Decoder &D) {
  while (D.takePrefix("L2::") || D.take("fractional") || D.take("global") ||
         D.take("range") || D.take("b64") || D.take("cvt") || D.take("L2"))
    ;
  D.I.Fn = execPolicy;
  D.I.P = Pipe::Alu;
  return D.expectOps(1, 4) && D.dst(D.ops()[0], Ty::B64);
}

bool space(Decoder &D) {
  int S = D.takeOneOf({"global", "shared", "shared::cta", "shared::cluster",
                       "const", "param", "local", "param::entry"},
                      -1);
  constexpr Space Map[] = {Space::Global,        Space::Shared, Space::Shared,
                           Space::SharedCluster, Space::Const,  Space::Param,
                           Space::Local,         Space::Param};
  D.I.S = S < 0 ? Space::Generic : Map[S];
  return true;
}

} // namespace

bool mxfp4::sim::decodeLoadStore(Decoder &D) {
  std::string_view Base = D.base();
  if (Base == "prefetch" || Base == "prefetchu")
    return decodePrefetch(D);
  if (Base == "createpolicy")
    return decodePolicy(D);
  if (D.take("async"))
    return decodeStoreAsync(D);
  bool Load = Base == "ld" || Base == "ldu";
  if (D.take("volatile") || D.take("relaxed") || D.take("mmio"))
    D.I.Mods |= Relaxed;
  if (D.take("acquire"))
    D.I.Mods |= Acquire;
  if (D.take("release"))
    D.I.Mods |= Release;
  D.take("weak");
  D.takeOneOf({"cta", "cluster", "gpu", "sys"}, -1);
  if (D.take("nc"))
    D.I.Mods |= NonCoherent;
  space(D);
  D.takeOneOf({"ca", "cg", "cs", "lu", "cv", "wb", "wt"}, -1);
  bool Policy = D.take("L2::cache_hint");
  while (D.takePrefix("L1::") || D.takePrefix("L2::"))
    ;
  D.I.Vec = uint8_t(D.take("v2") ? 2 : D.take("v4") ? 4 : D.take("v8") ? 8 : 1);
  Ty T = D.takeType();
  unsigned Bits = typeBits(T);
  if (Bits < 8 || Bits > 64)
    return D.fail("expected a type of 8 to 64 bits");
  if (Bits * D.I.Vec > 256)
    return D.fail("a vector has at most 256 bits");
  D.I.T = T;
  D.I.A = Bits / 8;
  D.I.P = D.I.S == Space::Param ? Pipe::Alu : Pipe::Lsu;
  if (!D.expectOps(2, 2 + Policy))
    return false;
  const AstOperand &Data = D.ops()[Load ? 0 : 1], &Addr = D.ops()[Load ? 1 : 0];
  D.I.Fn = Load ? execLoad : execStore;
  std::vector<AstOperand> One{Data};
  const auto &Elems = Data.K == AstOperand::Vec ? Data.Elems : One;
  if (Elems.size() != D.I.Vec)
    return D.fail("expected " + plural(D.I.Vec, "register") +
                  " of data, found " + std::to_string(Elems.size()));
  if (!D.address(Addr))
    return false;
  for (const AstOperand &E : Elems)
    if (!(Load ? D.dst(E, T, true) : D.src(E, T, true)))
      return false;
  if (Load && Elems[0].K == AstOperand::Reg)
    D.I.B = typeBits(D.regType(Elems[0]));
  return true;
}
