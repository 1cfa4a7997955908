// Routing and combination become kernels of scalar code, warps and shared
// memory; test/python/test_*_kernels.py run them.
//
// RUN: mxfp4-opt %s --mxfp4-tile-routing=rows-hint=256 --canonicalize --cse | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-tile-routing --canonicalize --cse | FileCheck %s --check-prefix=MANY
// RUN: mxfp4-opt %s --mxfp4-tile-routing | FileCheck %s --check-prefix=GROUPS
// RUN: mxfp4-opt %s --mxfp4-tile-routing=rows-hint=256 | FileCheck %s --check-prefix=SORTS
// RUN: mxfp4-opt %s --mxfp4-to-ptx=rows-hint=256 | FileCheck %s --check-prefix=PTX

// At most 64 tokens: one launch of one CTA. Rows are arguments as tokens times
// slots.

// CHECK-LABEL: func.func @route
// CHECK:         %[[TOKENS:.*]] = memref.expand_shape %{{.*}} {{\[\[}}0, 1]]
// CHECK:         gpu.launch_func @[[ROUTE:.*]]::@[[ROUTE]] blocks in (%c1, %c1, %c1) threads in (%c1024, %c1, %c1)
// CHECK-SAME:      args({{.*}}%[[TOKENS]] : memref<?x4xi32>
// CHECK-NOT:     gpu.launch_func
// CHECK:         return

// Otherwise top_k has a CTA for each block of 32 tokens.

// MANY-LABEL: func.func @route
// MANY:         %[[T:.*]] = memref.dim
// MANY:         %[[UP:.*]] = arith.ceildivui %[[T]], %c32
// MANY:         %[[CTAS:.*]] = arith.maxui %[[UP]], %c1
// MANY:         gpu.launch_func @mxfp4_route::@mxfp4_route blocks in (%[[CTAS]], %c1, %c1)
// MANY:         gpu.launch_func @mxfp4_route_0::@mxfp4_route_0 blocks in (%c1, %c1, %c1)
func.func @route(%l: memref<?x128xbf16>, %ids: memref<?x4xi32>, %w: memref<?x4xf32>,
                 %o: memref<129xi32>, %t: memref<?xi32>, %p: memref<?x4xi32>,
                 %e: memref<1xi32>) {
  mxfp4.top_k logits(%l : memref<?x128xbf16>) scoring(softmax_selected)
      outs(%ids, %w : memref<?x4xi32>, memref<?x4xf32>)
  mxfp4.sort_by_expert ids(%ids : memref<?x4xi32>)
      outs(%o, %t, %p : memref<129xi32>, memref<?xi32>, memref<?x4xi32>)
      error(%e : memref<1xi32>)
  return
}

// With counts there are two kernels, whatever the hint.

// CHECK-LABEL: func.func @counted
// CHECK:         gpu.launch_func @{{.*}} threads in (%c1024, %c1, %c1) dynamic_shared_memory_size %c512_i32
// CHECK:         gpu.launch_func @{{.*}} threads in (%c1024, %c1, %c1) dynamic_shared_memory_size %c17552_i32
func.func @counted(%l: memref<?x128xf32>, %b: memref<128xf32>, %ids: memref<?x4xi32>,
                   %w: memref<?x4xf32>, %c: memref<128x128xi32>, %o: memref<129xi32>,
                   %t: memref<?xi32>, %p: memref<?x4xi32>) {
  mxfp4.top_k logits(%l : memref<?x128xf32>) bias(%b : memref<128xf32>) scoring(sigmoid)
      outs(%ids, %w : memref<?x4xi32>, memref<?x4xf32>) counts(%c : memref<128x128xi32>)
  mxfp4.sort_by_expert ids(%ids : memref<?x4xi32>) counts(%c : memref<128x128xi32>)
      outs(%o, %t, %p : memref<129xi32>, memref<?xi32>, memref<?x4xi32>)
  return
}

// So have ids that nobody has counted yet.

