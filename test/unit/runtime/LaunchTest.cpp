//===- LaunchTest.cpp - What the driver is given at a launch --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fixture.h"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <new>

using testing::ElementsAre;
using testing::HasSubstr;

static std::atomic<size_t> allocations;

// Counts what the library allocates too. The sanitizers have functions of their
// own for that, and clang's analyzer takes what matchers own for leaks.
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer) ||     \
    defined(__clang_analyzer__)
constexpr bool kCounts = false;
#else
constexpr bool kCounts = true;
static void *counted(void *memory) {
  ++allocations;
  if (!memory)
    throw std::bad_alloc();
  return memory;
}
void *operator new(size_t size) { return counted(std::malloc(size)); }
void *operator new(size_t size, std::align_val_t align) {
  const auto unit = size_t(align);
  return counted(std::aligned_alloc(unit, (size + unit - 1) / unit * unit));
}
void operator delete(void *memory) noexcept { std::free(memory); }
void operator delete(void *memory, size_t) noexcept { std::free(memory); }
void operator delete(void *memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void *memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}
#endif

TEST_F(RuntimeTest, ALaunchPassesEverythingInOrder) {
  const KernelPtr kernel = create(matmul());
  EXPECT_EQ(stub.attributes[8], 65536);
  EXPECT_EQ(stub.attributes[9], 58);
  ASSERT_EQ(mxfp4rt_launch(kernel.get(), 9, values().data(), stream(77)), 0)
      << mxfp4rt_last_error();
  ASSERT_EQ(stub.launches.size(), 1U);
  const StubLaunch &launch = stub.launches[0];
  EXPECT_THAT(launch.grid, ElementsAre(264, 1, 1));
  EXPECT_THAT(launch.block, ElementsAre(128, 1, 1));
  EXPECT_EQ(launch.shared, 65536U);
  EXPECT_EQ(launch.stream, stream(77));
  EXPECT_EQ(launch.function, stream(0xabc));
  // It may begin before the work ahead of it has ended.
  EXPECT_EQ(launch.attribute, 6);
  EXPECT_EQ(launch.attributeValue, 1);
  EXPECT_EQ(launch.number(0), 0x1000U);
  EXPECT_EQ(launch.number(1), 0x2000U);
  EXPECT_EQ(launch.number(2), 0x3000U);
  EXPECT_EQ(launch.number(3), 0x4000U);
  ASSERT_EQ(stub.memory.size(), 1U);
  EXPECT_EQ(launch.number(4), stub.memory.begin()->first);
  EXPECT_EQ(launch.number(5), 9U);
  EXPECT_EQ(StubDriver::depth(), 0U);
}

// Shared memory of all CTAs that an SM takes, 1 KiB more for each, in percent.
TEST_F(RuntimeTest, TheCarveoutIsRoundedUp) {
  struct Case {
    int bytes, ctas, all, percent;
  };
  for (const Case &c : {Case{115712, 1, 233472, 50},
                        Case{115713, 1, 233472, 51}, Case{976, 1, 199999, 2},
                        Case{232448, 2, 233472, 100}, Case{1024, 1, 0, 100}}) {
    Json manifest = matmul();
    manifest["launch"]["dynamic_shared_bytes"] = c.bytes;
    manifest["launch"]["grid"]["ctas_per_sm"] = c.ctas;
    stub.sharedPerSm = c.all;
    create(manifest);
    EXPECT_EQ(stub.attributes[9], c.percent) << c.bytes;
  }
}

TEST_F(RuntimeTest, BlocksHaveThreeSizes) {
  Json manifest = matmul();
  manifest["launch"]["block"] = {64, 3, 2};
  const KernelPtr kernel = create(manifest);
  ASSERT_EQ(mxfp4rt_launch(kernel.get(), 9, values().data(), nullptr), 0);
  EXPECT_THAT(stub.launches[0].block, ElementsAre(64, 3, 2));
}

TEST_F(RuntimeTest, AddressesAreAligned) {
  const KernelPtr kernel = create(matmul());
  for (const uint64_t bit : {1, 2, 4, 8})
    EXPECT_EQ(
        mxfp4rt_launch(kernel.get(), 9, values(0x1000 + bit).data(), nullptr),
        MXFP4RT_INVALID);
}

TEST_F(RuntimeTest, NoRowsLaunchNothing) {
  const KernelPtr kernel = create(matmul());
  const std::vector<mxfp4rt_value> nothing(6);
  EXPECT_EQ(mxfp4rt_launch(kernel.get(), 0, nothing.data(), nullptr), 0);
  EXPECT_TRUE(stub.launches.empty());
}

