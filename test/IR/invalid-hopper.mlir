// Every message of the verifiers of barriers, copies by TMA and wgmma.
//
// RUN: mxfp4-opt %s --split-input-file --verify-diagnostics

// The box of a tensor map.

// expected-error @below {{requires a box of 1 to 256 rows, but got 0}}
func.func private @no_rows(!mxfp4.tensor_map<0>)

// -----

// expected-error @below {{requires a box of 1 to 256 rows, but got 257}}
func.func private @many_rows(!mxfp4.tensor_map<257>)

// -----

// expected-error @below {{requires a step that divides the 64 rows of the largest box, but got 24}}
func.func private @step(!mxfp4.tensor_map<64 by 24>)

// -----

// expected-error @below {{requires a step that divides the 64 rows of the largest box, but got -8}}
func.func private @negative_step(!mxfp4.tensor_map<64 by -8>)

// -----

// What TMA can describe.

func.func @case_0(%x: memref<?x48xbf16>) {
  // expected-error @below {{requires a contiguous source of shape RxK, K a static multiple of 32, and element type bf16 or f8E4M3FN, but got 'memref<?x48xbf16>'}}
  %m = mxfp4.make_tensor_map %x : memref<?x48xbf16> -> !mxfp4.tensor_map<8>
  return
}

// -----

func.func @case_1(%x: memref<?x?xbf16>) {
  // expected-error @below {{requires a contiguous source of shape RxK, K a static multiple of 32, and element type bf16 or f8E4M3FN, but got 'memref<?x?xbf16>'}}
  %m = mxfp4.make_tensor_map %x : memref<?x?xbf16> -> !mxfp4.tensor_map<8>
  return
}

// -----

func.func @case_2(%x: memref<64xbf16>) {
  // expected-error @below {{requires a contiguous source of shape RxK, K a static multiple of 32, and element type bf16 or f8E4M3FN, but got 'memref<64xbf16>'}}
  %m = mxfp4.make_tensor_map %x : memref<64xbf16> -> !mxfp4.tensor_map<8>
  return
}

// -----

func.func @case_3(%x: memref<?x64xf16>) {
  // expected-error @below {{requires a contiguous source of shape RxK, K a static multiple of 32, and element type bf16 or f8E4M3FN, but got 'memref<?x64xf16>'}}
  %m = mxfp4.make_tensor_map %x : memref<?x64xf16> -> !mxfp4.tensor_map<8>
  return
}

// -----

func.func @case_4(%x: memref<?x64xbf16, strided<[128, 1]>>) {
  // expected-error @below {{requires a contiguous source of shape RxK, K a static multiple of 32, and element type bf16 or f8E4M3FN, but got 'memref<?x64xbf16, strided<[128, 1]>>'}}
  %m = mxfp4.make_tensor_map %x : memref<?x64xbf16, strided<[128, 1]>> -> !mxfp4.tensor_map<8>
  return
}

// -----

// Where barriers live: each operation that takes them says so.

func.func @case_5(%b: memref<6xi64>) {
  // expected-error @below {{requires a static number of barriers in shared memory, but got 'memref<6xi64>'}}
  mxfp4.init_barriers %b count 1 : memref<6xi64>
  return
}

// -----

func.func @case_6(%b: memref<?xi64, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a static number of barriers in shared memory, but got 'memref<?xi64, #gpu.address_space<workgroup>>'}}
  mxfp4.init_barriers %b count 1 : memref<?xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_7(%b: memref<6xi64, strided<[2]>, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a static number of barriers in shared memory, but got 'memref<6xi64, strided<[2]>, #gpu.address_space<workgroup>>'}}
  mxfp4.init_barriers %b count 1 : memref<6xi64, strided<[2]>, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_8(%b: memref<6xi64>, %i: index, %p: i32) {
  // expected-error @below {{requires a static number of barriers in shared memory, but got 'memref<6xi64>'}}
  mxfp4.wait_barrier %b[%i] parity %p : memref<6xi64>
  return
}

// -----

