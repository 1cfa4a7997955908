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
  Grid &G;
  Cluster &Cl;
  Cta &C;
  Warp &W;
  const Kernel &K;
  LocalStats &S;
  const uint8_t *ConstBase;
  uint8_t *RegBase;
  uint32_t Mask = 0; ///< Active lanes.
  uint32_t PC = 0;
  size_t SplitIndex = 0;
  /// Control instructions set this when the split gives up its turn.
  bool Yield = false;

  Split &split() { return W.Splits[SplitIndex]; }

  const Operand &dst(const Inst &I, unsigned N = 0) const {
    return K.Operands[I.Ops + N];
  }
  const Operand &src(const Inst &I, unsigned N = 0) const {
    return K.Operands[I.Ops + I.NumDst + N];
  }
  const uint8_t *ptr(const Operand &O) const {
    return (O.isConst() ? ConstBase : RegBase) + O.offset();
  }
  uint8_t *out(const Operand &O) const { return RegBase + O.offset(); }

  uint32_t pred(const Operand &O) const {
    uint32_t V;
    std::memcpy(&V, ptr(O), 4);
    return O.isNot() ? ~V : V;
  }
  /// Any register's lane, zero-extended.
  uint64_t lane(const Operand &O, unsigned L) const {
    const uint8_t *P = ptr(O);
    if (O.isWide())
      return reinterpret_cast<const uint64_t *>(P)[L];
    return reinterpret_cast<const uint32_t *>(P)[L];
  }
  void setLane(const Operand &O, unsigned L, uint64_t V) const {
    if (O.isWide())
      reinterpret_cast<uint64_t *>(out(O))[L] = V;
    else
      reinterpret_cast<uint32_t *>(out(O))[L] = uint32_t(V);
  }

  /// Bookkeeping of a register about to be written in the active lanes.
  void defined(const Operand &O) {
    RegState &R = W.States[O.Slot];
    if (R.Busy)
      busyWrite(O);
    R.Def |= Mask;
    R.WriteEpoch = W.FenceEpoch;
  }
  void setPred(const Operand &O, uint32_t V, uint32_t Lanes) {
    uint32_t Old;
    std::memcpy(&Old, out(O), 4);
    Old = (Old & ~Lanes) | (V & Lanes);
    std::memcpy(out(O), &Old, 4);
  }
  void setPred(const Operand &O, uint32_t V) {
    defined(O);
    setPred(O, V, Mask);
  }
  void busyWrite(const Operand &O);
  /// Lanes of a register just written hold no value, because \p From holds
  /// none.
  void undefine(const Operand &O, uint32_t Lanes, const Operand &From) {
    if (!Lanes)
      return;
    RegState &R = W.States[O.Slot];
    R.Def &= ~Lanes;
    const uint32_t Source = W.States[From.Slot].Source;
    R.Source = Source ? Source : From.Slot + 1;
  }

  unsigned threadOf(unsigned Lane) const { return W.Id * 32 + Lane; }
  unsigned firstLane() const {
    return unsigned(__builtin_ctz(Mask | 1u << 31));
  }

  /// Reports a finding at the current instruction. \p Other distinguishes
  /// findings at one instruction (the line of its counterpart).
  void report(const char *Check, const std::string &Message, unsigned Lane,
              uint64_t Address = ~uint64_t(0), uint32_t Other = 0,
              Diagnostic::Severity Level = Diagnostic::Severity::Error);
  /// True when this finding is already there (and counts it once more), so
  /// that its message need not be made.
  bool known(const char *Check, uint32_t Other = 0);

  /// All lanes of the warp are here; reports an .aligned violation if not.
  void requireAligned(const Inst &I);
};

/// The type of a value and how a lane holds it.
template <typename T> struct Lanes {
  using Box = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;
  static T get(const uint8_t *P, unsigned L) {
    Box B = reinterpret_cast<const Box *>(P)[L];
    if constexpr (std::is_floating_point_v<T>) {
      T V;
      std::memcpy(&V, &B, sizeof(T));
      return V;
    } else {
      return T(B);
    }
  }
  static Box box(T V) {
    Box B = 0;
    if constexpr (std::is_floating_point_v<T>) {
      std::memcpy(&B, &V, sizeof(T));
      return B;
    } else {
      return Box(std::make_unsigned_t<T>(V));
    }
  }
};

/// Writes the active lanes of \p Temp.
template <typename Box>
inline void commit(ExecContext &X, const Operand &D, const Box *Temp) {
  X.defined(D);
  Box *Out = reinterpret_cast<Box *>(X.out(D));
  if (X.Mask == ~0u) {
    std::memcpy(Out, Temp, sizeof(Box) * 32);
    return;
  }
  for (unsigned L = 0; L < 32; ++L)
    Out[L] = (X.Mask >> L) & 1 ? Temp[L] : Out[L];
}

// A function object applied to every lane. Inactive lanes are computed too and
// thrown away, which lets the loops vectorise.
template <typename R, typename A, typename Op>
void exec1(ExecContext &X, const Inst &I) {
  alignas(64) typename Lanes<R>::Box Temp[32];
  const uint8_t *P = X.ptr(X.src(I));
  for (unsigned L = 0; L < 32; ++L)
    Temp[L] = Lanes<R>::box(Op::f(Lanes<A>::get(P, L)));
  commit(X, X.dst(I), Temp);
}
template <typename R, typename A, typename B, typename Op>
void exec2(ExecContext &X, const Inst &I) {
  alignas(64) typename Lanes<R>::Box Temp[32];
  const uint8_t *P = X.ptr(X.src(I, 0)), *Q = X.ptr(X.src(I, 1));
  for (unsigned L = 0; L < 32; ++L)
    Temp[L] = Lanes<R>::box(Op::f(Lanes<A>::get(P, L), Lanes<B>::get(Q, L)));
  commit(X, X.dst(I), Temp);
}
template <typename R, typename A, typename B, typename C, typename Op>
void exec3(ExecContext &X, const Inst &I) {
  alignas(64) typename Lanes<R>::Box Temp[32];
  const uint8_t *P = X.ptr(X.src(I, 0)), *Q = X.ptr(X.src(I, 1)),
                *S = X.ptr(X.src(I, 2));
  for (unsigned L = 0; L < 32; ++L)
    Temp[L] = Lanes<R>::box(
        Op::f(Lanes<A>::get(P, L), Lanes<B>::get(Q, L), Lanes<C>::get(S, L)));
  commit(X, X.dst(I), Temp);
}

template <typename F> inline void forLanes(uint32_t Mask, F Fn) {
  for (; Mask; Mask &= Mask - 1)
    Fn(unsigned(__builtin_ctz(Mask)));
}

// Instructions that others must recognise.
void execBranch(ExecContext &X, const Inst &I);
void execBranchIndexed(ExecContext &X, const Inst &I);
void execExit(ExecContext &X, const Inst &I);
void execImplicitDef(ExecContext &X, const Inst &I);
void execUnsupported(ExecContext &X, const Inst &I);

/// "thread 5 of block (0,0,0)" style name of an agent, for messages.
std::string describeAgent(const ExecContext &X, AgentLane Who);
/// "line 12 (st.shared.b32 ...)".
std::string describeInst(const Kernel &K, uint32_t Inst);

} // namespace mxfp4::sim

#endif // MXFP4_LIB_SIM_EXEC_H