TEST_F(RuntimeTest, OneCtaIsLaunchedWithoutRows) {
  Json manifest = matmul();
  manifest["launch"]["grid"] = {{"rule", "one"}};
  const KernelPtr kernel = create(manifest);
  std::vector<mxfp4rt_value> given = values(0);
  given[3] = at(0);
  EXPECT_EQ(mxfp4rt_launch(kernel.get(), 0, given.data(), nullptr), 0);
  ASSERT_EQ(stub.launches.size(), 1U);
  EXPECT_EQ(stub.launches[0].number(5), 0U);
  EXPECT_EQ(mxfp4rt_launch(kernel.get(), 1, given.data(), nullptr),
            MXFP4RT_INVALID);
  given[2] = at(0);
  EXPECT_EQ(mxfp4rt_launch(kernel.get(), 0, given.data(), nullptr),
            MXFP4RT_INVALID);
  EXPECT_THAT(mxfp4rt_last_error(), HasSubstr("offsets is null"));
}

TEST_F(RuntimeTest, GridsFollowTheirRules) {
  Json manifest = matmul();
  Json &grid = manifest["launch"]["grid"];
  auto launched = [&](int64_t rows) {
    const KernelPtr kernel = create(manifest);
    EXPECT_EQ(mxfp4rt_launch(kernel.get(), rows, values().data(), nullptr), 0);
    return stub.launches.back().grid;
  };
  grid = {{"rule", "one"}};
  EXPECT_THAT(launched(1000), ElementsAre(1, 1, 1));
  grid = {{"rule", "per_rows"}, {"rows", 4}};
  EXPECT_THAT(launched(1), ElementsAre(1, 1, 1));
  EXPECT_THAT(launched(4), ElementsAre(1, 1, 1));
  EXPECT_THAT(launched(5), ElementsAre(2, 1, 1));
  grid["y"] = 45;
  EXPECT_THAT(launched(8192), ElementsAre(2048, 45, 1));
  // Clusters are whole.
  grid = {{"rule", "persistent"}, {"ctas_per_sm", 1}};
  manifest["launch"]["cluster"] = {5, 1, 1};
  EXPECT_THAT(launched(3), ElementsAre(130, 1, 1));
}

TEST_F(RuntimeTest, ScalarsOfTheCallerArePassedByValue) {
  Json manifest = matmul();
  manifest["arguments"].push_back(
      {{"name", "scale"}, {"kind", "f32"}, {"provider", "caller"}});
  manifest["arguments"].push_back(
      {{"name", "limit"}, {"kind", "i64"}, {"provider", "caller"}});
  const KernelPtr kernel = create(manifest);
  std::vector<mxfp4rt_value> given = values();
  given.resize(8);
  given[6].i64 = given[7].i64 = 0; // no address, and so not a wrong one
  ASSERT_EQ(mxfp4rt_launch(kernel.get(), 9, given.data(), nullptr), 0);
  stub.launches.clear();
  given[6].f32 = 1.5F;
  given[7].i64 = -7;
  ASSERT_EQ(mxfp4rt_launch(kernel.get(), 9, given.data(), nullptr), 0);
  EXPECT_EQ(stub.launches[0].number(6), 0x3fc00000U);
  EXPECT_EQ(int64_t(stub.launches[0].number(7)), -7);
}

TEST_F(RuntimeTest, TensorMapsDescribeRowsInSwizzledBoxes) {
  const KernelPtr kernel = create(matmul(false, true));
  ASSERT_EQ(mxfp4rt_launch(kernel.get(), 33, values().data(), nullptr), 0);
  for (uint32_t i = 0; i < 2; ++i) {
    const StubMap map = mapAt(stub.launches[0], i);
    EXPECT_EQ(map.pointer, 0x1000U);
    EXPECT_EQ(map.rank, 2U);
    EXPECT_EQ(map.columns, 96U);
    EXPECT_EQ(map.rows, 33U);
    EXPECT_EQ(map.stride, 192U);
    EXPECT_THAT(map.box, ElementsAre(64, 8 * (i + 1)));
    EXPECT_THAT(map.steps, ElementsAre(1, 1));
    EXPECT_EQ(map.dtype, 9U) << "bf16";
    EXPECT_EQ(map.swizzle, 3U) << "128 bytes";
    EXPECT_EQ(map.promotion, 3U) << "256 bytes";
    EXPECT_EQ(map.interleave, 0U);
    EXPECT_EQ(map.fill, 0U) << "zeros";
  }
  Json manifest = matmul(false, true);
  Json &x = manifest["arguments"][0];
  x["shape"][0] = 7;
  for (const auto &[dtype, number, bytes] : {std::tuple("f32", 7U, 4U),
                                             {"i32", 3U, 4U},
                                             {"u8", 0U, 1U},
                                             {"e4m3", 0U, 1U}}) {
    x["dtype"] = dtype;
    const KernelPtr other = create(manifest);
    ASSERT_EQ(mxfp4rt_launch(other.get(), 33, values().data(), nullptr), 0);
    const StubMap map = mapAt(stub.launches.back(), 0);
    EXPECT_EQ(map.dtype, number) << dtype;
    EXPECT_EQ(map.stride, 96 * bytes) << dtype;
    EXPECT_EQ(map.rows, 7U) << "a number of its own";
  }
}

