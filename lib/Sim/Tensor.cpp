//===- Tensor.cpp - Tensor maps and the bytes of bulk copies --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor.h"

#include "CpAsync.h"

#include <algorithm>

using namespace mxfp4::sim;

//===----------------------------------------------------------------------===//
// The shim's 128 bytes
//===----------------------------------------------------------------------===//

namespace {
struct Packed {
  char Magic[8];
  uint64_t Base;
  uint64_t Strides[4];
  uint32_t Dims[5]; ///< Minus one.
  uint16_t Box[5];
  uint8_t ElementStrides[5];
  uint8_t Rank, ElementBytes, Swizzle, FillNaN;
};
static_assert(sizeof(Packed) <= 128, "a tensor map has 128 bytes");
constexpr char Magic[8] = {'m', 'x', '4', 's', 'i', 'm', 'T', '1'};
} // namespace

std::string TensorMap::verify() const {
  if (Rank < 1 || Rank > 5)
    return "the rank must be from 1 to 5, found " + std::to_string(Rank);
  if (ElementBytes != 1 && ElementBytes != 2 && ElementBytes != 4 &&
      ElementBytes != 8)
    return "elements must have 1, 2, 4 or 8 bytes, found " +
           std::to_string(ElementBytes);
  if (Base & 15)
    return "the base address must be a multiple of 16";
  for (unsigned D = 0; D < Rank; ++D) {
    if (Dims[D] == 0 || Dims[D] > (uint64_t(1) << 32))
      return "dimension " + std::to_string(D) + " must be from 1 to 2^32";
    if (Box[D] == 0 || Box[D] > 256)
      return "the box must have 1 to 256 elements in dimension " +
             std::to_string(D) + ", found " + std::to_string(Box[D]);
    if (ElementStrides[D] == 0 || ElementStrides[D] > 8)
      return "element strides must be from 1 to 8";
    if (D && (Strides[D - 1] % 16 || Strides[D - 1] >= (uint64_t(1) << 40)))
      return "the stride of dimension " + std::to_string(D) +
             " must be a multiple of 16 below 2^40";
  }
  uint32_t Inner = Box[0] * ElementBytes;
  if (Inner % 16)
    return "the box's innermost dimension must have a multiple of 16 bytes, "
           "found " +
           std::to_string(Inner);
  uint32_t Span = Swizzling == Swizzle::B128  ? 128
                  : Swizzling == Swizzle::B64 ? 64
                  : Swizzling == Swizzle::B32 ? 32
                                              : 1u << 16;
  if (Inner > Span)
    return "with this swizzle the box's innermost dimension has at most " +
           std::to_string(Span) + " bytes, found " + std::to_string(Inner);
  return "";
}

std::array<uint8_t, 128> TensorMap::encode() const {
  Packed P{};
  std::memcpy(P.Magic, Magic, 8);
  P.Base = Base;
  for (unsigned D = 0; D < 5; ++D) {
    if (D < 4)
      P.Strides[D] = Strides[D];
    P.Dims[D] = uint32_t(Dims[D] - 1);
    P.Box[D] = uint16_t(Box[D]);
    P.ElementStrides[D] = uint8_t(ElementStrides[D]);
  }
  P.Rank = uint8_t(Rank);
  P.ElementBytes = uint8_t(ElementBytes);
  P.Swizzle = uint8_t(Swizzling);
  P.FillNaN = FillNaN;
  std::array<uint8_t, 128> Bytes{};
  std::memcpy(Bytes.data(), &P, sizeof(P));
  return Bytes;
}

bool TensorMap::decode(const uint8_t *Bytes, TensorMap &M) {
  Packed P;
  std::memcpy(&P, Bytes, sizeof(P));
  if (std::memcmp(P.Magic, Magic, 8) != 0 || P.Swizzle > 3)
    return false;
  M.Base = P.Base;
  for (unsigned D = 0; D < 5; ++D) {
    if (D < 4)
      M.Strides[D] = P.Strides[D];
    M.Dims[D] = uint64_t(P.Dims[D]) + 1;
    M.Box[D] = P.Box[D];
    M.ElementStrides[D] = P.ElementStrides[D];
  }
  M.Rank = P.Rank;
  M.ElementBytes = P.ElementBytes;
  M.Swizzling = Swizzle(P.Swizzle);
  M.FillNaN = P.FillNaN;
  return M.verify().empty();
}

//===----------------------------------------------------------------------===//
// Boxes
//===----------------------------------------------------------------------===//

/// Elements of one dimension that a box with an element stride keeps.
static uint32_t kept(const TensorMap &M, unsigned D) {
  return (M.Box[D] + M.ElementStrides[D] - 1) / M.ElementStrides[D];
}

