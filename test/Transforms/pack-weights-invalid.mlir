// RUN: not mxfp4-opt %s --mxfp4-pack-weights=order=shuffled 2>&1 \
// RUN:   | FileCheck %s --check-prefix=ORDER
// RUN: not mxfp4-opt %s --mxfp4-pack-weights=scales=bent 2>&1 \
// RUN:   | FileCheck %s --check-prefix=SCALES
// RUN: not mxfp4-opt %s \
// RUN:     --pass-pipeline="builtin.module(func.func(mxfp4-pack-weights{outline}))" \
// RUN:     2>&1 | FileCheck %s --check-prefix=OUTLINE

// ORDER: error: mxfp4-pack-weights expects order=spread or order=nibble and scales=folded or scales=raw, but got order=shuffled scales=raw
// SCALES: error: mxfp4-pack-weights expects {{.*}}, but got order=spread scales=bent
// OUTLINE: error: mxfp4-pack-weights{outline} runs on a module, where it can change callers
func.func private @f() {
  return
}
