// Kernels of tiles and fragments to instructions: each kernel below shows one.
//
// RUN: mxfp4-opt %s --pass-pipeline='builtin.module(gpu.module(mxfp4-lower-to-nvvm,canonicalize,cse))' | FileCheck %s

!smem = memref<?xi8, #gpu.address_space<workgroup>>
!w = memref<3x2x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!x40 = memref<3x40x64xbf16, #gpu.address_space<workgroup>>
!x96 = memref<3x96x64xbf16, #gpu.address_space<workgroup>>
!x96b = memref<3x96x128xf8E4M3FN, #gpu.address_space<workgroup>>
!tile = memref<64x64xbf16, #gpu.address_space<workgroup>>
!blocks = memref<192x64xbf16, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>
#low = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32,
    token_step = 16, warps_rows = 4, warps_tokens = 1, stages = 4,
    placement = register, ctas = 1>
#branches = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32,
    token_step = 16, warps_rows = 4, warps_tokens = 1, stages = 4,
    placement = register, ctas = 1, copy_warps = 1, store_columns = 1>
#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>

#of_fp8 = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 32,
    token_step = 16, warps_rows = 4, warps_tokens = 1, stages = 4,
    placement = register, ctas = 1, copy_warps = 1, store_columns = 1>
#of_eight = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 8,
    warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
    copy_warps = 1>
#wide_fp8 = #mxfp4.schedule<instruction = wgmma_fp8, rows = 192, tokens = 192,
    token_step = 16, warps_rows = 12, warps_tokens = 1, stages = 4,
    placement = register, ctas = 1, copy_warps = 3, producer_registers = 32,
    store_columns = 1>

