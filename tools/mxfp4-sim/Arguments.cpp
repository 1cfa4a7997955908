//===- Arguments.cpp - Buffers and arguments of the command line ----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Arguments.h"

#include "Tool.h"
#include "mxfp4/Pipeline/Output.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

using namespace mxfp4::sim;

namespace {

BufferSpec bufferSpec(const std::string &arg) {
  BufferSpec b;
  std::string kind = arg.substr(0, arg.find(':'));
  if (kind == "mapat") {
    b.isBuffer = b.readOnly = true;
    b.bytes.assign(sizeof(TensorMap().encode()), '\0');
    return b;
  }
  if (kind != "buf" && kind != "ro" && kind != "extra")
    return b;
  b.isBuffer = true;
  b.readOnly = kind == "ro";
  std::string rest = arg.substr(kind.size() + 1);
  std::vector<std::string> p = split(rest, ':');
  if (p.size() == 2 &&
      (p[0] == "zeros" || p[0] == "poison" || p[0] == "iota")) {
    const uint64_t n =
        number(p[1], 0, uint64_t(16) << 30, "the bytes of '" + arg + "'");
    b.bytes.assign(n, p[0] == "poison" ? '\xff' : '\0');
    b.poison = p[0] == "poison";
    if (p[0] == "iota")
      for (uint64_t w = 0; 4 * w + 4 <= n; ++w) {
        uint32_t v = uint32_t(w);
        std::memcpy(&b.bytes[4 * w], &v, 4);
      }
  } else {
    b.bytes = readFile(rest);
  }
  return b;
}

std::vector<uint64_t> list(const std::string &s, uint64_t most,
                           const std::string &what) {
  std::vector<uint64_t> v;
  for (const std::string &p : split(s, 'x'))
    v.push_back(number(p, 1, most, what));
  return v;
}

TensorMap tensorMap(const std::string &arg, const Launch &l,
                    const std::vector<int> &bufferOf) {
  std::vector<std::string> p = split(arg, ':');
  const std::string what = "tensor map '" + arg + "'";
  if (p.size() < 5 || p.size() > 7)
    die("expected map:ARG:TYPE:DIMS:BOX[:SWIZZLE[:STRIDES]], found '" + arg +
        "'");
  const uint64_t which = number(p[1], 0, UINT32_MAX, what);
  if (which >= bufferOf.size() || bufferOf[which] < 0)
    die("argument " + p[1] + " of '" + arg + "' is no buffer");
  TensorMap m;
  m.base = l.address(unsigned(bufferOf[which]));
  m.elementBytes = p[2] == "b8"    ? 1
                   : p[2] == "b16" ? 2
                   : p[2] == "b32" ? 4
                   : p[2] == "b64" ? 8
                                   : 0;
  if (!m.elementBytes)
    die(what + ": expected b8, b16, b32 or b64, found '" + p[2] + "'");
  const std::vector<uint64_t> dims = list(p[3], uint64_t(1) << 32, what),
                              box = list(p[4], 256, what);
  if (dims.size() != box.size() || dims.empty() || dims.size() > 5)
    die("the tensor and its box need 1 to 5 dimensions each: '" + arg + "'");
  m.rank = unsigned(dims.size());
  uint64_t stride = m.elementBytes;
  for (unsigned d = 0; d < 5; ++d) {
    m.dims[d] = d < m.rank ? dims[d] : 1;
    m.box[d] = d < m.rank ? uint32_t(box[d]) : 1;
    if (__builtin_mul_overflow(stride, m.dims[d], &stride))
      die(what + ": the tensor has more than 2^64 bytes");
    if (d < 4)
      m.strides[d] = d + 1 < m.rank ? stride : 0;
  }
  if (p.size() > 5) {
    if (p[5] != "0" && p[5] != "32" && p[5] != "64" && p[5] != "128")
      die(what + ": expected a swizzle of 0, 32, 64 or 128, found '" + p[5] +
          "'");
    m.swizzling = p[5] == "128"  ? TensorMap::Swizzle::B128
                  : p[5] == "64" ? TensorMap::Swizzle::B64
                  : p[5] == "32" ? TensorMap::Swizzle::B32
                                 : TensorMap::Swizzle::None;
  }
  if (p.size() > 6) {
    const std::vector<uint64_t> strides = list(p[6], uint64_t(1) << 40, what);
    if (strides.size() + 1 != m.rank)
      die(what + ": expected " + std::to_string(m.rank - 1) +
          " strides, found " + std::to_string(strides.size()));
    std::copy(strides.begin(), strides.end(), m.strides.begin());
  }
  if (std::string error = m.verify(); !error.empty())
    die("tensor map '" + arg + "': " + error);
  return m;
}

} // namespace

