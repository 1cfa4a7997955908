//===- Tensor.cpp - Tensor maps and the bytes of bulk copies --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Tensor.h"

#include "CpAsync.h"
#include "Sync.h"

#include <algorithm>

using namespace mxfp4::sim;

//===----------------------------------------------------------------------===//
// The shim's 128 bytes
//===----------------------------------------------------------------------===//

namespace {
struct Packed {
  char magic[8];
  uint64_t base;
  uint64_t strides[4];
  uint32_t dims[5]; ///< Minus one.
  uint16_t box[5];
  uint8_t elementStrides[5];
  uint8_t rank, elementBytes, swizzle, fillNaN;
};
static_assert(sizeof(Packed) <= 128, "a tensor map has 128 bytes");
constexpr char kMagic[8] = {'m', 'x', '4', 's', 'i', 'm', 'T', '1'};
} // namespace

std::string TensorMap::verify() const {
  if (rank < 1 || rank > 5)
    return "the rank must be from 1 to 5, found " + std::to_string(rank);
  if (elementBytes != 1 && elementBytes != 2 && elementBytes != 4 &&
      elementBytes != 8)
    return "elements must have 1, 2, 4 or 8 bytes, found " +
           std::to_string(elementBytes);
  if (base & 15)
    return "the base address must be a multiple of 16";
  for (unsigned d = 0; d < rank; ++d) {
    if (dims[d] == 0 || dims[d] > (uint64_t(1) << 32))
      return "dimension " + std::to_string(d) + " must be from 1 to 2^32";
    if (box[d] == 0 || box[d] > 256)
      return "the box must have 1 to 256 elements in dimension " +
             std::to_string(d) + ", found " + std::to_string(box[d]);
    if (elementStrides[d] == 0 || elementStrides[d] > 8)
      return "element strides must be from 1 to 8";
    if (d && (strides[d - 1] % 16 || strides[d - 1] >= (uint64_t(1) << 40)))
      return "the stride of dimension " + std::to_string(d) +
             " must be a multiple of 16 below 2^40";
  }
  uint32_t inner = box[0] * elementBytes;
  if (inner % 16)
    return "the box's innermost dimension must have a multiple of 16 bytes, "
           "found " +
           std::to_string(inner);
  uint32_t span = swizzling == Swizzle::B128  ? 128
                  : swizzling == Swizzle::B64 ? 64
                  : swizzling == Swizzle::B32 ? 32
                                              : 1u << 16;
  if (inner > span)
    return "with this swizzle the box's innermost dimension has at most " +
           std::to_string(span) + " bytes, found " + std::to_string(inner);
  return "";
}

std::array<uint8_t, 128> TensorMap::encode() const {
  Packed p{};
  std::memcpy(p.magic, kMagic, 8);
  p.base = base;
  for (unsigned d = 0; d < 5; ++d) {
    if (d < 4)
      p.strides[d] = strides[d];
    p.dims[d] = uint32_t(dims[d] - 1);
    p.box[d] = uint16_t(box[d]);
    p.elementStrides[d] = uint8_t(elementStrides[d]);
  }
  p.rank = uint8_t(rank);
  p.elementBytes = uint8_t(elementBytes);
  p.swizzle = uint8_t(swizzling);
  p.fillNaN = fillNaN;
  std::array<uint8_t, 128> bytes{};
  std::memcpy(bytes.data(), &p, sizeof(p));
  return bytes;
}

bool TensorMap::decode(const uint8_t *bytes, TensorMap &m) {
  Packed p;
  std::memcpy(&p, bytes, sizeof(p));
  if (std::memcmp(p.magic, kMagic, 8) != 0 || p.swizzle > 3)
    return false;
  m.base = p.base;
  for (unsigned d = 0; d < 5; ++d) {
    if (d < 4)
      m.strides[d] = p.strides[d];
    m.dims[d] = uint64_t(p.dims[d]) + 1;
    m.box[d] = p.box[d];
    m.elementStrides[d] = p.elementStrides[d];
  }
  m.rank = p.rank;
  m.elementBytes = p.elementBytes;
  m.swizzling = Swizzle(p.swizzle);
  m.fillNaN = p.fillNaN;
  return m.verify().empty();
}

//===----------------------------------------------------------------------===//
// Boxes
//===----------------------------------------------------------------------===//