// CHECK-LABEL: func.func @given
// CHECK:         %[[UP:.*]] = arith.ceildivui %{{.*}}, %c32
// CHECK:         %[[CTAS:.*]] = arith.maxui %[[UP]], %c1
// CHECK:         gpu.launch_func @{{.*}} blocks in (%[[CTAS]], %c1, %c1) threads in (%c128, %c1, %c1) dynamic_shared_memory_size %c512_i32
// CHECK:         gpu.launch_func @{{.*}} threads in (%c1024, %c1, %c1) dynamic_shared_memory_size %c17552_i32
func.func @given(%ids: memref<?x4xi32>, %c: memref<128x128xi32>, %o: memref<129xi32>,
                 %t: memref<?xi32>, %p: memref<?x4xi32>) {
  mxfp4.count_by_expert ids(%ids : memref<?x4xi32>) outs(%c : memref<128x128xi32>)
  mxfp4.sort_by_expert ids(%ids : memref<?x4xi32>) counts(%c : memref<128x128xi32>)
      outs(%o, %t, %p : memref<129xi32>, memref<?xi32>, memref<?x4xi32>)
  return
}

// A number of rows may be static where that of tokens is not, and the other way
// round.

// CHECK-LABEL: func.func @partly
// CHECK:         memref.cast %{{.*}} : memref<8xi32> to memref<?xi32>
// CHECK:         memref.expand_shape {{.*}} : memref<?xi32> into memref<?x2xi32>
// CHECK:         gpu.launch_func
// CHECK:         memref.cast %{{.*}} : memref<?x64xf32> to memref<8x64xf32>
// CHECK:         memref.expand_shape {{.*}} : memref<8x64xf32> into memref<4x2x64xf32>
// CHECK:         gpu.launch_func
func.func @partly(%ids: memref<?x2xi32>, %o: memref<9xi32>, %t: memref<8xi32>,
                  %y: memref<?x64xf32>, %p: memref<4x2xi32>, %w: memref<4x2xf32>,
                  %out: memref<4x64xf32>) {
  mxfp4.sort_by_expert ids(%ids : memref<?x2xi32>)
      outs(%o, %t, %ids : memref<9xi32>, memref<8xi32>, memref<?x2xi32>)
  mxfp4.combine rows(%y : memref<?x64xf32>) positions(%p : memref<4x2xi32>)
      weights(%w : memref<4x2xf32>) outs(%out : memref<4x64xf32>)
  return
}

// What writes the ids between the two keeps them apart.

// CHECK-LABEL: func.func @apart
// CHECK:         gpu.launch_func
// CHECK:         memref.store
// CHECK:         gpu.launch_func
func.func @apart(%l: memref<1x8xf32>, %ids: memref<1x2xi32>, %w: memref<1x2xf32>,
                 %o: memref<9xi32>, %t: memref<2xi32>, %p: memref<1x2xi32>, %id: i32) {
  %c0 = arith.constant 0 : index
  mxfp4.top_k logits(%l : memref<1x8xf32>) scoring(softmax)
      outs(%ids, %w : memref<1x2xi32>, memref<1x2xf32>)
  memref.store %id, %ids[%c0, %c0] : memref<1x2xi32>
  mxfp4.sort_by_expert ids(%ids : memref<1x2xi32>)
      outs(%o, %t, %p : memref<9xi32>, memref<2xi32>, memref<1x2xi32>)
  return
}

// Keys of f32 need a second redux, for the expert; more than 256 experts are
// looked at in groups.

// GROUPS-LABEL: gpu.func @mxfp4_groups
// GROUPS:       nvvm.redux.sync max
// GROUPS:       nvvm.redux.sync min
// GROUPS:       scf.index_switch
// GROUPS-COUNT-3: nvvm.redux.sync min
func.func @groups(%l: memref<?x384xf32>, %ids: memref<?x6xi32>, %w: memref<?x6xf32>) {
  mxfp4.top_k logits(%l : memref<?x384xf32>) scoring(sigmoid)
      outs(%ids, %w : memref<?x6xi32>, memref<?x6xf32>)
  return
}

// CHECK-LABEL: func.func @combine
// CHECK:         gpu.launch_func @{{.*}} blocks in (%{{.*}}, %c3, %c1) threads in (%c128, %c1, %c1)
// CHECK-SAME:      args(%{{.*}} : memref<?x4x2880xbf16>
func.func @combine(%y: memref<?x2880xbf16>, %p: memref<?x4xi32>, %w: memref<?x4xf32>,
                   %out: memref<?x2880xbf16>) {
  mxfp4.combine rows(%y : memref<?x2880xbf16>) positions(%p : memref<?x4xi32>)
      weights(%w : memref<?x4xf32>) outs(%out : memref<?x2880xbf16>)
  return
}

// A CTA for each row, of as few warps as hold it with four vectors per thread.

