//===- Memory.cpp - Addresses and bounds ----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Memory.h"

#include <algorithm>

using namespace mxfp4::sim;

GlobalRegion *mxfp4::sim::findRegion(Grid &G, uint64_t Addr) {
  // The last region that starts at or below the address.
  size_t Lo = 0, Hi = G.Regions.size();
  while (Lo < Hi) {
    size_t Mid = (Lo + Hi) / 2;
    if (G.Regions[Mid].Address <= Addr)
      Lo = Mid + 1;
    else
      Hi = Mid;
  }
  return Lo ? &G.Regions[Lo - 1] : nullptr;
}

static const char *verb(bool Write) { return Write ? "writes " : "reads "; }

static bool misaligned(ExecContext &X, uint64_t Addr, unsigned Bytes,
                       unsigned Align, bool Write, unsigned Lane) {
  if ((Addr & (Align - 1)) == 0)
    return false;
  if (!X.known("misaligned"))
    X.report("misaligned",
             "this instruction " + std::string(verb(Write)) +
                 plural(Bytes, "byte") + " at " + hex(Addr) +
                 ", which is not a multiple of " + std::to_string(Align),
             Lane, Addr);
  return true;
}

bool mxfp4::sim::resolveShared(ExecContext &X, uint64_t Addr, uint64_t Bytes,
                               unsigned Align, unsigned Lane, Cta *&T,
                               uint32_t &Off) {
  if (Addr >= SharedWindow && Addr < SharedWindow + WindowSize)
    Addr -= SharedWindow;
  uint64_t Rank = Addr >> RankShift;
  Off = uint32_t(Addr & ((1u << RankShift) - 1));
  if (Rank > X.Cl.Ctas.size() || Off < SharedBase ||
      Off + Bytes > X.G.SharedBytes) {
    if (X.known("out-of-bounds"))
      return false;
    std::string Have = "shared memory of this launch is [" + hex(SharedBase) +
                       ", " + hex(X.G.SharedBytes) + ")";
    X.report("out-of-bounds",
             "access to " + plural(Bytes, "byte") + " of shared memory at " +
                 hex(Addr) + " is out of bounds: " + Have,
             Lane, Addr);
    return false;
  }
  if (misaligned(X, Off, unsigned(Bytes), Align, false, Lane))
    return false;
  T = Rank ? &X.Cl.Ctas[Rank - 1] : &X.C;
  if (T->Retired) {
    if (!X.known("cluster"))
      X.report("cluster",
               "this instruction accesses shared memory of block " +
                   std::to_string(T->Rank) +
                   " of the cluster, which has exited; a cluster barrier must "
                   "keep it alive",
               Lane, Addr);
    return false;
  }
  return true;
}

static void outOfBounds(ExecContext &X, uint64_t Addr, unsigned Bytes,
                        bool Write, unsigned Lane) {
  if (X.known("out-of-bounds"))
    return;
  std::string Message = "this instruction " + std::string(verb(Write)) +
                        plural(Bytes, "byte") + " at " + hex(Addr);
  GlobalRegion *Near = findRegion(X.G, Addr);
  // Name the buffer that was probably meant: the one before, or the one after.
  if (Near && Addr - (Near->Address + Near->Size) < (1 << 24)) {
    uint64_t End = Near->Address + Near->Size;
    Message += Addr >= End
                   ? ", " + plural(Addr - End, "byte") + " past the end of "
                   : ", which runs past the end of ";
    Message += Near->Name + " (" + plural(Near->Size, "byte") + ")";
  } else if (Near && Addr < Near->Address + Near->Size) {
    Message += ", which runs past the end of " + Near->Name + " (" +
               plural(Near->Size, "byte") + ")";
  } else {
    GlobalRegion *Next = findRegion(X.G, Addr + (1 << 16));
    if (Next && Next->Address > Addr)
      Message += ", " + plural(Next->Address - Addr, "byte") +
                 " before the start of " + Next->Name;
    else
      Message += ", which is in no buffer";
  }
  X.report("out-of-bounds", Message, Lane, Addr);
}