uint32_t mxfp4::sim::boxBytes(const TensorMap &M) {
  uint64_t N = M.ElementBytes;
  for (unsigned D = 0; D < M.Rank; ++D)
    N *= kept(M, D);
  return uint32_t(std::min<uint64_t>(N, 1u << 30));
}

/// Calls Fn(offset in the dense box, address, elements in bounds before,
/// elements in bounds, elements) for every innermost row.
template <typename F> static void forRows(const BulkOp &Op, F Fn) {
  const TensorMap &M = Op.Map;
  uint32_t Row = kept(M, 0), Rows = 1;
  for (unsigned D = 1; D < M.Rank; ++D)
    Rows *= kept(M, D);
  // Part of the row that is inside the tensor: [Lo, Hi).
  int64_t First = Op.Coords[0], Stride = M.ElementStrides[0];
  int64_t Lo = 0, Hi = Row;
  while (Lo < Hi && First + Lo * Stride < 0)
    ++Lo;
  while (Hi > Lo && First + (Hi - 1) * Stride >= int64_t(M.Dims[0]))
    --Hi;
  for (uint32_t R = 0; R < Rows; ++R) {
    uint64_t Addr = M.Base;
    bool Inside = true;
    uint32_t Rest = R;
    for (unsigned D = 1; D < M.Rank; ++D) {
      uint32_t N = kept(M, D);
      int64_t Pos = Op.Coords[D] + int64_t(Rest % N) * M.ElementStrides[D];
      Rest /= N;
      Inside &= Pos >= 0 && Pos < int64_t(M.Dims[D]);
      Addr += uint64_t(Pos) * M.Strides[D - 1];
    }
    Addr += uint64_t(First) * M.ElementBytes;
    Fn(R * Row * M.ElementBytes, Addr, uint32_t(Inside ? Lo : 0),
       uint32_t(Inside ? Hi : 0), Row);
  }
}

/// A range of global memory at issue: it must exist, and is recorded.
static bool touchRange(ExecContext &X, uint64_t Addr, uint64_t Bytes,
                       unsigned Lane, const Access &A, const char *What) {
  if (!Bytes)
    return true;
  GlobalRegion *R = findRegion(X.G, Addr);
  if (!R || Addr - R->Address >= R->Size ||
      Bytes > R->Size - (Addr - R->Address)) {
    if (!X.known("out-of-bounds"))
      X.report("out-of-bounds",
               std::string(What) + " accesses " + plural(Bytes, "byte") +
                   " of global memory at " + hex(Addr) +
                   (R && Addr - R->Address <= R->Size + 4096
                        ? ", beyond the end of " + R->Name + " (" +
                              plural(R->Size, "byte") + ")"
                        : std::string(", which is in no buffer")),
               Lane, Addr);
    return false;
  }
  if (A.is(Access::Write) && !R->Writable) {
    if (!X.known("read-only"))
      X.report("read-only",
               std::string(What) + " writes to " + R->Name +
                   ", which the launch declares read-only",
               Lane, Addr);
    return false;
  }
  touchGlobal(X, *R, Addr - R->Address, Bytes, A);
  return true;
}

static bool touchOuter(ExecContext &X, const BulkOp &Op, unsigned Lane,
                       const Access &A, const char *What) {
  if (!Op.Tensor) {
    if (Op.Global % 16) {
      if (!X.known("misaligned"))
        X.report("misaligned",
                 std::string(What) +
                     " needs a global address that is a "
                     "multiple of 16, found " +
                     hex(Op.Global),
                 Lane, Op.Global);
      return false;
    }
    return touchRange(X, Op.Global, Op.Bytes, Lane, A, What);
  }
  bool Good = true;
  unsigned E = Op.Map.ElementBytes;
  uint64_t Step = uint64_t(Op.Map.ElementStrides[0]) * E;
  forRows(Op, [&](uint32_t, uint64_t Addr, uint32_t Lo, uint32_t Hi, uint32_t) {
    if (Good && Hi > Lo)
      Good = touchRange(X, Addr + Lo * Step, (Hi - Lo - 1) * Step + E, Lane, A,
                        What);
  });
  return Good;
}

bool mxfp4::sim::touchSource(ExecContext &X, const BulkOp &Op, unsigned Lane) {
  Access A = threadAccess(X, Lane, Access::Async);
  A.What = "the bulk copy";
  return touchOuter(X, Op, Lane, A, A.What);
}

