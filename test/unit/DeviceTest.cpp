//===- DeviceTest.cpp -----------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Schedules.h"

#include <gtest/gtest.h>

using namespace mxfp4;

namespace {

Device device(const std::string &words) {
  Device device;
  EXPECT_EQ(parse(words, device), "");
  return device;
}

std::string wrong(const std::string &words) {
  Device device;
  return parse(words, device);
}

// A device that has a name is written by it, any other by all of its facts, and
// both are read as what they were.
TEST(Device, WordsAreReadAsWritten) {
  for (const Part &part : parts()) {
    EXPECT_EQ(text(part.device), part.key);
    EXPECT_TRUE(device(part.key) == part.device);
    for (const DeviceField &field : deviceFields())
      for (int value : {field.least, field.most}) {
        Device other = part.device;
        other.*field.member = value;
        EXPECT_TRUE(device(text(other)) == other) << text(other);
        EXPECT_TRUE(device(std::string(part.key) + "," + field.key + "=" +
                           std::to_string(value)) == other);
      }
  }
  EXPECT_EQ(text(Device()), "h100-sxm");
  EXPECT_EQ(text(device("multiprocessors=78,bandwidth=4000")),
            "multiprocessors=78,clock=1980,tensor-ops=4096,bandwidth=4000,"
            "l2=50,power=700");
  EXPECT_EQ(text(device("H20")), "h20");
}

TEST(Device, MistakesAreExplained) {
  EXPECT_NE(wrong("h201").find("knows no device 'h201'; did you mean 'h200'?"),
            std::string::npos)
      << wrong("h201");
  EXPECT_EQ(wrong("h200,clock=1000,l2=5,clock=1000"),
            "expects each fact of a device once, but clock is given twice");
  EXPECT_NE(wrong("sms=3").find("knows no fact of a device 'sms'; the facts"),
            std::string::npos)
      << wrong("sms=3");
  for (const char *value : {"", "0", "-1", "1025", "3.5", "99999999999"})
    EXPECT_EQ(wrong(std::string("multiprocessors=") + value),
              "expects multiprocessors= with a whole number from 1 to 1024, "
              "but got '" +
                  std::string(value) + "'");
  EXPECT_EQ(wrong("multiprocessors"),
            "expects multiprocessors= with a whole number from 1 to 1024, but "
            "got ''");
  EXPECT_EQ(wrong("clock=5,h200"),
            "expects clock= with a whole number from 100 to 10000 (MHz), but "
            "got '5'");
  EXPECT_EQ(wrong("power=350,h200"),
            "expects the name of a device first, and facts behind it, but got "
            "'power=350,h200'");
  for (const char *nothing : {"", ",", "h200,", "=", "=3"})
    EXPECT_NE(wrong(nothing), "") << nothing;
  // What could not be read changes nothing.
  Device kept = parts().back().device;
  EXPECT_NE(parse("multiprocessors=7,nothing=1", kept), "");
  EXPECT_TRUE(kept == parts().back().device);
}

Device asked(int multiprocessors, int clock, int bandwidth, int l2) {
  return {multiprocessors, clock, 0, bandwidth, l2, 0};
}

// What drivers say of the parts that are sold: numbers near those of the data
// sheets, and names that are not always alike.
TEST(Device, DriversNameParts) {
  struct Said {
    const char *name;
    Device asked;
    const char *expected;
  };
  const Said said[] = {
      {"NVIDIA H100 80GB HBM3", asked(132, 1980, 3352, 50), "h100-sxm"},
      {"NVIDIA H800", asked(132, 1980, 3352, 50), "h100-sxm"},
      {"NVIDIA H100 PCIe", asked(114, 1755, 2039, 50), "h100-pcie"},
      {"NVIDIA H100 NVL", asked(132, 1785, 3938, 60), "h100-nvl"},
      {"NVIDIA H200", asked(132, 1980, 4917, 60), "h200"},
      {"NVIDIA H200 NVL", asked(132, 1785, 4917, 60), "h200"},
      {"NVIDIA GH200 480GB", asked(132, 1980, 4023, 60), "gh200"},
      {"NVIDIA GH200 144G HBM3e", asked(132, 1980, 4917, 60), "gh200-144gb"},
      {"NVIDIA H20", asked(78, 1980, 4023, 60), "h20"},
      // The bandwidth is not known.
      {"NVIDIA H200", asked(132, 0, 0, 0), "h200"},
  };
  for (const Said &each : said)
    EXPECT_EQ(text(deviceOf(each.name, each.asked)), each.expected)
        << each.name;
}

// A part of another size is what the driver says, and what drivers do not say
// comes from the part that is most like it.
TEST(Device, OtherDevicesAreTheirFacts) {
  EXPECT_EQ(text(deviceOf("NVIDIA H20-3e", asked(78, 1980, 4917, 60))),
            "multiprocessors=78,clock=1980,tensor-ops=1024,bandwidth=4917,"
            "l2=60,power=400");
  EXPECT_EQ(text(deviceOf("NVIDIA H200", asked(66, 1980, 2400, 30))),
            "multiprocessors=66,clock=1980,tensor-ops=4096,bandwidth=2400,"
            "l2=30,power=700");
  EXPECT_EQ(text(deviceOf("", asked(100, 0, 1000000, -1))),
            "multiprocessors=100,clock=1980,tensor-ops=4096,bandwidth=3350,"
            "l2=50,power=700");
}

// Few rows: as many warps as possible decode where memory is faster than 12 of
// them, which depends on both bandwidth and SMs; but for few tiles, which
// should be small, the five slices of one warpgroup each. Many rows are as on
// an H100.
TEST(Device, FastMemoryIsMetByMoreWarps) {
  const auto warps = [](const char *words, int64_t groups, int64_t rows,
                        int64_t k = 2880) {
    Target target = defaultTarget();
    target.device = device(words);
    const Schedule schedule =
        chooseSchedule({groups, groups, 5760, k, rows}, target).schedule;
    return schedule.consumerWarps() * schedule.ctasPerMultiprocessor;
  };
  for (const char *fast : {"h200", "gh200", "gh200-144gb", "h100-nvl", "h20",
                           "h100-sxm,bandwidth=4000"}) {
    EXPECT_EQ(warps(fast, 32, 64), 24) << fast;
    EXPECT_EQ(warps(fast, 128, 256), 24) << fast;
    EXPECT_EQ(warps(fast, 32, 4, 4096), 24) << fast;
    EXPECT_EQ(warps(fast, 32, 256, 512), 24) << fast;
  }
  for (const char *slow :
       {"h100-sxm", "h100-pcie", "h200,bandwidth=3000", "h20,bandwidth=2000"}) {
    EXPECT_EQ(warps(slow, 32, 4), 12) << slow;
    EXPECT_EQ(warps(slow, 32, 64), 12) << slow;
    EXPECT_EQ(warps(slow, 128, 256), 12) << slow;
  }
  Target h200 = defaultTarget();
  h200.device = device("h200");
  // But for short groups, which take a device whose memory outruns decoding.
  for (int64_t rows : {2048, 4096, 32768})
    EXPECT_TRUE(
        chooseSchedule({32, 32, 5760, 2880, rows}, h200)
            .schedule.withoutShort() ==
        chooseSchedule({32, 32, 5760, 2880, rows}, defaultTarget()).schedule);
}

// 176 tiles of 192 columns would leave two thirds of the SMs idle
// in a second round; 264 of them fill two, and are kept.
TEST(Device, FewTilesAreNarrow) {
  Target target = defaultTarget();
  const auto rowsOfTile = [&](int64_t n) {
    return chooseSchedule({8, 8, n, 14336, 512}, target).schedule.tileRows;
  };
  EXPECT_EQ(rowsOfTile(4096), 128);
  EXPECT_EQ(rowsOfTile(6336), 192);
  // As many tiles as SMs.
  target.device.multiprocessors = 176;
  EXPECT_EQ(rowsOfTile(4096), 192);
}

// Whatever the facts, what is chosen can run: they are no facts of the chip.
TEST(Device, SchedulesForAnyDeviceCanRun) {
  Target target = defaultTarget();
  for (int multiprocessors : {1, 78, 1024})
    for (int tensorOps : {64, 1 << 16}) {
      target.device.multiprocessors = multiprocessors;
      target.device.tensorOps = tensorOps;
      for (int64_t groups : {1, 8, 384})
        for (int64_t k : {352, 1440, 4096})
          for (int64_t rows = 1; rows < 400000; rows = rows * 9 + 1) {
            const ScheduleChoice choice =
                chooseSchedule({groups, groups, 4096, k, rows}, target);
            EXPECT_EQ(verifySchedule(choice.schedule, groups, target, k), "");
          }
    }
}

} // namespace
