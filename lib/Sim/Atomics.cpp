//===- Atomics.cpp - atom and red -----------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "CpAsync.h"
#include "Decoder.h"
#include "Float.h"
#include "Sync.h"

using namespace mxfp4::sim;

namespace {

enum AtomOp : uint8_t { And, Or, Xor, Exch, Cas, Add, Inc, Dec, Min, Max };
enum : uint8_t { Acquire = 1, Release = 2 };

template <typename T> T integerOp(AtomOp Op, T Old, T B) {
  using U = std::make_unsigned_t<T>;
  switch (Op) {
  case And:
    return Old & B;
  case Or:
    return Old | B;
  case Xor:
    return Old ^ B;
  case Exch:
    return B;
  case Add:
    return T(U(Old) + U(B));
  case Inc:
    return U(Old) >= U(B) ? T(0) : T(U(Old) + 1);
  case Dec:
    return Old == 0 || U(Old) > U(B) ? B : T(U(Old) - 1);
  case Min:
    return Old < B ? Old : B;
  case Max:
    return Old > B ? Old : B;
  default:
    return Old;
  }
}

uint16_t halfAdd(bool Brain, uint16_t A, uint16_t B) {
  if (Brain)
    return toBF16(addToOdd(fromBF16(A), fromBF16(B)));
  return toF16(addToOdd(fromF16(A), fromF16(B)));
}

uint64_t combine(const Inst &I, uint64_t Old, uint64_t B) {
  AtomOp Op = AtomOp(I.Sub);
  switch (I.T) {
  case Ty::F32:
    if (Op == Add)
      // Atomics on memory flush nothing here; global f32 atomics keep
      // subnormals.
      return bitsTo<uint32_t>(
          canonical(bitsTo<float>(uint32_t(Old)) + bitsTo<float>(uint32_t(B))));
    return B;
  case Ty::F64:
    return Op == Add ? bitsTo<uint64_t>(bitsTo<double>(Old) + bitsTo<double>(B))
                     : B;
  case Ty::BF16:
    return halfAdd(true, uint16_t(Old), uint16_t(B));
  case Ty::F16:
    return halfAdd(false, uint16_t(Old), uint16_t(B));
  case Ty::BF16x2:
  case Ty::F16x2: {
    bool Brain = I.T == Ty::BF16x2;
    return halfAdd(Brain, uint16_t(Old), uint16_t(B)) |
           uint64_t(halfAdd(Brain, uint16_t(Old >> 16), uint16_t(B >> 16)))
               << 16;
  }
  case Ty::S32:
    return uint32_t(integerOp<int32_t>(Op, int32_t(Old), int32_t(B)));
  case Ty::S64:
    return uint64_t(integerOp<int64_t>(Op, int64_t(Old), int64_t(B)));
  default:
    return typeBits(I.T) == 64
               ? integerOp<uint64_t>(Op, Old, B)
               : integerOp<uint32_t>(Op, uint32_t(Old), uint32_t(B));
  }
}

void oneAtomic(ExecContext &X, const Inst &I, unsigned L) {
  const Operand &Base = X.src(I, 0);
  unsigned Element = typeBits(I.T) / 8, Bytes = Element * I.Vec;
  uint64_t Addr = X.lane(Base, L) + uint64_t(I.Imm);
  if (!Base.isWide())
    Addr = uint32_t(Addr);
  MemRef R;
  if (!resolve(X, I.S, Addr, Bytes, Bytes, true, L, R))
    return;
  // Reading and writing: both sides are checked.
  touch(X, R, Bytes, threadAccess(X, L, Access::Atomic | Access::Peek));
  touch(X, R, Bytes, threadAccess(X, L, Access::Atomic | Access::Write));
  if (I.Mods & Release)
    syncStore(X, R, Addr, true);
  else
    syncStore(X, R, Addr, false);
  static std::mutex HostLock;
  {
    std::unique_lock<std::mutex> Guard(HostLock, std::defer_lock);
    if (X.G.Opts.HostThreads > 1)
      Guard.lock();
    for (unsigned J = 0; J < I.Vec; ++J) {
      uint64_t Old = 0, B = X.lane(X.src(I, 1 + J), L);
      std::memcpy(&Old, R.Host + J * Element, Element);
      uint64_t New;
      if (I.Sub == Cas) {
        uint64_t M =
            Element == 8 ? ~uint64_t(0) : (uint64_t(1) << (8 * Element)) - 1;
        New = Old == (B & M) ? X.lane(X.src(I, 2), L) : Old;
      } else {
        New = combine(I, Old, B);
      }
      std::memcpy(R.Host + J * Element, &New, Element);
      if (I.NumDst)
        X.setLane(X.dst(I, J), L, Old);
    }
  }
  syncLoad(X, R, Addr, I.Mods & Acquire);
}

void execAtomic(ExecContext &X, const Inst &I) {
  X.S.S.Atomics += unsigned(__builtin_popcount(X.Mask));
  forLanes(X.Mask, [&](unsigned L) { oneAtomic(X, I, L); });
  for (unsigned J = 0; J < I.NumDst; ++J)
    X.defined(X.dst(I, J));
  ++X.Cl.Progress;
}

bool checkForm(Decoder &D, int Op, Ty T) {
  bool Half =
      T == Ty::BF16 || T == Ty::F16 || T == Ty::BF16x2 || T == Ty::F16x2;
  if (isFloat(T) && Op != Add && !(Op == Exch || Op == Cas))
    if (!Half || (Op != Min && Op != Max))
      return D.fail("this atomic operation has no such type");
  if (Half && Op != Add)
    return D.fail("half types are supported for .add only");
  unsigned Bits = typeBits(T);
  if (Bits < 16 || Bits > 64 || (Bits == 16 && !Half && Op != Cas))
    return D.fail("this atomic operation has no such type");
  return true;
}

} // namespace

