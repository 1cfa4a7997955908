//===- Input.cpp - Input that may have no end -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Pipeline/Input.h"

#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/Error.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/SmallVectorMemoryBuffer.h"

using namespace mxfp4;
namespace fs = llvm::sys::fs;

/// Bytes of what is no file.
static constexpr size_t kMostOfStream = size_t(1) << 30;

/// What a stream gives until its end.
static llvm::Error readToEnd(fs::file_t stream,
                             llvm::SmallVectorImpl<char> &text) {
  constexpr size_t piece = size_t(1) << 16;
  for (;;) {
    const size_t size = text.size();
    if (size > kMostOfStream)
      return llvm::createStringError(
          "it is no file and gives more than " +
          std::to_string(kMostOfStream >> 20) +
          " MiB; write what it gives into a file, which may be larger");
    text.resize_for_overwrite(size + piece);
    llvm::Expected<size_t> got =
        fs::readNativeFile(stream, {text.data() + size, piece});
    if (!got)
      return got.takeError();
    text.truncate(size + *got);
    if (*got == 0)
      return llvm::Error::success();
  }
}

std::unique_ptr<llvm::MemoryBuffer> mxfp4::openInput(llvm::StringRef path,
                                                     std::string &message) {
  const bool isStandard = path == "-";
  fs::file_t stream = fs::getStdinHandle();
  fs::file_status status;
  if ((isStandard ? fs::status(stream, status) : fs::status(path, status)) ||
      fs::is_regular_file(status) || fs::is_directory(status))
    return mlir::openInputFile(path, &message);
  llvm::SmallVector<char, 0> text;
  auto explain = [&](llvm::Error error) {
    message =
        ("cannot read '" + path + "': " + llvm::toString(std::move(error)))
            .str();
    return nullptr;
  };
  if (isStandard) {
    if (llvm::Error error = readToEnd(stream, text))
      return explain(std::move(error));
  } else {
    llvm::Expected<fs::file_t> opened = fs::openNativeFileForRead(path);
    if (!opened)
      return explain(opened.takeError());
    llvm::Error error = readToEnd(*opened, text);
    [[maybe_unused]] const std::error_code ignored = fs::closeFile(*opened);
    if (error)
      return explain(std::move(error));
  }
  return std::make_unique<llvm::SmallVectorMemoryBuffer>(
      std::move(text), isStandard ? "<stdin>" : path,
      /*RequiresNullTerminator=*/true);
}
