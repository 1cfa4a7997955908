// Passes on kernels tell what they choose and why, and count it. Nobody hears
// of it who does not ask.
//
// RUN: mxfp4-opt %s --mxfp4-to-ptx=rows-hint=4096 -o /dev/null 2>&1 | count 0
// RUN: mxfp4-opt %s --mxfp4-to-ptx=rows-hint=4096 -o /dev/null --remark-policy=all \
// RUN:     --remark-format=emitRemark --remarks-filter="mxfp4-.*" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=MANY
// RUN: mxfp4-opt %s --mxfp4-to-ptx=rows-hint=64 -o /dev/null --remark-policy=all \
// RUN:     --remark-format=emitRemark --remarks-filter="mxfp4-.*" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=FEW
// RUN: mxfp4-opt %s "--mxfp4-to-ptx=rows-hint=64 instruction=mma_sync" -o /dev/null \
// RUN:     --remark-policy=all --remark-format=emitRemark --remarks-filter="mxfp4-.*" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=MMA

// MANY: [Passed] schedule | Category:mxfp4-choose-schedule | Function=f | Remark="many rows per group: compute bound, {{.*}}
// MANY: [Passed] roles | Category:mxfp4-specialize-warps | {{.*}}"12 warps multiply and 3 copy, through a ring of 9 stages; those that copy keep 32 registers"
// MANY: [Passed] tiles | Category:mxfp4-share-tiles | {{.*}}"one warp hands out tiles to 15 others; CTAs stride over the grid, without a workspace"
// MANY: [Missed] loop | Category:mxfp4-pipeline-copies | {{.*}}"copies go through a ring, by other warps"
// MANY: [Analysis] placement | Category:mxfp4-insert-decode | {{.*}}"weights are decoded in registers"
// MANY: [Missed] loop | Category:mxfp4-version-loops | {{.*}}"its schedule has no version_loops"
// MANY: [Passed] loop | Category:mxfp4-overlap-decode | {{.*}}"45 steps of 1 batches of wgmma, 2 in an iteration and a step ahead"
// MANY: [Passed] columns | Category:mxfp4-narrow-wgmma | {{.*}}"N is one of 9 multiples of 16 at run time"

// FEW: [Passed] roles | Category:mxfp4-specialize-warps | {{.*}}"12 warps multiply and 3 copy, through a ring of 30 stages"
// FEW: [Passed] loop | Category:mxfp4-version-loops | {{.*}}"tiles of at most 8 tokens have a loop over K of their own"
// FEW: [Missed] columns | Category:mxfp4-narrow-wgmma | {{.*}}"N is 8: tiles have no other height"
// FEW: [Passed] columns | Category:mxfp4-narrow-wgmma | {{.*}}"N is one of 4 multiples of 8 at run time"

// MMA: [Missed] roles | Category:mxfp4-specialize-warps | {{.*}}"warps wait for their mma.sync, and copy for themselves"
// MMA: [Missed] tiles | Category:mxfp4-share-tiles | {{.*}}"all warps run through the same tiles, without roles"
// MMA: [Passed] loop | Category:mxfp4-pipeline-copies | {{.*}}"copies of 7 steps are in flight while one of 8 stages is read"

func.func @f(%x: memref<?x2880xbf16>,
             %w: memref<32x90x45x!mxfp4.block<spread, folded>>,
             %o: memref<33xi32>, %y: memref<?x5760xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x2880xbf16>)
      weights(%w : memref<32x90x45x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<33xi32>) outs(%y : memref<?x5760xbf16>)
  return
}
