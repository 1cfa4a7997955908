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
using Bits = std::optional<uint64_t>;

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
  Bits at(unsigned byte, unsigned scaleByte) const {
    return read(root, byte, classes[byte], scaleByte);
  }
  unsigned numCodes() const { return codes; }

private:
  void findNeeded();
  void findClasses();
  void fill(unsigned node);
  Bits compute(unsigned node, unsigned byte, unsigned group, unsigned scaleByte,
               const ScalarFunction &function,
               llvm::ArrayRef<uint64_t> table) const;
  Bits read(unsigned node, unsigned byte, unsigned group,
            unsigned scaleByte) const {
    const std::vector<Bits> &values = tables[node];
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
  std::vector<std::vector<Bits>> tables;
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
  std::map<std::vector<Bits>, unsigned> known;
  for (unsigned byte = 0; byte < codes; ++byte) {
    std::vector<Bits> values;
    for (unsigned node : meets)
      values.push_back(tables[node][byte]);
    auto [at, isNew] = known.try_emplace(values, representatives.size());
    if (isNew)
      representatives.push_back(byte);
    classes.push_back(at->second);
  }
}

Bits Runner::compute(unsigned node, unsigned byte, unsigned group,
                     unsigned scaleByte, const ScalarFunction &function,
                     llvm::ArrayRef<uint64_t> table) const {
  const ScalarNode &n = graph[node];
  if (n.kind == Kind::Constant)
    return n.bits;
  if (node == code)
    return byte;
  if (node == scale)
    return scaleByte;
  if (n.kind == Kind::Select) {
    const Bits condition = read(n.operands[0], byte, group, scaleByte);
    return condition
               ? read(n.operands[*condition ? 1 : 2], byte, group, scaleByte)
               : std::nullopt;
  }
  llvm::SmallVector<uint64_t, 3> operands;
  for (unsigned operand : n.operands) {
    const Bits value = read(operand, byte, group, scaleByte);
    if (!value)
      return std::nullopt;
    operands.push_back(*value);
  }
  if (n.kind == Kind::Lookup)
    return operands[0] < table.size() ? Bits(table[operands[0]]) : std::nullopt;
  return function ? function(operands) : std::nullopt;
}

void Runner::fill(unsigned node) {
  const ScalarNode &n = graph[node];
  ScalarFunction function;
  std::vector<uint64_t> table;
  if (n.kind == Kind::Operation)
    function = scalarFunction(n.op);
  if (n.kind == Kind::Lookup)
    table = tableBits(n.table);
  std::vector<Bits> values;
  const unsigned numCodes = depends[node] == kCode ? codes : 1,
                 numScales = depends[node] & kScale ? kScales : 1;
  if (depends[node] == kBoth) {
    for (auto [group, byte] : llvm::enumerate(representatives))
      for (unsigned s = 0; s < kScales; ++s)
        values.push_back(compute(node, byte, group, s, function, table));
  } else {
    for (unsigned byte = 0; byte < numCodes; ++byte)
      for (unsigned s = 0; s < numScales; ++s)
        values.push_back(compute(node, byte, 0, s, function, table));
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
      table.results.push_back(runner.at(byte, s));
  return table;
}