void addArguments(const std::vector<std::string> &args, Launch &l,
                  std::vector<BufferSpec> &specs, std::vector<int> &bufferOf) {
  for (const std::string &a : args)
    specs.push_back(bufferSpec(a));
  for (size_t n = 0; n < args.size(); ++n) {
    BufferSpec &b = specs[n];
    bufferOf.push_back(-1);
    if (b.isBuffer)
      bufferOf[n] = int(l.addBuffer(b.bytes.data(), b.bytes.size(),
                                    {!b.poison, !b.readOnly},
                                    "argument " + std::to_string(n)));
  }
  for (size_t n = 0; n < args.size(); ++n) {
    const std::string &a = args[n];
    size_t colon = a.find(':');
    if (colon == std::string::npos)
      die("argument '" + a + "' is not understood; see --help");
    std::string kind = a.substr(0, colon), value = a.substr(colon + 1);
    if (kind == "extra")
      continue;
    const std::string what = "argument '" + a + "'";
    if (kind == "mapat") {
      const auto map = tensorMap(a, l, bufferOf).encode();
      std::copy(map.begin(), map.end(), specs[n].bytes.begin());
    }
    if (specs[n].isBuffer)
      l.argBuffer(unsigned(bufferOf[n]));
    else if (kind == "i32")
      l.argI32(uint32_t(integer(value, 32, what)));
    else if (kind == "i64")
      l.argI64(integer(value, 64, what));
    else if (kind == "f32")
      l.argF32(real(value, what));
    else if (kind == "bytes") {
      std::string bytes = readFile(value);
      l.argBytes(bytes.data(), bytes.size());
    } else if (kind == "map")
      l.argTensorMap(tensorMap(a, l, bufferOf));
    else
      die("argument '" + a + "' is not understood; see --help");
  }
}

void dump(const std::string &spec, const std::vector<BufferSpec> &specs) {
  size_t colon = spec.find(':');
  if (colon == std::string::npos)
    die("expected ARG:FILE, found '" + spec + "'");
  const uint64_t n =
      number(spec.substr(0, colon), 0, UINT32_MAX, "--dump " + spec);
  if (n >= specs.size() || !specs[n].isBuffer)
    die("argument " + spec.substr(0, colon) + " is no buffer");
  const std::string wrong =
      mxfp4::writeFiles({{spec.substr(colon + 1), specs[n].bytes}});
  if (!wrong.empty())
    die(wrong);
}

void print(const std::string &spec, const std::vector<BufferSpec> &specs) {
  std::vector<std::string> p = split(spec, ':');
  if (p.size() != 3)
    die("expected ARG:TYPE:N, found '" + spec + "'");
  const uint64_t n = number(p[0], 0, UINT32_MAX, "--print " + spec),
                 count = number(p[2], 0, UINT64_MAX, "--print " + spec);
  if (p[1] != "u8" && p[1] != "bf16" && p[1] != "f32" && p[1] != "i32" &&
      p[1] != "u32")
    die("--print " + spec + ": expected u32, i32, f32, bf16 or u8, found '" +
        p[1] + "'");
  if (n >= specs.size() || !specs[n].isBuffer)
    die("argument " + p[0] + " is no buffer");
  const std::string &b = specs[n].bytes;
  size_t size = p[1] == "u8" ? 1 : p[1] == "bf16" ? 2 : 4;
  std::printf("argument %s:", p[0].c_str());
  for (uint64_t j = 0; j < count && j < b.size() / size; ++j) {
    uint32_t v = 0;
    std::memcpy(&v, b.data() + j * size, size);
    if (p[1] == "bf16")
      v <<= 16;
    float f;
    std::memcpy(&f, &v, 4);
    if (p[1] == "f32" || p[1] == "bf16")
      std::printf(" %.9g", double(f));
    else if (p[1] == "i32")
      std::printf(" %d", int32_t(v));
    else
      std::printf(" %u", v);
  }
  std::printf("\n");
}
