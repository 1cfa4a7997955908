//===- Launch.cpp - What is launched, and whether it can be ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Scheduler.h"

using namespace mxfp4::sim;

unsigned Launch::addBuffer(void *data, size_t size, BufferFlags flags,
                           std::string name, uint64_t address) {
  BufferInfo b;
  b.data = static_cast<uint8_t *>(data);
  b.size = size;
  b.flags = flags;
  unsigned id = unsigned(buffers.size());
  b.name = name.empty() ? "buffer " + std::to_string(id) : std::move(name);
  // 64 KiB and more of nothing between buffers.
  uint64_t next = kBufferBase;
  if (!buffers.empty())
    next = (buffers.back().address + buffers.back().size + 0x1ffff) &
           ~uint64_t(0xffff);
  b.address = address ? address : next;
  if (!flags.initialised)
    b.initialised.assign((size + 7) / 8, 0);
  buffers.push_back(std::move(b));
  return id;
}

uint64_t Launch::address(unsigned buffer) const {
  return buffer < buffers.size() ? buffers[buffer].address : 0;
}
void Launch::argBytes(const void *data, size_t size) {
  auto *p = static_cast<const uint8_t *>(data);
  args.emplace_back(p, p + size);
}
void Launch::argBuffer(unsigned buffer, uint64_t offset) {
  argI64(address(buffer) + offset);
}
void Launch::argI32(uint32_t value) { argBytes(&value, 4); }
void Launch::argI64(uint64_t value) { argBytes(&value, 8); }
void Launch::argF32(float value) { argBytes(&value, 4); }
void Launch::argTensorMap(const TensorMap &map) {
  std::array<uint8_t, 128> bytes = map.encode();
  argBytes(bytes.data(), bytes.size());
}
uint64_t Launch::initialisedBytes(unsigned buffer) const {
  if (buffer >= buffers.size())
    return 0;
  const BufferInfo &b = buffers[buffer];
  if (b.flags.initialised)
    return b.size;
  uint64_t n = 0;
  for (uint8_t byte : b.initialised)
    n += unsigned(__builtin_popcount(byte));
  return n;
}

namespace {

std::string dims(const Dim3 &d) {
  return "(" + std::to_string(d.x) + "," + std::to_string(d.y) + "," +
         std::to_string(d.z) + ")";
}
bool same(const Dim3 &a, const Dim3 &b) {
  return a.x == b.x && a.y == b.y && a.z == b.z;
}

} // namespace

std::string mxfp4::sim::checkLaunch(const Kernel &k, const Launch &l, Grid &g) {
  const KernelInfo &i = k.info;
  auto within = [](const Dim3 &d, uint32_t x, uint32_t y, uint32_t z) {
    return d.x && d.y && d.z && d.x <= x && d.y <= y && d.z <= z;
  };
  if (!within(l.block, 1024, 1024, 64) || l.block.count() > 1024)
    return "a block has 1 to 1024 threads, found " + dims(l.block);
  if (!within(l.grid, 0x7fffffff, 65535, 65535) || l.grid.count() > kMaxCtas)
    return "a grid has 1 to " + std::to_string(kMaxCtas) +
           " blocks here, found " + dims(l.grid);
  if (i.requiredBlock.x && !same(i.requiredBlock, l.block))
    return "the kernel requires blocks of " + dims(i.requiredBlock) +
           " threads (.reqntid), found " + dims(l.block);
  if (i.maxBlock.x && l.block.count() > i.maxBlock.count())
    return "the kernel allows blocks of at most " +
           std::to_string(i.maxBlock.count()) + " threads (.maxntid), found " +
           dims(l.block);
  g.clusterDim = l.cluster;
  if (i.requiredCluster.x) {
    if (l.cluster.count() != 1 && !same(i.requiredCluster, l.cluster))
      return "the kernel requires clusters of " + dims(i.requiredCluster) +
             " blocks, found " + dims(l.cluster);
    g.clusterDim = i.requiredCluster;
  }
  const Dim3 &c = g.clusterDim;
  if (!within(c, 16, 16, 16) || c.count() > 16 || l.grid.x % c.x ||
      l.grid.y % c.y || l.grid.z % c.z)
    return "clusters of " + dims(c) + " do not tile a grid of " + dims(l.grid) +
           ", or have more than 16 blocks";
  if (uint64_t(k.staticShared) + l.dynamicShared > kMaxShared)
    return "the block needs " +
           std::to_string(uint64_t(k.staticShared) + l.dynamicShared) +
           " bytes of shared memory; there are " + std::to_string(kMaxShared);
  if (l.args.size() != i.params.size())
    return "kernel " + i.name + " has " + plural(i.params.size(), "parameter") +
           ", found " + plural(l.args.size(), "argument");
  for (size_t n = 0; n < l.args.size(); ++n)
    if (l.args[n].size() != i.params[n].size)
      return "parameter " + std::to_string(n) + " (" + i.params[n].name +
             ") has " + plural(i.params[n].size, "byte") + ", found " +
             std::to_string(l.args[n].size());
  return "";
}