func.func @case_9(%b: memref<6xi64>, %i: index) {
  // expected-error @below {{requires a static number of barriers in shared memory, but got 'memref<6xi64>'}}
  mxfp4.arrive_barrier %b[%i] : memref<6xi64>
  return
}

// -----

func.func @case_10(%b: memref<6xi64>, %i: index, %n: i32) {
  // expected-error @below {{requires a static number of barriers in shared memory, but got 'memref<6xi64>'}}
  mxfp4.expect_bytes %b[%i] bytes(%n) : memref<6xi64>
  return
}

// -----

func.func @case_11(%w: memref<2x1x1x!mxfp4.block<spread, folded>>, %s: memref<6x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, %b: memref<6xi64>, %i: index) {
  // expected-error @below {{requires a static number of barriers in shared memory, but got 'memref<6xi64>'}}
  mxfp4.bulk_copy_weights %w[%i, %i, %i] to %s[%i] signal %b
      : memref<2x1x1x!mxfp4.block<spread, folded>> to memref<6x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, memref<6xi64>
  return
}

// -----

func.func @case_12(%m: !mxfp4.tensor_map<8>, %s: memref<6x8x64xbf16, #gpu.address_space<workgroup>>, %b: memref<6xi64>, %i: index) {
  // expected-error @below {{requires a static number of barriers in shared memory, but got 'memref<6xi64>'}}
  mxfp4.tensor_copy_activations %m[%i, %i] valid(%i) to %s[%i] signal %b
      : !mxfp4.tensor_map<8> to memref<6x8x64xbf16, #gpu.address_space<workgroup>>, memref<6xi64>
  return
}

// -----

// What barriers can count.

func.func @case_13(%b: memref<6xi64, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a count of at least 1, and at most 1048575, but got 0}}
  mxfp4.init_barriers %b count 0 : memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_14(%b: memref<6xi64, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a count of at least 1, and at most 1048575, but got 1048576}}
  mxfp4.init_barriers %b count 1048576 : memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

// Copies of weights: ranks, element types, one layout, from global to shared.

