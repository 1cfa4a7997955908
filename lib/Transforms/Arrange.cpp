//===- Arrange.cpp - Elements of a tensor in another order ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Arrange.h"
#include "TensorType.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mxfp4;

Value mxfp4::regroup(OpBuilder &b, Location loc, Value value,
                     ArrayRef<int64_t> counts) {
  SmallVector<ReassociationIndices> groups;
  int64_t next = 0;
  for (int64_t count : counts)
    if (count > 0) {
      ReassociationIndices &group = groups.emplace_back();
      for (int64_t i = 0; i < count; ++i)
        group.push_back(next++);
    }
  if (next > static_cast<int64_t>(groups.size()))
    value = tensor::CollapseShapeOp::create(b, loc, value, groups);
  if (groups.size() == counts.size())
    return value;
  // A dimension of one goes to the group in front of it, or to the first.
  SmallVector<int64_t> shape;
  SmallVector<ReassociationIndices> units;
  int64_t from = 0;
  for (auto [dim, count] : llvm::enumerate(counts)) {
    if (units.empty() || (count > 0 && from > 0))
      units.emplace_back();
    units.back().push_back(dim);
    shape.push_back(count > 0 ? tensorType(value).getDimSize(from++) : 1);
  }
  // One element without dimensions has no groups.
  if (from == 0)
    units.clear();
  return tensor::ExpandShapeOp::create(b, loc, tensorType(value).clone(shape),
                                       value, units);
}

namespace {

/// Finds an arrangement.
class Finder {
public:
  Finder(ArrayRef<int64_t> shape, const ElementIndex &index) {
    for (auto [size, digits] : llvm::zip_equal(shape, index)) {
      ReassociationIndices &group = found.expand.emplace_back();
      if (digits.empty()) {
        group.push_back(have.size());
        have.push_back(Digit::known(0, 1));
        found.shape.push_back(size);
      }
      for (const Digit &digit : digits) {
        group.push_back(have.size());
        have.push_back(digit);
        // A digit alone is the whole dimension, dynamic or not.
        found.shape.push_back(digits.size() == 1 ? size : digit.size);
      }
    }
    used.resize(have.size());
  }

  bool take(const Digits &group);
  bool finish();
  Arrangement found;

private:
  SmallVector<Digit> have;
  llvm::SmallBitVector used;
};

} // namespace

/// The dimensions that together run over a group.
bool Finder::take(const Digits &group) {
  int64_t count = 0;
  for (const Digit &wanted : group) {
    SmallVector<unsigned> parts;
    for (auto [at, digit] : llvm::enumerate(have))
      if (digit.loop == wanted.loop && !digit.isKnown() &&
          (ShapedType::isDynamic(wanted.size) ||
           (digit.divisor >= wanted.divisor &&
            digit.divisor < wanted.divisor * wanted.size)))
        parts.push_back(at);
    llvm::sort(parts, [&](unsigned a, unsigned b) {
      return have[a].divisor > have[b].divisor;
    });
    Digits together;
    for (unsigned at : parts) {
      if (used.test(at))
        return false;
      used.set(at);
      found.permutation.push_back(at);
      appendDigit(together, have[at]);
    }
    count += static_cast<int64_t>(parts.size());
    if (together.size() != 1 || !(together.front() == wanted))
      return false;
  }
  found.counts.push_back(count);
  return true;
}

/// Dimensions of one stay where they are, or go in front.
bool Finder::finish() {
  SmallVector<int64_t> units;
  for (auto [at, digit] : llvm::enumerate(have))
    if (!used.test(at)) {
      if (!digit.isKnown() || digit.size != 1)
        return false;
      units.push_back(at);
    }
  SmallVector<int64_t> sorted, counts(found.counts);
  SmallVector<int64_t> groupOf;
  for (auto [group, count] : llvm::enumerate(found.counts))
    groupOf.append(count, group);
  const bool inOrder = llvm::is_sorted(found.permutation);
  unsigned next = 0;
  const auto place = [&](int64_t unit) {
    const unsigned at = inOrder ? next : 0;
    if (counts.empty())
      return false;
    const int64_t group = at < groupOf.size()
                              ? groupOf[at]
                              : static_cast<int64_t>(counts.size()) - 1;
    sorted.push_back(unit);
    ++counts[group];
    return true;
  };
  unsigned unit = 0;
  for (; next < found.permutation.size(); ++next) {
    while (unit < units.size() &&
           (!inOrder || units[unit] < found.permutation[next]))
      if (!place(units[unit++]))
        return false;
    sorted.push_back(found.permutation[next]);
  }
  while (unit < units.size())
    if (!place(units[unit++]))
      return false;
  found.permutation = sorted;
  found.counts = counts;
  return true;
}

/// Divides digits where a group's digit of the same loop begins or ends.
static Digits refine(const Digits &digits, ArrayRef<Digits> groups) {
  Digits result;
  for (Digit digit : digits) {
    SmallVector<int64_t> cuts;
    for (const Digits &group : groups)
      for (const Digit &wanted : group)
        if (wanted.loop == digit.loop && !ShapedType::isDynamic(wanted.size) &&
            !ShapedType::isDynamic(digit.size))
          cuts.append({wanted.divisor, wanted.divisor * wanted.size});
    llvm::sort(cuts, std::greater<>());
    for (int64_t cut : cuts) {
      const int64_t low = cut / digit.divisor;
      if (cut % digit.divisor != 0 || low <= 1 || low >= digit.size ||
          digit.size % low != 0)
        continue;
      // Not by appending, which would join them again.
      result.push_back({digit.loop, digit.size / low, cut, 0});
      digit.size = low;
    }
    result.push_back(digit);
  }
  return result;
}

std::optional<Arrangement> Arrangement::find(ArrayRef<int64_t> shape,
                                             const ElementIndex &whole,
                                             ArrayRef<Digits> groups) {
  ElementIndex index;
  for (const Digits &digits : whole)
    index.push_back(refine(digits, groups));
  Finder finder(shape, index);
  for (const Digits &group : groups)
    if (!finder.take(group))
      return std::nullopt;
  if (!finder.finish())
    return std::nullopt;
  return finder.found;
}

Value Arrangement::apply(OpBuilder &b, Location loc, Value value) const {
  RankedTensorType type = tensorType(value);
  if (shape.size() > expand.size()) {
    SmallVector<ReassociationIndices> groups(expand.begin(), expand.end());
    value =
        tensor::ExpandShapeOp::create(b, loc, type.clone(shape), value, groups);
  }
  if (!llvm::is_sorted(permutation)) {
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(b, loc, value),
                              sorted;
    for (int64_t dim : permutation)
      sorted.push_back(sizes[dim]);
    Value empty =
        tensor::EmptyOp::create(b, loc, sorted, type.getElementType());
    value = linalg::TransposeOp::create(b, loc, value, empty, permutation)
                ->getResult(0);
  }
  return regroup(b, loc, value, counts);
}
