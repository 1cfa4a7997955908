// A whole mixture-of-experts layer, from the router's logits to hidden states. What
// MLIR has no words for is in operations of this dialect: the choice of experts
// (`mxfp4.top_k`), the sort of rows by expert and the weighted sum. The rest is what
// a compiler has that does not know this project: weights as `arith.scaling_extf`, a
// gather of rows as `linalg.generic`, and for each ragged matmul a loop over experts
// that adds the expert's bias and applies the activation.
//
// 13 tokens, 4 experts of which a token has 2, model dimension 64, inner dimension
// 64. Columns 2i and 2i + 1 of the first matmul are gate and up, as in gpt-oss, whose
// activation this is.

#mk = affine_map<(m, n, k) -> (m, k)>
#nk = affine_map<(m, n, k) -> (n, k)>
#mn = affine_map<(m, n, k) -> (m, n)>
#row = affine_map<(r, n) -> (r)>
#column = affine_map<(r, n) -> (n)>
#element = affine_map<(r, n) -> (r, n)>

func.func @layer(%x: tensor<13x64xbf16>, %logits: tensor<13x4xbf16>,
                 %gate_up_codes: tensor<4x128x2x16xi8>,
                 %gate_up_scales: tensor<4x128x2xi8>,
                 %gate_up_bias: tensor<4x128xbf16>,
                 %down_codes: tensor<4x64x2x16xi8>,
                 %down_scales: tensor<4x64x2xi8>,
                 %down_bias: tensor<4x64xbf16>) -> tensor<13x64xbf16> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %seven = arith.constant 7.0 : f32
  %minus_seven = arith.constant -7.0 : f32
  %alpha = arith.constant 1.702 : f32

  // Route: two experts for each token, and the rows of each expert.
  %ids_init = tensor.empty() : tensor<13x2xi32>
  %weights_init = tensor.empty() : tensor<13x2xf32>
  %offsets_init = tensor.empty() : tensor<5xi32>
  %tokens_init = tensor.empty() : tensor<26xi32>
  %ids, %weights = mxfp4.top_k logits(%logits : tensor<13x4xbf16>)
      scoring(softmax_selected)
      outs(%ids_init, %weights_init : tensor<13x2xi32>, tensor<13x2xf32>)
      -> tensor<13x2xi32>, tensor<13x2xf32>
  %offsets, %tokens, %positions = mxfp4.sort_by_expert ids(%ids : tensor<13x2xi32>)
      outs(%offsets_init, %tokens_init, %ids_init
           : tensor<5xi32>, tensor<26xi32>, tensor<13x2xi32>)
      -> tensor<5xi32>, tensor<26xi32>, tensor<13x2xi32>

  // Gather: row r is token tokens[r].
  %rows_init = tensor.empty() : tensor<26x64xbf16>
  %rows = linalg.generic {indexing_maps = [#row, #element],
                          iterator_types = ["parallel", "parallel"]}
      ins(%tokens : tensor<26xi32>) outs(%rows_init : tensor<26x64xbf16>) {
    ^bb0(%token32: i32, %out: bf16):
      %token = arith.index_cast %token32 : i32 to index
      %k = linalg.index 1 : index
      %value = tensor.extract %x[%token, %k] : tensor<13x64xbf16>
      linalg.yield %value : bf16
  } -> tensor<26x64xbf16>

  // Gate and up: [R, 64] x [4, 128, 64], bias, activation: [R, 64].
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
  %gate_up_init = tensor.empty() : tensor<26x64xbf16>
  %gate_up = scf.for %e = %c0 to %c4 step %c1
      iter_args(%out = %gate_up_init) -> (tensor<26x64xbf16>) {
    %after = arith.addi %e, %c1 : index
    %begin32 = tensor.extract %offsets[%e] : tensor<5xi32>
    %end32 = tensor.extract %offsets[%after] : tensor<5xi32>
    %size32 = arith.subi %end32, %begin32 : i32
    %start = arith.index_cast %begin32 : i32 to index
    %size = arith.index_cast %size32 : i32 to index
    %xe = tensor.extract_slice %rows[%start, 0] [%size, 64] [1, 1]
        : tensor<26x64xbf16> to tensor<?x64xbf16>
    %we = tensor.extract_slice %gate_up_w[%e, 0, 0] [1, 128, 64] [1, 1, 1]
        : tensor<4x128x64xbf16> to tensor<128x64xbf16>
    %be = tensor.extract_slice %gate_up_bias[%e, 0] [1, 128] [1, 1]
        : tensor<4x128xbf16> to tensor<128xbf16>
    %none = tensor.empty(%size) : tensor<?x128xf32>
    %zeros = linalg.fill ins(%zero : f32) outs(%none : tensor<?x128xf32>)
        -> tensor<?x128xf32>
    %wide = linalg.matmul indexing_maps = [#mk, #nk, #mn]
        ins(%xe, %we : tensor<?x64xbf16>, tensor<128x64xbf16>)
        outs(%zeros : tensor<?x128xf32>) -> tensor<?x128xf32>
    %biased = linalg.generic {indexing_maps = [#element, #column, #element],
                              iterator_types = ["parallel", "parallel"]}
        ins(%wide, %be : tensor<?x128xf32>, tensor<128xbf16>)
        outs(%none : tensor<?x128xf32>) {
      ^bb0(%sum: f32, %b: bf16, %old: f32):
        %b32 = arith.extf %b : bf16 to f32
        %v = arith.addf %sum, %b32 : f32
        linalg.yield %v : f32
    } -> tensor<?x128xf32>
    %empty = tensor.empty(%size) : tensor<?x64xbf16>
    %ye = linalg.generic {
        indexing_maps = [affine_map<(r, n) -> (r, 2 * n)>,
                         affine_map<(r, n) -> (r, 2 * n + 1)>, #element],
        iterator_types = ["parallel", "parallel"]}
        ins(%biased, %biased : tensor<?x128xf32>, tensor<?x128xf32>)
        outs(%empty : tensor<?x64xbf16>) {
      ^bb0(%gate: f32, %up: f32, %old: bf16):
        %gate_top = arith.minimumf %gate, %seven : f32
        %up_top = arith.minimumf %up, %seven : f32
        %up_in = arith.maximumf %up_top, %minus_seven : f32
        %scaled = arith.mulf %gate_top, %alpha : f32
        %negative = arith.negf %scaled : f32
        %power = math.exp %negative : f32
        %under = arith.addf %power, %one : f32
        %glu = arith.divf %gate_top, %under : f32
        %up_one = arith.addf %up_in, %one : f32
        %product = arith.mulf %up_one, %glu : f32
        %narrow = arith.truncf %product : f32 to bf16
        linalg.yield %narrow : bf16
    } -> tensor<?x64xbf16>
    %next = tensor.insert_slice %ye into %out[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> into tensor<26x64xbf16>
    scf.yield %next : tensor<26x64xbf16>
  }

  // Down: [R, 64] x [4, 64, 64], bias: [R, 64].
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
  %down_init = tensor.empty() : tensor<26x64xbf16>
  %down = scf.for %e = %c0 to %c4 step %c1
      iter_args(%out = %down_init) -> (tensor<26x64xbf16>) {
    %after = arith.addi %e, %c1 : index
    %begin32 = tensor.extract %offsets[%e] : tensor<5xi32>
    %end32 = tensor.extract %offsets[%after] : tensor<5xi32>
    %size32 = arith.subi %end32, %begin32 : i32
    %start = arith.index_cast %begin32 : i32 to index
    %size = arith.index_cast %size32 : i32 to index
    %xe = tensor.extract_slice %gate_up[%start, 0] [%size, 64] [1, 1]
        : tensor<26x64xbf16> to tensor<?x64xbf16>
    %we = tensor.extract_slice %down_w[%e, 0, 0] [1, 64, 64] [1, 1, 1]
        : tensor<4x64x64xbf16> to tensor<64x64xbf16>
    %be = tensor.extract_slice %down_bias[%e, 0] [1, 64] [1, 1]
        : tensor<4x64xbf16> to tensor<64xbf16>
    %none = tensor.empty(%size) : tensor<?x64xf32>
    %zeros = linalg.fill ins(%zero : f32) outs(%none : tensor<?x64xf32>)
        -> tensor<?x64xf32>
    %wide = linalg.matmul indexing_maps = [#mk, #nk, #mn]
        ins(%xe, %we : tensor<?x64xbf16>, tensor<64x64xbf16>)
        outs(%zeros : tensor<?x64xf32>) -> tensor<?x64xf32>
    %biased = linalg.generic {indexing_maps = [#element, #column, #element],
                              iterator_types = ["parallel", "parallel"]}
        ins(%wide, %be : tensor<?x64xf32>, tensor<64xbf16>)
        outs(%none : tensor<?x64xf32>) {
      ^bb0(%sum: f32, %b: bf16, %old: f32):
        %b32 = arith.extf %b : bf16 to f32
        %v = arith.addf %sum, %b32 : f32
        linalg.yield %v : f32
    } -> tensor<?x64xf32>
    %ye = arith.truncf %biased : tensor<?x64xf32> to tensor<?x64xbf16>
    %next = tensor.insert_slice %ye into %out[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> into tensor<26x64xbf16>
    scf.yield %next : tensor<26x64xbf16>
  }

  // Combine: the weighted sum of a token's rows.
  %y_init = tensor.empty() : tensor<13x64xbf16>
  %y = mxfp4.combine rows(%down : tensor<26x64xbf16>)
      positions(%positions : tensor<13x2xi32>) weights(%weights : tensor<13x2xf32>)
      outs(%y_init : tensor<13x64xbf16>) -> tensor<13x64xbf16>
  return %y : tensor<13x64xbf16>
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

// From -1 to 1, in steps of 2^-7.
func.func private @number(%i: index, %j: index) -> bf16 {
  %c67 = arith.constant 67 : index
  %c128 = arith.constant 128 : i32
  %step = arith.constant 0.0078125 : f32
  %at = arith.muli %i, %c67 : index
  %n = arith.addi %at, %j : index
  %noise = call @noise(%n) : (index) -> i32
  %d = arith.subi %noise, %c128 : i32
  %f = arith.sitofp %d : i32 to f32
  %v = arith.mulf %f, %step : f32
  %h = arith.truncf %v : f32 to bf16
  return %h : bf16
}

// Prints a hash of the bits of the result.
func.func @main() {
  %x = tensor.generate {
  ^bb0(%i: index, %j: index):
    %at = arith.constant 0 : index
    %k = arith.addi %i, %at : index
    %v = func.call @number(%k, %j) : (index, index) -> bf16
    tensor.yield %v : bf16
  } : tensor<13x64xbf16>
  %logits = tensor.generate {
  ^bb0(%i: index, %j: index):
    %at = arith.constant 100 : index
    %k = arith.addi %i, %at : index
    %v = func.call @number(%k, %j) : (index, index) -> bf16
    tensor.yield %v : bf16
  } : tensor<13x4xbf16>
  %gate_up_bias = tensor.generate {
  ^bb0(%i: index, %j: index):
    %at = arith.constant 200 : index
    %k = arith.addi %i, %at : index
    %v = func.call @number(%k, %j) : (index, index) -> bf16
    tensor.yield %v : bf16
  } : tensor<4x128xbf16>
  %down_bias = tensor.generate {
  ^bb0(%i: index, %j: index):
    %at = arith.constant 300 : index
    %k = arith.addi %i, %at : index
    %v = func.call @number(%k, %j) : (index, index) -> bf16
    tensor.yield %v : bf16
  } : tensor<4x64xbf16>
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

  %y = call @layer(%x, %logits, %gate_up_codes, %gate_up_scales, %gate_up_bias,
                   %down_codes, %down_scales, %down_bias)
      : (tensor<13x64xbf16>, tensor<13x4xbf16>, tensor<4x128x2x16xi8>,
         tensor<4x128x2xi8>, tensor<4x128xbf16>, tensor<4x64x2x16xi8>,
         tensor<4x64x2xi8>, tensor<4x64xbf16>) -> tensor<13x64xbf16>

  %c13 = arith.constant 13 : index
  %c64 = arith.constant 64 : index
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %seed = arith.constant 17 : i64
  %prime = arith.constant 1099511628211 : i64
  %hash = scf.for %i = %c0 to %c13 step %c1 iter_args(%h0 = %seed) -> (i64) {
    %row = scf.for %j = %c0 to %c64 step %c1 iter_args(%h1 = %h0) -> (i64) {
      %v = tensor.extract %y[%i, %j] : tensor<13x64xbf16>
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
