#include "mxfp4/IR/MXFP4.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  registry.insert<mxfp4::MXFP4Dialect, mlir::func::FuncDialect, mlir::memref::MemRefDialect>();
  return mlir::asMainReturnCode(mlir::MlirOptMain(argc, argv, "mxfp4-opt\n", registry));
}
