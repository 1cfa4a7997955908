//===- Device.h - What parts of one architecture differ in ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Schedules are chosen for the facts of a device, never for its name. Names
// stand for facts in texts: a device in words is "h200", or facts, such as
// "multiprocessors=78,bandwidth=4000", or facts behind a name that has the
// others. Options, IR and manifests use the same words.
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_CORE_DEVICE_H
#define MXFP4_CORE_DEVICE_H

#include <string>
#include <vector>

namespace mxfp4 {

/// Facts of a device, one product of an architecture. Facts of the
/// architecture, such as shared memory and registers, are in `Target`. A new
/// fact needs a row of `deviceFields`.
struct Device {
  int multiprocessors = 132;
  /// The highest clock of an SM, in MHz.
  int clock = 1980;
  /// bf16 operations of an SM's tensor cores per clock; a multiplication and
  /// its addition are two.
  int tensorOps = 4096;
  /// Of device memory, in GB/s.
  int bandwidth = 3350;
  /// L2 cache, in MiB.
  int l2 = 50;
  /// Power limit, in W.
  int power = 700;

  /// Bytes that memory delivers per clock and SM.
  double bytesPerClock() const {
    return 1e3 * bandwidth / (double(multiprocessors) * clock);
  }
};

bool operator==(const Device &a, const Device &b);
inline bool operator!=(const Device &a, const Device &b) { return !(a == b); }

/// A fact: its key in texts, its place, and the values that are believed.
struct DeviceField {
  const char *key;
  const char *unit;
  int Device::*member;
  int least, most;
};
const std::vector<DeviceField> &deviceFields();

/// A part that is sold, with the facts of its data sheet.
struct Part {
  /// In texts, such as "h100-sxm".
  const char *key;
  /// For people.
  const char *name;
  Device device;
};

/// All parts that have a name. The first is what code is for that says nothing.
const std::vector<Part> &parts();

/// The device in words: its name, or all of its facts.
std::string text(const Device &device);

/// Reads a device in words. Returns what is wrong, as the rest of a sentence
/// ("expects ..."); empty if nothing is.
std::string parse(const std::string &text, Device &device);

/// The device of which a driver says this: a part that has a name, if its facts
/// are close to what was asked, since drivers and data sheets round
/// differently; else these facts, and from the part whose name is most like it
/// what drivers do not say. A number of 0 is unknown.
Device deviceOf(const std::string &driverName, const Device &asked);

} // namespace mxfp4

#endif // MXFP4_CORE_DEVICE_H