func.func @case_16(%w: memref<2x1x!mxfp4.block<spread, folded>>, %s: memref<6x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires blocks ExN/64xK/64 in global memory and stages x blocks of the same layout in shared memory, but got 'memref<2x1x!mxfp4.block<spread, folded>>' and 'memref<6x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>'}}
  mxfp4.bulk_copy_weights %w[%i, %i, %i] to %s[%i] signal %b
      : memref<2x1x!mxfp4.block<spread, folded>> to memref<6x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_17(%w: memref<2x1x1x!mxfp4.block<spread, folded>>, %s: memref<6x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires blocks ExN/64xK/64 in global memory and stages x blocks of the same layout in shared memory, but got 'memref<2x1x1x!mxfp4.block<spread, folded>>' and 'memref<6x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>'}}
  mxfp4.bulk_copy_weights %w[%i, %i, %i] to %s[%i] signal %b
      : memref<2x1x1x!mxfp4.block<spread, folded>> to memref<6x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_18(%w: memref<2x1x1xi8>, %s: memref<6x1xi8, #gpu.address_space<workgroup>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires blocks ExN/64xK/64 in global memory and stages x blocks of the same layout in shared memory, but got 'memref<2x1x1xi8>' and 'memref<6x1xi8, #gpu.address_space<workgroup>>'}}
  mxfp4.bulk_copy_weights %w[%i, %i, %i] to %s[%i] signal %b
      : memref<2x1x1xi8> to memref<6x1xi8, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_19(%w: memref<2x1x1x!mxfp4.block<spread, folded>>, %s: memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires blocks ExN/64xK/64 in global memory and stages x blocks of the same layout in shared memory, but got 'memref<2x1x1x!mxfp4.block<spread, folded>>' and 'memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>'}}
  mxfp4.bulk_copy_weights %w[%i, %i, %i] to %s[%i] signal %b
      : memref<2x1x1x!mxfp4.block<spread, folded>> to memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_20(%w: memref<2x1x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, %s: memref<6x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires blocks ExN/64xK/64 in global memory and stages x blocks of the same layout in shared memory, but got 'memref<2x1x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>' and 'memref<6x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>'}}
  mxfp4.bulk_copy_weights %w[%i, %i, %i] to %s[%i] signal %b
      : memref<2x1x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>> to memref<6x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_21(%w: memref<2x1x1x!mxfp4.block<spread, folded>>, %s: memref<6x1x!mxfp4.block<spread, folded>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires blocks ExN/64xK/64 in global memory and stages x blocks of the same layout in shared memory, but got 'memref<2x1x1x!mxfp4.block<spread, folded>>' and 'memref<6x1x!mxfp4.block<spread, folded>>'}}
  mxfp4.bulk_copy_weights %w[%i, %i, %i] to %s[%i] signal %b
      : memref<2x1x1x!mxfp4.block<spread, folded>> to memref<6x1x!mxfp4.block<spread, folded>>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @apart_in_global_memory(%w: memref<2x1x1x!mxfp4.block<spread, folded>, strided<[2, 2, 1]>>, %s: memref<6x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires blocks ExN/64xK/64 in global memory and stages x blocks of the same layout in shared memory, but got 'memref<2x1x1x!mxfp4.block<spread, folded>, strided<[2, 2, 1]>>' and 'memref<6x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>'}}
  mxfp4.bulk_copy_weights %w[%i, %i, %i] to %s[%i] signal %b
      : memref<2x1x1x!mxfp4.block<spread, folded>, strided<[2, 2, 1]>> to memref<6x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @apart_in_shared_memory(%w: memref<2x1x1x!mxfp4.block<spread, folded>>, %s: memref<6x1x!mxfp4.block<spread, folded>, strided<[2, 1]>, #gpu.address_space<workgroup>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires blocks ExN/64xK/64 in global memory and stages x blocks of the same layout in shared memory, but got 'memref<2x1x1x!mxfp4.block<spread, folded>>' and 'memref<6x1x!mxfp4.block<spread, folded>, strided<[2, 1]>, #gpu.address_space<workgroup>>'}}
  mxfp4.bulk_copy_weights %w[%i, %i, %i] to %s[%i] signal %b
      : memref<2x1x1x!mxfp4.block<spread, folded>> to memref<6x1x!mxfp4.block<spread, folded>, strided<[2, 1]>, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @unknown_blocks(%w: memref<2x?x1x!mxfp4.block<spread, folded>>, %s: memref<6x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires blocks ExN/64xK/64 in global memory and stages x blocks of the same layout in shared memory, but got 'memref<2x?x1x!mxfp4.block<spread, folded>>' and 'memref<6x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>'}}
  mxfp4.bulk_copy_weights %w[%i, %i, %i] to %s[%i] signal %b
      : memref<2x?x1x!mxfp4.block<spread, folded>> to memref<6x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @unknown_stages(%w: memref<2x1x1x!mxfp4.block<spread, folded>>, %s: memref<?x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires blocks ExN/64xK/64 in global memory and stages x blocks of the same layout in shared memory, but got 'memref<2x1x1x!mxfp4.block<spread, folded>>' and 'memref<?x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>'}}
  mxfp4.bulk_copy_weights %w[%i, %i, %i] to %s[%i] signal %b
      : memref<2x1x1x!mxfp4.block<spread, folded>> to memref<?x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

// Copies of activations: as many rows as the box has, 64 columns.