// CHECK-LABEL: func.func @quantize_rows
// CHECK:         %[[R:.*]] = memref.dim
// CHECK:         %[[CTAS:.*]] = arith.maxui %[[R]], %c1
// CHECK:         gpu.launch_func @{{.*}} blocks in (%[[CTAS]], %c1, %c1) threads in (%c96, %c1, %c1) dynamic_shared_memory_size %c12_i32
func.func @quantize_rows(%x: memref<?x2880xbf16>, %q: memref<?x2880xf8E4M3FN>,
                         %s: memref<?xf32>) {
  mxfp4.quantize_rows values(%x : memref<?x2880xbf16>)
      outs(%q, %s : memref<?x2880xf8E4M3FN>, memref<?xf32>)
  return
}

// What stores in the rows of a sort becomes one kernel with the sort, if there
// are few counts: a CTA for each token, with a word for each sum and warp.

// CHECK-LABEL: func.func @sort_dispatch
// CHECK:         %[[ROWS:.*]] = memref.expand_shape %{{.*}} {{\[\[}}0, 1], [2]] {{.*}} into memref<?x4x2880xbf16>
// CHECK:         gpu.launch_func @{{.*}} blocks in (%{{.*}}, %c1, %c1) threads in (%c96, %c1, %c1) dynamic_shared_memory_size %c84_i32
// CHECK-SAME:      %[[ROWS]] :
// CHECK-NOT:     gpu.launch_func
// CHECK:         return
// MANY-LABEL:  func.func @sort_dispatch
// MANY:          gpu.launch_func @{{.*}} threads in (%c1024, %c1, %c1)
// MANY:          gpu.launch_func @{{.*}} blocks in (%{{.*}}, %c1, %c1) threads in (%c96, %c1, %c1)
func.func @sort_dispatch(%x: memref<?x2880xbf16>, %ids: memref<?x4xi32>, %c: memref<128x32xi32>,
                         %o: memref<33xi32>, %t: memref<?xi32>, %p: memref<?x4xi32>,
                         %r: memref<?x2880xbf16>, %e: memref<1xi32>) {
  mxfp4.sort_by_expert ids(%ids : memref<?x4xi32>) counts(%c : memref<128x32xi32>)
      outs(%o, %t, %p : memref<33xi32>, memref<?xi32>, memref<?x4xi32>) error(%e : memref<1xi32>)
  mxfp4.dispatch values(%x : memref<?x2880xbf16>) positions(%p : memref<?x4xi32>)
      outs(%r : memref<?x2880xbf16>) error(%e : memref<1xi32>)
  return
}

// CHECK-LABEL: func.func @sort_quantize
// CHECK:         gpu.launch_func
// CHECK-NOT:     gpu.launch_func
// CHECK:         return
func.func @sort_quantize(%x: memref<?x64xbf16>, %ids: memref<?x4xi32>, %c: memref<128x32xi32>,
                         %o: memref<33xi32>, %t: memref<?xi32>, %p: memref<?x4xi32>,
                         %q: memref<?x64xf8E4M3FN>, %s: memref<?xf32>) {
  mxfp4.sort_by_expert ids(%ids : memref<?x4xi32>) counts(%c : memref<128x32xi32>)
      outs(%o, %t, %p : memref<33xi32>, memref<?xi32>, memref<?x4xi32>)
  mxfp4.quantize_rows values(%x : memref<?x64xbf16>) scatter(%p : memref<?x4xi32>)
      outs(%q, %s : memref<?x64xf8E4M3FN>, memref<?xf32>)
  return
}

// Codes in the order of tokens have a row for each of them.

// CHECK-LABEL: func.func @sort_quantize_scales
// CHECK-SAME:    %[[Q:[a-z0-9]+]]: memref<?x64xf8E4M3FN>
// CHECK:         %[[SCALES:.*]] = memref.expand_shape %{{.*}} {{\[\[}}0, 1]] {{.*}} : memref<?xf32> into memref<?x4xf32>
// CHECK:         gpu.launch_func
// CHECK-SAME:      %[[Q]] : memref<?x64xf8E4M3FN>, %[[SCALES]] : memref<?x4xf32>
// CHECK-NOT:     gpu.launch_func
// CHECK:         return
func.func @sort_quantize_scales(%x: memref<?x64xbf16>, %ids: memref<?x4xi32>, %c: memref<128x32xi32>,
                                %o: memref<33xi32>, %t: memref<?xi32>, %p: memref<?x4xi32>,
                                %q: memref<?x64xf8E4M3FN>, %s: memref<?xf32>) {
  mxfp4.sort_by_expert ids(%ids : memref<?x4xi32>) counts(%c : memref<128x32xi32>)
      outs(%o, %t, %p : memref<33xi32>, memref<?xi32>, memref<?x4xi32>)
  mxfp4.quantize_rows values(%x : memref<?x64xbf16>) scatter_scales(%p : memref<?x4xi32>)
      outs(%q, %s : memref<?x64xf8E4M3FN>, memref<?xf32>)
  return
}