/// The matmul with a number of rows of x of its own.
static Json withOwnRows(bool maps) {
  Json manifest = matmul(false, maps);
  manifest["arguments"][0]["shape"][0] = "x_rows";
  manifest["arguments"].push_back(
      {{"name", "x_rows"}, {"kind", "i32"}, {"provider", "caller"}});
  return manifest;
}

TEST_F(RuntimeTest, RowsOfTheirOwnAreTheCallers) {
  const KernelPtr kernel = create(withOwnRows(true));
  std::vector<mxfp4rt_value> given = values();
  given[6].i64 = -1;
  given[6].i32 = 5;
  ASSERT_EQ(mxfp4rt_launch(kernel.get(), 33, given.data(), nullptr), 0);
  EXPECT_EQ(mapAt(stub.launches[0], 0).rows, 5U);
  EXPECT_EQ(stub.launches[0].number(5), 33U);
  EXPECT_EQ(stub.launches[0].number(6), 5U);
  given[6].i32 = -1;
  EXPECT_EQ(mxfp4rt_launch(kernel.get(), 33, given.data(), nullptr),
            MXFP4RT_INVALID);
  EXPECT_STREQ(mxfp4rt_last_error(), "x_rows must be at least 0, got -1.");
  // Memory of no rows has no address; there may be rows that gather none.
  const KernelPtr plain = create(withOwnRows(false));
  given[0].pointer = nullptr;
  given[6].i32 = 0;
  EXPECT_EQ(mxfp4rt_launch(plain.get(), 33, given.data(), nullptr), 0);
}

// The number may be the first argument, and another one stand ahead of it.
TEST_F(RuntimeTest, RowsOfTheirOwnAreFoundByName) {
  const Json number = {
      {"name", "x_rows"}, {"kind", "i32"}, {"provider", "caller"}};
  for (const bool isFirst : {true, false}) {
    Json manifest = matmul(false, true);
    Json &arguments = manifest["arguments"];
    arguments[0]["shape"][0] = "x_rows";
    Json other = number;
    other["name"] = "limit";
    arguments.insert(arguments.begin(), isFirst ? number : other);
    arguments.push_back(isFirst ? other : number);
    const KernelPtr kernel = create(manifest);
    std::vector<mxfp4rt_value> given = values();
    given.insert(given.begin(), at(0));
    given.resize(arguments.size());
    given.front().i32 = isFirst ? 5 : 6;
    given.back().i32 = isFirst ? 6 : 5;
    ASSERT_EQ(mxfp4rt_launch(kernel.get(), 33, given.data(), nullptr), 0)
        << mxfp4rt_last_error();
    StubMap map;
    std::memcpy(&map, stub.launches.back().parameters[1].data(), sizeof map);
    EXPECT_EQ(map.rows, 5U);
  }
}

TEST_F(RuntimeTest, TensorMapsAreKeptByAddressAndRows) {
  const KernelPtr kernel = create(matmul(false, true));
  auto launched = [&](uint64_t x, int64_t rows) {
    EXPECT_EQ(mxfp4rt_launch(kernel.get(), rows, values(x).data(), nullptr), 0);
    const StubMap map = mapAt(stub.launches.back(), 1);
    EXPECT_EQ(map.pointer, x);
    EXPECT_EQ(map.rows, uint64_t(rows));
    return stub.encoded;
  };
  EXPECT_EQ(launched(0x1000, 33), 2);
  EXPECT_EQ(launched(0x1000, 33), 2);
  EXPECT_EQ(launched(0x1000, 34), 4);
  EXPECT_EQ(launched(0x2000, 34), 6);
  // 64 are kept; the oldest makes room.
  for (int64_t rows = 100; rows < 200; ++rows)
    launched(0x1000, rows);
  for (int64_t rows = 199; rows >= 136; --rows)
    EXPECT_EQ(launched(0x1000, rows), 206);
  EXPECT_EQ(launched(0x1000, 135), 208);
}