// CHECK: #[[UNROLL:.*]] = #llvm.loop_unroll<disable = true>
// CHECK: #[[ROLLED:.*]] = #llvm.loop_annotation<unroll = #[[UNROLL]]>
// CHECK: gpu.module @kernels
gpu.module @kernels {

  // Memrefs are bare pointers, global ones in address space 1. Nothing is said of
  // their overlap: loads of what does not change might move ahead of the wait for
  // the kernels before. Dynamic shared memory is one external variable; a
  // workgroup attribution becomes a variable of its kernel.

  // CHECK-DAG: llvm.mlir.global external @kernels_shared() {addr_space = 3 : i32, alignment = 1024 : i64} : !llvm.array<0 x i8>
  // CHECK-DAG: llvm.mlir.global internal @decoded_tile0() {addr_space = 3 : i32, alignment = {{[0-9]+}} : i64} : !llvm.array<8192 x i8>

  // CHECK-LABEL: llvm.func @memory
  // CHECK-SAME:    (%[[A:.*]]: !llvm.ptr<1>, %[[ERROR:.*]]: !llvm.ptr<1>, %[[I:.*]]: i32)
  // CHECK-SAME:    attributes {gpu.kernel, nvvm.kernel, nvvm.minctasm = 2 : i32, nvvm.reqntid = array<i32: 128, 1, 1>}
  // CHECK:         %[[SHARED:.*]] = llvm.mlir.addressof @kernels_shared : !llvm.ptr<3>
  // CHECK:         %[[TABLE:.*]] = llvm.getelementptr %[[SHARED]][64] : {{.*}}, i8
  // CHECK:         %[[FROM:.*]] = llvm.getelementptr %[[A]][%{{.*}}] : {{.*}}, i32
  // CHECK:         %[[V:.*]] = llvm.load %[[FROM]] : !llvm.ptr<1> -> i32
  // CHECK:         %[[TO:.*]] = llvm.getelementptr %[[TABLE]][%{{.*}}] : {{.*}}, i32
  // CHECK:         llvm.store %[[V]], %[[TO]] : i32, !llvm.ptr<3>
  // CHECK:         llvm.atomicrmw _or %[[ERROR]], %{{.*}} monotonic
  // CHECK:         llvm.atomicrmw add %[[A]], %[[V]] monotonic
  // CHECK:         llvm.return
  gpu.func @memory(%a: memref<?xi32>, %error: memref<1xi32>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>,
                  nvvm.minctasm = 2 : i32} {
    %c0 = arith.constant 0 : index
    %c64 = arith.constant 64 : index
    %bit = arith.constant 1 : i32
    %all = gpu.dynamic_shared_memory : !smem
    %table = memref.view %all[%c64][] : !smem to memref<8xi32, #gpu.address_space<workgroup>>
    %at = arith.index_cast %i : i32 to index
    %v = memref.load %a[%at] : memref<?xi32>
    memref.store %v, %table[%at] : memref<8xi32, #gpu.address_space<workgroup>>
    %old = memref.atomic_rmw ori %bit, %error[%c0] : (i32, memref<1xi32>) -> i32
    %count = memref.atomic_rmw addi %v, %a[%c0] : (i32, memref<?xi32>) -> i32
    gpu.return
  }

  // Two blocks are 272 units of 16 bytes: 128 threads copy two each, the first
  // 16 a third. Three row blocks do not fill tiles of two, so that a block past
  // the end is filled with zeros: a copy of no bytes.

  // CHECK-LABEL: llvm.func @copy_weights
  // CHECK-DAG:     %[[UNITS:.*]] = llvm.mlir.constant(272 : i32) : i32
  // CHECK-DAG:     %[[ROW_BLOCKS:.*]] = llvm.mlir.constant(3 : i32) : i32
  // CHECK-DAG:     %[[FULL:.*]] = llvm.mlir.constant(16 : i32) : i32
  // CHECK-DAG:     %[[NONE:.*]] = llvm.mlir.constant(0 : i32) : i32
  // CHECK:         %[[EXISTS:.*]] = llvm.icmp "ult" %{{.*}}, %[[ROW_BLOCKS]]
  // CHECK:         %[[SIZE:.*]] = llvm.select %[[EXISTS]], %[[FULL]], %[[NONE]]
  // CHECK:         nvvm.cp.async.shared.global %{{.*}}, %{{.*}}, 16, cache = cg, %[[SIZE]]
  // CHECK:         nvvm.cp.async.shared.global
  // CHECK:         %[[THIRD:.*]] = llvm.icmp "ult" %{{.*}}, %[[UNITS]] : i32
  // CHECK:         llvm.cond_br %[[THIRD]], ^[[THEN:.*]], ^
  // CHECK:       ^[[THEN]]:
  // CHECK:         nvvm.cp.async.shared.global
  // CHECK-NOT:     nvvm.cp.async.shared.global
  // CHECK:         llvm.return
  gpu.func @copy_weights(%w: memref<4x3x2x!mxfp4.block<spread, folded>>,
                         %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %all = gpu.dynamic_shared_memory : !smem
    %sw = memref.view %all[%c0][] : !smem to !w
    %e = arith.index_cast %i : i32 to index
    mxfp4.copy_weights %w[%e, %c2, %c1] to %sw[%c2]
        : memref<4x3x2x!mxfp4.block<spread, folded>> to !w
    gpu.return
  }

  // 16 rows of eight units: one unit per thread. Rows past the valid ones are
  // zeros, and so are columns past K, here 96 and no multiple of 64. The unit
  // is XORed with the row modulo 8.

  // CHECK-LABEL: llvm.func @copy_activations
  // CHECK-DAG:     %[[K:.*]] = llvm.mlir.constant(96 : i32) : i32
  // CHECK-DAG:     %[[SEVEN:.*]] = llvm.mlir.constant(7 : i32) : i32
  // CHECK-DAG:     %[[EIGHT:.*]] = llvm.mlir.constant(8 : i32) : i32
  // CHECK:         %[[T:.*]] = nvvm.read.ptx.sreg.tid.x
  // CHECK:         %[[ROW:.*]] = llvm.udiv %[[T]], %[[EIGHT]]
  // CHECK:         %[[UNIT:.*]] = llvm.urem %[[T]], %[[EIGHT]]
  // CHECK:         %[[ROW_EXISTS:.*]] = llvm.icmp "ult"
  // CHECK:         %[[COLUMN_EXISTS:.*]] = llvm.icmp "ult" %{{.*}}, %[[K]]
  // CHECK:         %[[EXISTS:.*]] = llvm.and %[[ROW_EXISTS]], %[[COLUMN_EXISTS]]
  // CHECK:         %[[SIZE:.*]] = llvm.select %[[EXISTS]]
  // CHECK:         %[[ROW7:.*]] = llvm.and %[[ROW]], %[[SEVEN]]
  // CHECK:         llvm.xor %[[UNIT]], %[[ROW7]]
  // CHECK:         nvvm.cp.async.shared.global %{{.*}}, %{{.*}}, 16, cache = cg, %[[SIZE]]
  // CHECK-NOT:     nvvm.cp.async.shared.global
  // CHECK:         llvm.return
  gpu.func @copy_activations(%x: memref<?x96xbf16>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %all = gpu.dynamic_shared_memory : !smem
    %sx = memref.view %all[%c0][] : !smem to !x
    %row = arith.index_cast %i : i32 to index
    mxfp4.copy_activations %x[%row, %c1] valid(%row) to %sx[%c1]
        : memref<?x96xbf16> to !x
    gpu.return
  }

  // A thread's codes are one load of 16 bytes, its scales one of four;
  // activations come by ldmatrix; the product is the tensor core's. The slot, which
  // changes from step to step, is added last, the same for both loads.

  // CHECK-LABEL: llvm.func @fragments
  // CHECK-SAME:    %[[I:[^ ]*]]: i32)
  // CHECK-DAG:     %[[SLOTBYTES:.*]] = llvm.mlir.constant(4352 : i32) : i32
  // CHECK:         %[[MINE:.*]] = llvm.getelementptr %[[SMEM:.*]][%{{.*}}] :
  // CHECK-NEXT:    %[[SLOT:.*]] = llvm.mul %[[I]], %[[SLOTBYTES]]
  // CHECK-NEXT:    %[[BEHIND:.*]] = llvm.zext nneg %[[SLOT]]
  // CHECK-NEXT:    %[[AT:.*]] = llvm.getelementptr %[[MINE]][%[[BEHIND]]]
  // CHECK-NEXT:    %[[CODES:.*]] = llvm.load %[[AT]] {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xi32>
  // CHECK:         %[[MINE:.*]] = llvm.getelementptr %[[SMEM]][%{{.*}}] :
  // CHECK-NEXT:    %[[AT:.*]] = llvm.getelementptr %[[MINE]][%[[BEHIND]]]
  // CHECK-NEXT:    llvm.load %[[AT]] {alignment = 4 : i64} : !llvm.ptr<3> -> i32
  // CHECK:         %[[B:.*]] = nvvm.ldmatrix %{{.*}} {eltType = #nvvm.ld_st_matrix_elt_type<b16>, layout = #nvvm.mma_layout<row>, num = 4 : i32,
  // CHECK:         %[[B0:.*]] = llvm.extractvalue %[[B]][0]
  // CHECK:         %[[B1:.*]] = llvm.extractvalue %[[B]][1]
  // CHECK:         %[[D:.*]] = nvvm.mma.sync A[%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}] B[%[[B0]], %[[B1]]] C[%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}]
  // CHECK-SAME:      multiplicandAPtxType = #nvvm.mma_type<bf16>
  // CHECK-SAME:      shape = #nvvm.shape<m = 16, n = 8, k = 16>
  // CHECK:         llvm.extractvalue %[[D]][0]
  gpu.func @fragments(%y: memref<1xvector<4xf32>>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %all = gpu.dynamic_shared_memory : !smem
    %sx = memref.view %all[%c0][] : !smem to !x
    %sw = memref.view %all[%c0][] : !smem to !w
    %at = arith.index_cast %i : i32 to index
    %c:4 = mxfp4.load_codes %sw[%at, %at] : !w
    %s = mxfp4.load_scales %sw[%at, %at] : !w
    %a0 = llvm.bitcast %c#0 : i32 to vector<2xbf16>
    %a1 = llvm.bitcast %c#1 : i32 to vector<2xbf16>
    %a2 = llvm.bitcast %c#2 : i32 to vector<2xbf16>
    %a3 = llvm.bitcast %s : i32 to vector<2xbf16>
    %b:4 = mxfp4.load_activations %sx[%at, %at] slice 1 : !x
    %acc = memref.load %y[%c0] : memref<1xvector<4xf32>>
    %d = mxfp4.mma a(%a0, %a1, %a2, %a3) b(%b#0, %b#1) c(%acc)
    memref.store %d, %y[%c0] : memref<1xvector<4xf32>>
    gpu.return
  }

  // The baseline's tile: stmatrix in, ldmatrix out.

  // CHECK-LABEL: llvm.func @decoded(
  // CHECK:         %[[TILE:.*]] = llvm.mlir.addressof @decoded_tile0 : !llvm.ptr<3>
  // CHECK:         %[[A:.*]] = nvvm.ldmatrix %{{.*}} {eltType = {{.*}} num = 4
  // CHECK:         nvvm.stmatrix %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} {eltType
  gpu.func @decoded(%i: i32) workgroup(%tile: !tile) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %slice = arith.index_cast %i : i32 to index
    %a:4 = mxfp4.load_decoded %tile[%slice] step 1 : !tile
    mxfp4.store_decoded %a#0, %a#1, %a#2, %a#3 to %tile[%slice] step 2 : !tile
    gpu.return
  }

  // Slots of one warp and of the next: five threads' arrivals complete a phase. Who
  // waits branches back to itself; lane 0 arrives for its warp, which has met.

  // CHECK-LABEL: llvm.func @barriers
  // CHECK-SAME:    (%[[SLOT:.*]]: i32, %[[PARITY:.*]]: i32, %[[BYTES:.*]]: i32)
  // CHECK-DAG:     %[[SLOTS:.*]] = llvm.mlir.constant(3 : i32) : i32
  // CHECK-DAG:     %[[WARPS:.*]] = llvm.mlir.constant(2 : i32) : i32
  // CHECK-DAG:     %[[SIZE:.*]] = llvm.mlir.constant(8 : i32) : i32
  // CHECK-DAG:     %[[COUNT:.*]] = llvm.mlir.constant(5 : i32) : i32
  // CHECK-DAG:     %[[ALL:.*]] = llvm.mlir.constant(-1 : i32) : i32
  // CHECK-DAG:     %[[FULL:.*]] = llvm.mlir.addressof @barriers_tile0
  // CHECK:         %[[FIRST_LANE:.*]] = llvm.icmp "eq"
  // CHECK-NEXT:    llvm.cond_br %[[FIRST_LANE]]
  // CHECK:         %[[WARP:.*]] = llvm.lshr
  // CHECK:         nvvm.mbarrier.init %{{.*}}, %[[COUNT]]
  // CHECK-NEXT:    %[[THIRD:.*]] = llvm.add %[[WARP]], %[[WARPS]]
  // CHECK-NEXT:    %[[EXISTS:.*]] = llvm.icmp "ult" %[[THIRD]], %[[SLOTS]]
  // CHECK-NEXT:    llvm.cond_br %[[EXISTS]], ^[[THEN:.*]], ^
  // CHECK-NEXT:  ^[[THEN]]:
  // CHECK:         nvvm.mbarrier.init %{{.*}}, %[[COUNT]]
  // CHECK-NOT:     nvvm.mbarrier.init
  // CHECK:         %[[OFFSET:.*]] = llvm.mul %[[SLOT]], %[[SIZE]]
  // CHECK-NEXT:    %[[OFFSET64:.*]] = llvm.zext nneg %[[OFFSET]]
  // CHECK-NEXT:    %[[BARRIER:.*]] = llvm.getelementptr %[[FULL]][%[[OFFSET64]]]
  // CHECK-NEXT:    nvvm.mbarrier.arrive.expect_tx %[[BARRIER]], %[[BYTES]]
  // CHECK-NEXT:    llvm.br ^[[SPIN:.*]]{{$}}
  // CHECK-NEXT:  ^[[SPIN]]:
  // CHECK-NEXT:    %[[DONE:.*]] = nvvm.mbarrier.try_wait %[[BARRIER]], %[[PARITY]]
  // CHECK-NEXT:    llvm.cond_br %[[DONE]], ^[[AFTER:.*]], ^[[SPIN]]
  // CHECK-NEXT:  ^[[AFTER]]:
  // CHECK-NEXT:    nvvm.bar.warp.sync %[[ALL]]
  // CHECK-NEXT:    llvm.cond_br %[[FIRST_LANE]], ^[[ARRIVE:.*]], ^
  // CHECK-NEXT:  ^[[ARRIVE]]:
  // CHECK-NEXT:    nvvm.mbarrier.arrive %[[BARRIER]]
  gpu.func @barriers(%i: i32, %parity: i32, %bytes: i32)
      workgroup(%full: !barriers) kernel
      attributes {known_block_size = array<i32: 64, 1, 1>} {
    %slot = arith.index_cast %i : i32 to index
    mxfp4.init_barriers %full count 5 : !barriers
    mxfp4.expect_bytes %full[%slot] bytes(%bytes) : !barriers
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    mxfp4.arrive_barrier %full[%slot] : !barriers
    gpu.return
  }

  // A block is a copy of 2176 bytes. Part p of two has the blocks p and, if there
  // is one, p + 2 of three. Five row blocks do not fill tiles of three: past the
  // end the last is copied again, for the bytes to be those announced. Bytes that
  // nobody reads again leave the L2 cache first.

  // CHECK-LABEL: llvm.func @bulk_copy_weights
  // CHECK-SAME:    (%{{.*}}: !llvm.ptr<1>, %[[ROW:.*]]: i32, %[[PART:.*]]: i32)
  // CHECK-DAG:     %[[EVICT_FIRST:.*]] = llvm.mlir.constant(1364590687093260288 : i64) : i64
  // CHECK-DAG:     %[[SIZE:.*]] = llvm.mlir.constant(2176 : i32) : i32
  // CHECK-DAG:     %[[PARTS:.*]] = llvm.mlir.constant(2 : i32) : i32
  // CHECK-DAG:     %[[BLOCKS:.*]] = llvm.mlir.constant(3 : i32) : i32
  // CHECK-DAG:     %[[LAST:.*]] = llvm.mlir.constant(4 : i32) : i32
  // CHECK-DAG:     %[[ROW_BLOCKS:.*]] = llvm.mlir.constant(5 : i32) : i32
  // CHECK-DAG:     %[[FULL:.*]] = llvm.mlir.addressof @bulk_copy_weights_tile0
  // CHECK:         %[[BARRIER:.*]] = llvm.getelementptr %[[FULL]]
  // CHECK:         %[[BLOCK:.*]] = llvm.add %[[ROW]], %[[PART]]
  // CHECK-NEXT:    %[[EXISTS:.*]] = llvm.icmp "ult" %[[BLOCK]], %[[ROW_BLOCKS]]
  // CHECK-NEXT:    llvm.select %[[EXISTS]], %[[BLOCK]], %[[LAST]]
  // CHECK:         %[[CLUSTER:.*]] = llvm.addrspacecast %{{.*}} : !llvm.ptr<3> to !llvm.ptr<7>
  // CHECK-NEXT:    nvvm.cp.async.bulk.shared.cluster.global %[[CLUSTER]], %{{.*}}, %[[BARRIER]], %[[SIZE]] l2_cache_hint = %[[EVICT_FIRST]]
  // CHECK-NEXT:    %[[SECOND:.*]] = llvm.add %[[PART]], %[[PARTS]]
  // CHECK-NEXT:    %[[IN_TILE:.*]] = llvm.icmp "ult" %[[SECOND]], %[[BLOCKS]]
  // CHECK-NEXT:    llvm.cond_br %[[IN_TILE]]
  // CHECK:         nvvm.cp.async.bulk.shared.cluster.global
  // CHECK-NOT:     nvvm.cp.async.bulk
  // CHECK:         llvm.return
  gpu.func @bulk_copy_weights(%w: memref<4x5x2x!mxfp4.block<spread, folded>>,
      %i: i32, %j: i32) workgroup(%full: !barriers) kernel {
    %c0 = arith.constant 0 : index
    %all = gpu.dynamic_shared_memory : !smem
    %sw = memref.view %all[%c0][] : !smem to memref<3x3x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
    %row = arith.index_cast %i : i32 to index
    %part = arith.index_cast %j : i32 to index
    mxfp4.bulk_copy_weights %w[%c0, %row, %c0] to %sw[%c0] signal %full
        part %part of 2 once
        : memref<4x5x2x!mxfp4.block<spread, folded>>
        to memref<3x3x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>,
        !barriers
    gpu.return
  }

  // Of few experts, both blocks of 8-bit numbers have one address: the second lies two
  // steps of 4352 bytes behind the first, or is the first again where there is none.

  // CHECK-LABEL: llvm.func @bulk_copy_near
  // CHECK-DAG:     %[[ROW_BYTES:.*]] = llvm.mlir.constant(8704 : i64) : i64
  // CHECK-DAG:     %[[ZERO:.*]] = llvm.mlir.constant(0 : i64) : i64
  // CHECK:         nvvm.cp.async.bulk.shared.cluster.global %{{[^,]*}}, %[[FIRST:[^ ,]*]],
  // CHECK:         %[[EXISTS:.*]] = llvm.icmp "ult"
  // CHECK:         %[[MORE:.*]] = llvm.select %[[EXISTS]], %[[ROW_BYTES]], %[[ZERO]]
  // CHECK:         %[[SECOND:.*]] = llvm.getelementptr %[[FIRST]][%[[MORE]]]
  // CHECK:         nvvm.cp.async.bulk.shared.cluster.global %{{[^,]*}}, %[[SECOND]],
  // CHECK-LABEL: llvm.func @bulk_copy_far
  // CHECK-NOT:     llvm.select {{.*}} : i1, i64
  // CHECK:         llvm.return
  gpu.func @bulk_copy_near(%w: memref<8x5x2x!mxfp4.block<bytes, relative>>,
      %i: i32) workgroup(%full: !barriers) kernel {
    %c0 = arith.constant 0 : index
    %all = gpu.dynamic_shared_memory : !smem
    %sw = memref.view %all[%c0][] : !smem to memref<3x2x!mxfp4.block<bytes, relative>, #gpu.address_space<workgroup>>
    %row = arith.index_cast %i : i32 to index
    mxfp4.bulk_copy_weights %w[%c0, %row, %c0] to %sw[%c0] signal %full once
        : memref<8x5x2x!mxfp4.block<bytes, relative>>
        to memref<3x2x!mxfp4.block<bytes, relative>, #gpu.address_space<workgroup>>,
        !barriers
    gpu.return
  }
  gpu.func @bulk_copy_far(%w: memref<16x5x2x!mxfp4.block<bytes, relative>>,
      %i: i32) workgroup(%full: !barriers) kernel {
    %c0 = arith.constant 0 : index
    %all = gpu.dynamic_shared_memory : !smem
    %sw = memref.view %all[%c0][] : !smem to memref<3x2x!mxfp4.block<bytes, relative>, #gpu.address_space<workgroup>>
    %row = arith.index_cast %i : i32 to index
    mxfp4.bulk_copy_weights %w[%c0, %row, %c0] to %sw[%c0] signal %full once
        : memref<16x5x2x!mxfp4.block<bytes, relative>>
        to memref<3x2x!mxfp4.block<bytes, relative>, #gpu.address_space<workgroup>>,
        !barriers
    gpu.return
  }

  // Of a block of the last step half of the codes, twice, and all scales, where K ends
  // in its first half.

  // CHECK-LABEL: llvm.func @bulk_copy_half_of_last
  // CHECK-SAME:    (%{{.*}}: !llvm.ptr<1>, %[[STEP:.*]]: i32)
  // CHECK-DAG:     %[[LAST:.*]] = llvm.mlir.constant(1 : i32) : i32
  // CHECK-DAG:     %[[WHOLE:.*]] = llvm.mlir.constant(4352 : i32) : i32
  // CHECK-DAG:     %[[HALF:.*]] = llvm.mlir.constant(2048 : i32) : i32
  // CHECK-DAG:     %[[SCALES:.*]] = llvm.mlir.constant(256 : i32) : i32
  // CHECK:         %[[ISLAST:.*]] = llvm.icmp "eq" %[[STEP]], %[[LAST]]
  // CHECK:         %[[SIZE:.*]] = llvm.select %[[ISLAST]], %[[HALF]], %[[WHOLE]]
  // CHECK:         nvvm.cp.async.bulk.shared.cluster.global %{{[^,]*}}, %[[FIRST:[^ ,]*]], %{{[^,]*}}, %[[SIZE]]
  // CHECK:         llvm.cond_br %[[ISLAST]]
  // CHECK:         nvvm.cp.async.bulk.shared.cluster.global %{{[^,]*}}, %[[FIRST]], %{{[^,]*}}, %[[HALF]]
  // CHECK:         %[[BEHIND:.*]] = llvm.getelementptr %[[FIRST]]
  // CHECK:         nvvm.cp.async.bulk.shared.cluster.global %{{[^,]*}}, %[[BEHIND]], %{{[^,]*}}, %[[SCALES]]
  // CHECK-NOT:     nvvm.cp.async.bulk
  // CHECK:         llvm.return
  gpu.func @bulk_copy_half_of_last(
      %w: memref<16x5x2x!mxfp4.block<bytes, relative>>, %i: i32)
      workgroup(%full: !barriers) kernel {
    %c0 = arith.constant 0 : index
    %all = gpu.dynamic_shared_memory : !smem
    %sw = memref.view %all[%c0][] : !smem to memref<3x1x!mxfp4.block<bytes, relative>, #gpu.address_space<workgroup>>
    %step = arith.index_cast %i : i32 to index
    mxfp4.bulk_copy_weights %w[%c0, %c0, %step] to %sw[%c0] signal %full once half_last
        : memref<16x5x2x!mxfp4.block<bytes, relative>>
        to memref<3x1x!mxfp4.block<bytes, relative>, #gpu.address_space<workgroup>>,
        !barriers
    gpu.return
  }

  // Two steps of a row of blocks are next to each other: behind (2 E + row) times 3
  // blocks of 2176 bytes, the second one.

  // CHECK-LABEL: llvm.func @prefetch_weights
  // CHECK-SAME:    (%[[W:.*]]: !llvm.ptr<1>, %[[E:.*]]: i32, %[[ROW:.*]]: i32)
  // CHECK-DAG:     %[[SIZE:.*]] = llvm.mlir.constant(4352 : i32) : i32
  // CHECK-DAG:     %[[ROWS:.*]] = llvm.mlir.constant(2 : i32) : i32
  // CHECK-DAG:     %[[ALL:.*]] = llvm.mlir.constant(6528 : i{{.*}}) : i{{.*}}
  // CHECK:         %[[OF:.*]] = llvm.mul %[[E]], %[[ROWS]]
  // CHECK-NEXT:    %[[BLOCKS:.*]] = llvm.add %[[OF]], %[[ROW]]
  // CHECK:         llvm.mul %{{.*}}, %[[ALL]]
  // CHECK:         %[[FIRST:.*]] = llvm.getelementptr %{{.*}}[2176]
  // CHECK-NEXT:    nvvm.cp.async.bulk.prefetch %[[FIRST]], %[[SIZE]]
  // CHECK-NEXT:    llvm.return
  gpu.func @prefetch_weights(%w: memref<4x2x3x!mxfp4.block<spread, folded>>,
      %i: i32, %j: i32) kernel {
    %expert = arith.index_cast %i : i32 to index
    %row = arith.index_cast %j : i32 to index
    mxfp4.prefetch_weights %w[%expert, %row] step 1 steps 2
        : memref<4x2x3x!mxfp4.block<spread, folded>>
    gpu.return
  }

  // Two maps of 128 bytes, passed by value, for boxes of 8 and of 16 rows: the
  // lowest that holds the rows. A map of one box is the only one.

  // CHECK-LABEL: llvm.func @tensor_copy_activations
  // CHECK-SAME:    (%[[MAPS:.*]]: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<32 x i64>, nvvm.grid_constant}, %[[MAP:.*]]: !llvm.ptr {llvm.align = 64 : i64, llvm.byval = !llvm.array<16 x i64>, nvvm.grid_constant}, %[[ROW:.*]]: i32, %[[VALID:.*]]: i32, %[[STEP:.*]]: i32)
  // CHECK-DAG:     %[[BYTES:.*]] = llvm.mlir.constant(128 : i32) : i32
  // CHECK-DAG:     %[[TILE_K:.*]] = llvm.mlir.constant(64 : i32) : i32
  // CHECK-DAG:     %[[MINUS:.*]] = llvm.mlir.constant(-1 : i32) : i32
  // CHECK-DAG:     %[[BOX_STEP:.*]] = llvm.mlir.constant(8 : i32) : i32
  // CHECK:         %[[COLUMN:.*]] = llvm.mul %[[STEP]], %[[TILE_K]]
  // CHECK-NEXT:    %[[LAST:.*]] = llvm.add %[[VALID]], %[[MINUS]]
  // CHECK-NEXT:    %[[NUMBER:.*]] = llvm.udiv %[[LAST]], %[[BOX_STEP]]
  // CHECK-NEXT:    %[[OFFSET:.*]] = llvm.mul %[[NUMBER]], %[[BYTES]]
  // CHECK-NEXT:    %[[OFFSET64:.*]] = llvm.zext nneg %[[OFFSET]]
  // CHECK-NEXT:    %[[CHOSEN:.*]] = llvm.getelementptr %[[MAPS]][%[[OFFSET64]]]
  // CHECK:         nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.*}}, %[[CHOSEN]], %{{.*}}, box[%[[COLUMN]], %[[ROW]]]
  // CHECK:         nvvm.cp.async.bulk.tensor.shared.cluster.global %{{.*}}, %[[MAP]], %{{.*}}, box[%[[COLUMN]], %[[ROW]]]
  gpu.func @tensor_copy_activations(%maps: !mxfp4.tensor_map<16 by 8>,
      %map: !mxfp4.tensor_map<16>, %i: i32, %j: i32, %k: i32)
      workgroup(%full: !barriers) kernel {
    %c0 = arith.constant 0 : index
    %all = gpu.dynamic_shared_memory : !smem
    %sx = memref.view %all[%c0][] : !smem to !x
    %row = arith.index_cast %i : i32 to index
    %valid = arith.index_cast %j : i32 to index
    %step = arith.index_cast %k : i32 to index
    mxfp4.tensor_copy_activations %maps[%row, %step] valid(%valid) to %sx[%c0]
        signal %full : !mxfp4.tensor_map<16 by 8> to !x, !barriers
    mxfp4.tensor_copy_activations %map[%row, %step] valid(%valid) to %sx[%c0]
        signal %full : !mxfp4.tensor_map<16> to !x, !barriers
    gpu.return
  }

  // A group is one piece of text, fence and commit around it: an instruction for
  // each k16 step, with A in four registers and a descriptor of B, 32 bytes (2 in
  // the descriptor) further on. Sums are tied: the same registers in and out. To
  // wait with one group pending ties nothing, since its sums are still written.

  // CHECK-LABEL: llvm.func @wgmma_registers
  // CHECK-SAME:    %[[SLOT:[^ ]*]]: i32)
  // CHECK-DAG:     %[[STAGE:.*]] = llvm.mlir.constant(128 : i32) : i32
  // CHECK-DAG:     %[[FOUR:.*]] = llvm.mlir.constant(4 : i32) : i32
  // CHECK-DAG:     %[[LEADING:.*]] = llvm.mlir.constant(65536 : i32) : i32
  // CHECK-DAG:     %[[LAYOUT:.*]] = llvm.mlir.constant(4611686293305294848 : i64) : i64
  // CHECK-DAG:     %[[TWO:.*]] = llvm.mlir.constant(2 : i32) : i32
  // CHECK:         %[[PINNED:.*]] = llvm.inline_asm has_side_effects "", "=r,=r,0,1"
  // CHECK-NEXT:    %[[A:.*]] = llvm.extractvalue %[[PINNED]][0]
  // CHECK-NEXT:    %[[B:.*]] = llvm.extractvalue %[[PINNED]][1]
  // CHECK:         nvvm.wgmma.fence.aligned
  // CHECK-NEXT:    %[[BASE:.*]] = llvm.ptrtoint
  // CHECK-NEXT:    %[[UNITS:.*]] = llvm.lshr %[[BASE]], %[[FOUR]]
  // CHECK-NEXT:    %[[LOW:.*]] = llvm.add %[[UNITS]], %[[LEADING]]
  // CHECK-NEXT:    %[[OFFSET:.*]] = llvm.mul %[[SLOT]], %[[STAGE]]
  // CHECK-NEXT:    %[[FIRST:.*]] = llvm.add %[[OFFSET]], %[[LOW]]
  // CHECK-NEXT:    %[[FIELD:.*]] = llvm.zext nneg %[[FIRST]]
  // CHECK-NEXT:    %[[X0:.*]] = llvm.or %[[FIELD]], %[[LAYOUT]]
  // CHECK-NEXT:    %[[SECOND:.*]] = llvm.add %[[FIRST]], %[[TWO]]
  // CHECK-NEXT:    %[[FIELD:.*]] = llvm.zext nneg %[[SECOND]]
  // CHECK-NEXT:    %[[X1:.*]] = llvm.or %[[FIELD]], %[[LAYOUT]]
  // CHECK:         %[[R:.*]] = llvm.inline_asm has_side_effects
  // CHECK-SAME:      "wgmma.mma_async.sync.aligned.m64n16k16.f32.bf16.bf16 {$0, $1, $2, $3, $4, $5, $6, $7}, {$16, $17, $18, $19}, $20, 1, 1, 1, 0;\0A\09wgmma.mma_async{{.*}} {$21, $22, $23, $24}, $25, 1, 1, 1, 0;\0A\09wgmma.mma_async{{.*}} {$26, $27, $28, $29}, $30, 1, 1, 1, 0;\0A\09wgmma.mma_async{{.*}} {$31, $32, $33, $34}, $35, 1, 1, 1, 0;"
  // CHECK-SAME:      "=f,=f,=f,=f,=f,=f,=f,=f,0,1,2,3,4,5,6,7,r,r,r,r,l,r,r,r,r,l,r,r,r,r,l,r,r,r,r,l"
  // CHECK-SAME:      %[[A]], %[[B]], %[[A]], %[[B]], %[[X0]], %[[A]], %[[B]], %[[A]], %[[B]], %[[X1]],
  // CHECK:         nvvm.wgmma.commit.group.sync.aligned
  // CHECK:         nvvm.wgmma.wait.group.sync.aligned 1
  // CHECK-NOT:     llvm.inline_asm
  // CHECK:         nvvm.wgmma.wait.group.sync.aligned 0
  // CHECK:         llvm.inline_asm has_side_effects "", "=f,=f,=f,=f,=f,=f,=f,=f,0,1,2,3,4,5,6,7"
  // CHECK:         llvm.return
  gpu.func @wgmma_registers(%y: memref<1xvector<4xf32>>,
      %fragments: memref<2xvector<2xbf16>>, %i: i32) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : vector<2x4xf32>
    %all = gpu.dynamic_shared_memory : !smem
    %sx = memref.view %all[%c0][] : !smem to !x
    %slot = arith.index_cast %i : i32 to index
    %a0 = memref.load %fragments[%c0] : memref<2xvector<2xbf16>>
    %b0 = memref.load %fragments[%c1] : memref<2xvector<2xbf16>>
    %a, %b = mxfp4.pin %a0, %b0 : vector<2xbf16>, vector<2xbf16>
    %r = mxfp4.wgmma %zero
        a(%a, %b, %a, %b, %a, %b, %a, %b, %a, %b, %a, %b, %a, %b, %a, %b)
        b(%sx[%slot]) columns 2 : vector<2x4xf32>, !x
    %running = mxfp4.wgmma_wait %r pending 1 : vector<2x4xf32>
    %done = mxfp4.wgmma_wait %running : vector<2x4xf32>
    %part = vector.extract %done[1] : vector<4xf32> from vector<2x4xf32>
    memref.store %part, %y[%c0] : memref<1xvector<4xf32>>
    gpu.return
  }

  // Sums that may begin from zeros: a predicate behind all operands, which the
  // first instruction reads and the others do not.

  // CHECK-LABEL: llvm.func @wgmma_from_zeros
  // CHECK:         %[[KEEP:.*]] = llvm.icmp "ne"
  // CHECK:         llvm.inline_asm has_side_effects
  // CHECK-SAME:      {$16, $17, $18, $19}, $20, $36, 1, 1, 0;\0A\09wgmma{{.*}} {$21, $22, $23, $24}, $25, 1, 1, 1, 0;\0A\09wgmma{{.*}} $30, 1, 1, 1, 0;\0A\09wgmma{{.*}} $35, 1, 1, 1, 0;"
  // CHECK-SAME:      ,r,r,r,r,l,b"
  // CHECK-SAME:      %[[KEEP]] : (
  gpu.func @wgmma_from_zeros(%y: memref<1xvector<4xf32>>,
      %fragments: memref<2xvector<2xbf16>>, %i: i32) kernel {
    %c0 = arith.constant 0 : index
    %none = arith.constant 0 : i32
    %zero = arith.constant dense<0.0> : vector<2x4xf32>
    %all = gpu.dynamic_shared_memory : !smem
    %sx = memref.view %all[%c0][] : !smem to !x
    %slot = arith.index_cast %i : i32 to index
    %keep = arith.cmpi ne, %i, %none : i32
    %a = memref.load %fragments[%c0] : memref<2xvector<2xbf16>>
    %r = mxfp4.wgmma %zero
        a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
        b(%sx[%slot]) columns 2 accumulate(%keep) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %r : vector<2x4xf32>
    %part = vector.extract %done[1] : vector<4xf32> from vector<2x4xf32>
    memref.store %part, %y[%c0] : memref<1xvector<4xf32>>
    gpu.return
  }

  // A from shared memory: both operands have descriptors, and A is not transposed.
  // What each thread has stored is shown to the asynchronous proxy, and all 128
  // meet at a barrier of their warpgroup, ahead of the group. Of two columns the
  // first is wanted: N is 8, and the second's sums go around the instructions.

  // CHECK-LABEL: llvm.func @wgmma_shared
  // CHECK-SAME:    %[[BLOCK:[^ ]*]]: i32)
  // CHECK-DAG:     %[[UNITS:.*]] = llvm.mlir.constant(512 : i32) : i32
  // CHECK-DAG:     %[[ONE:.*]] = llvm.mlir.constant(1 : i32) : i32
  // CHECK-DAG:     %[[SEVEN:.*]] = llvm.mlir.constant(7 : i32) : i32
  // CHECK-DAG:     %[[GROUP:.*]] = llvm.mlir.constant(128 : i32) : i32
  // CHECK-DAG:     %[[FOUR:.*]] = llvm.mlir.constant(4 : i32) : i32
  // CHECK-DAG:     %[[ACC:.*]] = llvm.mlir.constant(dense<{{.*}}> : vector<2x4xf32>)
  // CHECK:         %[[TILE:.*]] = llvm.getelementptr %{{.*}}[6144]
  // Buffer 1 lies four slices, a block, behind the one that is named.
  // CHECK:         llvm.add %[[BLOCK]], %[[FOUR]]
  // CHECK:         nvvm.stmatrix
  // CHECK-NEXT:    nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
  // CHECK-NEXT:    %[[NUMBER:.*]] = llvm.lshr %{{.*}}, %[[SEVEN]]
  // CHECK-NEXT:    %[[ID:.*]] = llvm.add %[[NUMBER]], %[[SEVEN]]
  // CHECK-NEXT:    nvvm.barrier id = %[[ID]] number_of_threads = %[[GROUP]]
  // CHECK-NEXT:    nvvm.wgmma.fence.aligned
  // CHECK:         %[[X0:.*]] = llvm.or
  // CHECK:         %[[NUMBER:.*]] = llvm.add %[[BLOCK]], %[[ONE]]
  // CHECK-NEXT:    %[[BASE:.*]] = llvm.ptrtoint %[[TILE]]
  // CHECK-NEXT:    llvm.lshr %[[BASE]], %[[FOUR]]
  // CHECK:         %[[OFFSET:.*]] = llvm.mul %[[NUMBER]], %[[UNITS]]
  // CHECK:         %[[A0:.*]] = llvm.or
  // CHECK:         %[[R:.*]] = llvm.inline_asm has_side_effects
  // CHECK-SAME:      "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 {$0, $1, $2, $3}, $8, $9, 1, 1, 1, 0, 0;\0A\09wgmma.mma_async{{.*}}, $10, $11, 1, 1, 1, 0, 0;\0A\09wgmma.mma_async{{.*}}, $12, $13, 1, 1, 1, 0, 0;\0A\09wgmma.mma_async{{.*}}, $14, $15, 1, 1, 1, 0, 0;"
  // CHECK-SAME:      "=f,=f,=f,=f,0,1,2,3,l,l,l,l,l,l,l,l"
  // CHECK-SAME:      %[[A0]], %[[X0]],
  // CHECK:         nvvm.wgmma.commit.group.sync.aligned
  // CHECK:         nvvm.wgmma.wait.group.sync.aligned 0
  // CHECK:         llvm.extractvalue %[[ACC]][1, 0] : !llvm.array<2 x array<4 x f32>>
  // CHECK:         llvm.return
  gpu.func @wgmma_shared(%y: memref<1xvector<2x4xf32>>,
      %fragments: memref<1xvector<2xbf16>>, %i: i32) kernel {
    %c0 = arith.constant 0 : index
    %c6144 = arith.constant 6144 : index
    %acc = arith.constant dense<[[1.0, 1.0, 1.0, 1.0], [2.0, 2.0, 2.0, 2.0]]> : vector<2x4xf32>
    %all = gpu.dynamic_shared_memory : !smem
    %sx = memref.view %all[%c0][] : !smem to !x
    %tile = memref.view %all[%c6144][] : !smem to !blocks
    %block = arith.index_cast %i : i32 to index
    %a = memref.load %fragments[%c0] : memref<1xvector<2xbf16>>
    mxfp4.store_decoded %a, %a, %a, %a to %tile[%block] step 0 buffer 1 : !blocks
    mxfp4.sync_warpgroup
    %r = mxfp4.wgmma %acc shared_a(%tile[%block]) buffer 1 b(%sx[%c0]) columns 1
        : vector<2x4xf32>, !x, !blocks
    %done = mxfp4.wgmma_wait %r : vector<2x4xf32>
    memref.store %done, %y[%c0] : memref<1xvector<2x4xf32>>
    gpu.return
  }

  // Narrowed at run time: the same sums, of which the branches take as many as
  // they need.

  // CHECK-LABEL: llvm.func @wgmma_narrowed
  // CHECK:         llvm.cond_br %{{.*}}, ^[[WIDE:.*]], ^[[NARROW:.*]]{{$}}
  // CHECK-NEXT:  ^[[WIDE]]:
  // CHECK-NEXT:    nvvm.wgmma.fence.aligned
  // CHECK:         llvm.inline_asm {{.*}}m64n16k16
  // CHECK:         nvvm.wgmma.commit.group.sync.aligned
  // CHECK:         llvm.br ^[[AFTER:.*]](%{{.*}} : !llvm.array<2 x array<4 x f32>>)
  // CHECK-NEXT:  ^[[NARROW]]:
  // CHECK-NEXT:    nvvm.wgmma.fence.aligned
  // CHECK:         llvm.inline_asm {{.*}}m64n8k16
  // CHECK:         nvvm.wgmma.commit.group.sync.aligned
  // CHECK:         llvm.br ^[[AFTER]](%{{.*}} : !llvm.array<2 x array<4 x f32>>)
  // CHECK-NOT:     m64n
  // CHECK:         nvvm.wgmma.wait.group.sync.aligned 0
  gpu.func @wgmma_narrowed(%y: memref<1xvector<4xf32>>, %many: i1) kernel {
    %c0 = arith.constant 0 : index
    %c6144 = arith.constant 6144 : index
    %zero = arith.constant dense<0.0> : vector<2x4xf32>
    %all = gpu.dynamic_shared_memory : !smem
    %sx = memref.view %all[%c0][] : !smem to !x
    %tile = memref.view %all[%c6144][] : !smem to !blocks
    %r = scf.if %many -> (vector<2x4xf32>) {
      %wide = mxfp4.wgmma %zero shared_a(%tile[%c0]) b(%sx[%c0]) columns 2
          : vector<2x4xf32>, !x, !blocks
      scf.yield %wide : vector<2x4xf32>
    } else {
      %narrow = mxfp4.wgmma %zero shared_a(%tile[%c0]) b(%sx[%c0]) columns 1
          : vector<2x4xf32>, !x, !blocks
      scf.yield %narrow : vector<2x4xf32>
    }
    %done = mxfp4.wgmma_wait %r : vector<2x4xf32>
    %part = vector.extract %done[1] : vector<4xf32> from vector<2x4xf32>
    memref.store %part, %y[%c0] : memref<1xvector<4xf32>>
    gpu.return
  }

  // Five widths that are chosen in one statement: groups of all of them, each behind a
  // fence and with a commit, of the same sums. The widest is where the text goes on,
  // and where a bit of (tokens - 1) / 8 is 0, it branches to a narrower one.

  // CHECK-LABEL: llvm.func @wgmma_of_widths
  // CHECK-SAME:    %[[TOKENS:[^ ]*]]: i32)
  // CHECK-DAG:     %[[C1:.*]] = llvm.mlir.constant(1 : i32) : i32
  // CHECK-DAG:     %[[C2:.*]] = llvm.mlir.constant(2 : i32) : i32
  // CHECK-DAG:     %[[C4:.*]] = llvm.mlir.constant(4 : i32) : i32
  // CHECK-DAG:     %[[C8:.*]] = llvm.mlir.constant(8 : i32) : i32
  // CHECK-DAG:     %[[MINUS:.*]] = llvm.mlir.constant(-1 : i32) : i32
  // CHECK:         nvvm.wgmma.fence.aligned
  // CHECK:         %[[SOME:.*]] = llvm.intr.umax(%[[TOKENS]], %[[C1]])
  // CHECK-NEXT:    %[[OTHERS:.*]] = llvm.add %[[SOME]], %[[MINUS]]
  // CHECK-NEXT:    %[[LAST:.*]] = llvm.udiv %[[OTHERS]], %[[C8]]
  // CHECK-NEXT:    %[[B4:.*]] = llvm.and %[[LAST]], %[[C4]]
  // CHECK-NEXT:    %[[B2:.*]] = llvm.and %[[LAST]], %[[C2]]
  // CHECK-NEXT:    %[[B1:.*]] = llvm.and %[[LAST]], %[[C1]]
  // CHECK-NEXT:    llvm.inline_asm has_side_effects "{\0A\09.reg .pred none;
  // CHECK-SAME:      \0AW0_0:\0A\09setp.eq.b32 none, $48, 0;\0A\09@none bra W0_1;\0A\09wgmma.fence.sync.aligned;\0A\09wgmma{{[^;]*}}m64n40k16
  // CHECK-SAME:      \0A\09wgmma.commit_group.sync.aligned;\0A\09bra.uni DONE;\0AW0_1:\0A\09setp.eq.b32 none, $49, 0;\0A\09@none bra W0_2;\0A\09setp.eq.b32 none, $50, 0;\0A\09@none bra W2_3;\0A\09wgmma.fence.sync.aligned;\0A\09wgmma{{[^;]*}}m64n32k16{{[^;]*}} {$0, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15}, $40, $41, 1, 1, 1, 0, 0;
  // CHECK-SAME:      bra.uni DONE;\0AW2_3:\0A\09wgmma.fence.sync.aligned;\0A\09wgmma{{[^;]*}}m64n24k16
  // CHECK-SAME:      bra.uni DONE;\0AW0_2:\0A\09setp.eq.b32 none, $50, 0;\0A\09@none bra W0_3;\0A\09wgmma.fence.sync.aligned;\0A\09wgmma{{[^;]*}}m64n16k16
  // CHECK-SAME:      bra.uni DONE;\0AW0_3:\0A\09wgmma.fence.sync.aligned;\0A\09wgmma{{[^;]*}}m64n8k16
  // CHECK-SAME:      bra.uni DONE;\0ADONE:\0A\09}"
  // CHECK-SAME:      ,l,l,l,l,l,l,l,l,r,r,r"
  // CHECK-SAME:      %[[B4]], %[[B2]], %[[B1]] :
  // CHECK-NOT:     nvvm.wgmma.commit
  // CHECK:         nvvm.wgmma.wait.group.sync.aligned 0
  gpu.func @wgmma_of_widths(%y: memref<1xvector<4xf32>>, %i: i32) kernel {
    %c0 = arith.constant 0 : index
    %c15360 = arith.constant 15360 : index
    %zero = arith.constant dense<0.0> : vector<5x4xf32>
    %all = gpu.dynamic_shared_memory : !smem
    %sx = memref.view %all[%c0][] : !smem to !x40
    %tile = memref.view %all[%c15360][] : !smem to !blocks
    %tokens = arith.index_cast %i : i32 to index
    %r = mxfp4.wgmma %zero shared_a(%tile[%c0]) b(%sx[%c0]) columns 5
        tokens(%tokens by 8) : vector<5x4xf32>, !x40, !blocks
    %done = mxfp4.wgmma_wait %r : vector<5x4xf32>
    %part = vector.extract %done[4] : vector<4xf32> from vector<5x4xf32>
    memref.store %part, %y[%c0] : memref<1xvector<4xf32>>
    gpu.return
  }

  // Of 8-bit numbers there are predicates of the first two bits, ahead of any loop.

  // CHECK-LABEL: llvm.func @wgmma_of_widths_fp8
  // CHECK-DAG:     %[[C0:.*]] = llvm.mlir.constant(0 : i32) : i32
  // CHECK:         %[[LAST:.*]] = llvm.udiv
  // CHECK-NEXT:    %[[B4:.*]] = llvm.and %[[LAST]], %{{.*}}
  // CHECK-NEXT:    %[[B2:.*]] = llvm.and %[[LAST]], %{{.*}}
  // CHECK-NEXT:    %[[B1:.*]] = llvm.and %[[LAST]], %{{.*}}
  // CHECK-NEXT:    %[[NO4:.*]] = llvm.icmp "eq" %[[B4]], %[[C0]]
  // CHECK-NEXT:    %[[NO2:.*]] = llvm.icmp "eq" %[[B2]], %[[C0]]
  // CHECK-NEXT:    llvm.inline_asm has_side_effects "{\0A\09.reg .pred none;
  // CHECK-SAME:      \0AW0_0:\0A\09@$60 bra W0_1;
  // CHECK-SAME:      \0AW0_1:\0A\09@$61 bra W0_2;\0A\09setp.eq.b32 none, $62, 0;\0A\09@none bra W2_3;
  // CHECK-SAME:      ,b,b,r"
  // CHECK-SAME:      %[[NO4]], %[[NO2]], %[[B1]] :
  gpu.func @wgmma_of_widths_fp8(%y: memref<1xvector<4xf32>>, %i: i32,
                                %a: vector<4xf8E5M2>) kernel {
    %c0 = arith.constant 0 : index
    %zero = arith.constant dense<0.0> : vector<5x4xf32>
    %all = gpu.dynamic_shared_memory : !smem
    %sx = memref.view %all[%c0][] : !smem to memref<3x40x128xf8E4M3FN, #gpu.address_space<workgroup>>
    %tokens = arith.index_cast %i : i32 to index
    %r = mxfp4.wgmma %zero
        a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a :
          vector<4xf8E5M2>)
        b(%sx[%c0]) columns 5 tokens(%tokens by 8) : vector<5x4xf32>,
          memref<3x40x128xf8E4M3FN, #gpu.address_space<workgroup>>
    %done = mxfp4.wgmma_wait %r : vector<5x4xf32>
    %part = vector.extract %done[4] : vector<4xf32> from vector<5x4xf32>
    memref.store %part, %y[%c0] : memref<1xvector<4xf32>>
    gpu.return
  }

  // Tall tiles of 8-bit numbers: a branch hands on each of a thread's 48 sums as a
  // scalar, and so does a loop. Lower tiles and those of bf16 hand on an array.

  // CHECK-LABEL: llvm.func @tall_sums
  // CHECK:         llvm.br ^{{[^:]*}} : i32{{(, f32){48}[)]}}
  // CHECK-NEXT:  ^{{[^:]*}}: i32{{(, %[^:]*: f32){48}[)]}}:
  // CHECK-NOT:     ^{{.*}}: !llvm.array
  // CHECK:         llvm.return
  gpu.func @tall_sums(%y: memref<1xf32>, %i: i32, %more: i1) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : vector<12x4xf32>
    %all = gpu.dynamic_shared_memory : !smem
    %sx = memref.view %all[%c0][] : !smem to !x96b
    %steps = arith.index_cast %i : i32 to index
    %a = arith.constant dense<1.0> : vector<4xf8E5M2>
    %r = scf.for %step = %c0 to %steps step %c1 iter_args(%sums = %zero)
        -> (vector<12x4xf32>) {
      %wide = scf.if %more -> (vector<12x4xf32>) {
        %1 = mxfp4.wgmma %sums
            a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a :
              vector<4xf8E5M2>)
            b(%sx[%c0]) columns 12 : vector<12x4xf32>, !x96b
        scf.yield %1 : vector<12x4xf32>
      } else {
        %2 = mxfp4.wgmma %sums
            a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a :
              vector<4xf8E5M2>)
            b(%sx[%c0]) columns 6 : vector<12x4xf32>, !x96b
        scf.yield %2 : vector<12x4xf32>
      }
      scf.yield %wide : vector<12x4xf32>
    }
    %done = mxfp4.wgmma_wait %r : vector<12x4xf32>
    %part = vector.extract %done[11, 2] : f32 from vector<12x4xf32>
    memref.store %part, %y[%c0] : memref<1xf32>
    gpu.return
  }

  // CHECK-LABEL: llvm.func @tall_sums_of_bf16
  // CHECK:       ^{{.*}}: !llvm.array<12 x array<4 x f32>>
  // CHECK:         llvm.return
  gpu.func @tall_sums_of_bf16(%y: memref<1xf32>, %i: i32) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : vector<12x4xf32>
    %all = gpu.dynamic_shared_memory : !smem
    %sx = memref.view %all[%c0][] : !smem to !x96
    %steps = arith.index_cast %i : i32 to index
    %a = arith.constant dense<1.0> : vector<2xbf16>
    %r = scf.for %step = %c0 to %steps step %c1 iter_args(%sums = %zero)
        -> (vector<12x4xf32>) {
      %1 = mxfp4.wgmma %sums
          a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
          b(%sx[%c0]) columns 12 : vector<12x4xf32>, !x96
      scf.yield %1 : vector<12x4xf32>
    }
    %done = mxfp4.wgmma_wait %r : vector<12x4xf32>
    %part = vector.extract %done[11, 2] : f32 from vector<12x4xf32>
    memref.store %part, %y[%c0] : memref<1xf32>
    gpu.return
  }

  // Accumulators of two blocks are added sum by sum, without vectors of four.

  // CHECK-LABEL: llvm.func @add_sums
  // CHECK-NOT:     llvm.insertelement
  // CHECK-COUNT-16: llvm.fadd %{{.*}} : f32
  // CHECK-NOT:     llvm.fadd
  // CHECK:         llvm.return
  gpu.func @add_sums(%y: memref<1xf32>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : vector<2x2x4xf32>
    %a = mxfp4.pin %zero : vector<2x2x4xf32>
    %b = mxfp4.pin %zero : vector<2x2x4xf32>
    %sums = arith.addf %a, %b : vector<2x2x4xf32>
    %done = mxfp4.pin %sums : vector<2x2x4xf32>
    %part = vector.extract %done[1, 1, 2] : f32 from vector<2x2x4xf32>
    memref.store %part, %y[%c0] : memref<1xf32>
    gpu.return
  }

  // Slice 0 meets slice 1 twice at barrier 1: once to say that the buffer is free,
  // once to find its sums there; then slice 2 at barrier 2. Another slice writes
  // between the two. They wait at different instructions: barrier.sync, which is
  // not bar.sync.

  // CHECK-LABEL: llvm.func @reduce_slices
  // CHECK-DAG:     %[[ONE:.*]] = llvm.mlir.constant(1 : i32) : i32
  // CHECK-DAG:     %[[TWO:.*]] = llvm.mlir.constant(2 : i32) : i32
  // CHECK-DAG:     %[[BOTH:.*]] = llvm.mlir.constant(256 : i32) : i32
  // CHECK:         llvm.cond_br %{{.*}}, ^[[SLICE0:.*]], ^[[OTHER:.*]]{{$}}
  // CHECK-NEXT:  ^[[SLICE0]]:
  // CHECK-NEXT:    llvm.call_intrinsic "llvm.nvvm.barrier.cta.sync.count"(%[[ONE]], %[[BOTH]])
  // CHECK-NEXT:    llvm.call_intrinsic "llvm.nvvm.barrier.cta.sync.count"(%[[ONE]], %[[BOTH]])
  // CHECK:         %[[THEIRS:.*]] = llvm.load %{{.*}} {alignment = 16 : i64} : !llvm.ptr<3> -> vector<4xf32>
  // CHECK-NEXT:    %[[SUM:.*]] = llvm.fadd %{{.*}}, %[[THEIRS]]
  // CHECK-NEXT:    %[[SUM0:.*]] = llvm.extractelement %[[SUM]][
  // CHECK-NEXT:    llvm.insertvalue %[[SUM0]], %{{.*}}[0, 0, 0] : !llvm.array<1 x array<1 x array<4 x f32>>>
  // CHECK:         llvm.call_intrinsic "llvm.nvvm.barrier.cta.sync.count"(%[[TWO]], %[[BOTH]])
  // CHECK-NEXT:    llvm.call_intrinsic "llvm.nvvm.barrier.cta.sync.count"(%[[TWO]], %[[BOTH]])
  // CHECK-NEXT:    llvm.insertelement %[[SUM0]],
  // CHECK-COUNT-3: llvm.insertelement
  // CHECK-NEXT:    llvm.load
  // CHECK-NEXT:    llvm.fadd {{.*}} : vector<4xf32>
  // CHECK:       ^[[OTHER]]:
  // CHECK-NEXT:    llvm.call_intrinsic "llvm.nvvm.barrier.cta.sync.count"(%[[SLICE:.*]], %[[BOTH]])
  // CHECK:         llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<3>
  // CHECK-NEXT:    llvm.call_intrinsic "llvm.nvvm.barrier.cta.sync.count"(%[[SLICE]], %[[BOTH]])
  gpu.func @reduce_slices(%y: memref<1xvector<4xf32>>, %i: i32)
      workgroup(%buffer: memref<4x128xf32, #gpu.address_space<workgroup>>) kernel {
    %c0 = arith.constant 0 : index
    %acc = arith.constant dense<1.5> : vector<1x1x4xf32>
    %slice = arith.index_cast %i : i32 to index
    %r = mxfp4.reduce_slices %acc slice(%slice of 3) through %buffer
        : vector<1x1x4xf32>, memref<4x128xf32, #gpu.address_space<workgroup>>
    %part = vector.extract %r[0, 0] : vector<4xf32> from vector<1x1x4xf32>
    memref.store %part, %y[%c0] : memref<1xvector<4xf32>>
    gpu.return
  }

  // A loop adds the sums of more than five slices, which would live at once.

  // CHECK-LABEL: llvm.func @reduce_six
  // CHECK-DAG:     %[[ONE:.*]] = llvm.mlir.constant(1 : i32) : i32
  // CHECK-DAG:     %[[SIX:.*]] = llvm.mlir.constant(6 : i32) : i32
  // CHECK-DAG:     %[[BOTH:.*]] = llvm.mlir.constant(256 : i32) : i32
  // CHECK:         llvm.br ^[[LOOP:.*]](%[[ONE]], %{{.*}} : i32, !llvm.array
  // CHECK-NEXT:  ^[[LOOP]](%[[SLICE:.*]]: i32, %[[SUMS:.*]]: !llvm.array
  // CHECK-NEXT:    %[[MORE:.*]] = llvm.icmp "slt" %[[SLICE]], %[[SIX]]
  // CHECK-NEXT:    llvm.cond_br %[[MORE]], ^[[BODY:.*]], ^{{.*}}
  // CHECK-NEXT:  ^[[BODY]]:
  // CHECK-NEXT:    llvm.call_intrinsic "llvm.nvvm.barrier.cta.sync.count"(%[[SLICE]], %[[BOTH]])
  // CHECK-NEXT:    llvm.call_intrinsic "llvm.nvvm.barrier.cta.sync.count"(%[[SLICE]], %[[BOTH]])
  // CHECK:         llvm.extractvalue %[[SUMS]]
  // CHECK:         llvm.fadd
  // CHECK-NOT:     llvm.fadd
  // CHECK:         %[[NEXT:.*]] = llvm.add %[[SLICE]], %[[ONE]]
  // CHECK-NEXT:    llvm.br ^[[LOOP]](%[[NEXT]], %{{.*}}
  gpu.func @reduce_six(%y: memref<1xvector<4xf32>>, %i: i32)
      workgroup(%buffer: memref<4x128xf32, #gpu.address_space<workgroup>>) kernel {
    %c0 = arith.constant 0 : index
    %acc = arith.constant dense<1.5> : vector<1x1x4xf32>
    %slice = arith.index_cast %i : i32 to index
    %r = mxfp4.reduce_slices %acc slice(%slice of 6) through %buffer
        : vector<1x1x4xf32>, memref<4x128xf32, #gpu.address_space<workgroup>>
    %part = vector.extract %r[0, 0] : vector<4xf32> from vector<1x1x4xf32>
    memref.store %part, %y[%c0] : memref<1xvector<4xf32>>
    gpu.return
  }

  // With a buffer for each slice, all write at once and go on: a slice waits at the
  // barrier of its buffer, slices - 1 on, where slice 0 arrives when it has come,
  // and arrives at its own barrier when it has written. Buffers of 1 x 1 x 4 f32
  // of 128 threads have 2048 bytes.

  // CHECK-LABEL: llvm.func @reduce_at_once
  // CHECK-DAG:     %[[ONE:.*]] = llvm.mlir.constant(1 : i32) : i32
  // CHECK-DAG:     %[[TWO:.*]] = llvm.mlir.constant(2 : i32) : i32
  // CHECK-DAG:     %[[BOTH:.*]] = llvm.mlir.constant(256 : i32) : i32
  // CHECK-DAG:     %[[BYTES:.*]] = llvm.mlir.constant(2048 : i32) : i32
  // CHECK:         llvm.cond_br %{{.*}}, ^[[SLICE0:.*]], ^[[OTHER:.*]]{{$}}
  // CHECK-NEXT:  ^[[SLICE0]]:
  // CHECK:         %[[FREE1:.*]] = llvm.add %[[ONE]], %[[TWO]]
  // CHECK-NEXT:    llvm.call_intrinsic "llvm.nvvm.barrier.cta.arrive.count"(%[[FREE1]], %[[BOTH]])
  // CHECK:         %[[FREE2:.*]] = llvm.add %[[TWO]], %[[TWO]]
  // CHECK-NEXT:    llvm.call_intrinsic "llvm.nvvm.barrier.cta.arrive.count"(%[[FREE2]], %[[BOTH]])
  // CHECK-NEXT:    llvm.call_intrinsic "llvm.nvvm.barrier.cta.sync.count"(%[[ONE]], %[[BOTH]])
  // CHECK-NOT:     barrier.cta
  // CHECK:         llvm.load
  // CHECK-NEXT:    llvm.fadd {{.*}} : vector<4xf32>
  // CHECK-NOT:     barrier.cta
  // CHECK:         llvm.call_intrinsic "llvm.nvvm.barrier.cta.sync.count"(%[[TWO]], %[[BOTH]])
  // CHECK-NOT:     barrier.cta
  // CHECK:       ^[[OTHER]]:
  // CHECK:         %[[FREE:.*]] = llvm.add %[[SLICE:[^,]*]], %[[TWO]]
  // CHECK-NEXT:    llvm.call_intrinsic "llvm.nvvm.barrier.cta.sync.count"(%[[FREE]], %[[BOTH]])
  // CHECK:         %[[BEFORE:.*]] = llvm.add %[[SLICE]], %{{.*}} overflow<nsw> : i32
  // CHECK-NEXT:    llvm.mul %[[BEFORE]], %[[BYTES]] overflow<nsw> : i32
  // CHECK:         llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<3>
  // CHECK-NEXT:    llvm.call_intrinsic "llvm.nvvm.barrier.cta.arrive.count"(%[[SLICE]], %[[BOTH]])
  // CHECK-NOT:     barrier.cta
  gpu.func @reduce_at_once(%y: memref<1xvector<4xf32>>, %i: i32)
      workgroup(%buffer: memref<8x128xf32, #gpu.address_space<workgroup>>) kernel {
    %c0 = arith.constant 0 : index
    %acc = arith.constant dense<1.5> : vector<1x1x4xf32>
    %slice = arith.index_cast %i : i32 to index
    %r = mxfp4.reduce_slices %acc slice(%slice of 3) through %buffer
        : vector<1x1x4xf32>, memref<8x128xf32, #gpu.address_space<workgroup>>
    %part = vector.extract %r[0, 0] : vector<4xf32> from vector<1x1x4xf32>
    memref.store %part, %y[%c0] : memref<1xvector<4xf32>>
    gpu.return
  }

  // Of 24 tokens the first 16 are added in any case, and the other eight if the
  // tile has more than 16; barriers stay outside of the branch.

  // CHECK-LABEL: llvm.func @reduce_some
  // CHECK-SAME:    %{{.*}}: i32, %[[TOKENS:[^ ]*]]: i32
  // CHECK:         %[[SIXTEEN:.*]] = llvm.mlir.constant(16 : i32) : i32
  // CHECK-COUNT-2: llvm.call_intrinsic "llvm.nvvm.barrier.cta.sync.count"
  // CHECK-COUNT-2: llvm.fadd
  // CHECK:         %[[MORE:.*]] = llvm.icmp "ult" %{{.*}}, %[[TOKENS]] : i32
  // CHECK-NEXT:    llvm.cond_br %[[MORE]], ^[[ADD:.*]], ^[[DONE:.*]]{{$}}
  // CHECK-NEXT:  ^[[ADD]]:
  // CHECK:         llvm.fadd
  // CHECK-NOT:     llvm.fadd
  // CHECK:         llvm.call_intrinsic "llvm.nvvm.barrier.cta.sync.count"
  // CHECK-COUNT-2: llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<3>
  // CHECK:         llvm.icmp "ult" %{{.*}}, %[[TOKENS]] : i32
  // CHECK-NEXT:    llvm.cond_br
  // CHECK:         llvm.store %{{.*}} {alignment = 16 : i64} : vector<4xf32>, !llvm.ptr<3>
  // CHECK:         llvm.call_intrinsic "llvm.nvvm.barrier.cta.sync.count"
  gpu.func @reduce_some(%y: memref<1xvector<4xf32>>, %i: i32, %n: i32)
      workgroup(%buffer: memref<12x128xf32, #gpu.address_space<workgroup>>) kernel {
    %c0 = arith.constant 0 : index
    %acc = arith.constant dense<1.5> : vector<1x3x4xf32>
    %slice = arith.index_cast %i : i32 to index
    %tokens = arith.index_cast %n : i32 to index
    %r = mxfp4.reduce_slices %acc slice(%slice of 2) through %buffer
        tokens(%tokens) : vector<1x3x4xf32>, memref<12x128xf32, #gpu.address_space<workgroup>>
    %part = vector.extract %r[0, 2] : vector<4xf32> from vector<1x3x4xf32>
    memref.store %part, %y[%c0] : memref<1xvector<4xf32>>
    gpu.return
  }

  // An even N: rows 2g and 2g + 1 of the weights sit in one thread and are stored
  // as a pair, rounded together. A predicate says of each pair whether its token
  // and its columns exist, here 100 and no multiple of 64; the second of a thread's
  // tokens is a constant number of bytes away.

  // CHECK-LABEL: llvm.func @store_even
  // CHECK-SAME:    %[[VALID:[^ ]*]]: i32)
  // CHECK-DAG:     %[[N:.*]] = llvm.mlir.constant(100 : i32) : i32
  // CHECK-DAG:     %[[ZERO:.*]] = llvm.mlir.constant(0 : i32) : i32
  // CHECK-DAG:     %[[ONE:.*]] = llvm.mlir.constant(1 : i32) : i32
  // CHECK:         %[[ADDRESS:.*]] = llvm.ptrtoint
  // CHECK-NEXT:    %[[LEFT:.*]] = llvm.sub %[[VALID]], %{{.*}}
  // CHECK-NEXT:    %[[FIRST:.*]] = llvm.icmp "sgt" %[[LEFT]], %[[ZERO]]
  // CHECK:         %[[INSIDE:.*]] = llvm.icmp "ult" %{{.*}}, %[[N]]
  // CHECK-NEXT:    %[[STORES:.*]] = llvm.and %[[FIRST]], %[[INSIDE]]
  // CHECK:         %[[PAIR:.*]] = llvm.fptrunc %{{.*}} : vector<2xf32> to vector<2xbf16>
  // CHECK-NEXT:    %[[BITS:.*]] = llvm.bitcast %[[PAIR]] : vector<2xbf16> to i32
  // CHECK-NEXT:    llvm.inline_asm has_side_effects "@$0 st.global.b32 [$1+0], $2;", "b,l,r,~{memory}" %[[STORES]], %[[ADDRESS]], %[[BITS]]
  // CHECK-NEXT:    %[[SECOND:.*]] = llvm.icmp "sgt" %[[LEFT]], %[[ONE]]
  // CHECK:         llvm.and %[[SECOND]], %[[INSIDE]]
  // CHECK:         llvm.inline_asm has_side_effects "@$0 st.global.b32 [$1+200], $2;"
  // CHECK-NOT:     llvm.inline_asm
  // CHECK:         llvm.return
  gpu.func @store_even(%y: memref<?x100xbf16>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %acc = arith.constant dense<1.5> : vector<1x1x4xf32>
    %at = arith.index_cast %i : i32 to index
    mxfp4.store_tile %acc to %y[%at, %at] valid(%at) {schedule = #schedule}
        : vector<1x1x4xf32> to memref<?x100xbf16>
    gpu.return
  }

  // Of a tile that may be low, 16 tokens at a time are gone round where it has none
  // of them; but not the first 16.

  // CHECK-LABEL: llvm.func @store_low
  // CHECK-SAME:    %[[VALID:[^ ]*]]: i32)
  // CHECK-DAG:     %[[SIXTEEN:.*]] = llvm.mlir.constant(16 : i32) : i32
  // CHECK-NOT:     llvm.cond_br
  // CHECK-COUNT-4: llvm.inline_asm {{.*}} st.global
  // CHECK:         %[[MORE:.*]] = llvm.icmp "ult" %[[SIXTEEN]], %[[VALID]]
  // CHECK-NEXT:    llvm.cond_br %[[MORE]]
  // CHECK-COUNT-4: llvm.inline_asm {{.*}} st.global
  // CHECK-NOT:     st.global
  // CHECK:         llvm.return
  gpu.func @store_low(%y: memref<?x64xbf16>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %acc = arith.constant dense<1.5> : vector<1x4x4xf32>
    %at = arith.index_cast %i : i32 to index
    mxfp4.store_tile %acc to %y[%at, %at] valid(%at) {schedule = #low}
        : vector<1x4x4xf32> to memref<?x64xbf16>
    gpu.return
  }

  // With store_columns = 1, eight tokens at a time.

  // CHECK-LABEL: llvm.func @store_with_branches
  // CHECK-NOT:     llvm.cond_br
  // CHECK-COUNT-2: llvm.inline_asm {{.*}} st.global
  // CHECK:         llvm.cond_br
  // CHECK-COUNT-2: llvm.inline_asm {{.*}} st.global
  // CHECK:         llvm.cond_br
  // CHECK-COUNT-2: llvm.inline_asm {{.*}} st.global
  // CHECK:         llvm.cond_br
  // CHECK-COUNT-2: llvm.inline_asm {{.*}} st.global
  // CHECK-NOT:     st.global
  // CHECK:         llvm.return
  gpu.func @store_with_branches(%y: memref<?x64xbf16>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %acc = arith.constant dense<1.5> : vector<1x4x4xf32>
    %at = arith.index_cast %i : i32 to index
    mxfp4.store_tile %acc to %y[%at, %at] valid(%at) {schedule = #branches}
        : vector<1x4x4xf32> to memref<?x64xbf16>
    gpu.return
  }

  // An odd N: one element at a time, the second if it exists. f32 is stored as it
  // is.

  // CHECK-LABEL: llvm.func @store_odd
  // CHECK-DAG:     %[[N:.*]] = llvm.mlir.constant(101 : i32) : i32
  // CHECK-NOT:     llvm.fptrunc
  // CHECK:         llvm.inline_asm has_side_effects "@$0 st.global.b32 [$1+0], $2;"
  // CHECK:         %[[INSIDE:.*]] = llvm.icmp "ult" %{{.*}}, %[[N]]
  // CHECK-NEXT:    %[[STORES:.*]] = llvm.and %{{.*}}, %[[INSIDE]]
  // CHECK:         llvm.inline_asm has_side_effects "@$0 st.global.b32 [$1+4], $2;", "b,l,r,~{memory}" %[[STORES]],
  // CHECK:         "@$0 st.global.b32 [$1+404], $2;"
  // CHECK:         "@$0 st.global.b32 [$1+408], $2;"
  // CHECK-NOT:     llvm.fptrunc
  // CHECK:         llvm.return
  gpu.func @store_odd(%y: memref<?x101xf32>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %acc = arith.constant dense<1.5> : vector<1x1x4xf32>
    %at = arith.index_cast %i : i32 to index
    mxfp4.store_tile %acc to %y[%at, %at] valid(%at) {schedule = #schedule}
        : vector<1x1x4xf32> to memref<?x101xf32>
    gpu.return
  }

  // The place of a tile is arithmetic on the table, the offsets and the ids; an id
  // that is none sets a bit of the error word.

  // CHECK-LABEL: llvm.func @locate_tile
  // CHECK-SAME:    (%[[O:.*]]: !llvm.ptr<1>, %[[IDS:.*]]: !llvm.ptr<1>, %[[ERROR:.*]]: !llvm.ptr<1>, %[[WHERE:.*]]: !llvm.ptr<1>, %[[NUMBER:.*]]: i32)
  // CHECK-DAG:     %[[TABLE:.*]] = llvm.mlir.addressof @locate_tile_tile0 : !llvm.ptr<3>
  // CHECK:         %[[FIRST:.*]] = llvm.getelementptr %[[TABLE]][
  // CHECK-NEXT:    llvm.load %[[FIRST]] : !llvm.ptr<3> -> i32
  // CHECK-DAG:     llvm.getelementptr %[[O]][
  // CHECK-DAG:     llvm.getelementptr %[[IDS]][
  // CHECK:         llvm.atomicrmw _or %[[ERROR]]
  // CHECK-COUNT-4: llvm.store %{{.*}} : i32, !llvm.ptr<1>
  // CHECK:         llvm.return
  gpu.func @locate_tile(%o: memref<3xi32>, %ids: memref<2xi32>,
      %error: memref<1xi32>, %where: memref<4xi32>, %i: i32)
      workgroup(%table: memref<4xi32, #gpu.address_space<workgroup>>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c3 = arith.constant 3 : index
    %number = arith.index_cast %i : i32 to index
    %expert, %row, %valid, %column = mxfp4.locate_tile %number in %table
        offsets(%o) expert_ids(%ids : memref<2xi32>)
        error(%error : memref<1xi32>) experts 2 columns 2
        {schedule = #schedule}
        : memref<4xi32, #gpu.address_space<workgroup>>, memref<3xi32>
    %expert32 = arith.index_cast %expert : index to i32
    %row32 = arith.index_cast %row : index to i32
    %valid32 = arith.index_cast %valid : index to i32
    %column32 = arith.index_cast %column : index to i32
    memref.store %expert32, %where[%c0] : memref<4xi32>
    memref.store %row32, %where[%c1] : memref<4xi32>
    memref.store %valid32, %where[%c2] : memref<4xi32>
    memref.store %column32, %where[%c3] : memref<4xi32>
    gpu.return
  }

  // Where full tiles come first: entry 2 of the table, the tiles of groups with
  // more than half a tile's rows, says which of its two lists to search, and
  // where the second one's numbers begin.

  // CHECK-LABEL: llvm.func @locate_full_first
  // CHECK-SAME:    (%[[O:.*]]: !llvm.ptr<1>, %[[WHERE:.*]]: !llvm.ptr<1>, %[[NUMBER:.*]]: i32)
  // CHECK-DAG:     %[[TABLE:.*]] = llvm.mlir.addressof @locate_full_first_tile0 : !llvm.ptr<3>
  // CHECK-DAG:     %[[ZERO:.*]] = llvm.mlir.constant(0 : index) : i32
  // CHECK-DAG:     %[[SECOND:.*]] = llvm.mlir.constant(4 : index) : i32
  // CHECK:         %[[AT:.*]] = llvm.getelementptr %[[TABLE]][
  // CHECK-NEXT:    %[[FULL:.*]] = llvm.load %[[AT]] : !llvm.ptr<3> -> i32
  // CHECK-NEXT:    %[[ISFULL:.*]] = llvm.icmp "slt" %[[ROW:.*]], %[[FULL]] : i32
  // CHECK-NEXT:    %[[LIST:.*]] = llvm.select %[[ISFULL]], %[[ZERO]], %[[SECOND]]
  // CHECK-NEXT:    %[[REST:.*]] = llvm.sub %[[ROW]], %[[FULL]]
  // CHECK-NEXT:    %[[WANTED:.*]] = llvm.select %[[ISFULL]], %[[ROW]], %[[REST]]
  // CHECK:         %[[ENTRY:.*]] = llvm.add %[[LIST]], %{{.*}} : i32
  // CHECK-NEXT:    %[[AT2:.*]] = llvm.getelementptr %[[TABLE]][%[[ENTRY]]]
  // CHECK-NEXT:    %[[BEFORE:.*]] = llvm.load %[[AT2]] : !llvm.ptr<3> -> i32
  // CHECK-NEXT:    llvm.icmp "sle" %[[BEFORE]], %[[WANTED]]
  // CHECK:         %[[BEGIN:.*]] = llvm.add %[[LIST]], %[[GROUP:.*]] : i32
  // CHECK-NEXT:    %[[AT3:.*]] = llvm.getelementptr %[[TABLE]][%[[BEGIN]]]
  // CHECK-NEXT:    %[[FIRST:.*]] = llvm.load %[[AT3]] : !llvm.ptr<3> -> i32
  // CHECK-NEXT:    llvm.sub %[[WANTED]], %[[FIRST]]
  // CHECK:         llvm.return
  gpu.func @locate_full_first(%o: memref<3xi32>, %where: memref<4xi32>, %i: i32)
      workgroup(%table: memref<7xi32, #gpu.address_space<workgroup>>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %number = arith.index_cast %i : i32 to index
    %expert, %row, %valid, %column = mxfp4.locate_tile %number in %table
        offsets(%o) experts 2 columns 2
        {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64,
           tokens = 48, warps_rows = 4, warps_tokens = 1, stages = 6,
           placement = register, ctas = 1, token_step = 16>}
        : memref<7xi32, #gpu.address_space<workgroup>>, memref<3xi32>
    %expert32 = arith.index_cast %expert : index to i32
    %row32 = arith.index_cast %row : index to i32
    memref.store %expert32, %where[%c0] : memref<4xi32>
    memref.store %row32, %where[%c1] : memref<4xi32>
    gpu.return
  }

  // Control flow becomes branches, and loops stay loops: LLVM would unroll them
  // past the registers. Accumulators of rank 3 come apart.

  // CHECK-LABEL: llvm.func @loop
  // CHECK-NOT:     scf
  // CHECK:         llvm.br
  // CHECK:         nvvm.barrier
  // CHECK-NOT:     vector<2x1x4xf32>
  // CHECK:         llvm.br {{.*}} {llvm.loop_annotation = #[[ROLLED]]}
  // CHECK:         llvm.return
  gpu.func @loop(%y: memref<4xf32>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : vector<2x1x4xf32>
    %n = arith.index_cast %i : i32 to index
    %r = scf.for %k = %c0 to %n step %c1 iter_args(%acc = %zero)
        -> (vector<2x1x4xf32>) {
      gpu.barrier
      %part = vector.extract %acc[1, 0] : vector<4xf32> from vector<2x1x4xf32>
      %next = vector.insert %part, %acc[0, 0] : vector<4xf32> into vector<2x1x4xf32>
      scf.yield %next : vector<2x1x4xf32>
    }
    %e = vector.extract %r[0, 0, 3] : f32 from vector<2x1x4xf32>
    memref.store %e, %y[%c0] : memref<4xf32>
    gpu.return
  }

  // Elements e and e + 2 are neighbours in columns, which the epilogue takes to
  // one: a thread has a value for each of two tokens then. It gives one to the
  // thread four lanes away, which has the column beside, and stores two columns
  // of one token.

  // CHECK-LABEL: llvm.func @store_pairs
  // CHECK-DAG:     %[[LOW:.*]] = llvm.mlir.constant(21520 : i32) : i32
  // CHECK-DAG:     %[[HIGH:.*]] = llvm.mlir.constant(12918 : i32) : i32
  // CHECK-DAG:     %[[ZERO:.*]] = llvm.mlir.constant(0 : i32) : i32
  // CHECK-DAG:     %[[ALL:.*]] = llvm.mlir.constant(-1 : i32) : i32
  // CHECK-DAG:     %[[FOUR:.*]] = llvm.mlir.constant(4 : i32) : i32
  // CHECK:         %[[BOTH:.*]] = llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> vector<2xbf16>
  // CHECK:         %[[B:.*]] = llvm.extractelement %[[BOTH]]
  // CHECK:         %[[B0:.*]] = llvm.fpext %[[B]] : bf16 to f32
  // CHECK:         %[[B1:.*]] = llvm.fpext %{{.*}} : bf16 to f32
  // CHECK:         %[[E0:.*]] = llvm.extractvalue %{{.*}}[0, 0, 0]
  // CHECK:         %[[E2:.*]] = llvm.extractvalue %{{.*}}[0, 0, 2]
  // CHECK:         %[[G:.*]] = llvm.fadd %[[E0]], %[[B0]]
  // CHECK:         %[[U:.*]] = llvm.fadd %[[E2]], %[[B1]]
  // CHECK:         llvm.fmul %[[G]], %[[U]]
  // CHECK:         llvm.extractvalue %{{.*}}[0, 0, 1]
  // CHECK:         llvm.extractvalue %{{.*}}[0, 0, 3]
  // CHECK:         %[[ROUNDED:.*]] = llvm.fptrunc %{{.*}} : vector<2xf32> to vector<2xbf16>
  // CHECK:         %[[MINE:.*]] = llvm.bitcast %[[ROUNDED]] : vector<2xbf16> to i32
  // CHECK:         %[[THEIRS:.*]] = nvvm.shfl.sync bfly %[[ALL]], %[[MINE]], %[[FOUR]], %{{.*}} : i32 -> i32
  // CHECK:         %[[ODD:.*]] = llvm.icmp "ne" %{{.*}}, %[[ZERO]]
  // CHECK:         %[[WHICH:.*]] = llvm.select %[[ODD]], %[[HIGH]], %[[LOW]]
  // CHECK:         %[[PAIR:.*]] = llvm.call_intrinsic "llvm.nvvm.prmt"(%[[MINE]], %[[THEIRS]], %[[WHICH]])
  // CHECK:         llvm.inline_asm {{.*}}st.global.b32 {{.*}} %[[PAIR]]
  // CHECK-NOT:     llvm.inline_asm
  // CHECK:         llvm.return
  gpu.func @store_pairs(%acc: vector<1x1x4xf32>, %y: memref<?x64xbf16>,
      %bias: memref<4x128xbf16>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %at = arith.index_cast %i : i32 to index
    mxfp4.store_tile %acc to %y[%at, %at] valid(%at) expert(%at)
        epilogue(%bias : memref<4x128xbf16>) {
        ^bb0(%gate: f32, %up: f32, %b0: f32, %b1: f32):
          %g = arith.addf %gate, %b0 : f32
          %u = arith.addf %up, %b1 : f32
          %p = arith.mulf %g, %u : f32
          mxfp4.yield %p : f32
        } {schedule = #schedule} : vector<1x1x4xf32> to memref<?x64xbf16>
    gpu.return
  }

  // What is loaded for columns is loaded ahead of the loop whose sums are stored, and
  // widened behind it.

  // CHECK-LABEL: llvm.func @store_behind_loop
  // CHECK:         %[[BOTH:.*]] = llvm.load %{{.*}} {alignment = 4 : i64} : !llvm.ptr<1> -> vector<2xbf16>
  // CHECK:         llvm.cond_br
  // CHECK:         nvvm.barrier
  // CHECK-NOT:     llvm.load {{.*}} vector<2xbf16>
  // CHECK:         llvm.extractelement %[[BOTH]]
  // CHECK:         llvm.fpext
  // CHECK:         st.global
  gpu.func @store_behind_loop(%y: memref<?x64xbf16>, %bias: memref<4x64xbf16>,
      %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : vector<1x1x4xf32>
    %at = arith.index_cast %i : i32 to index
    %sums = scf.for %k = %c0 to %at step %c1 iter_args(%acc = %zero)
        -> (vector<1x1x4xf32>) {
      gpu.barrier
      scf.yield %acc : vector<1x1x4xf32>
    }
    mxfp4.store_tile %sums to %y[%at, %at] valid(%at) expert(%at)
        epilogue(%bias : memref<4x64xbf16>) {
        ^bb0(%sum: f32, %b: f32):
          %p = arith.addf %sum, %b : f32
          mxfp4.yield %p : f32
        } {schedule = #schedule} : vector<1x1x4xf32> to memref<?x64xbf16>
    gpu.return
  }

  // Powers of 8-bit numbers and scales of rows, too, in tiles of eight tokens; others
  // have no registers for them.

  // CHECK-LABEL: llvm.func @store_powers_behind_loop
  // CHECK-DAG:     llvm.load %{{.*}} : !llvm.ptr<1> -> vector<2xf32>
  // CHECK-DAG:     %[[SCALE:.*]] = llvm.load %{{.*}} : !llvm.ptr<1> -> f32
  // CHECK:         nvvm.barrier
  // CHECK-NOT:     llvm.load
  // CHECK:         nvvm.shfl.sync idx %{{.*}}, %[[SCALE]],
  // CHECK:         st.global
  gpu.func @store_powers_behind_loop(%y: memref<?x64xbf16>,
      %powers: memref<4x64xf32>, %scales: memref<?xf32>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : vector<1x1x4xf32>
    %at = arith.index_cast %i : i32 to index
    %sums = scf.for %k = %c0 to %at step %c1 iter_args(%acc = %zero)
        -> (vector<1x1x4xf32>) {
      gpu.barrier
      scf.yield %acc : vector<1x1x4xf32>
    }
    mxfp4.store_tile %sums to %y[%at, %at] valid(%at) expert(%at)
        epilogue(%powers, %scales : memref<4x64xf32>, memref<?xf32>) {
        ^bb0(%sum: f32, %power: f32, %scale: f32):
          %s = arith.mulf %sum, %scale : f32
          %p = arith.mulf %s, %power : f32
          mxfp4.yield %p : f32
        } {schedule = #of_eight} : vector<1x1x4xf32> to memref<?x64xbf16>
    gpu.return
  }

  // CHECK-LABEL: llvm.func @load_powers_behind_loop
  // CHECK-NOT:     llvm.load {{.*}} vector<2xf32>
  // CHECK:         nvvm.barrier
  // CHECK:         llvm.load {{.*}} vector<2xf32>
  gpu.func @load_powers_behind_loop(%y: memref<?x64xbf16>,
      %powers: memref<4x64xf32>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %zero = arith.constant dense<0.0> : vector<1x4x4xf32>
    %at = arith.index_cast %i : i32 to index
    %sums = scf.for %k = %c0 to %at step %c1 iter_args(%acc = %zero)
        -> (vector<1x4x4xf32>) {
      gpu.barrier
      scf.yield %acc : vector<1x4x4xf32>
    }
    mxfp4.store_tile %sums to %y[%at, %at] valid(%at) expert(%at)
        epilogue(%powers : memref<4x64xf32>) {
        ^bb0(%sum: f32, %power: f32):
          %p = arith.mulf %sum, %power : f32
          mxfp4.yield %p : f32
        } {schedule = #of_fp8} : vector<1x4x4xf32> to memref<?x64xbf16>
    gpu.return
  }

  // A thread takes the values of all of its rows from other lanes ahead of the
  // first store: each branch would wait for its own.

  // CHECK-LABEL: llvm.func @store_rows_ahead
  // CHECK-COUNT-8: nvvm.shfl.sync idx
  // CHECK:         st.global
  // CHECK-NOT:     nvvm.shfl.sync
  // CHECK:         llvm.return
  gpu.func @store_rows_ahead(%acc: vector<1x4x4xf32>,
      %y: memref<?x192xbf16>, %scales: memref<?xf32>, %weights: memref<?xf32>,
      %to: memref<?xi32>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %at = arith.index_cast %i : i32 to index
    mxfp4.store_tile %acc to %y[%at, %at] valid(%at) expert(%at)
        epilogue(%scales : memref<?xf32>) {
        ^bb0(%sum: f32, %scale: f32):
          %p = arith.mulf %sum, %scale : f32
          mxfp4.yield %p : f32
        } {schedule = #of_fp8} : vector<1x4x4xf32> to memref<?x192xbf16>
    gpu.return
  }

  // Groups without an expert have a branch that takes registers: each branch around
  // stores has its values.

  // CHECK-LABEL: llvm.func @store_rows_or_none
  // CHECK:         nvvm.shfl.sync idx
  // CHECK:         nvvm.shfl.sync idx
  // CHECK-NOT:     nvvm.shfl.sync
  // CHECK:         st.global
  // CHECK:         nvvm.shfl.sync idx
  gpu.func @store_rows_or_none(%acc: vector<1x4x4xf32>,
      %y: memref<?x192xbf16>, %scales: memref<?xf32>, %weights: memref<?xf32>,
      %to: memref<?xi32>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %at = arith.index_cast %i : i32 to index
    mxfp4.store_tile %acc to %y[%at, %at] valid(%at) expert(%at) or_none
        epilogue(%scales : memref<?xf32>) {
        ^bb0(%sum: f32, %scale: f32):
          %p = arith.mulf %sum, %scale : f32
          mxfp4.yield %p : f32
        } {schedule = #of_fp8} : vector<1x4x4xf32> to memref<?x192xbf16>
    gpu.return
  }

  // A thread of three warpgroups has registers for one value of each row beside its
  // sums, and not for two.

  // CHECK-LABEL: llvm.func @store_rows_of_three
  // CHECK-COUNT-48: nvvm.shfl.sync idx
  // CHECK:         st.global
  // CHECK-NOT:     nvvm.shfl.sync
  // CHECK:         llvm.return
  gpu.func @store_rows_of_three(%acc: vector<1x24x4xf32>,
      %y: memref<?x192xbf16>, %scales: memref<?xf32>, %weights: memref<?xf32>,
      %to: memref<?xi32>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %at = arith.index_cast %i : i32 to index
    mxfp4.store_tile %acc to %y[%at, %at] valid(%at) expert(%at)
        epilogue(%scales : memref<?xf32>) {
        ^bb0(%sum: f32, %scale: f32):
          %p = arith.mulf %sum, %scale : f32
          mxfp4.yield %p : f32
        } {schedule = #wide_fp8} : vector<1x24x4xf32> to memref<?x192xbf16>
    gpu.return
  }

  // CHECK-LABEL: llvm.func @store_two_rows_of_three
  // CHECK-COUNT-4: nvvm.shfl.sync idx
  // CHECK-NOT:     nvvm.shfl.sync
  // CHECK:         st.global
  // CHECK:         nvvm.shfl.sync idx
  gpu.func @store_two_rows_of_three(%acc: vector<1x24x4xf32>,
      %y: memref<?x192xbf16>, %scales: memref<?xf32>, %weights: memref<?xf32>,
      %to: memref<?xi32>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %at = arith.index_cast %i : i32 to index
    mxfp4.store_tile %acc to %y[%at, %at] valid(%at) expert(%at)
        epilogue(%scales, %weights : memref<?xf32>, memref<?xf32>) {
        ^bb0(%sum: f32, %scale: f32, %weight: f32):
          %p = arith.mulf %sum, %scale : f32
          %q = arith.mulf %p, %weight : f32
          mxfp4.yield %q : f32
        } {schedule = #wide_fp8} : vector<1x24x4xf32> to memref<?x192xbf16>
    gpu.return
  }

  // Addresses of a scatter take registers as well.

  // CHECK-LABEL: llvm.func @store_rows_scattered
  // CHECK-COUNT-2: nvvm.shfl.sync idx
  // CHECK-NOT:     nvvm.shfl.sync
  // CHECK:         st.global
  // CHECK:         nvvm.shfl.sync idx
  gpu.func @store_rows_scattered(%acc: vector<1x4x4xf32>,
      %y: memref<?x192xbf16>, %scales: memref<?xf32>, %weights: memref<?xf32>,
      %to: memref<?xi32>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %at = arith.index_cast %i : i32 to index
    mxfp4.store_tile %acc to %y[%at, %at] valid(%at) expert(%at) scatter(%to : memref<?xi32>)
        limit(%i) epilogue(%scales : memref<?xf32>) {
        ^bb0(%sum: f32, %scale: f32):
          %p = arith.mulf %sum, %scale : f32
          mxfp4.yield %p : f32
        } {schedule = #of_fp8} : vector<1x4x4xf32> to memref<?x192xbf16>
    gpu.return
  }

  // Values of f32 need no neighbour for a whole word, and where N is odd pairs of
  // columns are not aligned: each thread stores what it has.

  // CHECK-LABEL: llvm.func @store_single
  // CHECK-NOT:     nvvm.shfl.sync
  // CHECK-COUNT-2: llvm.inline_asm {{.*}}st.global.b32
  // CHECK-COUNT-2: llvm.inline_asm {{.*}}st.global.b16
  // CHECK-NOT:     llvm.inline_asm
  // CHECK:         llvm.return
  gpu.func @store_single(%acc: vector<1x1x4xf32>, %y: memref<?x64xf32>,
      %odd: memref<?x63xbf16>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %at = arith.index_cast %i : i32 to index
    mxfp4.store_tile %acc to %y[%at, %at] valid(%at) epilogue {
        ^bb0(%gate: f32, %up: f32):
          %p = arith.mulf %gate, %up : f32
          mxfp4.yield %p : f32
        } {schedule = #schedule} : vector<1x1x4xf32> to memref<?x64xf32>
    mxfp4.store_tile %acc to %odd[%at, %at] valid(%at) epilogue {
        ^bb0(%gate: f32, %up: f32):
          %p = arith.mulf %gate, %up : f32
          mxfp4.yield %p : f32
        } {schedule = #schedule} : vector<1x1x4xf32> to memref<?x63xbf16>
    gpu.return
  }

  // The two rows of a thread are looked up before anything is stored, the last
  // row's entries for tokens that are not there. A row that does not exist sets
  // bit 2 and is not stored. Rows of no expert are zeros without the epilogue.

  // CHECK-LABEL: llvm.func @store_scattered
  // CHECK-SAME:    (%{{.*}}: !llvm.array{{.*}}, %[[Y:.*]]: !llvm.ptr<1>, %[[TO:.*]]: !llvm.ptr<1>, %[[ERROR:.*]]: !llvm.ptr<1>, %[[WEIGHT:.*]]: !llvm.ptr<1>, %[[I:.*]]: i32)
  // CHECK-DAG:     %[[BIT:.*]] = llvm.mlir.constant(4 : i32) : i32
  // CHECK-DAG:     %[[NOTHING:.*]] = llvm.mlir.constant(0.000000e+00 : f32) : f32
  // CHECK:         %[[USED:.*]] = llvm.icmp "sge" %[[I]], %{{.*}}
  // CHECK:         llvm.intr.umin
  // CHECK:         %[[FIRST:.*]] = llvm.load %{{.*}} : !llvm.ptr<1> -> i32
  // CHECK:         llvm.intr.umin
  // CHECK:         %[[SECOND:.*]] = llvm.load %{{.*}} : !llvm.ptr<1> -> i32
  // CHECK:         %[[VALID:.*]] = llvm.icmp "sgt"
  // CHECK:         %[[THERE:.*]] = llvm.icmp "ult" %[[FIRST]], %[[I]]
  // CHECK:         llvm.cond_br
  // CHECK:         llvm.atomicrmw _or %[[ERROR]], %[[BIT]] monotonic
  // CHECK:         %[[STORED:.*]] = llvm.and %[[VALID]], %[[THERE]]
  // CHECK:         llvm.select %[[USED]], %{{.*}}, %[[NOTHING]]
  // CHECK:         llvm.inline_asm {{.*}}st.global.b64 {{.*}} %[[STORED]]
  // CHECK:         llvm.icmp "ult" %[[SECOND]], %[[I]]
  // CHECK:         llvm.atomicrmw _or %[[ERROR]], %[[BIT]] monotonic
  // CHECK:         llvm.inline_asm {{.*}}st.global.b64
  // CHECK-NOT:     llvm.inline_asm
  // CHECK:         llvm.return
  gpu.func @store_scattered(%acc: vector<1x1x4xf32>, %y: memref<?x128xf32>,
      %to: memref<?xi32>, %e: memref<1xi32>, %weight: memref<?xf32>, %i: i32)
      kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    %at = arith.index_cast %i : i32 to index
    mxfp4.store_tile %acc to %y[%at, %at] valid(%at) expert(%at) or_none
        scatter(%to : memref<?xi32>) limit(%i) error(%e : memref<1xi32>)
        epilogue(%weight : memref<?xf32>) {
        ^bb0(%sum: f32, %w: f32):
          %p = arith.mulf %sum, %w : f32
          mxfp4.yield %p : f32
        } {schedule = #schedule} : vector<1x1x4xf32> to memref<?x128xf32>
    gpu.return
  }

  // Four warps load the sources of 16 rows, one a thread, and copy 16 bytes of
  // each; a row that does not exist is row 0, and columns past K are zeros.

  // CHECK-LABEL: llvm.func @gather
  // CHECK-SAME:    (%[[MAP:.*]]: !llvm.ptr<1>, %[[X:.*]]: !llvm.ptr<1>, %[[ERROR:.*]]: !llvm.ptr<1>, %[[I:.*]]: i32)
  // CHECK-DAG:     %[[ZERO:.*]] = llvm.mlir.constant(0 : i32) : i32
  // CHECK-DAG:     %[[K:.*]] = llvm.mlir.constant(96 : i32) : i32
  // CHECK-DAG:     %[[PITCH:.*]] = llvm.mlir.constant(192 : i64) : i64
  // CHECK:         %[[ROW:.*]] = llvm.load %{{.*}} : !llvm.ptr<1> -> i32
  // CHECK:         %[[THERE:.*]] = llvm.icmp "ult" %[[ROW]], %[[I]]
  // CHECK:         llvm.select %[[THERE]], %[[ROW]], %[[ZERO]]
  // CHECK:         llvm.cond_br
  // CHECK:         llvm.atomicrmw _or %[[ERROR]]
  // CHECK:         %[[EXISTS:.*]] = llvm.icmp "ult" %{{.*}}, %[[K]]
  // CHECK:         %[[SIZE:.*]] = llvm.select %[[EXISTS]]
  // CHECK:         llvm.mul %{{.*}}, %[[PITCH]]
  // CHECK:         nvvm.cp.async.shared.global %{{.*}}, %{{.*}}, 16, cache = cg, %[[SIZE]]
  // CHECK-NOT:     nvvm.cp.async
  // CHECK:         llvm.return
  gpu.func @gather(%map: memref<?xi32>, %x: memref<?x96xbf16>,
      %e: memref<1xi32>, %i: i32) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %all = gpu.dynamic_shared_memory : !smem
    %sx = memref.view %all[%c0][] : !smem to !x
    %at = arith.index_cast %i : i32 to index
    %rows = mxfp4.load_rows %map[%at] valid(%at) limit(%i)
        error(%e : memref<1xi32>) : memref<?xi32> -> vector<1xi32>
    mxfp4.gather_activations %x[%rows, %c1] valid(%at) to %sx[%c1]
        : memref<?x96xbf16>, vector<1xi32> to !x
    gpu.return
  }

  // Four warps copy 16 rows at once. Branches skip 16 of 64 rows, or 32.

  // CHECK-LABEL: llvm.func @gather_with_branches
  // CHECK:         nvvm.cp.async.shared.global
  // CHECK-NOT:     nvvm.cp.async.shared.global
  // CHECK:         llvm.cond_br
  // CHECK:         nvvm.cp.async.shared.global
  // CHECK-NOT:     nvvm.cp.async.shared.global
  // CHECK:         llvm.cond_br
  // CHECK:         nvvm.cp.async.shared.global
  // CHECK-NOT:     nvvm.cp.async.shared.global
  // CHECK:         llvm.cond_br
  // CHECK:         nvvm.cp.async.shared.global
  // CHECK:         nvvm.cp.async.commit.group
  // CHECK-NOT:     llvm.cond_br
  // CHECK-COUNT-2: nvvm.cp.async.shared.global
  // CHECK:         llvm.cond_br
  // CHECK-COUNT-2: nvvm.cp.async.shared.global
  // CHECK-NOT:     llvm.cond_br
  // CHECK:         llvm.return
  gpu.func @gather_with_branches(%rows: vector<4xi32>, %x: memref<?x128xbf16>,
      %i: i32) kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    %c0 = arith.constant 0 : index
    %all = gpu.dynamic_shared_memory : !smem
    %sx = memref.view %all[%c0][] : !smem
        to memref<3x64x64xbf16, #gpu.address_space<workgroup>>
    %at = arith.index_cast %i : i32 to index
    mxfp4.gather_activations %x[%rows, %c0] valid(%at) to %sx[%c0]
        : memref<?x128xbf16>, vector<4xi32>
        to memref<3x64x64xbf16, #gpu.address_space<workgroup>>
    nvvm.cp.async.commit.group
    mxfp4.gather_activations %x[%rows, %c0] valid(%at) to %sx[%c0]
        {branch_rows = 32} : memref<?x128xbf16>, vector<4xi32>
        to memref<3x64x64xbf16, #gpu.address_space<workgroup>>
    gpu.return
  }

  // Three warps of a role copy twelve rows at a time. The last four of 16 are
  // copied by the first warp, if the tile has them; then all threads arrive
  // when their copies have landed, without a count of their own.

  // CHECK-LABEL: llvm.func @gather_of_a_role
  // CHECK-DAG:     %[[TOKENS:.*]] = llvm.mlir.constant(16 : i32) : i32
  // CHECK-DAG:     %[[TWELVE:.*]] = llvm.mlir.constant(12 : i32) : i32
  // CHECK-COUNT-2: llvm.load %{{.*}} : !llvm.ptr<1> -> i32
  // CHECK-NOT:     llvm.atomicrmw
  // CHECK:         nvvm.cp.async.shared.global %{{.*}}, %{{.*}}, 16, cache = cg :
  // CHECK:         %[[ROW:.*]] = llvm.add %{{.*}}, %[[TWELVE]]
  // CHECK:         %[[NEEDED:.*]] = llvm.icmp "ult" %[[ROW]], %{{.*}}
  // CHECK:         llvm.cond_br %[[NEEDED]]
  // CHECK:         %[[EXISTS:.*]] = llvm.icmp "ult" %[[ROW]], %[[TOKENS]]
  // CHECK:         llvm.cond_br %[[EXISTS]]
  // CHECK:         nvvm.cp.async.shared.global %{{.*}}, %{{.*}}, 16, cache = cg :
  // CHECK:         nvvm.cp.async.mbarrier.arrive %{{.*}} {noinc = true} : !llvm.ptr<3>
  // CHECK-NEXT:    llvm.return
  gpu.func @gather_of_a_role(%map: memref<?xi32>, %x: memref<?x128xbf16>,
      %i: i32) workgroup(%full: !barriers) kernel
      attributes {known_block_size = array<i32: 256, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %all = gpu.dynamic_shared_memory : !smem
    %sx = memref.view %all[%c0][] : !smem to !x
    %at = arith.index_cast %i : i32 to index
    %rows = mxfp4.load_rows %map[%at] valid(%at) limit(%i) warp(%at of 3)
        : memref<?xi32> -> vector<2xi32>
    mxfp4.gather_activations %x[%rows, %c1] valid(%at) to %sx[%c1]
        warp(%at of 3) signal(%full : !barriers) {branch_rows = 8}
        : memref<?x128xbf16>, vector<2xi32> to !x
    gpu.return
  }
}
