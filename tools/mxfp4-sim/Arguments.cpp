//===- Arguments.cpp - Buffers and arguments of the command line ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Arguments.h"

#include "Tool.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>

using namespace mxfp4::sim;

namespace {

BufferSpec bufferSpec(const std::string &Arg) {
  BufferSpec B;
  std::string Kind = Arg.substr(0, Arg.find(':'));
  if (Kind == "mapat") {
    B.IsBuffer = B.ReadOnly = true;
    B.Bytes.assign(sizeof(TensorMap().encode()), '\0');
    return B;
  }
  if (Kind != "buf" && Kind != "ro" && Kind != "extra")
    return B;
  B.IsBuffer = true;
  B.ReadOnly = Kind == "ro";
  std::string Rest = Arg.substr(Kind.size() + 1);
  std::vector<std::string> P = split(Rest, ':');
  if (P.size() == 2 &&
      (P[0] == "zeros" || P[0] == "poison" || P[0] == "iota")) {
    const uint64_t N =
        number(P[1], 0, uint64_t(16) << 30, "the bytes of '" + Arg + "'");
    B.Bytes.assign(N, P[0] == "poison" ? '\xff' : '\0');
    B.Poison = P[0] == "poison";
    if (P[0] == "iota")
      for (uint64_t W = 0; 4 * W + 4 <= N; ++W) {
        uint32_t V = uint32_t(W);
        std::memcpy(&B.Bytes[4 * W], &V, 4);
      }
  } else {
    B.Bytes = readFile(Rest);
  }
  return B;
}

std::vector<uint64_t> list(const std::string &S, uint64_t Most,
                           const std::string &What) {
  std::vector<uint64_t> V;
  for (const std::string &P : split(S, 'x'))
    V.push_back(number(P, 1, Most, What));
  return V;
}

TensorMap tensorMap(const std::string &Arg, const Launch &L,
                    const std::vector<int> &BufferOf) {
  std::vector<std::string> P = split(Arg, ':');
  const std::string What = "tensor map '" + Arg + "'";
  if (P.size() < 5 || P.size() > 7)
    die("expected map:ARG:TYPE:DIMS:BOX[:SWIZZLE[:STRIDES]], found '" + Arg +
        "'");
  const uint64_t Which = number(P[1], 0, UINT32_MAX, What);
  if (Which >= BufferOf.size() || BufferOf[Which] < 0)
    die("argument " + P[1] + " of '" + Arg + "' is no buffer");
  TensorMap M;
  M.Base = L.address(unsigned(BufferOf[Which]));
  M.ElementBytes = P[2] == "b8"    ? 1
                   : P[2] == "b16" ? 2
                   : P[2] == "b32" ? 4
                   : P[2] == "b64" ? 8
                                   : 0;
  if (!M.ElementBytes)
    die(What + ": expected b8, b16, b32 or b64, found '" + P[2] + "'");
  const std::vector<uint64_t> Dims = list(P[3], uint64_t(1) << 32, What),
                              Box = list(P[4], 256, What);
  if (Dims.size() != Box.size() || Dims.empty() || Dims.size() > 5)
    die("the tensor and its box need 1 to 5 dimensions each: '" + Arg + "'");
  M.Rank = unsigned(Dims.size());
  uint64_t Stride = M.ElementBytes;
  for (unsigned D = 0; D < 5; ++D) {
    M.Dims[D] = D < M.Rank ? Dims[D] : 1;
    M.Box[D] = D < M.Rank ? uint32_t(Box[D]) : 1;
    if (__builtin_mul_overflow(Stride, M.Dims[D], &Stride))
      die(What + ": the tensor has more than 2^64 bytes");
    if (D < 4)
      M.Strides[D] = D + 1 < M.Rank ? Stride : 0;
  }
  if (P.size() > 5) {
    if (P[5] != "0" && P[5] != "32" && P[5] != "64" && P[5] != "128")
      die(What + ": expected a swizzle of 0, 32, 64 or 128, found '" + P[5] +
          "'");
    M.Swizzling = P[5] == "128"  ? TensorMap::Swizzle::B128
                  : P[5] == "64" ? TensorMap::Swizzle::B64
                  : P[5] == "32" ? TensorMap::Swizzle::B32
                                 : TensorMap::Swizzle::None;
  }
  if (P.size() > 6) {
    const std::vector<uint64_t> Strides = list(P[6], uint64_t(1) << 40, What);
    if (Strides.size() + 1 != M.Rank)
      die(What + ": expected " + std::to_string(M.Rank - 1) +
          " strides, found " + std::to_string(Strides.size()));
    std::copy(Strides.begin(), Strides.end(), M.Strides.begin());
  }
  if (std::string Error = M.verify(); !Error.empty())
    die("tensor map '" + Arg + "': " + Error);
  return M;
}

} // namespace