func.func @case_22(%m: !mxfp4.tensor_map<8>, %s: memref<8x64xbf16, #gpu.address_space<workgroup>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of shape stages x 8 x 64 bf16 or x 128 f8E4M3FN in shared memory, or of less height in steps of 8, as its tensor map says, but got 'memref<8x64xbf16, #gpu.address_space<workgroup>>'}}
  mxfp4.tensor_copy_activations %m[%i, %i] valid(%i) to %s[%i] signal %b
      : !mxfp4.tensor_map<8> to memref<8x64xbf16, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_23(%m: !mxfp4.tensor_map<8>, %s: memref<6x8x64xbf16>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of shape stages x 8 x 64 bf16 or x 128 f8E4M3FN in shared memory, or of less height in steps of 8, as its tensor map says, but got 'memref<6x8x64xbf16>'}}
  mxfp4.tensor_copy_activations %m[%i, %i] valid(%i) to %s[%i] signal %b
      : !mxfp4.tensor_map<8> to memref<6x8x64xbf16>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_24(%m: !mxfp4.tensor_map<8>, %s: memref<6x8x64xf16, #gpu.address_space<workgroup>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of shape stages x 8 x 64 bf16 or x 128 f8E4M3FN in shared memory, or of less height in steps of 8, as its tensor map says, but got 'memref<6x8x64xf16, #gpu.address_space<workgroup>>'}}
  mxfp4.tensor_copy_activations %m[%i, %i] valid(%i) to %s[%i] signal %b
      : !mxfp4.tensor_map<8> to memref<6x8x64xf16, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_25(%m: !mxfp4.tensor_map<8>, %s: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of shape stages x 8 x 64 bf16 or x 128 f8E4M3FN in shared memory, or of less height in steps of 8, as its tensor map says, but got 'memref<6x16x64xbf16, #gpu.address_space<workgroup>>'}}
  mxfp4.tensor_copy_activations %m[%i, %i] valid(%i) to %s[%i] signal %b
      : !mxfp4.tensor_map<8> to memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_26(%m: !mxfp4.tensor_map<8>, %s: memref<6x8x32xbf16, #gpu.address_space<workgroup>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of shape stages x 8 x 64 bf16 or x 128 f8E4M3FN in shared memory, or of less height in steps of 8, as its tensor map says, but got 'memref<6x8x32xbf16, #gpu.address_space<workgroup>>'}}
  mxfp4.tensor_copy_activations %m[%i, %i] valid(%i) to %s[%i] signal %b
      : !mxfp4.tensor_map<8> to memref<6x8x32xbf16, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

// The shapes of wgmma: T tokens staged, T/8 columns of four sums per thread, of which
// the first are multiplied.

func.func @case_27(%c: vector<1x4xf32>, %a: vector<2xbf16>, %x: memref<8x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of N tokens by 64 bf16 or by 128 f8E4M3FN and an accumulator of shape N/8x4, but got 'memref<8x64xbf16, #gpu.address_space<workgroup>>' and 'vector<1x4xf32>'}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
      b(%x[%i]) columns 1
      : vector<1x4xf32>, memref<8x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_28(%c: vector<1x4xf32>, %a: vector<2xbf16>, %x: memref<6x8x64xbf16>, %i: index) {
  // expected-error @below {{requires staged activations of N tokens by 64 bf16 or by 128 f8E4M3FN and an accumulator of shape N/8x4, but got 'memref<6x8x64xbf16>' and 'vector<1x4xf32>'}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
      b(%x[%i]) columns 1
      : vector<1x4xf32>, memref<6x8x64xbf16>
  return
}

// -----

func.func @case_29(%c: vector<1x4xf32>, %a: vector<2xbf16>, %x: memref<6x8x32xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of N tokens by 64 bf16 or by 128 f8E4M3FN and an accumulator of shape N/8x4, but got 'memref<6x8x32xbf16, #gpu.address_space<workgroup>>' and 'vector<1x4xf32>'}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
      b(%x[%i]) columns 1
      : vector<1x4xf32>, memref<6x8x32xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_30(%c: vector<1x4xf32>, %a: vector<2xbf16>, %x: memref<6x8x64xf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of N tokens by 64 bf16 or by 128 f8E4M3FN and an accumulator of shape N/8x4, but got 'memref<6x8x64xf16, #gpu.address_space<workgroup>>' and 'vector<1x4xf32>'}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
      b(%x[%i]) columns 1
      : vector<1x4xf32>, memref<6x8x64xf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_31(%c: vector<1x2xf32>, %a: vector<2xbf16>, %x: memref<6x8x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of N tokens by 64 bf16 or by 128 f8E4M3FN and an accumulator of shape N/8x4, but got 'memref<6x8x64xbf16, #gpu.address_space<workgroup>>' and 'vector<1x2xf32>'}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
      b(%x[%i]) columns 1
      : vector<1x2xf32>, memref<6x8x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_32(%c: vector<1x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of N tokens by 64 bf16 or by 128 f8E4M3FN and an accumulator of shape N/8x4, but got 'memref<6x16x64xbf16, #gpu.address_space<workgroup>>' and 'vector<1x4xf32>'}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
      b(%x[%i]) columns 1
      : vector<1x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @no_columns(%c: vector<2x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires 1 to 2 columns, but got 0}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
      b(%x[%i]) columns 0
      : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @three_columns(%c: vector<2x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires 1 to 2 columns, but got 3}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
      b(%x[%i]) columns 3
      : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

// The instruction takes 256 tokens at most.

func.func @many_columns(%c: vector<33x4xf32>, %a: vector<2xbf16>, %x: memref<6x264x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires 1 to 32 columns, but got 33}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
      b(%x[%i]) columns 33
      : vector<33x4xf32>, memref<6x264x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

// Operand A: the fragments of k16 steps that follow each other, all four or fewer, or
// a tile that holds them.

func.func @three_registers(%c: vector<2x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires 16 registers of fragments, 4 for each step, or none and a decoded tile, but got 3}}
  %r = mxfp4.wgmma %c a(%a, %a, %a) b(%x[%i]) columns 2
      : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @past_the_stage(%c: vector<2x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires steps of the 4 that a stage has, but got 2 from step 3 on}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a, %a, %a, %a, %a) b(%x[%i]) step 3 columns 2
      : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @behind_the_stage(%c: vector<2x4xf32>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index, %t: memref<128x64xbf16, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires steps of the 4 that a stage has, but got 4 from step 9223372036854775807 on}}
  %r = mxfp4.wgmma %c shared_a(%t[%i]) b(%x[%i]) step 9223372036854775807 columns 2
      : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<128x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @no_fragments(%c: vector<2x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires 16 registers of fragments, 4 for each step, or none and a decoded tile, but got 0}}
  %r = mxfp4.wgmma %c b(%x[%i]) columns 2
      : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @both(%c: vector<2x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index, %t: memref<128x64xbf16, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires 16 registers of fragments, 4 for each step, or none and a decoded tile, but got 16 and a tile}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
      shared_a(%t[%i]) b(%x[%i]) columns 2
      : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<128x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @tile_0(%c: vector<2x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index, %t: memref<96x64xbf16, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a decoded tile of whole 64 x 64 blocks of bf16, or 64 x 128 of f8E5M2, in shared memory, but got 'memref<96x64xbf16, #gpu.address_space<workgroup>>'}}
  %r = mxfp4.wgmma %c shared_a(%t[%i]) b(%x[%i]) columns 2
      : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<96x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @tile_1(%c: vector<2x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index, %t: memref<128x32xbf16, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a decoded tile of whole 64 x 64 blocks of bf16, or 64 x 128 of f8E5M2, in shared memory, but got 'memref<128x32xbf16, #gpu.address_space<workgroup>>'}}
  %r = mxfp4.wgmma %c shared_a(%t[%i]) b(%x[%i]) columns 2
      : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<128x32xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @tile_2(%c: vector<2x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index, %t: memref<128x64xbf16>) {
  // expected-error @below {{requires a decoded tile of whole 64 x 64 blocks of bf16, or 64 x 128 of f8E5M2, in shared memory, but got 'memref<128x64xbf16>'}}
  %r = mxfp4.wgmma %c shared_a(%t[%i]) b(%x[%i]) columns 2
      : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<128x64xbf16>
  return
}

