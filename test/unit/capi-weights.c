/*===- capi-weights.c - The C interface: packing, CPU kernels -----*- C -*-===*\
|*                                                                            *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#include "Guarded.h"
#include "capi-test.h"

#include "mxfp4-c/mxfp4.h"

#include <string.h>

enum { kExperts = 2, kN = 37, kK = 96, kRows = 5, kBlockBytes = 2176 };
enum { kPackedBytes = 1 * 2 * kBlockBytes };

struct Weights {
  uint8_t codes[kN * kK / 2];
  uint8_t scales[kN * kK / 32];
};

static void fill(struct Weights *w, unsigned seed) {
  for (size_t i = 0; i < sizeof(w->codes); ++i)
    w->codes[i] = (uint8_t)((i + seed) * 167 + (i >> 3));
  for (size_t i = 0; i < sizeof(w->scales); ++i)
    w->scales[i] = (uint8_t)(125 + (i + seed) % 4);
}

/* Of shapes that end anywhere in a block, between guard bands. */
static void packAndUnpack(int64_t n, int64_t k, const char *order,
                          const char *encoding) {
  const size_t codeBytes = (size_t)(n * k / 2),
               scaleBytes = (size_t)(n * k / 32),
               blockBytes =
                   (size_t)((n + 63) / 64 * ((k + 63) / 64)) * kBlockBytes;
  uint8_t *codes = guardedAlloc(codeBytes), *scales = guardedAlloc(scaleBytes),
          *packed = guardedAlloc(blockBytes),
          *codesBack = guardedAlloc(codeBytes),
          *scalesBack = guardedAlloc(scaleBytes);
  for (size_t i = 0; i < codeBytes; ++i)
    codes[i] = (uint8_t)((i + (size_t)n) * 167 + (i >> 3));
  for (size_t i = 0; i < scaleBytes; ++i)
    scales[i] = (uint8_t)((i + (size_t)k) * 37 % 129);
  CHECK(mxfp4_pack(codes, scales, n, k, order, encoding, packed) == 0);
  CHECK(mxfp4_unpack(packed, n, k, order, encoding, codesBack, scalesBack) ==
        0);
  CHECK(memcmp(codes, codesBack, codeBytes) == 0);
  CHECK(memcmp(scales, scalesBack, scaleBytes) == 0);
  CHECK(guardedFree(codes, codeBytes));
  CHECK(guardedFree(scales, scaleBytes));
  CHECK(guardedFree(packed, blockBytes));
  CHECK(guardedFree(codesBack, codeBytes));
  CHECK(guardedFree(scalesBack, scaleBytes));
}

/* Rows of gate and up take turns, whose order comes back by unpacking. */
static void packGateAndUp(const struct Weights *w) {
  enum { kHalf = kN / 2, kRows = 2 * kHalf };
  const size_t bytes = (size_t)((kRows + 63) / 64) * ((kK + 63) / 64) * 2176;
  uint8_t *packed = guardedAlloc(bytes), *none = guardedAlloc(0);
  uint8_t codes[kRows * kK / 2], scales[kRows * kK / 32];
  const uint8_t *gate = w->codes, *up = gate + kHalf * kK / 2;
  const uint8_t *gateScales = w->scales,
                *upScales = gateScales + kHalf * kK / 32;
  CHECK(mxfp4_pack_gate_up(gate, gateScales, up, upScales, kHalf, kK, "nibble",
                           "raw", packed) == 0);
  CHECK(mxfp4_unpack(packed, kRows, kK, "nibble", "raw", codes, scales) == 0);
  for (int row = 0; row < kHalf; ++row) {
    CHECK(memcmp(codes + row * kK, gate + row * kK / 2, kK / 2) == 0);
    CHECK(memcmp(codes + row * kK + kK / 2, up + row * kK / 2, kK / 2) == 0);
    CHECK(memcmp(scales + row * kK / 16, gateScales + row * kK / 32, kK / 32) ==
          0);
    CHECK(memcmp(scales + row * kK / 16 + kK / 32, upScales + row * kK / 32,
                 kK / 32) == 0);
  }
  CHECK(guardedFree(packed, bytes));
  CHECK(mxfp4_pack_gate_up(NULL, gateScales, up, upScales, kHalf, kK, "spread",
                           "raw", none) == 2);
  CHECK(mxfp4_pack_gate_up(gate, gateScales, up, NULL, kHalf, kK, "spread",
                           "raw", none) == 2);
  CHECK(mxfp4_pack_gate_up(gate, gateScales, up, upScales, 0, kK, "spread",
                           "raw", none) == 2);
  CHECK(mxfp4_pack_gate_up(gate, gateScales, up, upScales, kHalf, 95, "spread",
                           "raw", none) == 2);
  CHECK(mxfp4_pack_gate_up(gate, gateScales, up, upScales, kHalf, kK, "sprad",
                           "raw", none) == 2);
  CHECK(guardedFree(none, 0));
}

