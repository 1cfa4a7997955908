//===- DecodeProof.cpp - Is this body an MXFP4 decode? --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BodyTable.h"

#include "mxfp4/Core/Format.h"

#include "llvm/ADT/BitVector.h"

using namespace mlir;
using namespace mxfp4;

namespace {

std::string text(const APFloat &value) {
  SmallString<32> buffer;
  value.toString(buffer);
  return buffer.str().str();
}

/// "1, 2, 3", or how many of how many.
std::string list(const llvm::BitVector &set) {
  if (set.count() > 4)
    return (Twine(set.count()) + " of " + Twine(set.size())).str();
  std::string result;
  for (unsigned element : set.set_bits())
    result += (result.empty() ? "" : ", ") + std::to_string(element);
  return result;
}

/// Where a body's results are not `decodeExact`.
class Differences {
public:
  explicit Differences(unsigned scales) : scales(scales), codes(16) {}

  void add(unsigned code, unsigned scale, uint16_t expected,
           const APFloat &got) {
    if (codes.none())
      first =
          ("code " + Twine(code) + " with scale byte " + Twine(scale) +
           " must be " + text(APFloat(APFloat::BFloat(), APInt(16, expected))) +
           ", but is " + text(got))
              .str();
    codes.set(code);
    scales.set(scale);
  }

  LogicalResult result(Miss *why) const {
    if (codes.none())
      return success();
    llvm::BitVector inner = scales;
    inner.reset(0);
    inner.reset(kScaleNaN);
    std::string next;
    if (inner.none())
      next = "scale byte 0 is 2^-127 and scale byte 255 is NaN, also where a "
             "checkpoint has neither: select these values for these bytes";
    else if (codes.count() == 1 && codes.test(8))
      next = "code 8 is -0.0";
    return miss(why,
                "the decode is not exact: " + Twine(first) +
                    " (different at codes " + list(codes) +
                    "; at scale bytes " + list(scales) + ")",
                next);
  }

private:
  std::string first;
  llvm::BitVector scales, codes;
};

} // namespace

LogicalResult mxfp4::proveDecode(const DecodeBody &body, Miss *why) {
  Type scaleType = body.scale.getType(), resultType = body.result.getType();
  if (!(scaleType.isInteger(8) || isa<Float8E8M0FNUType>(scaleType)))
    return miss(why, "scales must be i8 or f8E8M0FNU");
  if (!resultType.isBF16() && !resultType.isF32())
    return miss(why, "values must be bf16 or f32, which hold every decoded "
                     "value");
  FailureOr<BodyTable> table = BodyTable::run(body, why);
  if (failed(table))
    return failure();
  Differences differences(table->numScales());
  for (unsigned scale = 0; scale < 256; ++scale)
    for (unsigned parity = 0; parity < 2; ++parity)
      for (unsigned code = 0; code < table->numCodes(); ++code) {
        const unsigned nibble = table->nibble(code, parity);
        const uint16_t expected = decodeExact(nibble, scale);
        APFloat value =
            cast<FloatAttr>(table->at(code, parity, scale)).getValue();
        if (value.isNaN() && isNaNBF16(expected))
          continue;
        const uint64_t wide = uint64_t(expected)
                              << (resultType.isF32() ? 16 : 0);
        if (value.bitcastToAPInt() != wide)
          differences.add(nibble, scale, expected, value);
      }
  return differences.result(why);
}

LogicalResult mxfp4::proveUnpack(const DecodeBody &body, Miss *why) {
  if (!body.code.getType().isInteger(8) || codesOf(body.result.getType()) != 16)
    return miss(why, "unpacking takes i4 or f4E2M1FN out of i8");
  FailureOr<BodyTable> table = BodyTable::run(body, why);
  if (failed(table))
    return failure();
  for (unsigned parity = 0; parity < 2; ++parity)
    for (unsigned code = 0; code < 256; ++code) {
      Attribute value = table->at(code, parity, 0);
      APInt bits = isa<FloatAttr>(value)
                       ? cast<FloatAttr>(value).getValue().bitcastToAPInt()
                       : cast<IntegerAttr>(value).getValue();
      if (bits != table->nibble(code, parity))
        return miss(why, "codes must be the low nibble of a byte and then the "
                         "high one, but byte " +
                             Twine(code) + " gives " +
                             Twine(bits.getZExtValue()) +
                             (parity ? " second" : " first"));
    }
  return success();
}
