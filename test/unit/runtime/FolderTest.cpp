//===- FolderTest.cpp - Artifacts that are read from a folder -------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Fixture.h"

#include "mxfp4/Core/Checksum.h"

#include <filesystem>
#include <fstream>

using testing::HasSubstr;
namespace fs = std::filesystem;

class RuntimeFolder : public testing::Test {
protected:
  fs::path folder =
      fs::path(testing::TempDir()) / ("mxfp4rt-" + std::to_string(::getpid()));
  void SetUp() override {
    fs::create_directories(folder);
    write("manifest.json", matmul().dump());
    write("kernel.ptx", ptx());
  }
  void TearDown() override { fs::remove_all(folder); }
  void write(const char *name, const std::string &content) {
    std::ofstream(folder / name, std::ios::binary) << content;
  }
  mxfp4rt_status load() {
    mxfp4rt_artifact *artifact = nullptr;
    const mxfp4rt_status status =
        mxfp4rt_artifact_load(folder.c_str(), &artifact);
    mxfp4rt_artifact_destroy(artifact);
    return status;
  }
};

TEST_F(RuntimeFolder, IsReadOrRefused) {
  EXPECT_EQ(load(), MXFP4RT_OK) << mxfp4rt_last_error();
  write("kernel.cubin", "text");
  EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
  EXPECT_THAT(mxfp4rt_last_error(), HasSubstr("the cubin is not an ELF file"));
  write("kernel.cubin", "\x7f"
                        "ELF code");
  EXPECT_EQ(load(), MXFP4RT_OK);
  write("manifest.json", "{}");
  EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
  EXPECT_THAT(mxfp4rt_last_error(),
              HasSubstr((folder / "manifest.json").string()));
  fs::remove(folder / "kernel.ptx");
  fs::create_directory(folder / "kernel.ptx");
  EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
  EXPECT_THAT(mxfp4rt_last_error(), HasSubstr("it has no kernel.ptx"));
  fs::remove_all(folder);
  EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
  EXPECT_THAT(mxfp4rt_last_error(),
              HasSubstr("is not an artifact: it has no manifest.json"));
}

TEST_F(RuntimeFolder, FilesAreThoseThatWereWritten) {
  // CRC-32 of "123456789" is the check value of the standard.
  EXPECT_EQ(mxfp4::crc32("123456789"), 0xCBF43926U);
  const std::string code = "\x7f"
                           "ELF code";
  Json manifest = matmul();
  manifest["files"] = {
      {"kernel.ptx",
       {{"bytes", std::string(ptx()).size()}, {"crc32", mxfp4::crc32(ptx())}}},
      {"kernel.cubin",
       {{"bytes", code.size()}, {"crc32", mxfp4::crc32(code)}}}};
  write("manifest.json", manifest.dump());
  EXPECT_EQ(load(), MXFP4RT_OK) << mxfp4rt_last_error(); // without a cubin
  Json &bytes = manifest["files"]["kernel.ptx"]["bytes"];
  bytes = bytes.get<int64_t>() + 1;
  write("manifest.json", manifest.dump());
  EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
  EXPECT_THAT(mxfp4rt_last_error(), HasSubstr("kernel.ptx is not the file"));
  bytes = bytes.get<int64_t>() - 1;
  write("manifest.json", manifest.dump());
  write("kernel.cubin", code);
  EXPECT_EQ(load(), MXFP4RT_OK) << mxfp4rt_last_error();
  for (const std::string &other : {code + " more", std::string("\x7f"
                                                               "ELF codf")}) {
    write("kernel.cubin", other);
    EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
    EXPECT_THAT(mxfp4rt_last_error(),
                HasSubstr("kernel.cubin is not the file that the artifact was "
                          "written with"));
  }
  write("kernel.cubin", code);
  write("kernel.ptx", std::string(ptx()) + " ");
  EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
  EXPECT_THAT(mxfp4rt_last_error(), HasSubstr("kernel.ptx is not the file"));
  write("kernel.ptx", ptx());
  manifest["files"].erase("kernel.cubin");
  write("manifest.json", manifest.dump());
  EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT) << "a cubin of another artifact";
  for (const Json &files :
       {Json("none"), Json{{"kernel.ptx", 1}},
        Json{{"kernel.ptx", {{"bytes", 1}}}},
        Json{{"kernel.ptx", {{"bytes", -1}, {"crc32", 1}}}},
        Json{{"kernel.ptx", {{"bytes", 1}, {"crc32", 4294967296}}}}}) {
    manifest["files"] = files;
    write("manifest.json", manifest.dump());
    EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
    EXPECT_THAT(mxfp4rt_last_error(),
                HasSubstr((folder / "manifest.json").string() + ": \"files\""));
  }
}

TEST_F(RuntimeFolder, TheManifestIsAsItWasWritten) {
  Json manifest = matmul();
  manifest["problem"]["epilogue"] = R"(a "checksum":"9" \ in a string)";
  manifest["files"] = {
      {"kernel.ptx",
       {{"bytes", std::string(ptx()).size()}, {"crc32", mxfp4::crc32(ptx())}}}};
  manifest["checksum"] = "";
  const std::string digits = mxfp4::manifestChecksum(manifest.dump());
  manifest["checksum"] = digits;
  // Blanks between words do not count.
  for (const int indent : {-1, 0, 2}) {
    write("manifest.json", manifest.dump(indent));
    EXPECT_EQ(load(), MXFP4RT_OK) << mxfp4rt_last_error();
  }
  auto refused = [&](const Json &changed) {
    write("manifest.json", changed.dump());
    EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT) << changed;
    EXPECT_THAT(mxfp4rt_last_error(),
                HasSubstr((folder / "manifest.json").string() +
                          ": it is not as it was written"));
    Json meant = changed;
    meant.erase("files");
    write("manifest.json", meant.dump());
    EXPECT_EQ(load(), MXFP4RT_OK) << mxfp4rt_last_error();
  };
  for (const auto &[path, value] : std::vector<std::pair<std::string, Json>>{
           {"/problem/k", 64},
           {"/launch/dynamic_shared_bytes", 1024},
           {"/launch/grid/ctas_per_sm", 3},
           {"/problem/epilogue", R"(a "checksum":"9" \ in a  string)"},
           {"/checksum", "00000000"},
           {"/checksum", digits + " "}}) {
    Json changed = manifest;
    changed[Json::json_pointer(path)] = value;
    refused(changed);
  }
  // What is wrong in a manifest says more than that it was changed.
  manifest["version"] = 2;
  write("manifest.json", manifest.dump());
  EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
  EXPECT_THAT(mxfp4rt_last_error(), HasSubstr("expected version 3 or 4"));
}

// A file that opens and cannot be read: nothing is mapped where it begins.
TEST_F(RuntimeFolder, AnErrorOfTheDeviceNamesTheFile) {
  fs::remove(folder / "kernel.ptx");
  std::error_code none;
  fs::create_symlink("/proc/self/mem", folder / "kernel.ptx", none);
  if (none || !fs::is_regular_file(folder / "kernel.ptx"))
    GTEST_SKIP() << "no /proc here";
  EXPECT_EQ(load(), MXFP4RT_BAD_ARTIFACT);
  EXPECT_EQ(mxfp4rt_last_error(),
            (folder / "kernel.ptx").string() + " could not be read.");
}
