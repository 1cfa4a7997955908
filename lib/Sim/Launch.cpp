//===- Launch.cpp - What is launched, and whether it can be ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Scheduler.h"

using namespace mxfp4::sim;

unsigned Launch::addBuffer(void *Data, size_t Size, BufferFlags Flags,
                           std::string Name, uint64_t Address) {
  BufferInfo B;
  B.Data = static_cast<uint8_t *>(Data);
  B.Size = Size;
  B.Flags = Flags;
  unsigned Id = unsigned(Buffers.size());
  B.Name = Name.empty() ? "buffer " + std::to_string(Id) : std::move(Name);
  // 64 KiB and more of nothing between buffers.
  uint64_t Next = BufferBase;
  if (!Buffers.empty())
    Next = (Buffers.back().Address + Buffers.back().Size + 0x1ffff) &
           ~uint64_t(0xffff);
  B.Address = Address ? Address : Next;
  if (!Flags.Initialised)
    B.Initialised.assign((Size + 7) / 8, 0);
  Buffers.push_back(std::move(B));
  return Id;
}

uint64_t Launch::address(unsigned Buffer) const {
  return Buffer < Buffers.size() ? Buffers[Buffer].Address : 0;
}
void Launch::argBytes(const void *Data, size_t Size) {
  auto *P = static_cast<const uint8_t *>(Data);
  Args.emplace_back(P, P + Size);
}
void Launch::argBuffer(unsigned Buffer, uint64_t Offset) {
  argI64(address(Buffer) + Offset);
}
void Launch::argI32(uint32_t Value) { argBytes(&Value, 4); }
void Launch::argI64(uint64_t Value) { argBytes(&Value, 8); }
void Launch::argF32(float Value) { argBytes(&Value, 4); }
void Launch::argTensorMap(const TensorMap &Map) {
  std::array<uint8_t, 128> Bytes = Map.encode();
  argBytes(Bytes.data(), Bytes.size());
}
uint64_t Launch::initialisedBytes(unsigned Buffer) const {
  if (Buffer >= Buffers.size())
    return 0;
  const BufferInfo &B = Buffers[Buffer];
  if (B.Flags.Initialised)
    return B.Size;
  uint64_t N = 0;
  for (uint8_t Byte : B.Initialised)
    N += unsigned(__builtin_popcount(Byte));
  return N;
}

namespace {

std::string dims(const Dim3 &D) {
  return "(" + std::to_string(D.X) + "," + std::to_string(D.Y) + "," +
         std::to_string(D.Z) + ")";
}
bool same(const Dim3 &A, const Dim3 &B) {
  return A.X == B.X && A.Y == B.Y && A.Z == B.Z;
}

} // namespace

std::string mxfp4::sim::checkLaunch(const Kernel &K, const Launch &L, Grid &G) {
  const KernelInfo &I = K.Info;
  auto Within = [](const Dim3 &D, uint32_t X, uint32_t Y, uint32_t Z) {
    return D.X && D.Y && D.Z && D.X <= X && D.Y <= Y && D.Z <= Z;
  };
  if (!Within(L.Block, 1024, 1024, 64) || L.Block.count() > 1024)
    return "a block has 1 to 1024 threads, found " + dims(L.Block);
  if (!Within(L.Grid, 0x7fffffff, 65535, 65535) || L.Grid.count() > MaxCtas)
    return "a grid has 1 to " + std::to_string(MaxCtas) +
           " blocks here, found " + dims(L.Grid);
  if (I.RequiredBlock.X && !same(I.RequiredBlock, L.Block))
    return "the kernel requires blocks of " + dims(I.RequiredBlock) +
           " threads (.reqntid), found " + dims(L.Block);
  if (I.MaxBlock.X && L.Block.count() > I.MaxBlock.count())
    return "the kernel allows blocks of at most " +
           std::to_string(I.MaxBlock.count()) + " threads (.maxntid), found " +
           dims(L.Block);
  G.ClusterDim = L.Cluster;
  if (I.RequiredCluster.X) {
    if (L.Cluster.count() != 1 && !same(I.RequiredCluster, L.Cluster))
      return "the kernel requires clusters of " + dims(I.RequiredCluster) +
             " blocks, found " + dims(L.Cluster);
    G.ClusterDim = I.RequiredCluster;
  }
  const Dim3 &C = G.ClusterDim;
  if (!Within(C, 16, 16, 16) || C.count() > 16 || L.Grid.X % C.X ||
      L.Grid.Y % C.Y || L.Grid.Z % C.Z)
    return "clusters of " + dims(C) + " do not tile a grid of " + dims(L.Grid) +
           ", or have more than 16 blocks";
  if (uint64_t(K.StaticShared) + L.DynamicShared > MaxShared)
    return "the block needs " +
           std::to_string(uint64_t(K.StaticShared) + L.DynamicShared) +
           " bytes of shared memory; there are " + std::to_string(MaxShared);
  if (L.Args.size() != I.Params.size())
    return "kernel " + I.Name + " has " + plural(I.Params.size(), "parameter") +
           ", found " + plural(L.Args.size(), "argument");
  for (size_t N = 0; N < L.Args.size(); ++N)
    if (L.Args[N].size() != I.Params[N].Size)
      return "parameter " + std::to_string(N) + " (" + I.Params[N].Name +
             ") has " + plural(I.Params[N].Size, "byte") + ", found " +
             std::to_string(L.Args[N].size());
  return "";
}
