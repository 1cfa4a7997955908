/*===- embed-fp8.c - Activations in FP8 through the C interface ---*- C -*-===*\
|*                                                                            *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* Rounds rows to E4M3 with a scale for each, packs MXFP4 weights in the      *|
|* layout for them, compiles a kernel, and runs the specification of it,      *|
|* which takes the same operands as the kernel, on this CPU.                  *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#include "mxfp4-c/mxfp4.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXPERTS = 2, N = 96, K = 256, ROWS = 5, BLOCK_BYTES = 4352 };

static void report(int severity, const char *message, void *user) {
  (void)severity;
  fprintf(user, "%s\n", message);
}

/* E4M3: four bits of exponent, three of fraction, no infinities. */
static float fromE4M3(int code) {
  const int exponent = code >> 3 & 15, fraction = code & 7;
  const float value = exponent ? ldexpf((float)(8 + fraction), exponent - 10)
                               : ldexpf((float)fraction, -9);
  return code & 128 ? -value : value;
}

/* The nearest code of a number up to 448, of two as near the even one. */
static uint8_t toE4M3(float value) {
  int best = 0;
  for (int code = 1; code < 127; ++code) {
    const float off = fabsf(fromE4M3(code) - fabsf(value)),
                least = fabsf(fromE4M3(best) - fabsf(value));
    if (off < least || (off == least && code % 2 == 0))
      best = code;
  }
  return (uint8_t)(best | (value < 0 ? 128 : 0));
}

/* A row becomes codes and the scale that they are multiplied with. */
static float roundRow(const float *row, uint8_t *codes) {
  float most = 0;
  for (int k = 0; k < K; ++k)
    most = fmaxf(most, fabsf(row[k]));
  const float scale = most > 0 ? most / 448 : 1;
  for (int k = 0; k < K; ++k)
    codes[k] = toE4M3(row[k] / scale);
  return scale;
}

/* A weight of an expert: a code of E2M1 times a power of two. */
static float weight(const uint8_t *codes, const uint8_t *scales, int n, int k) {
  static const float values[] = {0, 0.5F, 1, 1.5F, 2, 3, 4, 6};
  const int at = n * K + k, code = codes[at / 2] >> at % 2 * 4 & 15;
  const float value = ldexpf(values[code & 7], scales[at / 32] - 127);
  return code & 8 ? -value : value;
}

static float fromBF16(uint16_t bits) {
  const uint32_t word = (uint32_t)bits << 16;
  float value;
  memcpy(&value, &word, sizeof value);
  return value;
}

int main(void) {
  static uint8_t codes[EXPERTS][N * K / 2], scales[EXPERTS][N * K / 32];
  static uint8_t packed[EXPERTS][(N + 63) / 64 * ((K + 127) / 128)]
                       [BLOCK_BYTES];
  static float powers[EXPERTS][N], x[ROWS][K], rowScales[ROWS];
  static uint8_t rows[ROWS][K], reduced[N * K / 32];
  static uint16_t y[ROWS][N];
  const int32_t offsets[EXPERTS + 1] = {0, 3, ROWS};

  for (int e = 0; e < EXPERTS; ++e) {
    for (int i = 0; i < N * K / 2; ++i)
      codes[e][i] = (uint8_t)rand();
    for (int i = 0; i < N * K / 32; ++i)
      scales[e][i] = (uint8_t)(120 + rand() % 8);
    /* Weights in FP8 have a smaller range: a power of each row stays behind. */
    int64_t refused[3];
    if (mxfp4_take_row_powers(codes[e], scales[e], N, K, reduced, powers[e],
                              refused) ||
        mxfp4_pack(codes[e], reduced, N, K, "bytes", "relative", packed[e][0]))
      return 1;
  }
  for (int r = 0; r < ROWS; ++r) {
    for (int k = 0; k < K; ++k)
      x[r][k] = (float)(rand() % 2001 - 1000) / 100;
    rowScales[r] = roundRow(x[r], rows[r]);
  }

  mxfp4_compiler *compiler = mxfp4_compiler_create(report, stderr);
  char *mlir = mxfp4_problem_to_mlir(
      compiler,
      "experts=2 n=96 k=256 activations=fp8 accumulation=promoted512");
  mxfp4_artifact *artifact =
      mlir ? mxfp4_compile(compiler, mlir, "rows-hint=5") : NULL;
  mxfp4_cpu_kernel *kernel = mlir ? mxfp4_jit(compiler, mlir) : NULL;
  /* What multiplies sums are the operands epilogue0 and epilogue1. */
  const mxfp4_operand operands[] = {{"x", rows},
                                    {"weights", packed},
                                    {"offsets", (void *)offsets},
                                    {"epilogue0", powers},
                                    {"epilogue1", rowScales},
                                    {"y", y}};
  const int failed = !artifact || !kernel ||
                     mxfp4_cpu_run_operands(kernel, ROWS, operands,
                                            sizeof operands / sizeof *operands);
  double squares = 0, truth = 0;
  for (int r = 0; !failed && r < ROWS; ++r)
    for (int n = 0; n < N; ++n) {
      const int e = r >= offsets[1];
      double sum = 0;
      for (int k = 0; k < K; ++k)
        sum += (double)x[r][k] * weight(codes[e], scales[e], n, k);
      squares += pow(fromBF16(y[r][n]) - sum, 2);
      truth += sum * sum;
    }
  if (!failed)
    printf("%zu bytes of PTX, relative error %.3f\n",
           strlen(mxfp4_artifact_ptx(artifact)), sqrt(squares / truth));
  mxfp4_cpu_destroy(kernel);
  mxfp4_artifact_destroy(artifact);
  mxfp4_string_free(mlir);
  mxfp4_compiler_destroy(compiler);
  return failed || sqrt(squares / truth) > 0.05;
}
