// The proof of a decode runs its operations on all codes and scales. These change
// nothing, if each does what it should.
//
// RUN: mxfp4-opt %s --split-input-file --mxfp4-raise=scales=1,254 2>/dev/null | FileCheck %s

#k = affine_map<(n, b, k) -> (n, b, k)>
#b = affine_map<(n, b, k) -> (n, b)>

// CHECK-LABEL: func.func @unchanged
// CHECK:         mxfp4.dequantize
func.func @unchanged(%w: tensor<48x2x32xf4E2M1FN>, %s: tensor<48x2xi8>) -> tensor<48x2x32xbf16> {
  %bits = arith.constant 85 : i8
  %zero = arith.constant 0 : i32
  %three = arith.constant 3 : i32
  %six = arith.constant 6 : i32
  %minus = arith.constant -1 : i32
  %most = arith.constant 255 : i32
  %past = arith.constant 256 : i32
  %bias = arith.constant 127.0 : f32
  %half = arith.constant 0.5 : f32
  %e = tensor.empty() : tensor<48x2x32xbf16>
  %r = linalg.generic {indexing_maps = [#k, #b, #k],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%w, %s : tensor<48x2x32xf4E2M1FN>, tensor<48x2xi8>)
      outs(%e : tensor<48x2x32xbf16>) {
  ^bb0(%c: f4E2M1FN, %t: i8, %o: bf16):
    %x0 = arith.xori %t, %bits : i8
    %x = arith.xori %x0, %bits : i8
    %u = arith.uitofp %x : i8 to f32
    %i = arith.extui %x : i8 to i32
    %i0 = arith.subi %zero, %i : i32
    %i1 = math.absi %i0 : i32
    %i2 = arith.subi %zero, %i1 : i32
    %i3 = arith.divsi %i2, %minus : i32
    %i4 = arith.muli %i3, %six : i32
    %i5 = arith.divui %i4, %six : i32
    %i6 = arith.remui %i5, %past : i32
    %i7 = arith.remsi %i6, %past : i32
    %i8 = arith.shli %i7, %three : i32
    %i9 = arith.shrsi %i8, %three : i32
    %i10 = arith.minui %i9, %most : i32
    %i11 = arith.minsi %i10, %most : i32
    %i12 = arith.maxui %i11, %zero : i32
    %i13 = arith.maxsi %i12, %minus : i32
    %i14 = arith.ori %i13, %zero : i32
    %f = arith.sitofp %i14 : i32 to f32
    %sum = arith.addf %u, %f : f32
    %mean = arith.mulf %sum, %half : f32
    %exponent = arith.subf %mean, %bias : f32
    %p = math.exp2 %exponent : f32
    %v = arith.extf %c : f4E2M1FN to f32
    %y = arith.mulf %v, %p : f32
    %z = arith.truncf %y : f32 to bf16
    linalg.yield %z : bf16
  } -> tensor<48x2x32xbf16>
  return %r : tensor<48x2x32xbf16>
}

// -----

// The power of a negative number has another sign for each odd exponent.

#k = affine_map<(n, b, k) -> (n, b, k)>
#b = affine_map<(n, b, k) -> (n, b)>

// CHECK-LABEL: func.func @negative
// CHECK:         linalg.generic
// CHECK-NOT:     mxfp4.dequantize
func.func @negative(%w: tensor<48x2x32xf4E2M1FN>, %s: tensor<48x2xi8>) -> tensor<48x2x32xbf16> {
  %two = arith.constant -2.0 : f32
  %bias = arith.constant 127.0 : f32
  %e = tensor.empty() : tensor<48x2x32xbf16>
  %r = linalg.generic {indexing_maps = [#k, #b, #k],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%w, %s : tensor<48x2x32xf4E2M1FN>, tensor<48x2xi8>)
      outs(%e : tensor<48x2x32xbf16>) {
  ^bb0(%c: f4E2M1FN, %t: i8, %o: bf16):
    %u = arith.uitofp %t : i8 to f32
    %exponent = arith.subf %u, %bias : f32
    %p = math.powf %two, %exponent : f32
    %v = arith.extf %c : f4E2M1FN to f32
    %y = arith.mulf %v, %p : f32
    %z = arith.truncf %y : f32 to bf16
    linalg.yield %z : bf16
  } -> tensor<48x2x32xbf16>
  return %r : tensor<48x2x32xbf16>
}

// -----

// A shift by the width has no value.

#k = affine_map<(n, b, k) -> (n, b, k)>
#b = affine_map<(n, b, k) -> (n, b)>

// CHECK-LABEL: func.func @shifted
// CHECK:         linalg.generic
// CHECK-NOT:     mxfp4.dequantize
func.func @shifted(%w: tensor<48x2x32xf4E2M1FN>, %s: tensor<48x2xi8>) -> tensor<48x2x32xbf16> {
  %eight = arith.constant 8 : i8
  %bias = arith.constant 127.0 : f32
  %e = tensor.empty() : tensor<48x2x32xbf16>
  %r = linalg.generic {indexing_maps = [#k, #b, #k],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%w, %s : tensor<48x2x32xf4E2M1FN>, tensor<48x2xi8>)
      outs(%e : tensor<48x2x32xbf16>) {
  ^bb0(%c: f4E2M1FN, %t: i8, %o: bf16):
    %none = arith.shli %t, %eight : i8
    %same = arith.ori %t, %none : i8
    %u = arith.uitofp %same : i8 to f32
    %exponent = arith.subf %u, %bias : f32
    %p = math.exp2 %exponent : f32
    %v = arith.extf %c : f4E2M1FN to f32
    %y = arith.mulf %v, %p : f32
    %z = arith.truncf %y : f32 to bf16
    linalg.yield %z : bf16
  } -> tensor<48x2x32xbf16>
  return %r : tensor<48x2x32xbf16>
}
