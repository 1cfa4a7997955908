//===- DecodeTable.cpp - What a graph computes, by running it -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A scalar that depends on the code alone is run for each code, one that
// depends on the scale alone for each scale. The few that depend on both are
// run for each scale and each *class* of codes: bytes with the same nibble are
// one.
//
//===----------------------------------------------------------------------===//

#include "DecodeTable.h"
#include "ScalarEval.h"

using namespace mxfp4;

using Kind = ScalarNode::Kind;
/// What is known of a number; nullopt: nothing.
using Bounded = std::optional<ScalarBounds>;

namespace {

constexpr unsigned kCode = 1, kScale = 2, kBoth = kCode | kScale;
constexpr unsigned kScales = 256;

class Runner {
public:
  Runner(const ElementTrace &graph, unsigned root, unsigned code,
         unsigned scale)
      : graph(graph), root(root), code(code), scale(scale),
        codes(1U << scalarWidth(graph[code].type)) {}

  void run();
  Bounded at(unsigned byte, unsigned scaleByte) const {
    return read(root, byte, classes[byte], scaleByte);
  }
  unsigned numCodes() const { return codes; }

private:
  void findNeeded();
  void findClasses();
  void fill(unsigned node);
  /// What one node does.
  struct Action {
    ScalarFunction exact;
    ApproximateFunction approximate;
    std::vector<uint64_t> table;
    llvm::ArrayRef<int64_t> shape;

    /// The element of the table at these numbers.
    Bounded lookUp(llvm::ArrayRef<uint64_t> at) const;
  };
  Bounded compute(unsigned node, unsigned byte, unsigned group,
                  unsigned scaleByte, const Action &action) const;
  Bounded read(unsigned node, unsigned byte, unsigned group,
               unsigned scaleByte) const {
    const std::vector<Bounded> &values = tables[node];
    switch (depends[node]) {
    case kCode:
      return values[byte];
    case kScale:
      return values[scaleByte];
    case kBoth:
      return values[group * kScales + scaleByte];
    default:
      return values[0];
    }
  }

  const ElementTrace &graph;
  unsigned root, code, scale, codes;
  /// Nodes of the root's graph, operands first.
  std::vector<unsigned> order;
  std::vector<unsigned> depends;
  std::vector<std::vector<Bounded>> tables;
  /// The class of each code, and a code of each class.
  std::vector<unsigned> classes, representatives;
};

} // namespace

void Runner::findNeeded() {
  std::vector<bool> needed(graph.size(), false);
  needed[root] = true;
  depends.assign(graph.size(), 0);
  tables.resize(graph.size());
  // A node's operands have smaller numbers.
  for (unsigned node = root + 1; node-- > 0;)
    if (needed[node])
      for (unsigned operand : graph[node].operands)
        needed[operand] = true;
  for (unsigned node = 0; node <= root; ++node) {
    if (!needed[node])
      continue;
    order.push_back(node);
    depends[node] = node == code ? kCode : node == scale ? kScale : 0;
    for (unsigned operand : graph[node].operands)
      depends[node] |= depends[operand];
  }
}

/// Codes are of one class where all that meets a scale has the same values.
void Runner::findClasses() {
  std::vector<unsigned> meets;
  for (unsigned node : order)
    if (depends[node] == kBoth)
      for (unsigned operand : graph[node].operands)
        if (depends[operand] == kCode)
          meets.push_back(operand);
  if (depends[root] == kCode)
    meets.push_back(root);
  std::map<std::vector<Bounded>, unsigned> known;
  for (unsigned byte = 0; byte < codes; ++byte) {
    std::vector<Bounded> values;
    values.reserve(meets.size());
    for (unsigned node : meets)
      values.push_back(tables[node][byte]);
    auto [at, isNew] = known.try_emplace(values, representatives.size());
    if (isNew)
      representatives.push_back(byte);
    classes.push_back(at->second);
  }
}

static Bounded exactly(uint64_t bits) { return ScalarBounds{bits, bits}; }