void testPacking(void) {
  static const char *const orders[] = {"spread", "nibble"};
  static const char *const encodings[] = {"folded", "raw"};
  static const int64_t rows[] = {1, 37, 63, 64, 65, 130},
                       columns[] = {32, 64, 96, 160};
  for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); ++i)
    for (size_t j = 0; j < sizeof(columns) / sizeof(*columns); ++j)
      for (int layout = 0; layout < 4; ++layout)
        packAndUnpack(rows[i], columns[j], orders[layout % 2],
                      encodings[layout / 2]);

  struct Weights w;
  fill(&w, 0);
  packGateAndUp(&w);
  /* What is refused writes nothing. */
  uint8_t *packed = guardedAlloc(kPackedBytes), *none = guardedAlloc(0);
  w.scales[3] = 0xFF;
  CHECK(mxfp4_pack(w.codes, w.scales, kN, kK, "spread", "raw", packed) == 0);
  CHECK(guardedFree(packed, kPackedBytes));
  CHECK(mxfp4_pack(w.codes, w.scales, kN, kK, "spread", "folded", none) == 1);
  CHECK(mxfp4_pack(w.codes, w.scales, kN, 95, "spread", "raw", none) == 2);
  CHECK(mxfp4_pack(w.codes, w.scales, 0, kK, "spread", "raw", none) == 2);
  CHECK(mxfp4_pack(w.codes, w.scales, kN, kK, "sprad", "raw", none) == 2);
  CHECK(mxfp4_pack(w.codes, w.scales, kN, kK, "spread", "rare", none) == 2);
  CHECK(mxfp4_pack(w.codes, w.scales, kN, kK, NULL, "raw", none) == 2);
  CHECK(mxfp4_pack(w.codes, w.scales, kN, kK, "spread", NULL, none) == 2);
  CHECK(mxfp4_pack(NULL, w.scales, kN, kK, "spread", "raw", none) == 2);
  CHECK(mxfp4_pack(w.codes, NULL, kN, kK, "spread", "raw", none) == 2);
  CHECK(mxfp4_pack(w.codes, w.scales, kN, kK, "spread", "raw", NULL) == 2);
  CHECK(mxfp4_unpack(none, kN, 95, "spread", "raw", none, none) == 2);
  CHECK(mxfp4_unpack(none, -1, kK, "spread", "raw", none, none) == 2);
  CHECK(mxfp4_unpack(none, kN, kK, "spread", NULL, none, none) == 2);
  CHECK(mxfp4_unpack(none, kN, kK, "spared", "raw", none, none) == 2);
  CHECK(mxfp4_unpack(NULL, kN, kK, "spread", "raw", none, none) == 2);
  CHECK(mxfp4_unpack(none, kN, kK, "spread", "raw", NULL, none) == 2);
  CHECK(mxfp4_unpack(none, kN, kK, "spread", "raw", none, NULL) == 2);
  CHECK(guardedFree(none, 0));
}