TEST_F(RuntimeTest, AMapThatCouldNotBeMadeIsMadeAgain) {
  const KernelPtr kernel = create(matmul(false, true));
  stub.failing["cuTensorMapEncodeTiled"] = 1;
  EXPECT_NE(mxfp4rt_launch(kernel.get(), 33, values().data(), nullptr), 0);
  stub.failing.clear();
  EXPECT_EQ(mxfp4rt_launch(kernel.get(), 33, values().data(), nullptr), 0);
  EXPECT_EQ(mapAt(stub.launches[0], 1).pointer, 0x1000U);
}

TEST_F(RuntimeTest, ALaunchAfterTheFirstAllocatesAndWaitsForNothing) {
  const KernelPtr kernel = create(matmul(true, true));
  const std::vector<mxfp4rt_value> given = values();
  ASSERT_EQ(mxfp4rt_launch(kernel.get(), 9, given.data(), stream(5)), 0);
  stub.calls.clear();
  ASSERT_EQ(mxfp4rt_launch(kernel.get(), 9, given.data(), stream(5)), 0);
  EXPECT_THAT(stub.calls, ElementsAre("cuCtxGetCurrent", "cuCtxPushCurrent",
                                      "cuStreamIsCapturing", "cuStreamGetId",
                                      "cuLaunchKernelEx", "cuCtxPopCurrent"));
  // The stub allocates to write things down.
  stub.recording = false;
  const size_t before = allocations;
  ASSERT_EQ(mxfp4rt_launch(kernel.get(), 9, given.data(), stream(5)), 0);
  EXPECT_EQ(allocations - before, 0U);
  ASSERT_EQ(mxfp4rt_launch(kernel.get(), 10, given.data(), stream(5)), 0);
  EXPECT_EQ(allocations > before, kCounts) << "maps of other rows are new";
}

TEST_F(RuntimeTest, ACallersContextStaysCurrent) {
  const KernelPtr kernel = create(matmul());
  ASSERT_EQ(mxfp4rt_launch(kernel.get(), 9, values().data(), nullptr), 0);
  stub.failing["cuLaunchKernelEx"] = 700;
  EXPECT_EQ(mxfp4rt_launch(kernel.get(), 9, values().data(), nullptr),
            MXFP4RT_FAILED);
  EXPECT_STREQ(mxfp4rt_last_error(), "cuLaunchKernelEx failed: a text of the "
                                     "driver (CUDA error 700).");
  EXPECT_EQ(StubDriver::depth(), 0U);
}

TEST_F(RuntimeTest, TheErrorWordIsReadAndCleared) {
  const KernelPtr kernel = create(matmul());
  auto *word = static_cast<int32_t *>(stream(stub.memory.begin()->first));
  int32_t read = -1;
  ASSERT_EQ(mxfp4rt_error_word(kernel.get(), 1, &read), 0);
  EXPECT_EQ(read, 0);
  *word = MXFP4RT_BAD_EXPERT_ID;
  ASSERT_EQ(mxfp4rt_error_word(kernel.get(), 0, &read), 0);
  EXPECT_EQ(read, MXFP4RT_BAD_EXPERT_ID);
  EXPECT_EQ(*word, MXFP4RT_BAD_EXPERT_ID);
  ASSERT_EQ(mxfp4rt_error_word(kernel.get(), 1, &read), 0);
  EXPECT_EQ(*word, 0);
}

TEST_F(RuntimeTest, OptionalArgumentsMayBeNull) {
  Json manifest = matmul();
  Json extra = {{"name", "row_scale"}, {"kind", "pointer"}, {"dtype", "f32"},
                {"align", 4},          {"shape", {"rows"}}, {"nullable", true},
                {"provider", "caller"}};
  manifest["arguments"].push_back(extra);
  extra["name"] = "counters";
  extra["provider"] = "launcher";
  manifest["arguments"].push_back(extra);
  const KernelPtr kernel = create(manifest);
  std::vector<mxfp4rt_value> given = values();
  given.resize(8);
  given[6].pointer = nullptr;
  given[7].pointer = stream(0xbad);
  ASSERT_EQ(mxfp4rt_launch(kernel.get(), 9, given.data(), nullptr), 0);
  EXPECT_EQ(stub.launches[0].number(6), 0U);
  EXPECT_EQ(stub.launches[0].number(7), 0U);
}
