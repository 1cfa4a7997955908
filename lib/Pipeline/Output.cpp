//===- Output.cpp - Output that is whole, or a failure --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Pipeline/Output.h"

#include "llvm/ADT/SmallString.h"
#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

#include <csignal>
#include <cstdio>
#include <deque>
#include <filesystem>

using namespace mxfp4;
using llvm::StringRef;
namespace fs = llvm::sys::fs;

static std::string sentence(StringRef path, const std::error_code &error) {
  return ("cannot write '" + path + "': " + error.message()).str();
}

/// Closes a stream, of which some file systems say only then that there was no
/// room. What went wrong with it; the stream is told that somebody has asked,
/// because LLVM ends the process otherwise.
static std::error_code settle(llvm::raw_fd_ostream &os) {
  os.close();
  const std::error_code error = os.error();
  os.clear_error();
  return error;
}

/// The name of what links lead to, which need not exist.
static std::error_code resolveLinks(StringRef path,
                                    llvm::SmallVectorImpl<char> &target) {
  constexpr int most = 40; // As in Linux.
  std::filesystem::path at = path.str();
  for (int links = 0; links < most; ++links) {
    std::error_code error;
    if (!std::filesystem::is_symlink(
            std::filesystem::symlink_status(at, error))) {
      const std::string name = at.string();
      target.assign(name.begin(), name.end());
      return {};
    }
    const std::filesystem::path next = std::filesystem::read_symlink(at, error);
    if (error)
      return error;
    at = at.parent_path() / next;
  }
  return std::make_error_code(std::errc::too_many_symbolic_link_levels);
}

namespace {

/// A file that is written and has not yet taken its place.
class Pending {
public:
  explicit Pending(const NewFile &file) : file(file), target(file.path) {}
  Pending(const Pending &) = delete;
  Pending &operator=(const Pending &) = delete;
  ~Pending() {
    if (scratch.empty())
      return;
    [[maybe_unused]] const std::error_code ignored = fs::remove(scratch);
    llvm::sys::DontRemoveFileOnSignal(scratch);
  }

  std::error_code write() {
    fs::file_status status;
    if (!fs::status(file.path, status)) {
      if (fs::is_directory(status))
        return std::make_error_code(std::errc::is_a_directory);
      // A descriptor's name, too, stands for what is open, and not for a file
      // that another may take the place of.
      if (!fs::is_regular_file(status) ||
          StringRef(file.path).starts_with("/dev/") ||
          StringRef(file.path).starts_with("/proc/"))
        return writeInPlace();
      if (std::error_code error = fs::real_path(file.path, target))
        return error;
    } else if (std::error_code error = resolveLinks(file.path, target)) {
      return error;
    }
    int descriptor = -1;
    if (std::error_code error = fs::createUniqueFile(target + ".tmp%%%%%%%%",
                                                     descriptor, scratch)) {
      scratch.clear();
      // A directory that takes no new file may have one that can be written.
      isInPlace = error == std::errc::permission_denied && fs::exists(status) &&
                  fs::can_write(target);
      return isInPlace ? std::error_code() : error;
    }
    llvm::raw_fd_ostream os(descriptor, /*shouldClose=*/true);
    llvm::sys::RemoveFileOnSignal(scratch);
    std::error_code error;
    if (fs::exists(status))
      error = fs::setPermissions(scratch, status.permissions());
    if (!error)
      os << file.content;
    const std::error_code written = settle(os);
    return error ? error : written;
  }

  std::error_code takePlace() {
    if (isInPlace)
      return writeInPlace();
    if (scratch.empty())
      return {};
    const std::error_code error = fs::rename(scratch, target);
    if (!error) {
      llvm::sys::DontRemoveFileOnSignal(scratch);
      scratch.clear();
      return {};
    }
    // Nothing takes the place of a file on which another is mounted, as in
    // containers, or of somebody else's in a directory such as /tmp.
    const bool keepsPlace = error == std::errc::device_or_resource_busy ||
                            error == std::errc::operation_not_permitted;
    return keepsPlace && fs::can_write(target) ? writeInPlace() : error;
  }

  StringRef path() const { return file.path; }

private:
  std::error_code writeInPlace() const {
    std::error_code error;
    llvm::raw_fd_ostream os(file.path, error);
    if (error)
      return error;
    os << file.content;
    return settle(os);
  }

  const NewFile &file;
  llvm::SmallString<128> target;
  /// The name of the file that will take the target's place, or empty.
  llvm::SmallString<128> scratch;
  /// Whether the file is still to be written where it is.
  bool isInPlace = false;
};

} // namespace

std::string mxfp4::writeFiles(llvm::ArrayRef<NewFile> files,
                              llvm::ArrayRef<std::string> obsolete) {
  std::deque<Pending> pending;
  for (const NewFile &file : files) {
    if (std::error_code error = pending.emplace_back(file).write())
      return sentence(file.path, error);
  }
  for (StringRef path : obsolete)
    if (std::error_code error = fs::remove(path))
      return ("cannot remove '" + path + "': " + error.message()).str();
  for (Pending &file : pending)
    if (std::error_code error = file.takePlace())
      return sentence(file.path(), error);
  return "";
}

std::string mxfp4::makeDirectories(StringRef path,
                                   std::vector<std::string> &made) {
  std::vector<std::string> missing;
  for (StringRef each = path; !each.empty() && !fs::exists(each);
       each = llvm::sys::path::parent_path(each))
    missing.push_back(each.str());
  if (std::error_code error = fs::create_directories(path)) {
    removeDirectories(missing);
    return ("cannot make the directory '" + path + "': " + error.message())
        .str();
  }
  made = std::move(missing);
  return "";
}

void mxfp4::removeDirectories(llvm::ArrayRef<std::string> made) {
  for (const std::string &path : made)
    if (fs::is_directory(path) && fs::remove(path))
      return; // It is not empty, nor are those that it is in.
}

/// Called by LLVM for what a program cannot go on with, before it ends it.
static void explain(void *tool, const char *reason, bool /*crash*/) {
  StringRef text(reason);
  const bool isOutput = text.consume_front("IO failure on output stream: ");
  const std::string message =
      isOutput ? (static_cast<const char *>(tool) +
                  llvm::Twine(": cannot write the output: ") + text)
                     .str()
               : ("LLVM ERROR: " + text).str();
  // Not LLVM's stream of errors, which may be what has failed.
  std::fprintf(stderr, "%s\n", message.c_str());
}

void mxfp4::reportFailedOutput(const char *tool) {
  // What passes a limit on the size of files fails as on a full disk. The
  // signal would end the program, after a stack trace of LLVM's.
  std::signal(SIGXFSZ, SIG_IGN);
  llvm::install_fatal_error_handler(explain, const_cast<char *>(tool));
}