// -----

func.func @tile_3(%c: vector<2x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index, %t: memref<128x64xf16, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a decoded tile of whole 64 x 64 blocks of bf16, or 64 x 128 of f8E5M2, in shared memory, but got 'memref<128x64xf16, #gpu.address_space<workgroup>>'}}
  %r = mxfp4.wgmma %c shared_a(%t[%i]) b(%x[%i]) columns 2
      : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<128x64xf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @tile_4(%c: vector<2x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index, %t: memref<?x64xbf16, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a decoded tile of whole 64 x 64 blocks of bf16, or 64 x 128 of f8E5M2, in shared memory, but got 'memref<?x64xbf16, #gpu.address_space<workgroup>>'}}
  %r = mxfp4.wgmma %c shared_a(%t[%i]) b(%x[%i]) columns 2
      : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<?x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @tile_5(%c: vector<2x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index, %t: memref<128x64xbf16, strided<[128, 1]>, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a decoded tile of whole 64 x 64 blocks of bf16, or 64 x 128 of f8E5M2, in shared memory, but got 'memref<128x64xbf16, strided<[128, 1]>, #gpu.address_space<workgroup>>'}}
  %r = mxfp4.wgmma %c shared_a(%t[%i]) b(%x[%i]) columns 2
      : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<128x64xbf16, strided<[128, 1]>, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @tile_6(%c: vector<2x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index, %t: memref<2x64x64xbf16, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a decoded tile of whole 64 x 64 blocks of bf16, or 64 x 128 of f8E5M2, in shared memory, but got 'memref<2x64x64xbf16, #gpu.address_space<workgroup>>'}}
  %r = mxfp4.wgmma %c shared_a(%t[%i]) b(%x[%i]) columns 2
      : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<2x64x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @buffer(%c: vector<2x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index, %t: memref<128x64xbf16, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a buffer inside the tile of 2 blocks, but got 2}}
  %r = mxfp4.wgmma %c shared_a(%t[%i]) buffer 2 b(%x[%i]) columns 2
      : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<128x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @buffer_of_nothing(%c: vector<2x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a decoded tile to name a buffer of it}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
      buffer 1 b(%x[%i]) columns 2
      : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @no_block(%c: vector<2x4xf32>, %t: memref<128x64xbf16, #gpu.address_space<workgroup>>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a decoded tile and the number of a block together}}
  %r = "mxfp4.wgmma"(%c, %t, %x, %i)
      <{columns = 2 : i64, operandSegmentSizes = array<i32: 1, 0, 1, 0, 1, 1, 0, 0>}>
      : (vector<2x4xf32>, memref<128x64xbf16, #gpu.address_space<workgroup>>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>, index) -> vector<2x4xf32>
  return
}

// -----

// A number of tokens that is known at run time, in steps that the instruction can
// take.

func.func @step_4(%c: vector<2x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a token_step that is a multiple of 8 and divides the 16 tokens, but got 4}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
      b(%x[%i]) columns 2 tokens(%i by 4)
      : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @step_0(%c: vector<2x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a token_step that is a multiple of 8 and divides the 16 tokens, but got 0}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
      b(%x[%i]) columns 2 tokens(%i by 0)
      : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @step_24(%c: vector<2x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a token_step that is a multiple of 8 and divides the 16 tokens, but got 24}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
      b(%x[%i]) columns 2 tokens(%i by 24)
      : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @no_tokens(%c: vector<2x4xf32>, %t: memref<128x64xbf16, #gpu.address_space<workgroup>>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires token_step with tokens, and only with them}}
  %r = "mxfp4.wgmma"(%c, %t, %i, %x, %i)
      <{columns = 2 : i64, token_step = 8 : i64,
        operandSegmentSizes = array<i32: 1, 0, 1, 1, 1, 1, 0, 0>}>
      : (vector<2x4xf32>, memref<128x64xbf16, #gpu.address_space<workgroup>>, index, memref<6x16x64xbf16, #gpu.address_space<workgroup>>, index) -> vector<2x4xf32>
  return
}

// -----

// K slices: a named barrier for each but the first, and room for the sums of one.

func.func @one_slice(%c: vector<1x2x4xf32>, %b: memref<8x128xf32, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires 2 to 15 slices, but got 1}}
  %r = mxfp4.reduce_slices %c slice(%i of 1) through %b
      : vector<1x2x4xf32>, memref<8x128xf32, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @many_slices(%c: vector<1x2x4xf32>, %b: memref<8x128xf32, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires 2 to 15 slices, but got 16}}
  %r = mxfp4.reduce_slices %c slice(%i of 16) through %b
      : vector<1x2x4xf32>, memref<8x128xf32, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @slices_0(%c: vector<1x2x4xf32>, %b: memref<8x128xf32>, %i: index) {
  // expected-error @below {{requires a buffer of 8 f32 for each thread of a slice in shared memory, but got 'memref<8x128xf32>'}}
  %r = mxfp4.reduce_slices %c slice(%i of 2) through %b
      : vector<1x2x4xf32>, memref<8x128xf32>
  return
}

