//===- DecodeVerdict.cpp - Where is a decode not exact? -------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "DecodeVerdict.h"
#include "ScalarEval.h"

#include "mxfp4/Core/Format.h"

using namespace mlir;
using namespace mxfp4;

static std::string decimal(const APFloat &value) {
  SmallString<32> buffer;
  value.toString(buffer);
  return buffer.str().str();
}

static APFloat exactValue(unsigned code, unsigned scale) {
  return APFloat(APFloat::BFloat(), APInt(16, decodeExact(code, scale)));
}

/// "1, 2, 3", or how many of how many.
static std::string list(const llvm::BitVector &set) {
  if (set.count() > 4)
    return (Twine(set.count()) + " of " + Twine(set.size())).str();
  std::string result;
  for (unsigned element : set.set_bits())
    result += (result.empty() ? "" : ", ") + std::to_string(element);
  return result;
}

void DecodeVerdict::differs(unsigned code, unsigned scale,
                            std::optional<uint64_t> got, bool onlySign) {
  (onlySign ? signedScales : badScales).set(scale);
  if ((onlySign && promises.unsignedZero) || scale < promises.minScale ||
      scale > promises.maxScale)
    return;
  if (codes.none())
    first = ("code " + Twine(code) + " with scale byte " + Twine(scale) +
             " must be " + decimal(exactValue(code, scale)) + ", but is " +
             (got ? decimal(numberOf(type, *got))
                  : "a value that the operations do not define, or that "
                    "depends on who computes it"))
                .str();
  codes.set(code);
  scales.set(scale);
}

void DecodeVerdict::compare(const DecodeTable &table, unsigned parity) {
  const bool isBytes = table.numCodes() == 256;
  for (unsigned scale = 0; scale < 256; ++scale)
    for (unsigned code = 0; code < table.numCodes(); ++code) {
      const unsigned nibble = isBytes && parity ? code >> 4 : code & 15;
      const std::optional<uint64_t> got = table.at(code, scale);
      APFloat expected = exactValue(nibble, scale);
      if (got && numberOf(type, *got).isNaN() && expected.isNaN())
        continue;
      bool loses = false;
      expected.convert(cast<FloatType>(type).getFloatSemantics(),
                       APFloat::rmNearestTiesToEven, &loses);
      const uint64_t bits = expected.bitcastToAPInt().getZExtValue();
      if (loses || !got || *got != bits)
        differs(nibble, scale, got,
                !loses && got && expected.isZero() &&
                    numberOf(type, *got).isZero());
    }
}

/// The promise under which the decode is one.
std::string DecodeVerdict::advice() const {
  std::string zero, range;
  llvm::BitVector bad = badScales;
  if (!signedScales.none() && !promises.unsignedZero)
    zero = "the sign of zero does not matter (unsigned-zero)";
  unsigned low = kScaleBias, high = kScaleBias;
  if (bad.test(kScaleBias))
    return "";
  while (low > 0 && !bad.test(low - 1))
    --low;
  while (high < 255 && !bad.test(high + 1))
    ++high;
  // What checkpoints have, rather than the last byte that would do.
  if (low <= 1 && high >= 254) {
    low = 1;
    high = 254;
  }
  if (!bad.none())
    range = ("scale bytes are " + Twine(low) + " to " + Twine(high) +
             " (scales=" + Twine(low) + "," + Twine(high) + ")")
                .str();
  if (zero.empty() && range.empty())
    return "";
  return "if it holds for the checkpoint, promise that " + range +
         (zero.empty() || range.empty() ? "" : " and that ") + zero;
}

LogicalResult DecodeVerdict::result(Miss *why) const {
  if (codes.none())
    return success();
  return miss(why,
              "the decode is not exact: " + Twine(first) +
                  " (different at codes " + list(codes) + "; at scale bytes " +
                  list(scales) + ")",
              advice());
}