/// Elements of one dimension that a box with an element stride keeps.
static uint32_t kept(const TensorMap &m, unsigned d) {
  return (m.box[d] + m.elementStrides[d] - 1) / m.elementStrides[d];
}

uint32_t mxfp4::sim::boxBytes(const TensorMap &m) {
  uint64_t n = m.elementBytes;
  for (unsigned d = 0; d < m.rank; ++d)
    n *= kept(m, d);
  return uint32_t(std::min<uint64_t>(n, 1u << 30));
}

/// Calls Fn(offset in the dense box, address, elements in bounds before,
/// elements in bounds, elements) for every innermost row.
template <typename F> static void forRows(const BulkOp &op, F fn) {
  const TensorMap &m = op.map;
  uint32_t row = kept(m, 0), rows = 1;
  for (unsigned d = 1; d < m.rank; ++d)
    rows *= kept(m, d);
  // Part of the row that is inside the tensor: [lo, hi).
  int64_t first = op.coords[0], stride = m.elementStrides[0];
  int64_t lo = 0, hi = row;
  while (lo < hi && first + lo * stride < 0)
    ++lo;
  while (hi > lo && first + (hi - 1) * stride >= int64_t(m.dims[0]))
    --hi;
  for (uint32_t r = 0; r < rows; ++r) {
    uint64_t addr = m.base;
    bool inside = true;
    uint32_t rest = r;
    for (unsigned d = 1; d < m.rank; ++d) {
      uint32_t n = kept(m, d);
      int64_t pos = op.coords[d] + int64_t(rest % n) * m.elementStrides[d];
      rest /= n;
      inside &= pos >= 0 && pos < int64_t(m.dims[d]);
      addr += uint64_t(pos) * m.strides[d - 1];
    }
    addr += uint64_t(first) * m.elementBytes;
    fn(r * row * m.elementBytes, addr, uint32_t(inside ? lo : 0),
       uint32_t(inside ? hi : 0), row);
  }
}

/// A range of global memory at issue: it must exist, and is recorded.
static bool touchRange(ExecContext &x, uint64_t addr, uint64_t bytes,
                       unsigned lane, const Access &a, const char *what) {
  if (!bytes)
    return true;
  GlobalRegion *r = findRegion(x.g, addr);
  if (!r || addr - r->address >= r->size ||
      bytes > r->size - (addr - r->address)) {
    if (!x.known("out-of-bounds"))
      x.report("out-of-bounds",
               std::string(what) + " accesses " + plural(bytes, "byte") +
                   " of global memory at " + hex(addr) +
                   (r && addr - r->address <= r->size + 4096
                        ? ", beyond the end of " + r->name + " (" +
                              plural(r->size, "byte") + ")"
                        : std::string(", which is in no buffer")),
               lane, addr);
    return false;
  }
  if (a.is(Access::Write) && !r->writable) {
    if (!x.known("read-only"))
      x.report("read-only",
               std::string(what) + " writes to " + r->name +
                   ", which the launch declares read-only",
               lane, addr);
    return false;
  }
  touchGlobal(x, *r, addr - r->address, bytes, a);
  return true;
}

static bool touchOuter(ExecContext &x, const BulkOp &op, unsigned lane,
                       const Access &a, const char *what) {
  if (!op.tensor) {
    if (op.global % 16) {
      if (!x.known("misaligned"))
        x.report("misaligned",
                 std::string(what) +
                     " needs a global address that is a "
                     "multiple of 16, found " +
                     hex(op.global),
                 lane, op.global);
      return false;
    }
    return touchRange(x, op.global, op.bytes, lane, a, what);
  }
  bool good = true;
  unsigned e = op.map.elementBytes;
  uint64_t step = uint64_t(op.map.elementStrides[0]) * e;
  forRows(op, [&](uint32_t, uint64_t addr, uint32_t lo, uint32_t hi, uint32_t) {
    if (good && hi > lo)
      good = touchRange(x, addr + lo * step, (hi - lo - 1) * step + e, lane, a,
                        what);
  });
  return good;
}

bool mxfp4::sim::touchSource(ExecContext &x, const BulkOp &op, const Cta &to,
                             unsigned lane) {
  Access a = threadAccess(x, lane, Access::Async);
  if (auto b = to.mbarriers.find(op.mbar); b != to.mbarriers.end())
    a.e = mbarEpoch(b->second);
  a.what = "the bulk copy";
  return touchOuter(x, op, lane, a, a.what);
}