void addArguments(const std::vector<std::string> &Args, Launch &L,
                  std::vector<BufferSpec> &Specs, std::vector<int> &BufferOf) {
  for (const std::string &A : Args)
    Specs.push_back(bufferSpec(A));
  for (size_t N = 0; N < Args.size(); ++N) {
    BufferSpec &B = Specs[N];
    BufferOf.push_back(-1);
    if (B.IsBuffer)
      BufferOf[N] = int(L.addBuffer(B.Bytes.data(), B.Bytes.size(),
                                    {!B.Poison, !B.ReadOnly},
                                    "argument " + std::to_string(N)));
  }
  for (size_t N = 0; N < Args.size(); ++N) {
    const std::string &A = Args[N];
    size_t Colon = A.find(':');
    if (Colon == std::string::npos)
      die("argument '" + A + "' is not understood; see --help");
    std::string Kind = A.substr(0, Colon), Value = A.substr(Colon + 1);
    if (Kind == "extra")
      continue;
    const std::string What = "argument '" + A + "'";
    if (Kind == "mapat") {
      const auto Map = tensorMap(A, L, BufferOf).encode();
      std::copy(Map.begin(), Map.end(), Specs[N].Bytes.begin());
    }
    if (Specs[N].IsBuffer)
      L.argBuffer(unsigned(BufferOf[N]));
    else if (Kind == "i32")
      L.argI32(uint32_t(integer(Value, 32, What)));
    else if (Kind == "i64")
      L.argI64(integer(Value, 64, What));
    else if (Kind == "f32")
      L.argF32(real(Value, What));
    else if (Kind == "bytes") {
      std::string Bytes = readFile(Value);
      L.argBytes(Bytes.data(), Bytes.size());
    } else if (Kind == "map")
      L.argTensorMap(tensorMap(A, L, BufferOf));
    else
      die("argument '" + A + "' is not understood; see --help");
  }
}

void dump(const std::string &Spec, const std::vector<BufferSpec> &Specs) {
  size_t Colon = Spec.find(':');
  if (Colon == std::string::npos)
    die("expected ARG:FILE, found '" + Spec + "'");
  const uint64_t N =
      number(Spec.substr(0, Colon), 0, UINT32_MAX, "--dump " + Spec);
  if (N >= Specs.size() || !Specs[N].IsBuffer)
    die("argument " + Spec.substr(0, Colon) + " is no buffer");
  std::ofstream Out(Spec.substr(Colon + 1), std::ios::binary);
  Out.write(Specs[N].Bytes.data(), std::streamsize(Specs[N].Bytes.size()));
  if (!Out)
    die("cannot write " + Spec.substr(Colon + 1));
}

void print(const std::string &Spec, const std::vector<BufferSpec> &Specs) {
  std::vector<std::string> P = split(Spec, ':');
  if (P.size() != 3)
    die("expected ARG:TYPE:N, found '" + Spec + "'");
  const uint64_t N = number(P[0], 0, UINT32_MAX, "--print " + Spec),
                 Count = number(P[2], 0, UINT64_MAX, "--print " + Spec);
  if (P[1] != "u8" && P[1] != "bf16" && P[1] != "f32" && P[1] != "i32" &&
      P[1] != "u32")
    die("--print " + Spec + ": expected u32, i32, f32, bf16 or u8, found '" +
        P[1] + "'");
  if (N >= Specs.size() || !Specs[N].IsBuffer)
    die("argument " + P[0] + " is no buffer");
  const std::string &B = Specs[N].Bytes;
  size_t Size = P[1] == "u8" ? 1 : P[1] == "bf16" ? 2 : 4;
  std::printf("argument %s:", P[0].c_str());
  for (uint64_t J = 0; J < Count && J < B.size() / Size; ++J) {
    uint32_t V = 0;
    std::memcpy(&V, B.data() + J * Size, Size);
    if (P[1] == "bf16")
      V <<= 16;
    float F;
    std::memcpy(&F, &V, 4);
    if (P[1] == "f32" || P[1] == "bf16")
      std::printf(" %.9g", double(F));
    else if (P[1] == "i32")
      std::printf(" %d", int32_t(V));
    else
      std::printf(" %u", V);
  }
  std::printf("\n");
}
