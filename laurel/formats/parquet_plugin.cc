#include "laurel/formats/parquet_plugin.h"

#include <dlfcn.h>

#include <cstdlib>
#include <string>

#include "laurel/base/error.h"

namespace laurel::formats {
namespace {

namespace fs = std::filesystem;

constexpr char kPluginName[] = "liblaurel_parquet.so";
// Of Apache Arrow 23, in the order in which they need each other.
constexpr const char* kArrowNames[] = {"libarrow.so.2300", "libparquet.so.2300"};

fs::path variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::vector<fs::path> default_places() {
  if (const fs::path named = variable("LAUREL_PARQUET_PLUGIN"); !named.empty()) return {named};
  std::error_code unknown;
  const fs::path program = fs::read_symlink("/proc/self/exe", unknown);
  const fs::path prefix = program.parent_path().parent_path();
  return {prefix / LAUREL_LIBDIR / "laurel" / kPluginName, prefix / "lib" / "laurel" / kPluginName};
}

// Stays open to the end of the process: Arrow's libraries do not expect to be unloaded.
void* open_library(const fs::path& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library != nullptr) return library;
  throw UserError(
      "Parquet plug-in: {}; set LAUREL_ARROW_LIBRARIES to the folder of pyarrow 23.0.1's "
      "libraries, "
      "or build it again after tools/setup parquet",
      ::dlerror());
}

}  // namespace

const parquet::ParquetApi& open_parquet_plugin(const std::vector<fs::path>& places,
                                               const fs::path& arrow_folder) {
  std::error_code unreadable;
  for (const fs::path& place : places) {
    if (!fs::exists(place, unreadable)) continue;
    // A library that is loaded serves all that need one of its name.
    if (!arrow_folder.empty()) {
      for (const char* name : kArrowNames) open_library(arrow_folder / name);
    }
    void* library = open_library(fs::absolute(place));
    const auto entry =
        reinterpret_cast<parquet::EntryPoint>(::dlsym(library, parquet::kEntryPoint));
    const parquet::ParquetApi* api = entry == nullptr ? nullptr : entry();
    if (api == nullptr || api->version != parquet::kAbiVersion) {
      throw UserError("{}: not the Parquet plug-in of this program, expected version {}, got {}",
                      place.string(), parquet::kAbiVersion,
                      api == nullptr ? "another library" : std::to_string(api->version));
    }
    return *api;
  }
  throw UserError(
      "reading Parquet needs a plug-in, expected {}; run tools/setup parquet and build again, or "
      "set LAUREL_PARQUET_PLUGIN",
      places.front().string());
}

const parquet::ParquetApi& parquet_plugin() {
  static const parquet::ParquetApi& api =
      open_parquet_plugin(default_places(), variable("LAUREL_ARROW_LIBRARIES"));
  return api;
}

}  // namespace laurel::formats