bool mxfp4::sim::touchTarget(ExecContext &x, const BulkOp &op, unsigned lane,
                             uint32_t clock) {
  uint8_t flags = Access::Write | Access::Async;
  if (op.k == BulkOp::Reduce)
    flags |= Access::Atomic;
  Access a = agentAccess(x, kBulkAgent, clock, lane, flags);
  a.what = op.k == BulkOp::Reduce ? "the bulk reduction" : "the bulk store";
  return touchOuter(x, op, lane, a, a.what);
}

//===----------------------------------------------------------------------===//
// Bytes
//===----------------------------------------------------------------------===//

static uint8_t *hostAt(Grid &g, uint64_t addr, uint64_t bytes) {
  GlobalRegion *r = findRegion(g, addr);
  if (!r || addr - r->address >= r->size ||
      bytes > r->size - (addr - r->address))
    return nullptr;
  return r->data + (addr - r->address);
}

static void fill(const TensorMap &m, uint8_t *to) {
  std::memset(to, 0, m.elementBytes);
  if (!m.fillNaN)
    return;
  std::memset(to, 0xff, m.elementBytes);
  to[m.elementBytes - 1] = 0x7f;
}

void mxfp4::sim::moveIn(ExecContext &x, const BulkOp &op, Cta &t) {
  uint8_t *shared = t.shared.data();
  if (op.k == BulkOp::Direct) {
    std::memcpy(shared + op.shared, op.data.data(), op.bytes);
    return;
  }
  if (op.k == BulkOp::SharedToShared) {
    Cta &from = x.cl.ctas[op.global >> 32];
    std::memmove(shared + op.shared, from.shared.data() + uint32_t(op.global),
                 op.bytes);
    return;
  }
  if (!op.tensor) {
    if (const uint8_t *from = hostAt(x.g, op.global, op.bytes))
      std::memcpy(shared + op.shared, from, op.bytes);
    return;
  }
  const TensorMap &m = op.map;
  unsigned e = m.elementBytes, chunk = 16 / e;
  forRows(op, [&](uint32_t off, uint64_t addr, uint32_t lo, uint32_t hi,
                  uint32_t row) {
    for (uint32_t j = 0; j < row;) {
      uint32_t pos = op.shared + off + j * e;
      uint8_t *to = shared + swizzle(pos, m.swizzling);
      bool whole = (pos & 15) == 0 && j >= lo && j + chunk <= hi &&
                   m.elementStrides[0] == 1;
      uint32_t n = whole ? chunk : 1;
      bool in = j >= lo && j < hi;
      const uint8_t *from =
          in ? hostAt(x.g, addr + uint64_t(j) * m.elementStrides[0] * e, n * e)
             : nullptr;
      if (from)
        std::memcpy(to, from, n * e);
      else
        fill(m, to);
      j += from ? n : 1;
    }
  });
}

void mxfp4::sim::moveOut(ExecContext &x, const BulkOp &op) {
  const uint8_t *shared = x.cl.ctas[op.srcCta].shared.data();
  bool reduce = op.k == BulkOp::Reduce;
  unsigned typeBytes =
      op.reduceType == Ty::None ? 4 : typeBits(op.reduceType) / 8;
  auto put = [&](uint8_t *to, const uint8_t *from, uint32_t bytes) {
    if (!reduce) {
      std::memcpy(to, from, bytes);
      return;
    }
    unsigned e = std::min<unsigned>(typeBytes, bytes);
    for (uint32_t b = 0; b + e <= bytes; b += e) {
      uint64_t old = 0, fresh = 0;
      std::memcpy(&old, to + b, e);
      std::memcpy(&fresh, from + b, e);
      fresh = reduceElement(op.reduceType, op.reduceOp, old, fresh);
      std::memcpy(to + b, &fresh, e);
    }
  };
  if (!op.tensor) {
    if (uint8_t *to = hostAt(x.g, op.global, op.bytes))
      put(to, shared + op.shared, op.bytes);
    return;
  }
  const TensorMap &m = op.map;
  unsigned e = m.elementBytes;
  forRows(
      op, [&](uint32_t off, uint64_t addr, uint32_t lo, uint32_t hi, uint32_t) {
        for (uint32_t j = lo; j < hi; ++j)
          if (uint8_t *to =
                  hostAt(x.g, addr + uint64_t(j) * m.elementStrides[0] * e, e))
            put(to, shared + swizzle(op.shared + off + j * e, m.swizzling), e);
      });
}