uint64_t mxfp4::sim::reduceElement(Ty T, uint8_t Op, uint64_t Old,
                                   uint64_t New) {
  Inst I;
  I.T = T;
  I.Sub = Op;
  return combine(I, Old, New);
}

bool mxfp4::sim::decodeAtomic(Decoder &D) {
  bool Atom = D.base() == "atom";
  D.I.P = Pipe::Lsu;
  if (D.take("async"))
    return D.fail("red.async is not supported");
  if (D.take("acq_rel"))
    D.I.Mods |= Acquire | Release;
  if (D.take("acquire"))
    D.I.Mods |= Acquire;
  if (D.take("release"))
    D.I.Mods |= Release;
  D.take("relaxed");
  D.take("noftz");
  D.takeOneOf({"cta", "cluster", "gpu", "sys"}, 0);
  int S =
      D.takeOneOf({"global", "shared", "shared::cta", "shared::cluster"}, -1);
  D.I.S = S < 0    ? Space::Generic
          : S == 0 ? Space::Global
          : S == 3 ? Space::SharedCluster
                   : Space::Shared;
  bool Hint = D.take("L2::cache_hint");
  int Op = D.takeOneOf(
      {"and", "or", "xor", "exch", "cas", "add", "inc", "dec", "min", "max"},
      -1);
  if (Op < 0)
    return D.fail("expected an atomic operation such as .add");
  D.I.Vec = uint8_t(D.take("v2") ? 2 : D.take("v4") ? 4 : D.take("v8") ? 8 : 1);
  Ty T = D.takeType();
  if (!checkForm(D, Op, T))
    return false;
  D.I.T = T;
  D.I.Sub = uint8_t(Op);
  D.I.Fn = execAtomic;
  size_t N = 2 + Atom + (Op == Cas);
  if (!D.expectOps(N, N + Hint))
    return false;
  const auto &Ops = D.ops();
  auto List = [](const AstOperand &O) {
    return O.K == AstOperand::Vec ? O.Elems : std::vector<AstOperand>{O};
  };
  if (Atom) {
    std::vector<AstOperand> Dst = List(Ops[0]);
    if (Dst.size() != D.I.Vec)
      return D.fail("the vector has another length");
    for (const AstOperand &E : Dst)
      if (!D.dst(E, T))
        return false;
  }
  std::vector<AstOperand> Src = List(Ops[1 + Atom]);
  if (Src.size() != D.I.Vec)
    return D.fail("the vector has another length");
  if (!D.address(Ops[Atom]))
    return false;
  for (const AstOperand &E : Src)
    if (!D.src(E, T))
      return false;
  return Op != Cas || D.src(Ops[2 + Atom], T);
}