// Other positions, or an error word of its own, keep them apart.

// CHECK-LABEL: func.func @other_positions
// CHECK-COUNT-2: gpu.launch_func
func.func @other_positions(%x: memref<?x64xbf16>, %ids: memref<?x4xi32>, %c: memref<128x32xi32>,
                           %o: memref<33xi32>, %t: memref<?xi32>, %p: memref<?x4xi32>,
                           %r: memref<?x64xbf16>) {
  mxfp4.sort_by_expert ids(%ids : memref<?x4xi32>) counts(%c : memref<128x32xi32>)
      outs(%o, %t, %p : memref<33xi32>, memref<?xi32>, memref<?x4xi32>)
  mxfp4.dispatch values(%x : memref<?x64xbf16>) positions(%ids : memref<?x4xi32>)
      outs(%r : memref<?x64xbf16>)
  return
}

// CHECK-LABEL: func.func @other_error
// CHECK-COUNT-2: gpu.launch_func
func.func @other_error(%x: memref<?x64xbf16>, %ids: memref<?x4xi32>, %c: memref<128x32xi32>,
                       %o: memref<33xi32>, %t: memref<?xi32>, %p: memref<?x4xi32>,
                       %r: memref<?x64xbf16>, %e: memref<1xi32>) {
  mxfp4.sort_by_expert ids(%ids : memref<?x4xi32>) counts(%c : memref<128x32xi32>)
      outs(%o, %t, %p : memref<33xi32>, memref<?xi32>, memref<?x4xi32>)
  mxfp4.dispatch values(%x : memref<?x64xbf16>) positions(%p : memref<?x4xi32>)
      outs(%r : memref<?x64xbf16>) error(%e : memref<1xi32>)
  return
}

// The kernel learns how many rows there are to gather from.

// CHECK-LABEL: func.func @quantize_gathered
// CHECK:         %[[ROWS:.*]] = memref.dim %{{.*}}, %c0 : memref<?x128xbf16>
// CHECK:         %[[NUMBER:.*]] = arith.index_cast %[[ROWS]] : index to i32
// CHECK:         gpu.launch_func @{{.*}} threads in (%c32, %c1, %c1) dynamic_shared_memory_size %c4_i32
// CHECK-SAME:      %[[NUMBER]] : i32
func.func @quantize_gathered(%x: memref<?x128xbf16>, %g: memref<?xi32>,
                             %q: memref<?x128xf8E4M3FN>, %s: memref<?xf32>, %e: memref<1xi32>) {
  mxfp4.quantize_rows values(%x : memref<?x128xbf16>) gather(%g : memref<?xi32>)
      outs(%q, %s : memref<?x128xf8E4M3FN>, memref<?xf32>) error(%e : memref<1xi32>)
  return
}

// CHECK:       gpu.module @mxfp4_route attributes {mxfp4.kernels
// CHECK:       gpu.func @mxfp4_route(
// CHECK-SAME:    memref<?x128xbf16> {mxfp4.arg = #mxfp4.arg<logits align 2>}
// CHECK-SAME:    memref<?x4xi32> {mxfp4.arg = #mxfp4.arg<ids align 4>}
// CHECK-SAME:    memref<?x4xf32> {mxfp4.arg = #mxfp4.arg<weights align 4>}
// CHECK-SAME:    memref<129xi32> {mxfp4.arg = #mxfp4.arg<offsets align 4>}
// CHECK-SAME:    memref<?x4xi32> {mxfp4.arg = #mxfp4.arg<tokens align 4>}
// CHECK-SAME:    memref<?x4xi32> {mxfp4.arg = #mxfp4.arg<positions align 4>}
// CHECK-SAME:    memref<1xi32> {mxfp4.arg = #mxfp4.arg<error by launcher align 4>}
// CHECK-SAME:    i32 {mxfp4.arg = #mxfp4.arg<rows by launcher>}
// CHECK-SAME:    known_block_size = array<i32: 1024, 1, 1>
// CHECK:         nvvm.griddepcontrol wait
// CHECK-NEXT:    nvvm.griddepcontrol launch_dependents
// CHECK-COUNT-4: nvvm.redux.sync
// CHECK-NOT:     nvvm.redux.sync
// CHECK:         gpu.barrier
// CHECK-COUNT-8: nvvm.vote.sync ballot
// CHECK:         nvvm.bar.warp.sync
// CHECK:         gpu.barrier
// CHECK:         gpu.shuffle up
// CHECK:         gpu.barrier
// CHECK:         gpu.barrier

