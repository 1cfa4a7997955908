//===- WordTrace.cpp - Codes and scales that share a word -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Checkpoints for other compilers keep eight codes, or four scales, in a word
// of 32 bits. A word has too many values to run a decode on all of them.
// Instead, the trace follows each bit through shifts, masks and conversions of
// integers. What is computed with otherwise is one nibble or one byte of the
// word, which is a leaf of its own: the element of a tensor that has one
// dimension more, that of the nibbles or bytes of a word, the lowest first.
//
//===----------------------------------------------------------------------===//

#include "ElementTrace.h"
#include "ScalarEval.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/TypeUtilities.h"

#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mxfp4;

using Found = ElementTrace::Found;
using Pieces = SmallVector<int8_t, 0>;

static constexpr int8_t kZero = ScalarNode::kZero, kOne = ScalarNode::kOne,
                        kUnknown = ScalarNode::kUnknown;

Found ElementTrace::word(Value tensor, const ElementIndex &index) {
  ScalarNode node;
  node.kind = ScalarNode::Kind::Word;
  node.type = getElementTypeOrSelf(tensor.getType());
  node.tensor = tensor;
  node.index = index;
  for (unsigned bit = 0; bit < scalarWidth(node.type); ++bit)
    node.pieces.push_back(static_cast<int8_t>(bit));
  miss = {};
  return add(std::move(node));
}

/// Another number of pieces of the same word.
Found ElementTrace::wordWith(unsigned from, Type type, Pieces pieces,
                             const Digits &first) {
  ScalarNode node;
  node.kind = ScalarNode::Kind::Word;
  node.type = getElementTypeOrSelf(type);
  node.tensor = nodes[from].tensor;
  node.index = nodes[from].index;
  node.pieces = std::move(pieces);
  node.first = first;
  const auto isZero = [](int8_t piece) { return piece == kZero; };
  if (llvm::all_of(node.pieces, isZero))
    return constant(node.type, 0);
  return add(std::move(node));
}

/// Pieces moved up by `by` bits, or down by -`by`; `fill` comes from above.
static Pieces shifted(const Pieces &pieces, int64_t by, int8_t fill) {
  Pieces result;
  const int64_t width = pieces.size();
  for (int64_t bit = 0; bit < width; ++bit) {
    const int64_t from = bit - by;
    result.push_back(from < 0 ? kZero : from >= width ? fill : pieces[from]);
  }
  return result;
}

static Pieces resized(Pieces pieces, unsigned width, bool isSigned) {
  const int8_t fill = isSigned ? pieces.back() : kZero;
  pieces.resize(width, fill);
  return pieces;
}

static Pieces masked(const Pieces &pieces, uint64_t mask) {
  Pieces result;
  for (auto [bit, piece] : llvm::enumerate(pieces))
    result.push_back(mask >> bit & 1 ? piece : kZero);
  return result;
}

/// The pieces of a number that an operation with a constant makes, or nullopt.
static std::optional<Pieces> withConstant(Operation *op, const Pieces &pieces,
                                          uint64_t by) {
  const bool isShift = by < pieces.size(), isPower = llvm::isPowerOf2_64(by),
             // Signed and unsigned divisions are the same.
      isPositive = pieces.back() == kZero;
  const int64_t power = isPower ? llvm::Log2_64(by) : 0;
  using Result = std::optional<Pieces>;
  const auto up = [&](int64_t bits) -> Result {
    return shifted(pieces, bits, kZero);
  };
  const auto down = [&](int64_t bits) -> Result {
    return shifted(pieces, -bits, kZero);
  };
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](arith::AndIOp) { return masked(pieces, by); })
      .Case<arith::OrIOp, arith::AddIOp, arith::XOrIOp>([&](auto) -> Result {
        Pieces result(pieces);
        for (auto [bit, piece] : llvm::enumerate(result))
          if (by >> bit & 1) {
            if (piece != kZero)
              return std::nullopt;
            piece = kOne;
          }
        return result;
      })
      .Case([&](arith::ShLIOp) { return isShift ? up(by) : std::nullopt; })
      .Case([&](arith::MulIOp) { return isPower ? up(power) : std::nullopt; })
      .Case([&](arith::ShRUIOp) { return isShift ? down(by) : std::nullopt; })
      .Case([&](arith::ShRSIOp) {
        return isShift ? Result(shifted(pieces, -static_cast<int64_t>(by),
                                        pieces.back()))
                       : std::nullopt;
      })
      .Case<arith::DivUIOp, arith::DivSIOp>([&](Operation *division) {
        return isPower && (isPositive || isa<arith::DivUIOp>(division))
                   ? down(power)
                   : std::nullopt;
      })
      .Case<arith::RemUIOp, arith::RemSIOp>([&](Operation *division) -> Result {
        if (!isPower || (!isPositive && isa<arith::RemSIOp>(division)))
          return std::nullopt;
        return masked(pieces, by - 1);
      })
      .Default(std::nullopt);
}

/// Two numbers of which at most one has each bit, put together.
static std::optional<Pieces> joined(const Pieces &a, const Pieces &b) {
  Pieces result;
  for (auto [one, other] : llvm::zip_equal(a, b)) {
    if (one != kZero && other != kZero)
      return std::nullopt;
    result.push_back(one == kZero ? other : one);
  }
  return result;
}

