//===- CAPI.h - What functions of the C interface share ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_LIB_RUNTIME_CAPI_H
#define MXFP4_LIB_RUNTIME_CAPI_H

#include "Kernel.h"

#include <new>

struct mxfp4rt_kernel {
  mxfp4::runtime::Kernel kernel;
};

namespace mxfp4::runtime {

/// Keeps the sentence of this thread's last failure; returns its status.
mxfp4rt_status remember(mxfp4rt_status status, const char *sentence) noexcept;

/// Runs a function; what it throws becomes a status and a sentence.
template <typename Body> mxfp4rt_status guarded(Body body) noexcept {
  try {
    body();
    return MXFP4RT_OK;
  } catch (const Failure &e) {
    return remember(e.status, e.what());
  } catch (const std::bad_alloc &) {
    return remember(MXFP4RT_FAILED, "host memory ran out.");
  } catch (const std::exception &e) {
    return remember(MXFP4RT_FAILED, e.what());
  }
}

/// Of a handle or a place for a result; \p what names it.
template <typename T> void need(const T *pointer, const char *what) {
  if (!pointer)
    fail(MXFP4RT_INVALID, std::string(what) + " is null.");
}

/// Fails unless a call has a kernel and values, and is on the device of the
/// first.
void checkCall(const mxfp4rt_call *calls, size_t number);

} // namespace mxfp4::runtime

#endif // MXFP4_LIB_RUNTIME_CAPI_H