// Four rows of 16 bytes are loaded before the first is used. The next layer may
// start when the matmul ahead of the combine has ended.

// CHECK:       gpu.func @mxfp4_combine(
// CHECK-SAME:    #mxfp4.arg<y align 16>
// CHECK-SAME:    #mxfp4.arg<positions align 16>
// CHECK-SAME:    #mxfp4.arg<weights align 16>
// CHECK-SAME:    #mxfp4.arg<out align 16>
// CHECK-NOT:     launch_dependents
// CHECK:         nvvm.griddepcontrol wait
// CHECK-NEXT:    nvvm.griddepcontrol launch_dependents
// CHECK-COUNT-4: vector.load %{{.*}} : memref<?x2880xbf16>, vector<8xbf16>
// CHECK-NOT:     vector.load
// CHECK:         math.fma
// CHECK:         vector.store %{{.*}} : memref<?x2880xbf16>, vector<8xbf16>

// All of a row is loaded before its greatest magnitude is known, and rounded
// two values an instruction.

// CHECK:       gpu.func @mxfp4_quantize_rows(
// CHECK-SAME:    memref<?x2880xbf16> {mxfp4.arg = #mxfp4.arg<x align 16>}
// CHECK-SAME:    memref<?x2880xf8E4M3FN> {mxfp4.arg = #mxfp4.arg<codes align 8>}
// CHECK-SAME:    memref<?xf32> {mxfp4.arg = #mxfp4.arg<scales align 4>}
// CHECK-SAME:    i32 {mxfp4.arg = #mxfp4.arg<rows by launcher>}
// CHECK-COUNT-4: vector.load %{{.*}} : memref<?x2880xbf16>, vector<8xbf16>
// CHECK-NOT:     vector.load
// CHECK:         nvvm.redux.sync max
// CHECK:         gpu.barrier
// CHECK:         nvvm.redux.sync max
// CHECK:         gpu.barrier
// CHECK-COUNT-16: nvvm.convert.f32x2.to.f8x2 {{.*}} : i16(f8E4M3FN)
// CHECK-NOT:     nvvm.convert
// CHECK:         vector.store %{{.*}} : memref<?x2880xf8E4M3FN>, vector<8xf8E4M3FN>

// CHECK:       gpu.func @mxfp4_quantize_gathered(
// CHECK-SAME:    #mxfp4.arg<x_rows>
// CHECK-NOT:     gpu.barrier
// CHECK:         memref.atomic_rmw ori %c4_i32
// CHECK-NOT:     gpu.barrier
// CHECK:         gpu.return

// A thread adds up the counts of its experts, those of all blocks and those of
// blocks ahead, before it compares experts. Seven CTAs have the registers.

// SORTS:       gpu.func @mxfp4_sort_dispatch(
// SORTS-SAME:    nvvm.minctasm = 7 : i32
// SORTS:         %[[SUMS:.*]]:2 = scf.for {{.*}} -> (vector<4xi32>, vector<4xi32>)
// SORTS-COUNT-4:   vector.load %{{.*}} : memref<128x32xi32>, vector<4xi32>
// SORTS-NOT:       vector.load
// SORTS-NOT:       vector.extract
// SORTS:           scf.yield %{{.*}} : vector<4xi32>, vector<4xi32>
// SORTS:         vector.extract %[[SUMS]]#0[0]
// SORTS:         vector.extract %[[SUMS]]#1[0]

// PTX-DAG: div.rn.f32
// PTX-DAG: cvt.rn.satfinite.e4m3x2.f32
// PTX-DAG: st.global.v4.b16
// PTX-DAG: redux.sync.max.s32
// PTX-DAG: vote.sync.ballot.b32
// PTX-DAG: ld.global.v4.b32
// PTX-DAG: st.global.v4.b32
