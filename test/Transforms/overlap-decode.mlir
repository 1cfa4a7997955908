// Two batches of wgmma are on their way at a time. While one runs, the warpgroup
// decodes the next block of weights and loads the words of the one after that;
// the loop over K carries the fragments to multiply, those of the batch before,
// whose registers are free once it is waited for, and the words to decode.
//
// RUN: mxfp4-opt %s --mxfp4-insert-decode --loop-invariant-code-motion --mxfp4-overlap-decode --canonicalize --cse --split-input-file \
// RUN:   | FileCheck %s --implicit-check-not=mxfp4.decode --implicit-check-not=mxfp4.load_codes --implicit-check-not=mxfp4.wgmma --implicit-check-not=mxfp4.pin --implicit-check-not=_barrier --implicit-check-not=mxfp4.store_decoded --implicit-check-not=mxfp4.sync --implicit-check-not=mxfp4.overlap
//
// Each decode, load, wgmma and use of a barrier that comes out is named below, and
// none but those: nothing is lost, and nothing is done twice.

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

// K = 320, five steps. 1 + 1 + 2 * 2 decodes in the text, of which the last to run
// decodes old words that nobody multiplies; 1 + 2 * 2 batches.

// CHECK-LABEL: func @five_steps(
// CHECK-SAME:    %[[FULL:[^:]*]]: memref<3xi64, {{.*}}>, %[[EMPTY:[^:]*]]: memref<3xi64, {{.*}}>, %[[W:[^:]*]]: memref<3x1x{{.*}}>, %[[X:[^:]*]]: memref<3x16x64xbf16, {{.*}}>, %[[SLOT:[^:]*]]: index, %[[PARITY:[^:]*]]: i32, %[[N:[^:]*]]: index, %[[ZERO:[^:]*]]: vector<1x2x4xf32>
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1 : i32
// Zeros that are made inside the first batch would serialise it.
// CHECK:         %[[SUMS:.*]] = mxfp4.pin %[[ZERO]] :
// CHECK-NEXT:    %[[UP:.*]] = arith.addi %[[SLOT]], %[[C1]]
// CHECK-NEXT:    %[[WRAPS:.*]] = arith.cmpi eq, %[[UP]], %[[C3]]
// CHECK-NEXT:    %[[SLOT1:.*]] = arith.select %[[WRAPS]], %[[C0]], %[[UP]]
// CHECK-NEXT:    %[[FLIPPED:.*]] = arith.xori %[[PARITY]], %[[ONE]]
// CHECK-NEXT:    %[[PARITY1:.*]] = arith.select %[[WRAPS]], %[[FLIPPED]], %[[PARITY]]
// The first step is decoded; the pins hold two sets of fragments apart.
// CHECK-NEXT:    mxfp4.wait_barrier %[[FULL]][%[[SLOT]]] parity %[[PARITY]]
// CHECK-NEXT:    %[[P0:.*]], %[[P1:.*]], %[[P2:.*]], %[[P3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT]], %[[SLICE:.*]]] :
// CHECK-NEXT:    %[[S:.*]] = mxfp4.load_scales %[[W]][%[[SLOT]], %[[SLICE]]]
// CHECK-NEXT:    %[[D0:.*]], %{{.*}}, %{{.*}}, %{{.*}} = mxfp4.decode %[[P0]], %[[S]] step 0
// CHECK-NEXT:    mxfp4.decode %[[P1]], %[[S]] step 1
// CHECK-NEXT:    mxfp4.decode %[[P2]], %[[S]] step 2
// CHECK-NEXT:    %{{.*}}, %{{.*}}, %{{.*}}, %[[D15:.*]] = mxfp4.decode %[[P3]], %[[S]] step 3
// CHECK-NEXT:    %[[A:.*]]:16 = mxfp4.pin %[[D0]], {{.*}}, %[[D15]] :
// CHECK-NEXT:    %[[SPARE:.*]]:16 = mxfp4.pin %[[A]]#0, {{.*}}, %[[A]]#15 :
// The words of the second.
// CHECK-NEXT:    mxfp4.wait_barrier %[[FULL]][%[[SLOT1]]] parity %[[PARITY1]]
// CHECK-NEXT:    %[[P0:.*]], %[[P1:.*]], %[[P2:.*]], %[[P3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT1]], %[[SLICE]]]
// CHECK-NEXT:    %[[S:.*]] = mxfp4.load_scales %[[W]][%[[SLOT1]], %[[SLICE]]]
// Five is odd: one step goes ahead of the loop. No batch is before its own, so that
// there is nothing to wait for and no stage to give back.
// CHECK-NEXT:    %[[PART:.*]] = vector.extract %[[SUMS]][0]
// CHECK-NEXT:    %[[M:.*]] = mxfp4.wgmma %[[PART]] a(%[[A]]#0, {{.*}}, %[[A]]#15) b(%[[X]][%[[SLOT]]]) columns 2 tokens(%[[N]] by 16)
// CHECK-NEXT:    %[[SUMS:.*]] = vector.broadcast %[[M]]
// Behind it the second step is decoded, and the third loaded. A tile without tokens
// has no steps, so that the branch is always taken; only the run shows it.
// CHECK-NEXT:    %[[ALWAYS:.*]] = arith.cmpi ne, %[[N]], %[[C0]]
// CHECK-NEXT:    %[[UP:.*]] = arith.addi %[[SLOT1]], %[[C1]]
// CHECK-NEXT:    %[[WRAPS:.*]] = arith.cmpi eq, %[[UP]], %[[C3]]
// CHECK-NEXT:    %[[SLOT2:.*]] = arith.select %[[WRAPS]], %[[C0]], %[[UP]]
// CHECK-NEXT:    %[[FLIPPED:.*]] = arith.xori %[[PARITY1]], %[[ONE]]
// CHECK-NEXT:    %[[PARITY2:.*]] = arith.select %[[WRAPS]], %[[FLIPPED]], %[[PARITY1]]
// CHECK-NEXT:    %[[NEXT:.*]]:21 = scf.if %[[ALWAYS]]
// CHECK-NEXT:      mxfp4.decode %[[P0]], %[[S]] step 0
// CHECK-NEXT:      mxfp4.decode %[[P1]], %[[S]] step 1
// CHECK-NEXT:      mxfp4.decode %[[P2]], %[[S]] step 2
// CHECK-NEXT:      mxfp4.decode %[[P3]], %[[S]] step 3
// CHECK-NEXT:      %[[B:.*]]:16 = mxfp4.pin
// CHECK-NEXT:      mxfp4.wait_barrier %[[FULL]][%[[SLOT2]]] parity %[[PARITY2]]
// CHECK-NEXT:      %[[Q0:.*]], %[[Q1:.*]], %[[Q2:.*]], %[[Q3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT2]], %[[SLICE]]]
// CHECK-NEXT:      %[[T:.*]] = mxfp4.load_scales %[[W]][%[[SLOT2]], %[[SLICE]]]
// CHECK-NEXT:      scf.yield %[[B]]#0, {{.*}}, %[[B]]#15, %[[Q0]], %[[T]], %[[Q1]], %[[Q2]], %[[Q3]] :
// CHECK-NEXT:    } else {
// CHECK-NEXT:      scf.yield %[[SPARE]]#0, {{.*}}, %[[SPARE]]#15, %[[P0]], %[[S]], %[[P1]], %[[P2]], %[[P3]] :
// CHECK-NEXT:    }
// Two rounds of two steps. What was decoded is multiplied next; the fragments of the
// batch that runs are the spare ones.
// CHECK-NEXT:    %[[R:.*]]:43 = scf.for %[[ROUND:.*]] = %[[C0]] to %[[C2]] step %[[C1]] iter_args(%[[ACC:.*]] = %[[SUMS]], %[[BEFORE:.*]] = %[[SLOT]], %[[CURRENT:.*]] = %[[SLOT1]], %{{.*}} = %[[PARITY1]], %[[AHEAD:.*]] = %[[SLOT2]], %[[PHASE:.*]] = %[[PARITY2]], %[[A0:.*]] = %[[NEXT]]#0, {{.*}}, %[[A15:.*]] = %[[NEXT]]#15, %[[B0:.*]] = %[[A]]#0, {{.*}}, %[[B15:.*]] = %[[A]]#15, %[[P0:.*]] = %[[NEXT]]#16, %[[S:.*]] = %[[NEXT]]#17, %[[P1:.*]] = %[[NEXT]]#18, %[[P2:.*]] = %[[NEXT]]#19, %[[P3:.*]] = %[[NEXT]]#20)
// CHECK-NEXT:      %[[FETCHES:.*]] = arith.cmpi ult, %[[ROUND]], %[[C1]]
// CHECK-NEXT:      %[[PART:.*]] = vector.extract %[[ACC]][0]
// CHECK-NEXT:      %[[M:.*]] = mxfp4.wgmma %[[PART]] a(%[[A0]], {{.*}}, %[[A15]]) b(%[[X]][%[[CURRENT]]])
// One batch may run on: the one before is done, its stage is given back, and its
// fragments are written.
// CHECK-NEXT:      %[[M1:.*]] = mxfp4.wgmma_wait %[[M]] pending 1
// CHECK-NEXT:      mxfp4.arrive_barrier %[[EMPTY]][%[[BEFORE]]]
// CHECK:           %[[SLOT3:.*]] = arith.select %{{.*}}, %[[C0]], %{{.*}} : index
// CHECK:           %[[PARITY3:.*]] = arith.select %{{.*}}, %{{.*}}, %[[PHASE]] : i32
// CHECK-NEXT:      %[[NEXT:.*]]:21 = scf.if %[[ALWAYS]]
// CHECK-NEXT:        mxfp4.decode %[[P0]], %[[S]] step 0
// CHECK-NEXT:        mxfp4.decode %[[P1]], %[[S]] step 1
// CHECK-NEXT:        mxfp4.decode %[[P2]], %[[S]] step 2
// CHECK-NEXT:        mxfp4.decode %[[P3]], %[[S]] step 3
// CHECK-NEXT:        %[[B:.*]]:16 = mxfp4.pin
// The last round loads nothing: past the last step there is nothing to wait for.
// CHECK-NEXT:        %[[FETCHED:.*]]:5 = scf.if %[[FETCHES]]
// CHECK-NEXT:          mxfp4.wait_barrier %[[FULL]][%[[SLOT3]]] parity %[[PARITY3]]
// CHECK-NEXT:          %[[Q0:.*]], %[[Q1:.*]], %[[Q2:.*]], %[[Q3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT3]], %[[SLICE]]]
// CHECK-NEXT:          %[[T:.*]] = mxfp4.load_scales %[[W]][%[[SLOT3]], %[[SLICE]]]
// CHECK-NEXT:          scf.yield %[[Q0]], %[[T]], %[[Q1]], %[[Q2]], %[[Q3]] :
// CHECK-NEXT:        } else {
// CHECK-NEXT:          scf.yield %[[P0]], %[[S]], %[[P1]], %[[P2]], %[[P3]] :
// CHECK-NEXT:        }
// CHECK-NEXT:        scf.yield %[[B]]#0, {{.*}}, %[[B]]#15, %[[FETCHED]]#0, {{.*}}, %[[FETCHED]]#4 :
// CHECK-NEXT:      } else {
// CHECK-NEXT:        scf.yield %[[B0]], {{.*}}, %[[B15]], %[[P0]], %[[S]], %[[P1]], %[[P2]], %[[P3]] :
// CHECK-NEXT:      }
// The second of the two takes the other set, and gives back the first one's stage.
// CHECK-NEXT:      %[[M2:.*]] = mxfp4.wgmma %[[M1]] a(%[[NEXT]]#0, {{.*}}, %[[NEXT]]#15) b(%[[X]][%[[AHEAD]]])
// CHECK-NEXT:      %[[M3:.*]] = mxfp4.wgmma_wait %[[M2]] pending 1
// CHECK-NEXT:      %[[SUMS:.*]] = vector.broadcast %[[M3]]
// CHECK-NEXT:      mxfp4.arrive_barrier %[[EMPTY]][%[[CURRENT]]]
// CHECK:           %[[SLOT4:.*]] = arith.select %{{.*}}, %[[C0]], %{{.*}} : index
// CHECK:           %[[PARITY4:.*]] = arith.select %{{.*}}, %{{.*}}, %[[PARITY3]] : i32
// CHECK-NEXT:      %[[THEN:.*]]:21 = scf.if %[[ALWAYS]]
// CHECK-NEXT:        mxfp4.decode %[[NEXT]]#16, %[[NEXT]]#17 step 0
// CHECK-NEXT:        mxfp4.decode %[[NEXT]]#18, %[[NEXT]]#17 step 1
// CHECK-NEXT:        mxfp4.decode %[[NEXT]]#19, %[[NEXT]]#17 step 2
// CHECK-NEXT:        mxfp4.decode %[[NEXT]]#20, %[[NEXT]]#17 step 3
// CHECK-NEXT:        %[[B:.*]]:16 = mxfp4.pin
// CHECK-NEXT:        %[[FETCHED:.*]]:5 = scf.if %[[FETCHES]]
// CHECK-NEXT:          mxfp4.wait_barrier %[[FULL]][%[[SLOT4]]] parity %[[PARITY4]]
// CHECK-NEXT:          mxfp4.load_codes %[[W]][%[[SLOT4]], %[[SLICE]]]
// CHECK:             scf.yield %[[B]]#0, {{.*}}, %[[B]]#15, %[[FETCHED]]#0, {{.*}}, %[[FETCHED]]#4 :
// CHECK-NEXT:      } else {
// CHECK-NEXT:        scf.yield %[[A0]], {{.*}}, %[[A15]], %[[NEXT]]#16, {{.*}}, %[[NEXT]]#20 :
// CHECK-NEXT:      }
// CHECK-NEXT:      scf.yield %[[SUMS]], %[[AHEAD]], %[[SLOT3]], %[[PARITY3]], %[[SLOT4]], %[[PARITY4]], %[[THEN]]#0, {{.*}}, %[[THEN]]#15, %[[NEXT]]#0, {{.*}}, %[[NEXT]]#15, %[[THEN]]#16, {{.*}}, %[[THEN]]#20 :
// CHECK-NEXT:    }
// The last batch is waited for, and its stage is given back.
// CHECK-NEXT:    %[[DONE:.*]] = mxfp4.wgmma_wait %[[R]]#0 : vector<1x2x4xf32>
// CHECK-NEXT:    mxfp4.arrive_barrier %[[EMPTY]][%[[R]]#1]
// CHECK-NEXT:    return %[[DONE]], %[[R]]#2, %[[R]]#3
func.func @five_steps(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %first: index, %phase: i32, %n: index, %zero: vector<1x2x4xf32>)
    -> (vector<1x2x4xf32>, index, i32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %steps = arith.constant 5 : index
  %one = arith.constant 1 : i32
  %r:3 = scf.for %k = %c0 to %steps step %c1
      iter_args(%acc = %zero, %slot = %first, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %sums = mxfp4.tile_matmul %acc, %w, %x at [%slot] tokens(%n)
        {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    %wraps = arith.cmpi eq, %slot1, %c3 : index
    %slot2 = arith.select %wraps, %c0, %slot1 : index
    %flipped = arith.xori %parity, %one : i32
    %parity2 = arith.select %wraps, %flipped, %parity : i32
    scf.yield %sums, %slot2, %parity2 : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return %r#0, %r#1, %r#2 : vector<1x2x4xf32>, index, i32
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

// An even number of steps: three rounds, and none ahead. The first batch of all is
// in the loop, so that its first round waits for nothing and has no stage to give
// back.

// CHECK-LABEL: func @six_steps(
// CHECK-SAME:    %[[FULL:[^:]*]]: memref<3xi64, {{.*}}>, %[[EMPTY:[^:]*]]: memref<3xi64, {{.*}}>, %[[W:[^:]*]]: memref<3x1x{{.*}}>, %[[X:[^:]*]]: memref<3x16x64xbf16, {{.*}}>, %[[SLOT:[^:]*]]: index, %[[PARITY:[^:]*]]: i32, %[[N:[^:]*]]: index, %[[ZERO:[^:]*]]: vector<1x2x4xf32>
// CHECK:         mxfp4.pin %[[ZERO]] :
// CHECK-NEXT:    %{{.*}} = arith.addi
// CHECK:         mxfp4.wait_barrier %[[FULL]][%[[SLOT]]] parity %[[PARITY]]
// CHECK-NEXT:    mxfp4.load_codes
// CHECK-COUNT-4: mxfp4.decode
// CHECK:         %[[A:.*]]:16 = mxfp4.pin
// CHECK-NEXT:    %[[SPARE:.*]]:16 = mxfp4.pin %[[A]]#0, {{.*}}, %[[A]]#15 :
// CHECK-NEXT:    mxfp4.wait_barrier %[[FULL]][%[[SLOT1:.*]]] parity %[[PARITY1:.*]] :
// CHECK-NEXT:    mxfp4.load_codes %[[W]][%[[SLOT1]],
// CHECK:         %[[R:.*]]:43 = scf.for %[[ROUND:.*]] = %[[C0:.*]] to %{{.*}}3 step {{.*}} iter_args(%[[ACC:.*]] = %{{.*}}, %[[BEFORE:.*]] = %[[SLOT]], %[[CURRENT:.*]] = %[[SLOT]], %{{.*}} = %[[PARITY]], %[[AHEAD:.*]] = %[[SLOT1]], %{{.*}} = %[[PARITY1]], %[[A0:.*]] = %[[A]]#0, {{.*}}, %[[A15:.*]] = %[[A]]#15, %[[B0:.*]] = %[[SPARE]]#0, {{.*}}, %[[B15:.*]] = %[[SPARE]]#15,
// CHECK-NEXT:      %[[FETCHES:.*]] = arith.cmpi ult, %[[ROUND]], %{{.*}}2 : index
// CHECK-NEXT:      %[[RELEASES:.*]] = arith.cmpi ne, %[[ROUND]], %[[C0]]
// CHECK-NEXT:      vector.extract %[[ACC]][0]
// CHECK-NEXT:      mxfp4.wgmma %{{.*}} a(%[[A0]], {{.*}}, %[[A15]]) b(%[[X]][%[[CURRENT]]])
// CHECK-NEXT:      mxfp4.wgmma_wait {{.*}} pending 1
// CHECK-NEXT:      scf.if %[[RELEASES]] {
// CHECK-NEXT:        mxfp4.arrive_barrier %[[EMPTY]][%[[BEFORE]]]
// CHECK-NEXT:      }
// CHECK:           %[[NEXT:.*]]:21 = scf.if
// CHECK-COUNT-4:     mxfp4.decode
// CHECK:             mxfp4.pin
// CHECK-NEXT:        scf.if %[[FETCHES]]
// CHECK-NEXT:          mxfp4.wait_barrier
// CHECK-NEXT:          mxfp4.load_codes
// CHECK:           mxfp4.wgmma %{{.*}} a(%[[NEXT]]#0, {{.*}}, %[[NEXT]]#15) b(%[[X]][%[[AHEAD]]])
// CHECK-NEXT:      mxfp4.wgmma_wait {{.*}} pending 1
// CHECK:           mxfp4.arrive_barrier %[[EMPTY]][%[[CURRENT]]]
// CHECK-COUNT-4:     mxfp4.decode
// CHECK:             mxfp4.pin
// CHECK-NEXT:        scf.if %[[FETCHES]]
// CHECK-NEXT:          mxfp4.wait_barrier
// CHECK-NEXT:          mxfp4.load_codes
// CHECK:         %[[DONE:.*]] = mxfp4.wgmma_wait %[[R]]#0 : vector<1x2x4xf32>
// CHECK-NEXT:    mxfp4.arrive_barrier %[[EMPTY]][%[[R]]#1]
// CHECK-NEXT:    return %[[DONE]], %[[R]]#2, %[[R]]#3
func.func @six_steps(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %first: index, %phase: i32, %n: index, %zero: vector<1x2x4xf32>)
    -> (vector<1x2x4xf32>, index, i32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %steps = arith.constant 6 : index
  %one = arith.constant 1 : i32
  %r:3 = scf.for %k = %c0 to %steps step %c1
      iter_args(%acc = %zero, %slot = %first, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %sums = mxfp4.tile_matmul %acc, %w, %x at [%slot] tokens(%n)
        {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    %wraps = arith.cmpi eq, %slot1, %c3 : index
    %slot2 = arith.select %wraps, %c0, %slot1 : index
    %flipped = arith.xori %parity, %one : i32
    %parity2 = arith.select %wraps, %flipped, %parity : i32
    scf.yield %sums, %slot2, %parity2 : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return %r#0, %r#1, %r#2 : vector<1x2x4xf32>, index, i32
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

// One step: no loop, one batch. There is no next stage to wait for; what is loaded
// and decoded in its place are the words of the only one.

// CHECK-LABEL: func @one_step(
// CHECK-SAME:    %[[FULL:[^:]*]]: memref<3xi64, {{.*}}>, %[[EMPTY:[^:]*]]: memref<3xi64, {{.*}}>, %[[W:[^:]*]]: memref<3x1x{{.*}}>, %[[X:[^:]*]]: memref<3x16x64xbf16, {{.*}}>, %[[SLOT:[^:]*]]: index, %[[PARITY:[^:]*]]: i32, %[[N:[^:]*]]: index, %[[ZERO:[^:]*]]: vector<1x2x4xf32>
// CHECK:         mxfp4.pin %[[ZERO]] :
// CHECK:         %[[SLOT1:.*]] = arith.select {{.*}} : index
// CHECK:         %[[PARITY1:.*]] = arith.select {{.*}} : i32
// CHECK-NEXT:    mxfp4.wait_barrier %[[FULL]][%[[SLOT]]] parity %[[PARITY]]
// CHECK-NEXT:    mxfp4.load_codes %[[W]][%[[SLOT]],
// CHECK-COUNT-4: mxfp4.decode
// CHECK:         %[[A:.*]]:16 = mxfp4.pin
// CHECK-NEXT:    mxfp4.pin %[[A]]#0
// CHECK-NEXT:    mxfp4.wait_barrier %[[FULL]][%[[SLOT]]] parity %[[PARITY]]
// CHECK-NEXT:    mxfp4.load_codes %[[W]][%[[SLOT]],
// CHECK:         %[[M:.*]] = mxfp4.wgmma %{{.*}} a(%[[A]]#0, {{.*}}, %[[A]]#15) b(%[[X]][%[[SLOT]]])
// CHECK-NEXT:    %[[SUMS:.*]] = vector.broadcast %[[M]]
// CHECK:         scf.if
// CHECK-COUNT-4:   mxfp4.decode
// CHECK:           mxfp4.pin
// CHECK-NEXT:    }
// CHECK-NEXT:    %[[DONE:.*]] = mxfp4.wgmma_wait %[[SUMS]] :
// CHECK-NEXT:    mxfp4.arrive_barrier %[[EMPTY]][%[[SLOT]]]
// CHECK-NEXT:    return %[[DONE]], %[[SLOT1]], %[[PARITY1]]
func.func @one_step(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %first: index, %phase: i32, %n: index, %zero: vector<1x2x4xf32>)
    -> (vector<1x2x4xf32>, index, i32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %steps = arith.constant 1 : index
  %one = arith.constant 1 : i32
  %r:3 = scf.for %k = %c0 to %steps step %c1
      iter_args(%acc = %zero, %slot = %first, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %sums = mxfp4.tile_matmul %acc, %w, %x at [%slot] tokens(%n)
        {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    %wraps = arith.cmpi eq, %slot1, %c3 : index
    %slot2 = arith.select %wraps, %c0, %slot1 : index
    %flipped = arith.xori %parity, %one : i32
    %parity2 = arith.select %wraps, %flipped, %parity : i32
    scf.yield %sums, %slot2, %parity2 : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return %r#0, %r#1, %r#2 : vector<1x2x4xf32>, index, i32
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>
!w = memref<3x2x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

// A warpgroup with two blocks of each stage: two batches a step, so that two sets
// of fragments take turns without unrolling. The stage is given back by the next
// step's first batch, once.

// CHECK-LABEL: func @two_blocks(
// CHECK-SAME:    %[[FULL:[^:]*]]: memref<3xi64, {{.*}}>, %[[EMPTY:[^:]*]]: memref<3xi64, {{.*}}>, %[[W:[^:]*]]: memref<3x2x{{.*}}>, %[[X:[^:]*]]: memref<3x16x64xbf16, {{.*}}>, %[[SLOT:[^:]*]]: index, %[[PARITY:[^:]*]]: i32, %[[N:[^:]*]]: index, %[[ZERO:[^:]*]]: vector<2x2x4xf32>
// CHECK-DAG:     %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG:     %[[C5:.*]] = arith.constant 5 : index
// CHECK:         mxfp4.pin %[[ZERO]] :
// CHECK:         mxfp4.wait_barrier %[[FULL]][%[[SLOT]]] parity %[[PARITY]]
// CHECK-NEXT:    mxfp4.load_codes %[[W]][%[[SLOT]], %[[SLICE:.*]]] :
// CHECK-COUNT-4: mxfp4.decode
// CHECK:         %[[A:.*]]:16 = mxfp4.pin
// CHECK-NEXT:    mxfp4.pin %[[A]]#0
// The second block of the stage that is there.
// CHECK-NEXT:    mxfp4.load_codes %[[W]][%[[SLOT]], %[[SECOND:.*]]] :
// CHECK:         scf.for %[[ROUND:.*]] = %{{.*}} to %[[C5]] step {{.*}} iter_args(%[[ACC:.*]] = %{{.*}}, %[[BEFORE:.*]] = %[[SLOT]], %[[CURRENT:.*]] = %[[SLOT]], %{{.*}} = %[[PARITY]], %[[AHEAD:.*]] = %{{.*}}, %[[PHASE:.*]] = %{{.*}}, %[[A0:.*]] = %[[A]]#0, {{.*}}, %[[A15:.*]] = %[[A]]#15,
// CHECK-NEXT:      %[[FETCHES:.*]] = arith.cmpi ult, %[[ROUND]], %[[C4]]
// CHECK-NEXT:      %[[RELEASES:.*]] = arith.cmpi ne, %[[ROUND]],
// CHECK-NEXT:      %[[PART0:.*]] = vector.extract %[[ACC]][0]
// CHECK-NEXT:      %[[M:.*]] = mxfp4.wgmma %[[PART0]] a(%[[A0]], {{.*}}, %[[A15]]) b(%[[X]][%[[CURRENT]]])
// CHECK-NEXT:      mxfp4.wgmma_wait %[[M]] pending 1
// CHECK-NEXT:      scf.if %[[RELEASES]] {
// CHECK-NEXT:        mxfp4.arrive_barrier %[[EMPTY]][%[[BEFORE]]]
// CHECK-NEXT:      }
// CHECK:           %[[NEXT:.*]]:21 = scf.if
// CHECK-COUNT-4:     mxfp4.decode
// CHECK:             mxfp4.pin
// CHECK-NEXT:        scf.if %[[FETCHES]]
// The first block of the next stage, which may still be on its way.
// CHECK-NEXT:          mxfp4.wait_barrier %[[FULL]][%[[AHEAD]]] parity %[[PHASE]]
// CHECK-NEXT:          mxfp4.load_codes %[[W]][%[[AHEAD]], %[[SLICE]]]
// CHECK:           %[[PART1:.*]] = vector.extract %[[ACC]][1]
// CHECK-NEXT:      %[[M:.*]] = mxfp4.wgmma %[[PART1]] a(%[[NEXT]]#0, {{.*}}, %[[NEXT]]#15) b(%[[X]][%[[CURRENT]]])
// CHECK-NEXT:      mxfp4.wgmma_wait %[[M]] pending 1
// CHECK:           scf.if
// CHECK-COUNT-4:     mxfp4.decode
// CHECK:             mxfp4.pin
// CHECK-NEXT:        scf.if %[[FETCHES]]
// CHECK-NEXT:          mxfp4.load_codes %[[W]][%[[AHEAD]], %[[SECOND]]]
// CHECK:           scf.yield %{{.*}}, %[[CURRENT]], %[[AHEAD]], %[[PHASE]],
// CHECK:         mxfp4.wgmma_wait %{{.*}} : vector<2x2x4xf32>
// CHECK-NEXT:    mxfp4.arrive_barrier
func.func @two_blocks(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %first: index, %phase: i32, %n: index, %zero: vector<2x2x4xf32>)
    -> (vector<2x2x4xf32>, index, i32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %steps = arith.constant 5 : index
  %one = arith.constant 1 : i32
  %r:3 = scf.for %k = %c0 to %steps step %c1
      iter_args(%acc = %zero, %slot = %first, %parity = %phase)
      -> (vector<2x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %sums = mxfp4.tile_matmul %acc, %w, %x at [%slot] tokens(%n)
        {schedule = #schedule} : vector<2x2x4xf32>, !w, !x
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    %wraps = arith.cmpi eq, %slot1, %c3 : index
    %slot2 = arith.select %wraps, %c0, %slot1 : index
    %flipped = arith.xori %parity, %one : i32
    %parity2 = arith.select %wraps, %flipped, %parity : i32
    scf.yield %sums, %slot2, %parity2 : vector<2x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return %r#0, %r#1, %r#2 : vector<2x2x4xf32>, index, i32
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = shared, ctas = 1>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

// Decoded to shared memory: no fragments to carry. Two buffers take turns from batch
// to batch, of the step ahead of the loop too: one is written while the tensor
// core reads the other.

// CHECK-LABEL: gpu.func @shared_blocks(
// CHECK-SAME:    %[[FULL:[^:]*]]: memref<3xi64, {{.*}}>, %[[EMPTY:[^:]*]]: memref<3xi64, {{.*}}>, %[[W:[^:]*]]: memref<3x1x{{.*}}>, %[[X:[^:]*]]: memref<3x16x64xbf16, {{.*}}>, %[[SLOT:[^:]*]]: index, %[[PARITY:[^:]*]]: i32, %[[N:[^:]*]]: index, %[[ZERO:[^:]*]]: vector<1x2x4xf32>
// CHECK:         %[[TILE:.*]] = memref.view {{.*}} to memref<128x64xbf16,
// CHECK:         mxfp4.pin %[[ZERO]] :
// CHECK:         mxfp4.wait_barrier %[[FULL]][%[[SLOT]]] parity %[[PARITY]]
// CHECK-NEXT:    mxfp4.load_codes
// CHECK:         mxfp4.decode {{.*}} step 0
// CHECK-NEXT:    mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE:.*]]] step 0 : memref
// CHECK-NEXT:    mxfp4.decode
// CHECK-NEXT:    mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 1 :
// CHECK-NEXT:    mxfp4.decode
// CHECK-NEXT:    mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 2 :
// CHECK-NEXT:    mxfp4.decode
// CHECK-NEXT:    mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 3 :
// CHECK-NEXT:    mxfp4.sync_warpgroup
// CHECK-NEXT:    mxfp4.wait_barrier
// CHECK-NEXT:    mxfp4.load_codes
// CHECK:         mxfp4.wgmma %{{.*}} shared_a(%[[TILE]][%[[BLOCK:.*]]]) b(%[[X]][%[[SLOT]]])
// CHECK:         scf.if
// CHECK-NEXT:      mxfp4.decode
// CHECK-NEXT:      mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 0 buffer 1 :
// CHECK-NEXT:      mxfp4.decode
// CHECK-NEXT:      mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 1 buffer 1 :
// CHECK-NEXT:      mxfp4.decode
// CHECK-NEXT:      mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 2 buffer 1 :
// CHECK-NEXT:      mxfp4.decode
// CHECK-NEXT:      mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 3 buffer 1 :
// All warps of the group have stored the block ahead of the batch that reads it.
// CHECK-NEXT:      mxfp4.sync_warpgroup
// CHECK-NEXT:      mxfp4.wait_barrier
// CHECK-NEXT:      mxfp4.load_codes
// CHECK:         scf.for
// CHECK:           mxfp4.wgmma %{{.*}} shared_a(%[[TILE]][%[[BLOCK]]]) buffer 1 b(
// The batch that read buffer 0 is done.
// CHECK-NEXT:      mxfp4.wgmma_wait {{.*}} pending 1
// CHECK-NEXT:      mxfp4.arrive_barrier
// CHECK:           scf.if
// CHECK-NEXT:        mxfp4.decode
// CHECK-NEXT:        mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 0 :
// CHECK-NEXT:        mxfp4.decode
// CHECK-NEXT:        mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 1 :
// CHECK-NEXT:        mxfp4.decode
// CHECK-NEXT:        mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 2 :
// CHECK-NEXT:        mxfp4.decode
// CHECK-NEXT:        mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 3 :
// CHECK-NEXT:        mxfp4.sync_warpgroup
// CHECK-NEXT:        scf.if
// CHECK-NEXT:          mxfp4.wait_barrier
// CHECK-NEXT:          mxfp4.load_codes
// CHECK:           mxfp4.wgmma %{{.*}} shared_a(%[[TILE]][%[[BLOCK]]]) b(
// CHECK-NEXT:      mxfp4.wgmma_wait {{.*}} pending 1
// CHECK:           mxfp4.arrive_barrier
// CHECK:           scf.if
// CHECK-NEXT:        mxfp4.decode
// CHECK-NEXT:        mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 0 buffer 1 :
// CHECK-NEXT:        mxfp4.decode
// CHECK-NEXT:        mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 1 buffer 1 :
// CHECK-NEXT:        mxfp4.decode
// CHECK-NEXT:        mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 2 buffer 1 :
// CHECK-NEXT:        mxfp4.decode
// CHECK-NEXT:        mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 3 buffer 1 :
// CHECK-NEXT:        mxfp4.sync_warpgroup
// CHECK-NEXT:        scf.if
// CHECK-NEXT:          mxfp4.wait_barrier
// CHECK-NEXT:          mxfp4.load_codes
// CHECK:         mxfp4.wgmma_wait %{{.*}} : vector<1x2x4xf32>
// CHECK-NEXT:    mxfp4.arrive_barrier
gpu.module @kernels {
  gpu.func @shared_blocks(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
      %first: index, %phase: i32, %n: index, %zero: vector<1x2x4xf32>,
      %out: memref<1xvector<1x2x4xf32>>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c3 = arith.constant 3 : index
    %steps = arith.constant 5 : index
    %one = arith.constant 1 : i32
    %r:3 = scf.for %k = %c0 to %steps step %c1
        iter_args(%acc = %zero, %slot = %first, %parity = %phase)
        -> (vector<1x2x4xf32>, index, i32) {
      mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
      %sums = mxfp4.tile_matmul %acc, %w, %x at [%slot] tokens(%n)
          {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
      mxfp4.arrive_barrier %empty[%slot] : !barriers
      %slot1 = arith.addi %slot, %c1 : index
      %wraps = arith.cmpi eq, %slot1, %c3 : index
      %slot2 = arith.select %wraps, %c0, %slot1 : index
      %flipped = arith.xori %parity, %one : i32
      %parity2 = arith.select %wraps, %flipped, %parity : i32
      scf.yield %sums, %slot2, %parity2 : vector<1x2x4xf32>, index, i32
    } {mxfp4.overlap}
    memref.store %r#0, %out[%c0] : memref<1xvector<1x2x4xf32>>
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = shared, ctas = 1>
!w = memref<3x2x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

// Two blocks a step have a buffer each.

// CHECK-LABEL: gpu.func @two_shared_blocks(
// CHECK-SAME:    %[[FULL:[^:]*]]: memref<3xi64, {{.*}}>, %[[EMPTY:[^:]*]]: memref<3xi64, {{.*}}>, %[[W:[^:]*]]: memref<3x2x{{.*}}>, %[[X:[^:]*]]: memref<3x16x64xbf16, {{.*}}>, %[[SLOT:[^:]*]]: index, %[[PARITY:[^:]*]]: i32, %[[N:[^:]*]]: index, %[[ZERO:[^:]*]]: vector<2x2x4xf32>
// CHECK:         %[[TILE:.*]] = memref.view {{.*}} to memref<128x64xbf16,
// CHECK:         mxfp4.pin %[[ZERO]] :
// CHECK:         mxfp4.wait_barrier
// CHECK-NEXT:    mxfp4.load_codes
// CHECK:         mxfp4.decode {{.*}} step 0
// CHECK-NEXT:    mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE:.*]]] step 0 : memref
// CHECK-NEXT:    mxfp4.decode
// CHECK-NEXT:    mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 1 :
// CHECK-NEXT:    mxfp4.decode
// CHECK-NEXT:    mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 2 :
// CHECK-NEXT:    mxfp4.decode
// CHECK-NEXT:    mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 3 :
// CHECK-NEXT:    mxfp4.sync_warpgroup
// CHECK-NEXT:    mxfp4.load_codes
// CHECK:         scf.for
// CHECK:           mxfp4.wgmma %{{.*}} shared_a(%[[TILE]][%[[BLOCK:.*]]]) b(
// CHECK-NEXT:      mxfp4.wgmma_wait {{.*}} pending 1
// CHECK:           mxfp4.arrive_barrier
// CHECK:           scf.if
// CHECK-NEXT:        mxfp4.decode
// CHECK-NEXT:        mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 0 buffer 1 :
// CHECK-NEXT:        mxfp4.decode
// CHECK-NEXT:        mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 1 buffer 1 :
// CHECK-NEXT:        mxfp4.decode
// CHECK-NEXT:        mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 2 buffer 1 :
// CHECK-NEXT:        mxfp4.decode
// CHECK-NEXT:        mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 3 buffer 1 :
// CHECK-NEXT:        mxfp4.sync_warpgroup
// CHECK-NEXT:        scf.if
// CHECK-NEXT:          mxfp4.wait_barrier
// CHECK-NEXT:          mxfp4.load_codes
// CHECK:           mxfp4.wgmma %{{.*}} shared_a(%[[TILE]][%[[BLOCK]]]) buffer 1 b(
// CHECK-NEXT:      mxfp4.wgmma_wait {{.*}} pending 1
// CHECK:           scf.if
// CHECK-NEXT:        mxfp4.decode
// CHECK-NEXT:        mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 0 :
// CHECK-NEXT:        mxfp4.decode
// CHECK-NEXT:        mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 1 :
// CHECK-NEXT:        mxfp4.decode
// CHECK-NEXT:        mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 2 :
// CHECK-NEXT:        mxfp4.decode
// CHECK-NEXT:        mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 3 :
// CHECK-NEXT:        mxfp4.sync_warpgroup
// CHECK-NEXT:        scf.if
// CHECK-NEXT:          mxfp4.load_codes
// CHECK:         mxfp4.wgmma_wait %{{.*}} : vector<2x2x4xf32>
// CHECK-NEXT:    mxfp4.arrive_barrier
gpu.module @kernels {
  gpu.func @two_shared_blocks(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
      %first: index, %phase: i32, %n: index, %zero: vector<2x2x4xf32>,
      %out: memref<1xvector<2x2x4xf32>>) kernel {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c3 = arith.constant 3 : index
    %steps = arith.constant 5 : index
    %one = arith.constant 1 : i32
    %r:3 = scf.for %k = %c0 to %steps step %c1
        iter_args(%acc = %zero, %slot = %first, %parity = %phase)
        -> (vector<2x2x4xf32>, index, i32) {
      mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
      %sums = mxfp4.tile_matmul %acc, %w, %x at [%slot] tokens(%n)
          {schedule = #schedule} : vector<2x2x4xf32>, !w, !x
      mxfp4.arrive_barrier %empty[%slot] : !barriers
      %slot1 = arith.addi %slot, %c1 : index
      %wraps = arith.cmpi eq, %slot1, %c3 : index
      %slot2 = arith.select %wraps, %c0, %slot1 : index
      %flipped = arith.xori %parity, %one : i32
      %parity2 = arith.select %wraps, %flipped, %parity : i32
      scf.yield %sums, %slot2, %parity2 : vector<2x2x4xf32>, index, i32
    } {mxfp4.overlap}
    memref.store %r#0, %out[%c0] : memref<1xvector<2x2x4xf32>>
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

// A loop without the mark stays as mxfp4-insert-decode leaves it: load, decode,
// multiply, wait, one after the other.

// CHECK-LABEL: func @unmarked(
// CHECK-SAME:    %[[FULL:[^:]*]]: memref<3xi64, {{.*}}>, %[[EMPTY:[^:]*]]: memref<3xi64, {{.*}}>, %[[W:[^:]*]]: memref<3x1x{{.*}}>, %[[X:[^:]*]]: memref<3x16x64xbf16, {{.*}}>, %[[SLOT:[^:]*]]: index, %[[PARITY:[^:]*]]: i32, %[[N:[^:]*]]: index, %[[ZERO:[^:]*]]: vector<1x2x4xf32>
// CHECK:         scf.for
// CHECK-NEXT:      mxfp4.wait_barrier
// CHECK-NEXT:      mxfp4.load_codes
// CHECK-COUNT-4:   mxfp4.decode
// CHECK:           mxfp4.wgmma %
// CHECK-NEXT:      mxfp4.wgmma_wait {{.*}} : vector<2x4xf32>
// CHECK:           mxfp4.arrive_barrier
func.func @unmarked(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %first: index, %phase: i32, %n: index, %zero: vector<1x2x4xf32>)
    -> (vector<1x2x4xf32>, index, i32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %steps = arith.constant 5 : index
  %one = arith.constant 1 : i32
  %r:3 = scf.for %k = %c0 to %steps step %c1
      iter_args(%acc = %zero, %slot = %first, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %sums = mxfp4.tile_matmul %acc, %w, %x at [%slot] tokens(%n)
        {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    %wraps = arith.cmpi eq, %slot1, %c3 : index
    %slot2 = arith.select %wraps, %c0, %slot1 : index
    %flipped = arith.xori %parity, %one : i32
    %parity2 = arith.select %wraps, %flipped, %parity : i32
    scf.yield %sums, %slot2, %parity2 : vector<1x2x4xf32>, index, i32
  }
  return %r#0, %r#1, %r#2 : vector<1x2x4xf32>, index, i32
}