bool mxfp4::sim::touchTarget(ExecContext &X, const BulkOp &Op, unsigned Lane,
                             uint32_t Clock) {
  uint8_t Flags = Access::Write | Access::Async;
  if (Op.K == BulkOp::Reduce)
    Flags |= Access::Atomic;
  Access A = agentAccess(X, BulkAgent, Clock, Lane, Flags);
  A.What = Op.K == BulkOp::Reduce ? "the bulk reduction" : "the bulk store";
  return touchOuter(X, Op, Lane, A, A.What);
}

//===----------------------------------------------------------------------===//
// Bytes
//===----------------------------------------------------------------------===//

static uint8_t *hostAt(Grid &G, uint64_t Addr, uint64_t Bytes) {
  GlobalRegion *R = findRegion(G, Addr);
  if (!R || Addr - R->Address >= R->Size ||
      Bytes > R->Size - (Addr - R->Address))
    return nullptr;
  return R->Data + (Addr - R->Address);
}

static void fill(const TensorMap &M, uint8_t *To) {
  std::memset(To, 0, M.ElementBytes);
  if (!M.FillNaN)
    return;
  std::memset(To, 0xff, M.ElementBytes);
  To[M.ElementBytes - 1] = 0x7f;
}

void mxfp4::sim::moveIn(ExecContext &X, const BulkOp &Op, Cta &T) {
  uint8_t *Shared = T.Shared.data();
  if (Op.K == BulkOp::Direct) {
    std::memcpy(Shared + Op.Shared, Op.Data.data(), Op.Bytes);
    return;
  }
  if (Op.K == BulkOp::SharedToShared) {
    Cta &From = X.Cl.Ctas[Op.Global >> 32];
    std::memmove(Shared + Op.Shared, From.Shared.data() + uint32_t(Op.Global),
                 Op.Bytes);
    return;
  }
  if (!Op.Tensor) {
    if (const uint8_t *From = hostAt(X.G, Op.Global, Op.Bytes))
      std::memcpy(Shared + Op.Shared, From, Op.Bytes);
    return;
  }
  const TensorMap &M = Op.Map;
  unsigned E = M.ElementBytes, Chunk = 16 / E;
  forRows(Op, [&](uint32_t Off, uint64_t Addr, uint32_t Lo, uint32_t Hi,
                  uint32_t Row) {
    for (uint32_t J = 0; J < Row;) {
      uint32_t Pos = Op.Shared + Off + J * E;
      uint8_t *To = Shared + swizzle(Pos, M.Swizzling);
      bool Whole = (Pos & 15) == 0 && J >= Lo && J + Chunk <= Hi &&
                   M.ElementStrides[0] == 1;
      uint32_t N = Whole ? Chunk : 1;
      bool In = J >= Lo && J < Hi;
      const uint8_t *From =
          In ? hostAt(X.G, Addr + uint64_t(J) * M.ElementStrides[0] * E, N * E)
             : nullptr;
      if (From)
        std::memcpy(To, From, N * E);
      else
        fill(M, To);
      J += From ? N : 1;
    }
  });
}

void mxfp4::sim::moveOut(ExecContext &X, const BulkOp &Op) {
  const uint8_t *Shared = X.Cl.Ctas[Op.SrcCta].Shared.data();
  bool Reduce = Op.K == BulkOp::Reduce;
  unsigned TypeBytes =
      Op.ReduceType == Ty::None ? 4 : typeBits(Op.ReduceType) / 8;
  auto Put = [&](uint8_t *To, const uint8_t *From, uint32_t Bytes) {
    if (!Reduce) {
      std::memcpy(To, From, Bytes);
      return;
    }
    unsigned E = std::min<unsigned>(TypeBytes, Bytes);
    for (uint32_t B = 0; B + E <= Bytes; B += E) {
      uint64_t Old = 0, New = 0;
      std::memcpy(&Old, To + B, E);
      std::memcpy(&New, From + B, E);
      New = reduceElement(Op.ReduceType, Op.ReduceOp, Old, New);
      std::memcpy(To + B, &New, E);
    }
  };
  if (!Op.Tensor) {
    if (uint8_t *To = hostAt(X.G, Op.Global, Op.Bytes))
      Put(To, Shared + Op.Shared, Op.Bytes);
    return;
  }
  const TensorMap &M = Op.Map;
  unsigned E = M.ElementBytes;
  forRows(
      Op, [&](uint32_t Off, uint64_t Addr, uint32_t Lo, uint32_t Hi, uint32_t) {
        for (uint32_t J = Lo; J < Hi; ++J)
          if (uint8_t *To =
                  hostAt(X.G, Addr + uint64_t(J) * M.ElementStrides[0] * E, E))
            Put(To, Shared + swizzle(Op.Shared + Off + J * E, M.Swizzling), E);
      });
}
