//===- layer.cpp - A mixture-of-experts layer, run without Python ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
//   layer FOLDER [TOKENS]
//
// FOLDER has the artifacts of the four files in layer/: route, gate_up, down
// and combine. One call launches all of them, on a GPU or in the interpreter;
// the result is checked against the definition of the layer.
//
//===----------------------------------------------------------------------===//

#include "Common.h"
#include "Problem.h"

#include "mxfp4/Core/Format.h"

#include <cmath>
#include <numeric>
#include <random>

static constexpr int64_t kExperts = 8, kSlots = 2, kWidth = 192, kInner = 128;

namespace {

/// A kernel and the values that it is launched with.
struct Step {
  mxfp4rt_artifact *artifact = nullptr;
  mxfp4rt_kernel *kernel = nullptr;
  mxfp4rt_value values[MXFP4RT_MOST_ARGUMENTS];

  Step(mxfp4rt_driver *driver, const std::string &folder) {
    check(mxfp4rt_artifact_load(folder.c_str(), &artifact));
    check(mxfp4rt_kernel_create(driver, artifact, 0, &kernel));
  }
  ~Step() {
    mxfp4rt_kernel_destroy(kernel);
    mxfp4rt_artifact_destroy(artifact);
  }
  Step(const Step &) = delete;
  Step &operator=(const Step &) = delete;

  void bind(const std::vector<mxfp4rt_binding> &given) {
    check(mxfp4rt_bind(artifact, given.data(), given.size(), values));
  }
};

/// What the layer reads.
struct Layer {
  int64_t tokens;
  Problem up, down;
  /// No two of a token are equal: the choice of experts is certain.
  std::vector<float> logits;
  std::vector<uint16_t> bias;

  explicit Layer(int64_t tokens)
      : tokens(tokens), up(tokens, kExperts, kInner, kWidth),
        down(tokens, kExperts, kWidth, kInner),
        logits(size_t(tokens * kExperts)), bias(size_t(kExperts * kInner)) {
    std::mt19937 random(2);
    for (int64_t t = 0; t < tokens; ++t) {
      float *row = &logits[size_t(t * kExperts)];
      std::iota(row, row + kExperts, -4.0F);
      std::shuffle(row, row + kExperts, random);
    }
    for (uint16_t &each : bias)
      each = toBF16(float(int(random() % 19) - 9));
  }

  std::vector<float> matmul(const std::vector<float> &x, const Problem &problem,
                            int64_t expert) const {
    const std::vector<float> w = problem.decode(expert);
    std::vector<float> sums(size_t(problem.n));
    for (int64_t i = 0; i < problem.n; ++i)
      for (int64_t j = 0; j < problem.k; ++j)
        sums[size_t(i)] += x[size_t(j)] * w[size_t(i * problem.k + j)];
    return sums;
  }

  /// The layer's result for a token.
  std::vector<float> expected(int64_t token) const {
    const float *row = &logits[size_t(token * kExperts)];
    std::vector<int64_t> order(kExperts);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](int64_t a, int64_t b) { return row[a] > row[b]; });
    float total = 0;
    for (int64_t s = 0; s < kSlots; ++s)
      total += std::exp(row[order[size_t(s)]] - row[order[0]]);
    std::vector<float> x(kWidth), result(kWidth);
    for (int64_t i = 0; i < kWidth; ++i)
      x[size_t(i)] = float(mxfp4::decodeBF16(up.x[size_t(token * kWidth + i)]));
    for (int64_t s = 0; s < kSlots; ++s) {
      const int64_t e = order[size_t(s)];
      std::vector<float> h = matmul(x, up, e);
      for (int64_t i = 0; i < kInner; ++i) {
        const uint16_t added = bias[size_t(e * kInner + i)];
        const float sum = h[size_t(i)] + float(mxfp4::decodeBF16(added));
        h[size_t(i)] = float(mxfp4::decodeBF16(toBF16(std::max(sum, 0.0F))));
      }
      const std::vector<float> y = matmul(h, down, e);
      const float weight = std::exp(row[e] - row[order[0]]) / total;
      for (int64_t i = 0; i < kWidth; ++i)
        result[size_t(i)] += weight * y[size_t(i)];
    }
    return result;
  }

  /// Tokens whose result is off by more than roundings to bf16 explain.
  int64_t wrongTokens(const std::vector<uint16_t> &out) const {
    int64_t wrong = 0;
    for (int64_t t = 0; t < tokens; ++t) {
      const std::vector<float> y = expected(t);
      float largest = 0, error = 0;
      for (int64_t i = 0; i < kWidth; ++i) {
        const uint16_t got = out[size_t(t * kWidth + i)];
        largest = std::max(largest, std::abs(y[size_t(i)]));
        const float off =
            std::abs(float(mxfp4::decodeBF16(got)) - y[size_t(i)]);
        error = off >= error || std::isnan(off) ? off : error;
      }
      wrong += !(error <= largest / 64);
    }
    return wrong;
  }
};

} // namespace

