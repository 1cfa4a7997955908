// Every message of the verifiers of barriers, copies by the copy engine and wgmma.
//
// RUN: mxfp4-opt %s --split-input-file --verify-diagnostics

// The box of a tensor map.

// expected-error @below {{requires a box of 1 to 256 rows, but got 0}}
func.func private @no_rows(!mxfp4.tensor_map<0>)

// -----

// expected-error @below {{requires a box of 1 to 256 rows, but got 257}}
func.func private @many_rows(!mxfp4.tensor_map<257>)

// -----

// What the copy engine can describe.

func.func @case_0(%x: memref<?x48xbf16>) {
  // expected-error @below {{requires a contiguous source of shape RxK, K a static multiple of 32, and element type bf16, but got 'memref<?x48xbf16>'}}
  %m = mxfp4.make_tensor_map %x : memref<?x48xbf16> -> !mxfp4.tensor_map<8>
  return
}

// -----

func.func @case_1(%x: memref<?x?xbf16>) {
  // expected-error @below {{requires a contiguous source of shape RxK, K a static multiple of 32, and element type bf16, but got 'memref<?x?xbf16>'}}
  %m = mxfp4.make_tensor_map %x : memref<?x?xbf16> -> !mxfp4.tensor_map<8>
  return
}

// -----

func.func @case_2(%x: memref<64xbf16>) {
  // expected-error @below {{requires a contiguous source of shape RxK, K a static multiple of 32, and element type bf16, but got 'memref<64xbf16>'}}
  %m = mxfp4.make_tensor_map %x : memref<64xbf16> -> !mxfp4.tensor_map<8>
  return
}

// -----

func.func @case_3(%x: memref<?x64xf16>) {
  // expected-error @below {{requires a contiguous source of shape RxK, K a static multiple of 32, and element type bf16, but got 'memref<?x64xf16>'}}
  %m = mxfp4.make_tensor_map %x : memref<?x64xf16> -> !mxfp4.tensor_map<8>
  return
}

// -----

func.func @case_4(%x: memref<?x64xbf16, strided<[128, 1]>>) {
  // expected-error @below {{requires a contiguous source of shape RxK, K a static multiple of 32, and element type bf16, but got 'memref<?x64xbf16, strided<[128, 1]>>'}}
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

func.func @case_10(%b: memref<6xi64>, %i: index) {
  // expected-error @below {{requires a static number of barriers in shared memory, but got 'memref<6xi64>'}}
  mxfp4.expect_bytes %b[%i] bytes 64 : memref<6xi64>
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
  mxfp4.tensor_copy_activations %m[%i, %i] to %s[%i] signal %b
      : !mxfp4.tensor_map<8> to memref<6x8x64xbf16, #gpu.address_space<workgroup>>, memref<6xi64>
  return
}

// -----

// What barriers can count.

func.func @case_13(%b: memref<6xi64, #gpu.address_space<workgroup>>) {
  // expected-error @below {{requires a count of at least 1}}
  mxfp4.init_barriers %b count 0 : memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_14(%b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires 1 to 1048575 bytes, but got 0}}
  mxfp4.expect_bytes %b[%i] bytes 0 : memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_15(%b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires 1 to 1048575 bytes, but got 1048576}}
  mxfp4.expect_bytes %b[%i] bytes 1048576 : memref<6xi64, #gpu.address_space<workgroup>>
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

// Copies of activations: as many rows as the box has, 64 columns.

func.func @case_22(%m: !mxfp4.tensor_map<8>, %s: memref<8x64xbf16, #gpu.address_space<workgroup>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of shape stages x 8 x 64 bf16 in shared memory, as its tensor map says, but got 'memref<8x64xbf16, #gpu.address_space<workgroup>>'}}
  mxfp4.tensor_copy_activations %m[%i, %i] to %s[%i] signal %b
      : !mxfp4.tensor_map<8> to memref<8x64xbf16, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_23(%m: !mxfp4.tensor_map<8>, %s: memref<6x8x64xbf16>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of shape stages x 8 x 64 bf16 in shared memory, as its tensor map says, but got 'memref<6x8x64xbf16>'}}
  mxfp4.tensor_copy_activations %m[%i, %i] to %s[%i] signal %b
      : !mxfp4.tensor_map<8> to memref<6x8x64xbf16>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_24(%m: !mxfp4.tensor_map<8>, %s: memref<6x8x64xf16, #gpu.address_space<workgroup>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of shape stages x 8 x 64 bf16 in shared memory, as its tensor map says, but got 'memref<6x8x64xf16, #gpu.address_space<workgroup>>'}}
  mxfp4.tensor_copy_activations %m[%i, %i] to %s[%i] signal %b
      : !mxfp4.tensor_map<8> to memref<6x8x64xf16, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_25(%m: !mxfp4.tensor_map<8>, %s: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of shape stages x 8 x 64 bf16 in shared memory, as its tensor map says, but got 'memref<6x16x64xbf16, #gpu.address_space<workgroup>>'}}
  mxfp4.tensor_copy_activations %m[%i, %i] to %s[%i] signal %b
      : !mxfp4.tensor_map<8> to memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_26(%m: !mxfp4.tensor_map<8>, %s: memref<6x8x32xbf16, #gpu.address_space<workgroup>>, %b: memref<6xi64, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of shape stages x 8 x 64 bf16 in shared memory, as its tensor map says, but got 'memref<6x8x32xbf16, #gpu.address_space<workgroup>>'}}
  mxfp4.tensor_copy_activations %m[%i, %i] to %s[%i] signal %b
      : !mxfp4.tensor_map<8> to memref<6x8x32xbf16, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
  return
}