/// A word from an unknown bit on, which is at most bit `last`.
static std::optional<Pieces> fromUnknownBit(const Pieces &pieces,
                                            int64_t last) {
  const int64_t width = llvm::find(pieces, kZero) - pieces.begin();
  Pieces result(pieces.size(), kUnknown);
  for (auto [bit, piece] : llvm::enumerate(pieces)) {
    const auto at = static_cast<int64_t>(bit);
    if (piece != (at < width ? at : kZero))
      return std::nullopt;
    if (at + last < width)
      result[bit] = piece;
  }
  return result;
}

Found ElementTrace::ofWord(Operation *op, ArrayRef<unsigned> operands) {
  constexpr auto kWord = ScalarNode::Kind::Word;
  const auto isWordAt = [&](unsigned number) {
    return nodes[operands[number]].kind == kWord;
  };
  const Type type = op->getResult(0).getType();
  if (operands.empty() || operands.size() > 2 ||
      !getElementTypeOrSelf(type).isIntOrIndex() || isa<arith::CmpIOp>(op))
    return std::nullopt;
  const bool isTurned = operands.size() == 2 && !isWordAt(0) &&
                        op->hasTrait<OpTrait::IsCommutative>();
  const unsigned word = operands[isTurned ? 1 : 0];
  if (nodes[word].kind != kWord)
    return std::nullopt;
  const Pieces pieces = nodes[word].pieces;
  const Digits first = nodes[word].first;
  if (operands.size() == 1) {
    if (!isa<arith::TruncIOp, arith::ExtUIOp, arith::ExtSIOp,
             arith::IndexCastOp, arith::IndexCastUIOp>(op))
      return std::nullopt;
    return wordWith(word, type,
                    resized(pieces, scalarWidth(type),
                            isa<arith::ExtSIOp, arith::IndexCastOp>(op)),
                    first);
  }
  const ScalarNode &other = nodes[operands[isTurned ? 0 : 1]];
  if (other.kind == ScalarNode::Kind::Constant) {
    auto result = withConstant(op, pieces, other.bits);
    return result ? wordWith(word, type, *result, first) : std::nullopt;
  }
  if (other.kind == kWord &&
      isa<arith::OrIOp, arith::AddIOp, arith::XOrIOp>(op)) {
    const bool isSame = other.tensor == nodes[word].tensor &&
                        other.index == nodes[word].index &&
                        other.first == first;
    auto result = isSame ? joined(pieces, other.pieces) : std::nullopt;
    return result ? wordWith(word, type, *result, first) : std::nullopt;
  }
  if (other.kind == ScalarNode::Kind::Position && other.exact &&
      isa<arith::ShRUIOp, arith::ShRSIOp>(op) && first.empty()) {
    const Digits by = other.index[0];
    std::optional<int64_t> last = largestPosition(by);
    if (!last || *last >= static_cast<int64_t>(pieces.size()))
      return fail("a number of " + Twine(pieces.size()) +
                  " bits is shifted by a position that may be larger");
    auto result = fromUnknownBit(pieces, *last);
    return result ? wordWith(word, type, *result, by) : std::nullopt;
  }
  return std::nullopt;
}

/// The nibble or the byte that the pieces of a word are of, and what is made of
/// it; other nodes as they are.
Found ElementTrace::takeOutOf(unsigned node) {
  if (nodes[node].kind != ScalarNode::Kind::Word)
    return node;
  const ScalarNode word = nodes[node];
  const int64_t width = scalarWidth(word.tensor.getType());
  const auto refuse = [&](const Twine &what) {
    return fail("a word of " + Twine(width) + " bits has " + Twine(width / 4) +
                " codes or " + Twine(width / 8) + " scales, but " + what);
  };
  if (llvm::is_contained(word.pieces, kUnknown))
    return refuse("bits are used that may be those of another one; mask the "
                  "shifted word");
  int64_t low = width, high = 0;
  for (int8_t piece : word.pieces)
    if (piece >= 0) {
      low = std::min<int64_t>(low, piece);
      high = std::max<int64_t>(high, piece);
    }
  if (low == 0 && high == width - 1)
    return fail("the value depends on more than codes, scales and constants: "
                "on all " +
                Twine(width) + " bits of a number at once");
  const int64_t size = low / 4 == high / 4 ? 4 : 8;
  if (low / size != high / size)
    return refuse("bits " + Twine(low) + " to " + Twine(high) +
                  " are used as one number");
  // The number of the nibble or byte, of which a part may be a position.
  Digits number = word.first;
  if (number.empty()) {
    appendDigit(number, Digit::known(low / size, width / size));
  } else {
    const int64_t known = llvm::PowerOf2Ceil((low / size + 1) * size);
    std::optional<Digits> zero = takeLow(number, known);
    if (!zero || knownValue(*zero) != 0)
      return refuse("it is shifted by a number of bits that no code and no "
                    "scale begins at");
    appendDigit(number, Digit::known(low / size, known / size));
  }
  std::optional<Digits> fit = fitDigits(number, width / size);
  if (!fit)
    return refuse("it is shifted by more bits than it has");
  ScalarNode leaf;
  leaf.kind = ScalarNode::Kind::Element;
  leaf.type = IntegerType::get(word.type.getContext(), size);
  leaf.tensor = word.tensor;
  if (word.tensor != forgotten) {
    leaf.index = word.index;
    leaf.index.push_back(*fit);
  }
  miss = {};
  ScalarNode result;
  result.kind = ScalarNode::Kind::Pieces;
  result.type = word.type;
  result.operands.push_back(*add(std::move(leaf)));
  for (int8_t piece : word.pieces)
    result.pieces.push_back(
        piece >= 0 ? static_cast<int8_t>(piece - low / size * size) : piece);
  return add(std::move(result));
}
