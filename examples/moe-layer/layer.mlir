// A mixture-of-experts layer as a compiler has it that does not know this
// project: the types of MXFP4, `arith.scaling_extf`, and for each ragged matmul a
// loop over experts.
//
// 4 experts, model dimension 64, inner dimension 64. The rows of %x are sorted by
// expert: first %sizes[0] rows of expert 0, then %sizes[1] of expert 1, ...
// Weights come as a checkpoint has them: two codes to a byte, a scale for each
// 32. Columns 2i and 2i + 1 of the first matmul are gate and up, as in gpt-oss;
// the activation is a gated ReLU with its clamps.

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>

func.func @layer(%x: tensor<?x64xbf16>, %sizes: tensor<4xi32>,
                 %gate_up_codes: tensor<4x128x2x16xi8>,
                 %gate_up_scales: tensor<4x128x2xi8>,
                 %down_codes: tensor<4x64x2x16xi8>,
                 %down_scales: tensor<4x64x2xi8>) -> tensor<?x64xbf16> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %zero = arith.constant 0.0 : f32
  %seven = arith.constant 7.0 : f32
  %minus_seven = arith.constant -7.0 : f32
  %one = arith.constant 1.0 : f32
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>

  // Up: [R, 64] x [4, 128, 64] -> [R, 128].
  %gate_up_e4 = tensor.empty() : tensor<4x128x2x16x2xf4E2M1FN>
  %gate_up_f4 = linalg.generic {
      indexing_maps = [affine_map<(e, n, b, j, h) -> (e, n, b, j)>,
                       affine_map<(e, n, b, j, h) -> (e, n, b, j, h)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "parallel"]}
      ins(%gate_up_codes : tensor<4x128x2x16xi8>)
      outs(%gate_up_e4 : tensor<4x128x2x16x2xf4E2M1FN>) {
    ^bb0(%byte: i8, %out: f4E2M1FN):
      %four = arith.constant 4 : i8
      %half = linalg.index 4 : index
      %odd = arith.cmpi eq, %half, %c1 : index
      %high = arith.shrui %byte, %four : i8
      %nibble = arith.select %odd, %high, %byte : i8
      %code = arith.trunci %nibble : i8 to i4
      %value = arith.bitcast %code : i4 to f4E2M1FN
      linalg.yield %value : f4E2M1FN
  } -> tensor<4x128x2x16x2xf4E2M1FN>
  %gate_up_s = arith.bitcast %gate_up_scales : tensor<4x128x2xi8> to tensor<4x128x2xf8E8M0FNU>
  %gate_up_es = tensor.empty() : tensor<4x128x2x16x2xf8E8M0FNU>
  %gate_up_f8 = linalg.broadcast ins(%gate_up_s : tensor<4x128x2xf8E8M0FNU>)
      outs(%gate_up_es : tensor<4x128x2x16x2xf8E8M0FNU>) dimensions = [3, 4]
  %gate_up_w5 = arith.scaling_extf %gate_up_f4, %gate_up_f8
      : tensor<4x128x2x16x2xf4E2M1FN>, tensor<4x128x2x16x2xf8E8M0FNU>
      to tensor<4x128x2x16x2xbf16>
  %gate_up_w = tensor.collapse_shape %gate_up_w5 [[0], [1], [2, 3, 4]]
      : tensor<4x128x2x16x2xbf16> into tensor<4x128x64xbf16>
  %gate_up_init = tensor.empty(%rows) : tensor<?x128xbf16>
  %gate_up:2 = scf.for %e = %c0 to %c4 step %c1
      iter_args(%out = %gate_up_init, %start = %c0) -> (tensor<?x128xbf16>, index) {
    %size32 = tensor.extract %sizes[%e] : tensor<4xi32>
    %size = arith.index_cast %size32 : i32 to index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %we = tensor.extract_slice %gate_up_w[%e, 0, 0] [1, 128, 64] [1, 1, 1]
        : tensor<4x128x64xbf16> to tensor<128x64xbf16>
    %none = tensor.empty(%size) : tensor<?x128xf32>
    %zeros = linalg.fill ins(%zero : f32) outs(%none : tensor<?x128xf32>)
        -> tensor<?x128xf32>
    %wide = linalg.matmul indexing_maps = [#mk, #nk, #mn]
        ins(%xe, %we : tensor<?x64xbf16>, tensor<128x64xbf16>)
        outs(%zeros : tensor<?x128xf32>) -> tensor<?x128xf32>
    %ye = arith.truncf %wide : tensor<?x128xf32> to tensor<?x128xbf16>
    %next = tensor.insert_slice %ye into %out[%start, 0] [%size, 128] [1, 1]
        : tensor<?x128xbf16> into tensor<?x128xbf16>
    %end = arith.addi %start, %size : index
    scf.yield %next, %end : tensor<?x128xbf16>, index
  }

  // The activation: relu(min(gate, 7)) * (clamp(up, -7, 7) + 1).
  %act_init = tensor.empty(%rows) : tensor<?x64xbf16>
  %act = linalg.generic {
      indexing_maps = [affine_map<(m, i) -> (m, 2 * i)>,
                       affine_map<(m, i) -> (m, 2 * i + 1)>,
                       affine_map<(m, i) -> (m, i)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%gate_up#0, %gate_up#0 : tensor<?x128xbf16>, tensor<?x128xbf16>)
      outs(%act_init : tensor<?x64xbf16>) {
    ^bb0(%gate16: bf16, %up16: bf16, %out: bf16):
      %gate = arith.extf %gate16 : bf16 to f32
      %up = arith.extf %up16 : bf16 to f32
      %gate_top = arith.minimumf %gate, %seven : f32
      %open = arith.maximumf %gate_top, %zero : f32
      %up_top = arith.minimumf %up, %seven : f32
      %up_in = arith.maximumf %up_top, %minus_seven : f32
      %up_one = arith.addf %up_in, %one : f32
      %product = arith.mulf %open, %up_one : f32
      %narrow = arith.truncf %product : f32 to bf16
      linalg.yield %narrow : bf16
  } -> tensor<?x64xbf16>

  // Down: [R, 64] x [4, 64, 64] -> [R, 64].
  %down_e4 = tensor.empty() : tensor<4x64x2x16x2xf4E2M1FN>
  %down_f4 = linalg.generic {
      indexing_maps = [affine_map<(e, n, b, j, h) -> (e, n, b, j)>,
                       affine_map<(e, n, b, j, h) -> (e, n, b, j, h)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel",
                        "parallel"]}
      ins(%down_codes : tensor<4x64x2x16xi8>)
      outs(%down_e4 : tensor<4x64x2x16x2xf4E2M1FN>) {
    ^bb0(%byte: i8, %out: f4E2M1FN):
      %four = arith.constant 4 : i8
      %half = linalg.index 4 : index
      %odd = arith.cmpi eq, %half, %c1 : index
      %high = arith.shrui %byte, %four : i8
      %nibble = arith.select %odd, %high, %byte : i8
      %code = arith.trunci %nibble : i8 to i4
      %value = arith.bitcast %code : i4 to f4E2M1FN
      linalg.yield %value : f4E2M1FN
  } -> tensor<4x64x2x16x2xf4E2M1FN>
  %down_s = arith.bitcast %down_scales : tensor<4x64x2xi8> to tensor<4x64x2xf8E8M0FNU>
  %down_es = tensor.empty() : tensor<4x64x2x16x2xf8E8M0FNU>
  %down_f8 = linalg.broadcast ins(%down_s : tensor<4x64x2xf8E8M0FNU>)
      outs(%down_es : tensor<4x64x2x16x2xf8E8M0FNU>) dimensions = [3, 4]
  %down_w5 = arith.scaling_extf %down_f4, %down_f8
      : tensor<4x64x2x16x2xf4E2M1FN>, tensor<4x64x2x16x2xf8E8M0FNU>
      to tensor<4x64x2x16x2xbf16>
  %down_w = tensor.collapse_shape %down_w5 [[0], [1], [2, 3, 4]]
      : tensor<4x64x2x16x2xbf16> into tensor<4x64x64xbf16>
  %down_init = tensor.empty(%rows) : tensor<?x64xbf16>
  %down:2 = scf.for %e = %c0 to %c4 step %c1
      iter_args(%out = %down_init, %start = %c0) -> (tensor<?x64xbf16>, index) {
    %size32 = tensor.extract %sizes[%e] : tensor<4xi32>
    %size = arith.index_cast %size32 : i32 to index
    %xe = tensor.extract_slice %act[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %we = tensor.extract_slice %down_w[%e, 0, 0] [1, 64, 64] [1, 1, 1]
        : tensor<4x64x64xbf16> to tensor<64x64xbf16>
    %none = tensor.empty(%size) : tensor<?x64xf32>
    %zeros = linalg.fill ins(%zero : f32) outs(%none : tensor<?x64xf32>)
        -> tensor<?x64xf32>
    %wide = linalg.matmul indexing_maps = [#mk, #nk, #mn]
        ins(%xe, %we : tensor<?x64xbf16>, tensor<64x64xbf16>)
        outs(%zeros : tensor<?x64xf32>) -> tensor<?x64xf32>
    %ye = arith.truncf %wide : tensor<?x64xf32> to tensor<?x64xbf16>
    %next = tensor.insert_slice %ye into %out[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> into tensor<?x64xbf16>
    %end = arith.addi %start, %size : index
    scf.yield %next, %end : tensor<?x64xbf16>, index
  }
  return %down#0 : tensor<?x64xbf16>
}

//===----------------------------------------------------------------------===//
// A program that calls it, for mlir-runner
//===----------------------------------------------------------------------===//

func.func private @printI64(i64)
func.func private @printNewline()

// The high byte of a linear congruential generator's state after n.
func.func private @noise(%n: index) -> i32 {
  %factor = arith.constant 1664525 : i32
  %step = arith.constant 1013904223 : i32
  %c24 = arith.constant 24 : i32
  %i = arith.index_cast %n : index to i32
  %p = arith.muli %i, %factor : i32
  %q = arith.addi %p, %step : i32
  %r = arith.muli %q, %factor : i32
  %s = arith.shrui %r, %c24 : i32
  return %s : i32
}

// A byte of codes.
func.func private @codes(%e: index, %n: index, %b: index, %j: index) -> i8 {
  %c97 = arith.constant 97 : index
  %c31 = arith.constant 31 : index
  %0 = arith.muli %e, %c97 : index
  %1 = arith.addi %0, %n : index
  %2 = arith.muli %1, %c31 : index
  %3 = arith.addi %2, %b : index
  %4 = arith.muli %3, %c31 : index
  %5 = arith.addi %4, %j : index
  %6 = call @noise(%5) : (index) -> i32
  %7 = arith.trunci %6 : i32 to i8
  return %7 : i8
}

// A scale from 2^-3 to 2^0: results are exact in f32, in any order of sums.
func.func private @scales(%e: index, %n: index, %b: index) -> i8 {
  %c31 = arith.constant 31 : index
  %c6 = arith.constant 6 : i32
  %c124 = arith.constant 124 : i32
  %0 = arith.muli %e, %c31 : index
  %1 = arith.addi %0, %n : index
  %2 = arith.muli %1, %c31 : index
  %3 = arith.addi %2, %b : index
  %4 = call @noise(%3) : (index) -> i32
  %5 = arith.shrui %4, %c6 : i32
  %6 = arith.addi %5, %c124 : i32
  %7 = arith.trunci %6 : i32 to i8
  return %7 : i8
}

// Prints a hash of the bits of the result: 29 rows, none of expert 1.
func.func @main() {
  %c29 = arith.constant 29 : index
  %c64 = arith.constant 64 : index
  %x = tensor.generate %c29 {
  ^bb0(%i: index, %j: index):
    %at = arith.muli %i, %c64 : index
    %n = arith.addi %at, %j : index
    %noise = func.call @noise(%n) : (index) -> i32
    %c5 = arith.constant 5 : i32
    %c4 = arith.constant 4 : i32
    %small = arith.shrui %noise, %c5 : i32
    %signed = arith.subi %small, %c4 : i32
    %f = arith.sitofp %signed : i32 to f32
    %h = arith.truncf %f : f32 to bf16
    tensor.yield %h : bf16
  } : tensor<?x64xbf16>
  %sizes = arith.constant dense<[9, 0, 13, 7]> : tensor<4xi32>
  %gate_up_codes = tensor.generate {
  ^bb0(%e: index, %n: index, %b: index, %j: index):
    %code = func.call @codes(%e, %n, %b, %j) : (index, index, index, index) -> i8
    tensor.yield %code : i8
  } : tensor<4x128x2x16xi8>
  %gate_up_scales = tensor.generate {
  ^bb0(%e: index, %n: index, %b: index):
    %scale = func.call @scales(%e, %n, %b) : (index, index, index) -> i8
    tensor.yield %scale : i8
  } : tensor<4x128x2xi8>
  %down_codes = tensor.generate {
  ^bb0(%e: index, %n: index, %b: index, %j: index):
    %code = func.call @codes(%n, %e, %j, %b) : (index, index, index, index) -> i8
    tensor.yield %code : i8
  } : tensor<4x64x2x16xi8>
  %down_scales = tensor.generate {
  ^bb0(%e: index, %n: index, %b: index):
    %scale = func.call @scales(%n, %b, %e) : (index, index, index) -> i8
    tensor.yield %scale : i8
  } : tensor<4x64x2xi8>

  %y = call @layer(%x, %sizes, %gate_up_codes, %gate_up_scales, %down_codes,
                   %down_scales)
      : (tensor<?x64xbf16>, tensor<4xi32>, tensor<4x128x2x16xi8>,
         tensor<4x128x2xi8>, tensor<4x64x2x16xi8>, tensor<4x64x2xi8>)
      -> tensor<?x64xbf16>

  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %seed = arith.constant 17 : i64
  %prime = arith.constant 1099511628211 : i64
  %hash = scf.for %i = %c0 to %c29 step %c1 iter_args(%h0 = %seed) -> (i64) {
    %row = scf.for %j = %c0 to %c64 step %c1 iter_args(%h1 = %h0) -> (i64) {
      %v = tensor.extract %y[%i, %j] : tensor<?x64xbf16>
      %bits = arith.bitcast %v : bf16 to i16
      %wide = arith.extui %bits : i16 to i64
      %mixed = arith.xori %h1, %wide : i64
      %next = arith.muli %mixed, %prime : i64
      scf.yield %next : i64
    }
    scf.yield %row : i64
  }
  call @printI64(%hash) : (i64) -> ()
  call @printNewline() : () -> ()
  return
}