// -----

// The shapes of wgmma: N tokens staged, N/8 columns of four sums a thread.

func.func @case_27(%c: vector<1x4xf32>, %a: vector<2xbf16>, %x: memref<8x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of N tokens by 64 and an accumulator of shape N/8x4 for N up to 256, but got 'memref<8x64xbf16, #gpu.address_space<workgroup>>' and 'vector<1x4xf32>'}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a) b(%x[%i]) step 0
      : vector<1x4xf32>, memref<8x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_28(%c: vector<1x4xf32>, %a: vector<2xbf16>, %x: memref<6x8x64xbf16>, %i: index) {
  // expected-error @below {{requires staged activations of N tokens by 64 and an accumulator of shape N/8x4 for N up to 256, but got 'memref<6x8x64xbf16>' and 'vector<1x4xf32>'}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a) b(%x[%i]) step 0
      : vector<1x4xf32>, memref<6x8x64xbf16>
  return
}

// -----

func.func @case_29(%c: vector<1x4xf32>, %a: vector<2xbf16>, %x: memref<6x8x32xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of N tokens by 64 and an accumulator of shape N/8x4 for N up to 256, but got 'memref<6x8x32xbf16, #gpu.address_space<workgroup>>' and 'vector<1x4xf32>'}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a) b(%x[%i]) step 0
      : vector<1x4xf32>, memref<6x8x32xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_30(%c: vector<1x4xf32>, %a: vector<2xbf16>, %x: memref<6x8x64xf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of N tokens by 64 and an accumulator of shape N/8x4 for N up to 256, but got 'memref<6x8x64xf16, #gpu.address_space<workgroup>>' and 'vector<1x4xf32>'}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a) b(%x[%i]) step 0
      : vector<1x4xf32>, memref<6x8x64xf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_31(%c: vector<1x2xf32>, %a: vector<2xbf16>, %x: memref<6x8x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of N tokens by 64 and an accumulator of shape N/8x4 for N up to 256, but got 'memref<6x8x64xbf16, #gpu.address_space<workgroup>>' and 'vector<1x2xf32>'}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a) b(%x[%i]) step 0
      : vector<1x2xf32>, memref<6x8x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_32(%c: vector<1x4xf32>, %a: vector<2xbf16>, %x: memref<6x16x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of N tokens by 64 and an accumulator of shape N/8x4 for N up to 256, but got 'memref<6x16x64xbf16, #gpu.address_space<workgroup>>' and 'vector<1x4xf32>'}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a) b(%x[%i]) step 0
      : vector<1x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_33(%c: vector<33x4xf32>, %a: vector<2xbf16>, %x: memref<6x264x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of N tokens by 64 and an accumulator of shape N/8x4 for N up to 256, but got 'memref<6x264x64xbf16, #gpu.address_space<workgroup>>' and 'vector<33x4xf32>'}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a) b(%x[%i]) step 0
      : vector<33x4xf32>, memref<6x264x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_34(%c: vector<1x4xf32>, %a: vector<2xbf16>, %x: memref<6x8x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a step from 0 to 3, but got 4}}
  %r = mxfp4.wgmma %c a(%a, %a, %a, %a) b(%x[%i]) step 4
      : vector<1x4xf32>, memref<6x8x64xbf16, #gpu.address_space<workgroup>>
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
  // expected-error @below {{operand #0 must be vector of 32-bit float values of ranks 3, but got}}
  %r = "mxfp4.wgmma_wait"(%v) : (vector<4xf32>) -> vector<4xf32>
  return
}