// -----

func.func @slices_1(%c: vector<1x2x4xf32>, %b: memref<16x128xf32, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a buffer of 8 f32 for each thread of a slice in shared memory, but got 'memref<16x128xf32, #gpu.address_space<workgroup>>'}}
  %r = mxfp4.reduce_slices %c slice(%i of 2) through %b
      : vector<1x2x4xf32>, memref<16x128xf32, #gpu.address_space<workgroup>>
  return
}

// -----

// Of three slices one or two may have a buffer, and of nine not all.

func.func @slices_own(%c: vector<1x2x4xf32>, %b: memref<24x128xf32, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a buffer of 8 or 16 f32 for each thread of a slice in shared memory, but got 'memref<24x128xf32, #gpu.address_space<workgroup>>'}}
  %r = mxfp4.reduce_slices %c slice(%i of 3) through %b
      : vector<1x2x4xf32>, memref<24x128xf32, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @slices_own_9(%c: vector<1x2x4xf32>, %b: memref<64x128xf32, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a buffer of 8 f32 for each thread of a slice in shared memory, but got 'memref<64x128xf32, #gpu.address_space<workgroup>>'}}
  %r = mxfp4.reduce_slices %c slice(%i of 9) through %b
      : vector<1x2x4xf32>, memref<64x128xf32, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @slices_2(%c: vector<1x2x4xf32>, %b: memref<8x100xf32, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a buffer of 8 f32 for each thread of a slice in shared memory, but got 'memref<8x100xf32, #gpu.address_space<workgroup>>'}}
  %r = mxfp4.reduce_slices %c slice(%i of 2) through %b
      : vector<1x2x4xf32>, memref<8x100xf32, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @slices_3(%c: vector<1x2x4xf32>, %b: memref<8x128xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a buffer of 8 f32 for each thread of a slice in shared memory, but got 'memref<8x128xbf16, #gpu.address_space<workgroup>>'}}
  %r = mxfp4.reduce_slices %c slice(%i of 2) through %b
      : vector<1x2x4xf32>, memref<8x128xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @slices_4(%c: vector<1x2x4xf32>, %b: memref<1024xf32, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a buffer of 8 f32 for each thread of a slice in shared memory, but got 'memref<1024xf32, #gpu.address_space<workgroup>>'}}
  %r = mxfp4.reduce_slices %c slice(%i of 2) through %b
      : vector<1x2x4xf32>, memref<1024xf32, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @slices_5(%c: vector<1x2x4xf32>, %b: memref<8x?xf32, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a buffer of 8 f32 for each thread of a slice in shared memory, but got 'memref<8x?xf32, #gpu.address_space<workgroup>>'}}
  %r = mxfp4.reduce_slices %c slice(%i of 2) through %b
      : vector<1x2x4xf32>, memref<8x?xf32, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @slices_6(%c: vector<1x2x4xf32>, %b: memref<8x128xf32, strided<[256, 1]>, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a buffer of 8 f32 for each thread of a slice in shared memory, but got 'memref<8x128xf32, strided<[256, 1]>, #gpu.address_space<workgroup>>'}}
  %r = mxfp4.reduce_slices %c slice(%i of 2) through %b
      : vector<1x2x4xf32>, memref<8x128xf32, strided<[256, 1]>, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @slices_accumulator(%c: vector<2x2x2xf32>, %b: memref<8x128xf32, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a buffer of 8 f32 for each thread of a slice in shared memory, but got 'memref<8x128xf32, #gpu.address_space<workgroup>>'}}
  %r = mxfp4.reduce_slices %c slice(%i of 2) through %b
      : vector<2x2x2xf32>, memref<8x128xf32, #gpu.address_space<workgroup>>
  return
}