static bool resolveGlobal(ExecContext &X, uint64_t Addr, unsigned Bytes,
                          unsigned Align, bool Write, unsigned Lane,
                          MemRef &R) {
  GlobalRegion *&Last = X.Cl.LastRegion;
  if (!Last || Addr - Last->Address >= Last->Size)
    Last = findRegion(X.G, Addr);
  if (!Last || Addr - Last->Address >= Last->Size ||
      Addr - Last->Address + Bytes > Last->Size) {
    outOfBounds(X, Addr, Bytes, Write, Lane);
    Last = nullptr;
    return false;
  }
  if (misaligned(X, Addr, Bytes, Align, Write, Lane))
    return false;
  if (Write && !Last->Writable) {
    if (!X.known("read-only"))
      X.report("read-only",
               "this instruction writes to " + Last->Name +
                   ", which the launch declares read-only",
               Lane, Addr);
    return false;
  }
  R.K = MemRef::Global;
  R.Region = Last;
  R.Off = Addr - Last->Address;
  R.Host = Last->Data + R.Off;
  return true;
}

static bool plainRange(ExecContext &X, const char *Name, uint8_t *Data,
                       uint64_t Size, uint64_t Off, unsigned Bytes,
                       unsigned Align, bool Write, unsigned Lane, MemRef &R) {
  if (Off > Size || Bytes > Size - Off) {
    if (!X.known("out-of-bounds"))
      X.report("out-of-bounds",
               "access to " + plural(Bytes, "byte") + " at offset " +
                   std::to_string(Off) + " of " + Name + ", which has " +
                   plural(Size, "byte"),
               Lane, Off);
    return false;
  }
  if (misaligned(X, Off, Bytes, Align, Write, Lane))
    return false;
  R.K = MemRef::Plain;
  R.Host = Data + Off;
  return true;
}

bool mxfp4::sim::resolve(ExecContext &X, Space S, uint64_t Addr, unsigned Bytes,
                         unsigned Align, bool Write, unsigned Lane, MemRef &R) {
  auto In = [&](uint64_t W) { return Addr >= W && Addr < W + WindowSize; };
  if (S == Space::Generic)
    S = In(SharedWindow)  ? Space::SharedCluster
        : In(LocalWindow) ? Space::Local
        : In(ParamWindow) ? Space::Param
                          : Space::Global;
  if (S == Space::Param && In(LocalWindow)) // Of a call.
    S = Space::Local;
  switch (S) {
  case Space::Shared:
  case Space::SharedCluster: {
    uint32_t Off;
    if (!resolveShared(X, Addr, Bytes, Align, Lane, R.Target, Off))
      return false;
    R.K = MemRef::Shared;
    R.Off = Off;
    R.Host = R.Target->Shared.data() + Off;
    return true;
  }
  case Space::Local: {
    uint64_t Off = In(LocalWindow) ? Addr - LocalWindow : Addr;
    uint64_t Size = X.K.LocalBytes;
    if (X.W.Local.empty())
      X.W.Local.assign(32 * size_t(Size), 0xa5);
    return plainRange(X, "local memory", X.W.Local.data() + Size * Lane, Size,
                      Off - 16, Bytes, Align, Write, Lane, R);
  }
  case Space::Param:
    if (Write) {
      if (!X.known("read-only"))
        X.report("read-only", "kernel parameters cannot be written", Lane,
                 Addr);
      return false;
    }
    return plainRange(X, "the kernel's parameters", X.G.Params.data(),
                      X.G.Params.size(),
                      In(ParamWindow) ? Addr - ParamWindow : Addr, Bytes, Align,
                      Write, Lane, R);
  default:
    return resolveGlobal(X, Addr, Bytes, Align, Write, Lane, R);
  }
}