/// The number that the pieces of another one make.
static uint64_t putTogether(const ScalarNode &node, uint64_t from) {
  uint64_t value = 0;
  for (auto [bit, piece] : llvm::enumerate(node.pieces)) {
    assert(piece != ScalarNode::kUnknown && "a leaf knows its bits");
    const uint64_t is =
        piece >= 0 ? from >> piece & 1 : piece == ScalarNode::kOne;
    value |= is << bit;
  }
  return value;
}

Bounded Runner::Action::lookUp(llvm::ArrayRef<uint64_t> at) const {
  uint64_t flat = 0;
  for (auto [size, number] : llvm::zip_equal(shape, at)) {
    if (number >= static_cast<uint64_t>(size))
      return std::nullopt;
    flat = flat * size + number;
  }
  return exactly(table[flat]);
}

Bounded Runner::compute(unsigned node, unsigned byte, unsigned group,
                        unsigned scaleByte, const Action &action) const {
  const ScalarNode &n = graph[node];
  if (n.kind == Kind::Constant)
    return exactly(n.bits);
  if (node == code)
    return exactly(byte);
  if (node == scale)
    return exactly(scaleByte);
  llvm::SmallVector<ScalarBounds, 3> bounds;
  llvm::SmallVector<uint64_t, 3> operands;
  for (auto [number, operand] : llvm::enumerate(n.operands)) {
    // Only one of two values is selected.
    if (n.kind == Kind::Select && number > 0 &&
        (number == 1) != (operands[0] != 0))
      continue;
    const Bounded value = read(operand, byte, group, scaleByte);
    if (!value)
      return std::nullopt;
    bounds.push_back(*value);
    if (value->first == value->second)
      operands.push_back(value->first);
    else if (n.kind == Kind::Select && number == 0)
      return std::nullopt;
  }
  if (n.kind == Kind::Select)
    return bounds[1];
  const bool isExact = operands.size() == bounds.size();
  if (n.kind == Kind::Pieces)
    return isExact ? exactly(putTogether(n, operands[0])) : std::nullopt;
  if (n.kind == Kind::Lookup)
    return isExact ? action.lookUp(operands) : std::nullopt;
  if (isExact && action.exact)
    if (std::optional<uint64_t> result = action.exact(operands))
      return exactly(*result);
  return action.approximate && (!isExact || !action.exact)
             ? action.approximate(bounds)
             : std::nullopt;
}

void Runner::fill(unsigned node) {
  const ScalarNode &n = graph[node];
  Action action;
  if (n.kind == Kind::Operation) {
    action.exact = scalarFunction(n.op);
    action.approximate = approximateFunction(n.op);
  }
  if (n.kind == Kind::Lookup) {
    action.table = tableBits(n.table);
    action.shape =
        llvm::cast<mlir::ElementsAttr>(n.table).getShapedType().getShape();
  }
  std::vector<Bounded> values;
  const unsigned numCodes = depends[node] == kCode ? codes : 1,
                 numScales = depends[node] & kScale ? kScales : 1;
  if (depends[node] == kBoth) {
    for (auto [group, byte] : llvm::enumerate(representatives))
      for (unsigned s = 0; s < kScales; ++s)
        values.push_back(compute(node, byte, group, s, action));
  } else {
    for (unsigned byte = 0; byte < numCodes; ++byte)
      for (unsigned s = 0; s < numScales; ++s)
        values.push_back(compute(node, byte, 0, s, action));
  }
  tables[node] = std::move(values);
}

void Runner::run() {
  findNeeded();
  for (unsigned node : order)
    if (depends[node] != kBoth)
      fill(node);
  findClasses();
  for (unsigned node : order)
    if (depends[node] == kBoth)
      fill(node);
}

DecodeTable DecodeTable::run(const ElementTrace &graph, unsigned root,
                             unsigned code, unsigned scale) {
  Runner runner(graph, root, code, scale);
  runner.run();
  DecodeTable table;
  table.codes = runner.numCodes();
  table.results.reserve(size_t(kScales) * table.codes);
  for (unsigned s = 0; s < kScales; ++s)
    for (unsigned byte = 0; byte < table.codes; ++byte)
      if (const Bounded value = runner.at(byte, s);
          value && value->first == value->second)
        table.results.emplace_back(value->first);
      else
        table.results.emplace_back(std::nullopt);
  return table;
}
