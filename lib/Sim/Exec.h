//===- Exec.h - What instruction functions share ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_SIM_EXEC_H
#define MXFP4_LIB_SIM_EXEC_H

#include "Machine.h"

namespace mxfp4::sim {

struct ExecContext {
  Grid &g;
  Cluster &cl;
  Cta &c;
  Warp &w;
  const Kernel &k;
  LocalStats &s;
  const uint8_t *constBase;
  uint8_t *regBase;
  uint32_t mask = 0; ///< Active lanes.
  uint32_t pc = 0;
  size_t splitIndex = 0;
  /// Control instructions set this when the split gives up its turn.
  bool yield = false;

  Split &split() { return w.splits[splitIndex]; }

  const Operand &dst(const Inst &i, unsigned n = 0) const {
    return k.operands[i.ops + n];
  }
  const Operand &src(const Inst &i, unsigned n = 0) const {
    return k.operands[i.ops + i.numDst + n];
  }
  const uint8_t *ptr(const Operand &o) const {
    return (o.isConst() ? constBase : regBase) + o.offset();
  }
  uint8_t *out(const Operand &o) const { return regBase + o.offset(); }

  uint32_t pred(const Operand &o) const {
    uint32_t v;
    std::memcpy(&v, ptr(o), 4);
    return o.isNot() ? ~v : v;
  }
  /// Any register's lane, zero-extended.
  uint64_t lane(const Operand &o, unsigned l) const {
    const uint8_t *p = ptr(o);
    if (o.isWide())
      return reinterpret_cast<const uint64_t *>(p)[l];
    return reinterpret_cast<const uint32_t *>(p)[l];
  }
  void setLane(const Operand &o, unsigned l, uint64_t v) const {
    if (o.isWide())
      reinterpret_cast<uint64_t *>(out(o))[l] = v;
    else
      reinterpret_cast<uint32_t *>(out(o))[l] = uint32_t(v);
  }

  /// Bookkeeping of a register about to be written in the active lanes.
  void defined(const Operand &o) {
    RegState &r = w.states[o.slot];
    if (r.busy)
      busyWrite(o);
    r.def |= mask;
    r.writeEpoch = w.fenceEpoch;
  }
  void setPred(const Operand &o, uint32_t v, uint32_t lanes) {
    uint32_t old;
    std::memcpy(&old, out(o), 4);
    old = (old & ~lanes) | (v & lanes);
    std::memcpy(out(o), &old, 4);
  }
  void setPred(const Operand &o, uint32_t v) {
    defined(o);
    setPred(o, v, mask);
  }
  void busyWrite(const Operand &o);
  /// Lanes of a register just written hold no value, because \p from holds
  /// none.
  void undefine(const Operand &o, uint32_t lanes, const Operand &from) {
    if (!lanes)
      return;
    RegState &r = w.states[o.slot];
    r.def &= ~lanes;
    const uint32_t source = w.states[from.slot].source;
    r.source = source ? source : from.slot + 1;
  }

  unsigned threadOf(unsigned lane) const { return w.id * 32 + lane; }
  unsigned firstLane() const {
    return unsigned(__builtin_ctz(mask | 1u << 31));
  }

  /// Reports a finding at the current instruction. \p other distinguishes
  /// findings at one instruction (the line of its counterpart).
  void report(const char *check, const std::string &message, unsigned lane,
              uint64_t address = ~uint64_t(0), uint32_t other = 0,
              Diagnostic::Severity level = Diagnostic::Severity::Error);
  /// True when this finding is already there (and counts it once more), so
  /// that its message need not be made.
  bool known(const char *check, uint32_t other = 0);

  /// All lanes of the warp are here; reports an .aligned violation if not.
  void requireAligned(const Inst &i);
};

/// The type of a value and how a lane holds it.
template <typename T> struct Lanes {
  using Box = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  static T get(const uint8_t *p, unsigned l) {
    Box b = reinterpret_cast<const Box *>(p)[l];
    if constexpr (std::is_floating_point_v<T>) {
      T v;
      std::memcpy(&v, &b, sizeof(T));
      return v;
    } else {
      return T(b);
    }
  }
  static Box box(T v) {
    Box b = 0;
    if constexpr (std::is_floating_point_v<T>) {
      std::memcpy(&b, &v, sizeof(T));
      return b;
    } else {
      return Box(std::make_unsigned_t<T>(v));
    }
  }
};

/// Writes the active lanes of \p temp.
template <typename Box>
inline void commit(ExecContext &x, const Operand &d, const Box *temp) {
  x.defined(d);
  Box *out = reinterpret_cast<Box *>(x.out(d));
  if (x.mask == ~0u) {
    std::memcpy(out, temp, sizeof(Box) * 32);
    return;
  }
  for (unsigned l = 0; l < 32; ++l)
    out[l] = (x.mask >> l) & 1 ? temp[l] : out[l];
}

// A function object applied to every lane. Inactive lanes are computed too and
// thrown away, which lets the loops vectorise.
template <typename R, typename A, typename Op>
void exec1(ExecContext &x, const Inst &i) {
  alignas(64) typename Lanes<R>::Box temp[32];
  const uint8_t *p = x.ptr(x.src(i));
  for (unsigned l = 0; l < 32; ++l)
    temp[l] = Lanes<R>::box(Op::f(Lanes<A>::get(p, l)));
  commit(x, x.dst(i), temp);
}
template <typename R, typename A, typename B, typename Op>
void exec2(ExecContext &x, const Inst &i) {
  alignas(64) typename Lanes<R>::Box temp[32];
  const uint8_t *p = x.ptr(x.src(i, 0)), *q = x.ptr(x.src(i, 1));
  for (unsigned l = 0; l < 32; ++l)
    temp[l] = Lanes<R>::box(Op::f(Lanes<A>::get(p, l), Lanes<B>::get(q, l)));
  commit(x, x.dst(i), temp);
}
template <typename R, typename A, typename B, typename C, typename Op>
void exec3(ExecContext &x, const Inst &i) {
  alignas(64) typename Lanes<R>::Box temp[32];
  const uint8_t *p = x.ptr(x.src(i, 0)), *q = x.ptr(x.src(i, 1)),
                *s = x.ptr(x.src(i, 2));
  for (unsigned l = 0; l < 32; ++l)
    temp[l] = Lanes<R>::box(
        Op::f(Lanes<A>::get(p, l), Lanes<B>::get(q, l), Lanes<C>::get(s, l)));
  commit(x, x.dst(i), temp);
}

template <typename F> inline void forLanes(uint32_t mask, F fn) {
  for (; mask; mask &= mask - 1)
    fn(unsigned(__builtin_ctz(mask)));
}

/// What instructions do that only have to be read.
inline void execNothing(ExecContext &, const Inst &) {}

// Instructions that others must recognise.
void execBranch(ExecContext &x, const Inst &i);
void execBranchIndexed(ExecContext &x, const Inst &i);
void execExit(ExecContext &x, const Inst &i);
void execImplicitDef(ExecContext &x, const Inst &i);
void execUnsupported(ExecContext &x, const Inst &i);

/// "thread 5 of block (0,0,0)" style name of an agent, for messages.
std::string describeAgent(const ExecContext &x, AgentLane who);
/// "line 12 (st.shared.b32 ...)".
std::string describeInst(const Kernel &k, uint32_t inst);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_EXEC_H