// -----

// A part of a copy has a number and a number of parts.

func.func @no_parts(%w: memref<2x4x1x!mxfp4.block<spread, folded>>, %s: memref<6x4x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires the number of a part and a positive number of parts together, but has a number and 0 parts}}
  mxfp4.bulk_copy_weights %w[%i, %i, %i] to %s[%i] signal %b part %i of 0
      : memref<2x4x1x!mxfp4.block<spread, folded>> to memref<6x4x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @no_part(%w: memref<2x4x1x!mxfp4.block<spread, folded>>, %s: memref<6x4x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires the number of a part and a positive number of parts together, but has no number and 2 parts}}
  "mxfp4.bulk_copy_weights"(%w, %i, %i, %i, %s, %i, %b) <{parts = 2 : i64}>
      : (memref<2x4x1x!mxfp4.block<spread, folded>>, index, index, index, memref<6x4x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, index, memref<6xi64, #gpu.address_space<workgroup>>) -> ()
  return
}

// -----

// What the operand types say by themselves.

func.func @case_35(%b: memref<6xi32, #gpu.address_space<workgroup>>) {
  // expected-error @below {{operand #0 must be 1D memref of 64-bit signless integer values, but got}}
  "mxfp4.init_barriers"(%b) {count = 1 : i64} : (memref<6xi32, #gpu.address_space<workgroup>>) -> ()
  return
}

// -----

func.func @case_36(%v: vector<4xf32>) {
  // expected-error @below {{operand #0 must be vector of 32-bit float values of ranks 2/3, but got}}
  %r = "mxfp4.wgmma_wait"(%v) : (vector<4xf32>) -> vector<4xf32>
  return
}

// -----

// Groups that are still to run: as many as the instruction can count.

func.func @pending(%v: vector<2x4xf32>) {
  // expected-error @below {{attribute 'pending' failed to satisfy constraint: 64-bit signless integer attribute whose minimum value is 0 whose maximum value is 7}}
  %r = mxfp4.wgmma_wait %v pending 8 : vector<2x4xf32>
  return
}

// -----

func.func @pin_scalar(%v: f32) {
  // expected-error @below {{operand #0 must be variadic of fixed-length vector of bfloat16 type values of length 2 or fixed-length vector of f8E5M2 type values of length 4 or vector of 32-bit float values of ranks 3, but got 'f32'}}
  %r = mxfp4.pin %v : f32
  return
}

// -----

func.func @pin_types(%v: vector<2xbf16>) {
  // expected-error @below {{failed to verify that all of {values, pinned} have same type}}
  %r = "mxfp4.pin"(%v) : (vector<2xbf16>) -> vector<1x2x4xf32>
  return
}

// -----

func.func @prefetch_of_elements(%w: memref<2x3x3xi8>, %i: index) {
  // expected-error @below {{requires blocks ExN/64xK/64 in global memory, but got 'memref<2x3x3xi8>'}}
  mxfp4.prefetch_weights %w[%i, %i] step 0 steps 1 : memref<2x3x3xi8>
  return
}

// -----

func.func @prefetch_past_k(%w: memref<2x3x3x!mxfp4.block<bytes, relative>>,
                           %i: index) {
  // expected-error @below {{requires one step or more of 3, but got 2 from 2 on}}
  mxfp4.prefetch_weights %w[%i, %i] step 2 steps 2
      : memref<2x3x3x!mxfp4.block<bytes, relative>>
  return
}
