//===- Artifact.cpp - A compiled kernel -----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Artifact.h"

#include "mxfp4/Core/Checksum.h"

#include <cctype>
#include <filesystem>
#include <fstream>

using namespace mxfp4::runtime;
namespace fs = std::filesystem;

static std::string readFile(const fs::path &path) {
  std::ifstream file(path, std::ios::binary);
  const bool isOpen = file.is_open();
  std::string content;
  // A stream's own functions keep an error of the device as a bit. Iterators
  // over its buffer let it out as an exception, which does not name the file.
  char piece[1 << 14];
  while (file.read(piece, sizeof piece) || file.gcount() > 0)
    content.append(piece, size_t(file.gcount()));
  if (!isOpen || file.bad())
    fail(MXFP4RT_BAD_ARTIFACT, path.string() + " could not be read.");
  return content;
}

/// Fails if a file is not the one that the manifest was written with.
static void checkFile(const Manifest &manifest, const fs::path &path,
                      const std::string &content) {
  if (!manifest.files)
    return;
  const std::string name = path.filename().string();
  const auto found = manifest.files->find(name);
  if (found != manifest.files->end() &&
      found->second.bytes == int64_t(content.size()) &&
      found->second.crc32 == mxfp4::crc32(content))
    return;
  fail(MXFP4RT_BAD_ARTIFACT,
       path.string() +
           " is not the file that the artifact was written with: it is "
           "damaged, was changed, or is of another artifact. Copy or compile "
           "the whole artifact again, or, if the change was meant, take "
           "\"files\" out of manifest.json.");
}

Artifact Artifact::load(const std::string &folder) {
  const fs::path path(folder);
  std::error_code ignored;
  for (const char *name : {"manifest.json", "kernel.ptx"})
    if (!fs::is_regular_file(path / name, ignored))
      fail(MXFP4RT_BAD_ARTIFACT,
           path.string() + " is not an artifact: it has no " + name +
               ". An artifact is a folder that mxfp4-compile wrote.");
  Artifact artifact;
  artifact.origin = path.string();
  artifact.manifestText = readFile(path / "manifest.json");
  artifact.ptx = readFile(path / "kernel.ptx");
  if (fs::is_regular_file(path / "kernel.cubin", ignored))
    artifact.cubin = readFile(path / "kernel.cubin");
  artifact.check((path / "manifest.json").string());
  checkFile(artifact.manifest, path / "kernel.ptx", artifact.ptx);
  if (artifact.cubin)
    checkFile(artifact.manifest, path / "kernel.cubin", *artifact.cubin);
  return artifact;
}

/// Whether the PTX defines this kernel, and not one whose name begins so.
static bool hasEntry(const std::string &ptx, const std::string &entry) {
  const std::string words = ".entry " + entry;
  for (size_t at = ptx.find(words); at != std::string::npos;
       at = ptx.find(words, at + 1)) {
    const size_t end = at + words.size();
    const auto next = end < ptx.size() ? static_cast<unsigned char>(ptx[end])
                                       : static_cast<unsigned char>(' ');
    if (!std::isalnum(next) && next != '_' && next != '$')
      return true;
  }
  return false;
}

void Artifact::check(const std::string &manifestOrigin) {
  manifest = Manifest::parse(manifestText, manifestOrigin);
  if (!hasEntry(ptx, manifest.entry))
    fail(MXFP4RT_BAD_ARTIFACT, origin + ": the PTX has no entry " +
                                   shown(manifest.entry) +
                                   ", which the manifest names.");
  if (cubin && cubin->compare(0, 4,
                              "\x7f"
                              "ELF") != 0)
    fail(MXFP4RT_BAD_ARTIFACT, origin + ": the cubin is not an ELF file.");
}
