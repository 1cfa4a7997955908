// A result has the shape of its output operand.
//
// RUN: mxfp4-opt %s --resolve-ranked-shaped-type-result-dims --canonicalize | FileCheck %s

// CHECK-LABEL: func @grouped_matmul
// CHECK-SAME:    %[[X:.*]]: tensor<?x64xbf16>, {{.*}}, %[[INIT:.*]]: tensor<?x48xbf16>
// CHECK-DAG:     %[[R:.*]] = tensor.dim %[[INIT]], %c0
// CHECK-DAG:     %[[N:.*]] = arith.constant 48 : index
// CHECK:         return %[[R]], %[[N]]
func.func @grouped_matmul(%x: tensor<?x64xbf16>,
    %w: tensor<2x1x1x!mxfp4.block<spread, raw>>, %o: tensor<3xi32>,
    %init: tensor<?x48xbf16>) -> (index, index) {
  %y = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%w : tensor<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : tensor<3xi32>)
      outs(%init : tensor<?x48xbf16>) -> tensor<?x48xbf16>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = tensor.dim %y, %c0 : tensor<?x48xbf16>
  %n = tensor.dim %y, %c1 : tensor<?x48xbf16>
  return %r, %n : index, index
}

// CHECK-LABEL: func @quantize
// CHECK-SAME:    %[[V:.*]]: tensor<?x?xf32>, %[[C:.*]]: tensor<?x?x16xi8>, %[[S:.*]]: tensor<?x?xi8>
// CHECK-DAG:     %[[CD:.*]] = tensor.dim %[[C]], %c1
// CHECK-DAG:     %[[SD:.*]] = tensor.dim %[[S]], %c0
// CHECK:         return %[[CD]], %[[SD]]
func.func @quantize(%v: tensor<?x?xf32>, %c: tensor<?x?x16xi8>,
                    %s: tensor<?x?xi8>) -> (index, index) {
  %q:2 = mxfp4.quantize ins(%v : tensor<?x?xf32>)
      outs(%c, %s : tensor<?x?x16xi8>, tensor<?x?xi8>)
      -> tensor<?x?x16xi8>, tensor<?x?xi8>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = tensor.dim %q#0, %c1 : tensor<?x?x16xi8>
  %1 = tensor.dim %q#1, %c0 : tensor<?x?xi8>
  return %0, %1 : index, index
}

// CHECK-LABEL: func @pack
// CHECK-SAME:    %[[W:[a-z0-9]*]]: tensor<?x?x?x!mxfp4.block<nibble, raw>>
// CHECK:         tensor.dim %[[W]], %c2
func.func @pack(%c: tensor<?x?x?x16xi8>, %s: tensor<?x?x?xi8>,
                %w: tensor<?x?x?x!mxfp4.block<nibble, raw>>) -> index {
  %p = mxfp4.pack codes(%c : tensor<?x?x?x16xi8>)
                  scales(%s : tensor<?x?x?xi8>)
      outs(%w : tensor<?x?x?x!mxfp4.block<nibble, raw>>)
      -> tensor<?x?x?x!mxfp4.block<nibble, raw>>
  %c2 = arith.constant 2 : index
  %d = tensor.dim %p, %c2 : tensor<?x?x?x!mxfp4.block<nibble, raw>>
  return %d : index
}

// CHECK-LABEL: func @unpack_and_dequantize
// CHECK-SAME:    %[[C:[a-z0-9]*]]: tensor<?x?x?x16xi8>, %[[S:[a-z0-9]*]]: tensor<?x?x?xi8>, %[[V:[a-z0-9]*]]: tensor<?x?x?xbf16>
// CHECK-DAG:     %[[D0:.*]] = tensor.dim %[[S]], %c2
// CHECK-DAG:     %[[D1:.*]] = tensor.dim %[[V]], %c2
// CHECK:         return %[[D0]], %[[D1]]
func.func @unpack_and_dequantize(%w: tensor<?x?x?x!mxfp4.block<nibble, raw>>,
    %c: tensor<?x?x?x16xi8>, %s: tensor<?x?x?xi8>, %v: tensor<?x?x?xbf16>)
    -> (index, index) {
  %u:2 = mxfp4.unpack blocks(%w : tensor<?x?x?x!mxfp4.block<nibble, raw>>)
      outs(%c, %s : tensor<?x?x?x16xi8>, tensor<?x?x?xi8>)
      -> tensor<?x?x?x16xi8>, tensor<?x?x?xi8>
  %d = mxfp4.dequantize codes(%u#0 : tensor<?x?x?x16xi8>)
                        scales(%u#1 : tensor<?x?x?xi8>)
      outs(%v : tensor<?x?x?xbf16>) -> tensor<?x?x?xbf16>
  %c2 = arith.constant 2 : index
  %0 = tensor.dim %u#1, %c2 : tensor<?x?x?xi8>
  %1 = tensor.dim %d, %c2 : tensor<?x?x?xbf16>
  return %0, %1 : index, index
}