int main(int argc, char **argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: layer FOLDER [TOKENS]\n");
    return 2;
  }
  const std::string folder = argv[1];
  const int64_t tokens = argc > 2 ? std::atoll(argv[2]) : 12;
  const int64_t rows = tokens * kSlots;
  mxfp4rt_driver *driver = nullptr;
  const std::string library = openDriver(driver);
  int64_t wrong = 0;
  {
    Step route(driver, folder + "/route"), up(driver, folder + "/gate_up"),
        down(driver, folder + "/down"), combine(driver, folder + "/combine");
    const Layer layer(tokens);
    Memory memory(library);
    auto words = [&](int64_t count) {
      return memory.upload(std::vector<int32_t>(size_t(count), -1));
    };
    void *const positions = words(rows), *const sources = words(rows),
                *const weights = words(rows), *const ids = words(rows),
                *const offsets = words(kExperts + 1),
                *const h = words(rows * kInner / 2),
                *const y = words(rows * kWidth / 2);
    std::vector<uint16_t> result(size_t(tokens * kWidth));
    void *const out = memory.upload(result);
    mxfp4rt_binding sourceRows = {"x_rows", {}};
    sourceRows.value.i32 = int32_t(tokens);
    route.bind({{"logits", {memory.upload(layer.logits)}},
                {"ids", {ids}},
                {"weights", {weights}},
                {"offsets", {offsets}},
                {"tokens", {sources}},
                {"positions", {positions}}});
    up.bind({{"x", {memory.upload(layer.up.x)}},
             {"weights", {memory.upload(layer.up.pack(layoutOf(up.artifact)))}},
             {"offsets", {offsets}},
             {"y", {h}},
             {"gather", {sources}},
             {"epilogue0", {memory.upload(layer.bias)}},
             sourceRows});
    down.bind(
        {{"x", {h}},
         {"weights", {memory.upload(layer.down.pack(layoutOf(down.artifact)))}},
         {"offsets", {offsets}},
         {"y", {y}}});
    combine.bind({{"y", {y}},
                  {"positions", {positions}},
                  {"weights", {weights}},
                  {"out", {out}}});
    const mxfp4rt_call calls[] = {{route.kernel, tokens, route.values},
                                  {up.kernel, rows, up.values},
                                  {down.kernel, rows, down.values},
                                  {combine.kernel, tokens, combine.values}};
    check(mxfp4rt_launch_all(calls, 4, nullptr));
    memory.synchronize();
    memory.download(result, out);
    wrong = layer.wrongTokens(result);
    std::printf("layer: %lld of %lld tokens are right\n",
                static_cast<long long>(tokens - wrong),
                static_cast<long long>(tokens));
    if (library != INTERPRETER)
      std::printf("host: %.2f us a layer\n", hostTime(memory, [&] {
                    check(mxfp4rt_launch_all(calls, 4, nullptr));
                  }));
    memory.synchronize();
  }
  mxfp4rt_driver_close(driver);
  return wrong ? 1 : 0;
}