/* Independent of the library: E2M1 times a scale between 2^-2 and 2^1. */
static float decode(const struct Weights *w, int n, int k) {
  static const float magnitudes[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
  const int byte = w->codes[(n * kK + k) / 2];
  const int code = k % 2 ? byte >> 4 : byte & 15;
  float value = magnitudes[code & 7] * (code & 8 ? -1.0f : 1.0f);
  int exponent = w->scales[n * (kK / 32) + k / 32] - 127;
  for (; exponent < 0; ++exponent)
    value *= 0.5f;
  for (; exponent > 0; --exponent)
    value *= 2.0f;
  return value;
}

/* bf16 bits of a small whole number: exact, the low half is zero. */
static uint16_t toBF16(float value) {
  uint32_t bits;
  memcpy(&bits, &value, sizeof(bits));
  return (uint16_t)(bits >> 16);
}

void testCpuKernel(void) {
  struct Heard heard = {0};
  mxfp4_compiler *compiler = mxfp4_compiler_create(listen, &heard);
  char *mlir = mxfp4_problem_to_mlir(
      compiler, "experts=2 groups=4 expert-ids=1 n=37 k=96 output=f32");
  mxfp4_cpu_kernel *kernel = mxfp4_jit(compiler, mlir);
  mxfp4_string_free(mlir);
  mxfp4_compiler_destroy(compiler);
  CHECK(kernel != NULL && heard.count == 0);
  if (!kernel)
    return;

  struct Weights w[kExperts];
  uint8_t *packed = guardedAlloc(kExperts * kPackedBytes);
  for (int e = 0; e < kExperts; ++e) {
    fill(&w[e], (unsigned)(11 * e));
    CHECK(mxfp4_pack(w[e].codes, w[e].scales, kN, kK, "spread", "folded",
                     packed + e * kPackedBytes) == 0);
  }
  static float xs[kRows][kK], before[kRows][kN];
  const size_t xBytes = sizeof(uint16_t[kRows][kK]), yBytes = sizeof(before);
  uint16_t (*x)[kK] = (uint16_t (*)[kK])guardedAlloc(xBytes);
  float (*y)[kN] = (float (*)[kN])guardedAlloc(yBytes);
  for (int r = 0; r < kRows; ++r)
    for (int k = 0; k < kK; ++k) {
      xs[r][k] = (float)((r * 31 + k * 7) % 9 - 4);
      x[r][k] = toBF16(xs[r][k]);
    }
  const int32_t offsets[] = {0, 2, 2, 3, 5}, ids[] = {1, 0, -1, 0};
  static const int expertOfRow[kRows] = {1, 1, -1, 0, 0};
  CHECK(mxfp4_cpu_run(kernel, x, kRows, packed, offsets, ids, y) == 0);
  for (int r = 0; r < kRows; ++r)
    for (int n = 0; n < kN; ++n) {
      float sum = 0; /* Exact: small multiples of 1/8. */
      for (int k = 0; k < kK && expertOfRow[r] >= 0; ++k)
        sum += xs[r][k] * decode(&w[expertOfRow[r]], n, k);
      CHECK(y[r][n] == sum);
    }

  /* Bad groups: a code each, and nothing is stored. */
  memcpy(before, y, yBytes);
  const int32_t falling[] = {0, 3, 2, 3, 5}, late[] = {1, 2, 2, 3, 5},
                early[] = {0, 2, 2, 3, 4}, badIds[] = {1, 2, -1, 0},
                lowIds[] = {1, -2, -1, 0};
  CHECK(mxfp4_cpu_run(kernel, x, kRows, packed, falling, ids, y) == 1);
  CHECK(mxfp4_cpu_run(kernel, x, kRows, packed, late, ids, y) == 1);
  CHECK(mxfp4_cpu_run(kernel, x, kRows, packed, early, ids, y) == 1);
  CHECK(mxfp4_cpu_run(kernel, x, kRows, packed, offsets, badIds, y) == 2);
  CHECK(mxfp4_cpu_run(kernel, x, kRows, packed, offsets, lowIds, y) == 2);
  CHECK(mxfp4_cpu_run(kernel, x, kRows, packed, offsets, NULL, y) == 3);
  CHECK(mxfp4_cpu_run(kernel, NULL, kRows, packed, offsets, ids, y) == 3);
  CHECK(mxfp4_cpu_run(kernel, x, kRows, NULL, offsets, ids, y) == 3);
  CHECK(mxfp4_cpu_run(kernel, x, kRows, packed, NULL, ids, y) == 3);
  CHECK(mxfp4_cpu_run(kernel, x, kRows, packed, offsets, ids, NULL) == 3);
  CHECK(mxfp4_cpu_run_operands(kernel, kRows, NULL, 1) == 3);
  /* By name: any order; what is missing, or not in the problem, is refused. */
  mxfp4_operand operands[] = {{"y", y},
                              {"expert_ids", (void *)badIds},
                              {"x", x},
                              {"offsets", (void *)offsets},
                              {"weights", packed},
                              {"row_scale", y}};
  CHECK(mxfp4_cpu_run_operands(kernel, kRows, operands, 6) == 3);
  CHECK(mxfp4_cpu_run_operands(kernel, kRows, operands, 4) == 3);
  CHECK(mxfp4_cpu_run_operands(kernel, kRows, operands, 5) == 2);
  // The bits, not the values.
  CHECK(memcmp((const void *)before, (const void *)y, yBytes) == 0);
  memset(y, 0, yBytes);
  operands[1].data = (void *)ids;
  CHECK(mxfp4_cpu_run_operands(kernel, kRows, operands, 5) == 0);
  CHECK(memcmp((const void *)before, (const void *)y, yBytes) == 0);
  CHECK(guardedFree(packed, kExperts * kPackedBytes));
  CHECK(guardedFree((uint8_t *)x, xBytes));
  CHECK(guardedFree((uint8_t *)y, yBytes));
  mxfp4_cpu_destroy(kernel);
}
