// A decode in memory becomes a kernel, of which a thread decodes eight values;
// test/python/test_decode_kernel.py runs it.
//
// RUN: mxfp4-opt %s --mxfp4-tile-dequantize --verify-diagnostics | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-to-ptx=require-kernels=false | FileCheck %s --check-prefix=PTX

// CHECK-LABEL: func.func @bf16
// CHECK-DAG:     %[[C:.*]] = memref.reinterpret_cast %{{.*}} sizes: [24576], strides: [1] : memref<8x96x2x16xi8> to memref<24576xi8>
// CHECK-DAG:     %[[S:.*]] = memref.reinterpret_cast %{{.*}} : memref<8x96x2xi8> to memref<1536xi8>
// CHECK-DAG:     %[[Y:.*]] = memref.reinterpret_cast %{{.*}} : memref<8x96x64xbf16> to memref<49152xbf16>
// CHECK:         gpu.launch_func @mxfp4_bf16::@mxfp4_bf16 blocks in (%c24, %c1{{.*}}, %c1{{.*}}) threads in (%c256
// CHECK-SAME:      args(%[[C]] : memref<24576xi8>, %[[S]] : memref<1536xi8>, %[[Y]] : memref<49152xbf16>)
// CHECK-NOT:     mxfp4.dequantize
// CHECK:         return
func.func @bf16(%c: memref<8x96x2x16xi8>, %s: memref<8x96x2xi8>, %y: memref<8x96x64xbf16>) {
  mxfp4.dequantize codes(%c : memref<8x96x2x16xi8>) scales(%s : memref<8x96x2xi8>)
      outs(%y : memref<8x96x64xbf16>)
  return
}

// A row of one block, in f32.

// CHECK-LABEL: func.func @f32
// CHECK:         gpu.launch_func @mxfp4_f32::@mxfp4_f32 blocks in (%c1
func.func @f32(%c: memref<1x16xi8>, %s: memref<1xi8>, %y: memref<32xf32>) {
  mxfp4.dequantize codes(%c : memref<1x16xi8>) scales(%s : memref<1xi8>)
      outs(%y : memref<32xf32>)
  return
}

// A decode of no values needs no launch; decodes of tensors stay.

// CHECK-LABEL: func.func @none
// CHECK-NOT:     gpu.launch_func
// CHECK:         mxfp4.dequantize {{.*}} -> tensor<1x32xf32>
func.func @none(%c: memref<0x1x16xi8>, %s: memref<0x1xi8>, %y: memref<0x32xf32>,
                %ct: tensor<1x1x16xi8>, %st: tensor<1x1xi8>, %yt: tensor<1x32xf32>) -> tensor<1x32xf32> {
  mxfp4.dequantize codes(%c : memref<0x1x16xi8>) scales(%s : memref<0x1xi8>)
      outs(%y : memref<0x32xf32>)
  %0 = mxfp4.dequantize codes(%ct : tensor<1x1x16xi8>) scales(%st : tensor<1x1xi8>)
      outs(%yt : tensor<1x32xf32>) -> tensor<1x32xf32>
  return %0 : tensor<1x32xf32>
}

// What cannot become a kernel stays with the host.

// CHECK-LABEL: func.func @host
// CHECK-COUNT-3: mxfp4.dequantize
func.func @host(%c: memref<?x1x16xi8>, %s: memref<?x1xi8>, %y: memref<?x32xf32>,
                %bc: memref<1024x65536x1x16xi8>, %bs: memref<1024x65536x1xi8>, %by: memref<1024x65536x32xbf16>,
                %cs: memref<2x1x16xi8, strided<[32, 16, 1]>>, %ss: memref<2x1xi8>, %ys: memref<2x32xf32>) {
  // expected-remark @below {{is left for the host, because it requires static sizes to become a kernel}}
  mxfp4.dequantize codes(%c : memref<?x1x16xi8>) scales(%s : memref<?x1xi8>)
      outs(%y : memref<?x32xf32>)
  // expected-remark @below {{is left for the host, because it requires fewer than 2^31 values to become a kernel}}
  mxfp4.dequantize codes(%bc : memref<1024x65536x1x16xi8>) scales(%bs : memref<1024x65536x1xi8>)
      outs(%by : memref<1024x65536x32xbf16>)
  // expected-remark @below {{is left for the host, because it requires contiguous memrefs (identity layout) to become a kernel; run mxfp4-make-contiguous}}
  mxfp4.dequantize codes(%cs : memref<2x1x16xi8, strided<[32, 16, 1]>>) scales(%ss : memref<2x1xi8>)
      outs(%ys : memref<2x32xf32>)
  return
}

// PTX: .visible .entry mxfp4_bf16(
// PTX: .reqntid 256
// PTX: st.global.v4
// PTX: .visible .entry mxfp4_f32(
