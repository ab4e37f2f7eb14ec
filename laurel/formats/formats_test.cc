#include <zlib.h>
#include <zstd.h>

#include "laurel/formats/line_reader.h"
#include "laurel/formats/pickle.h"
#include "laurel/formats/pytorch_bin.h"
#include "laurel/formats/safetensors.h"
#include "laurel/formats/safetensors_writer.h"
#include "laurel/formats/shard_index.h"
#include "laurel/formats/tensor_store.h"
#include "laurel/formats/test_support.h"
#include "laurel/formats/zip_archive.h"

namespace laurel::formats {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// A safetensors file with this header and so many bytes of data.
std::string safetensors(const std::string& header, std::size_t data_bytes) {
  const std::uint64_t size = header.size();
  std::string file(8, '\0');
  std::memcpy(file.data(), &size, 8);
  return file + header + std::string(data_bytes, '\1');
}

std::string safetensors_error(const std::string& file) {
  return error_of([&] { parse_safetensors(as_bytes(file), "f"); });
}

TEST(Safetensors, ReadsWhatTheReferenceWrote) {
  const TensorStore store = TensorStore::open_file(golden("formats/tensors.safetensors"));
  EXPECT_THAT(store.tensors(), SizeIs(6));
  const TensorView* weight = store.find("b.weight");
  ASSERT_NE(weight, nullptr);
  EXPECT_EQ(weight->dtype, DType::kF32);
  EXPECT_THAT(weight->shape, ElementsAre(2, 3));
  EXPECT_THAT(values_of<float>(weight->data), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_THAT(store.find("scalar")->shape, ElementsAre());
  EXPECT_THAT(values_of<float>(store.find("scalar")->data), ElementsAre(2.5f));
  EXPECT_TRUE(store.find("empty")->data.empty());
  EXPECT_THAT(values_of<std::int64_t>(store.find("ids")->data), ElementsAre(0, 1));
  EXPECT_EQ(store.find("missing"), nullptr);
}

TEST(Safetensors, EveryCheckHasItsSentence) {
  const std::string one = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  EXPECT_EQ(safetensors_error(safetensors(one, 8)), "no error");
  EXPECT_EQ(safetensors_error(safetensors(one + "   ", 8)), "no error");
  EXPECT_THAT(safetensors_error("1234567"), HasSubstr("expected at least 8 bytes, got 7"));
  EXPECT_THAT(safetensors_error(std::string(8, '\xff') + one), HasSubstr("header too large"));
  EXPECT_THAT(safetensors_error(safetensors(one, 0).substr(0, 20)), HasSubstr("header cut off"));
  EXPECT_THAT(safetensors_error(safetensors(" " + one, 8)), HasSubstr("starts with {"));
  EXPECT_THAT(safetensors_error(safetensors("{\"a\":", 0)), HasSubstr("invalid JSON"));
  EXPECT_THAT(safetensors_error(safetensors("{\"\xff\":1}", 0)), HasSubstr("invalid JSON"));
  EXPECT_THAT(safetensors_error(safetensors(one, 7)), HasSubstr("data cut off"));
  EXPECT_THAT(safetensors_error(safetensors(one, 9)),
              HasSubstr("wrong file length, expected 8 bytes of data, got 9"));
  EXPECT_THAT(
      safetensors_error(safetensors(one.substr(0, one.size() - 1) + "," + one.substr(1), 8)),
      HasSubstr("duplicate key \"a\""));
  EXPECT_THAT(safetensors_error(safetensors(R"({"__metadata__":{"a":1}})", 0)),
              HasSubstr("__metadata__"));
  const auto entry = [](const std::string& members) {
    return safetensors("{\"a\":" + members + "}", 8);
  };
  EXPECT_THAT(safetensors_error(entry("3")), HasSubstr("tensor a: expected an object, got 3"));
  EXPECT_THAT(safetensors_error(entry(R"({"dtype":"F32","shape":[2]})")), HasSubstr("once each"));
  EXPECT_THAT(safetensors_error(entry(R"({"dtype":4,"shape":[2],"data_offsets":[0,8]})")),
              HasSubstr("\"dtype\""));
  EXPECT_THAT(safetensors_error(entry(R"({"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]})")),
              HasSubstr("tensor a: unsupported element type \"F8_E4M3\""));
  EXPECT_THAT(safetensors_error(entry(R"({"dtype":"F32","shape":2,"data_offsets":[0,8]})")),
              HasSubstr("\"shape\""));
  EXPECT_THAT(safetensors_error(entry(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})")),
              HasSubstr("\"shape\""));
  EXPECT_THAT(safetensors_error(entry(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})")),
              HasSubstr("begin <= end"));
  EXPECT_THAT(safetensors_error(entry(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})")),
              HasSubstr("expected 12 bytes for F32 [3], got 8"));
  EXPECT_THAT(safetensors_error(
                  entry(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]})")),
              HasSubstr("overflow"));
  EXPECT_THAT(safetensors_error(entry(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})")),
              HasSubstr("hole or overlap in the data, expected offset 0, got 4"));
}

TensorToWrite tensor_of(const std::string& name, DType dtype, std::vector<std::int64_t> shape,
                        std::string data) {
  return {name, dtype, std::move(shape), [data](const ByteSink& sink) {
            sink(as_bytes(data).subspan(0, data.size() / 2));
            sink(as_bytes(data).subspan(data.size() / 2));
          }};
}

class WriterTest : public FolderTest {};

TEST_F(WriterTest, WritesTheBytesOfTheReference) {
  const TensorStore store = TensorStore::open_file(golden("formats/tensors.safetensors"));
  std::vector<TensorToWrite> tensors;
  for (const auto& [name, view] : store.tensors()) {
    tensors.push_back(
        tensor_of(name, view.dtype, view.shape,
                  {reinterpret_cast<const char*>(view.data.data()), view.data.size()}));
  }
  std::uint64_t last = 0;
  write_safetensors(folder_ / "out.safetensors", tensors,
                    [&](std::uint64_t written) { last = written; });
  EXPECT_EQ(read_file(folder_ / "out.safetensors"),
            read_file(golden("formats/tensors.safetensors")));
  EXPECT_EQ(last, 24u + 6u + 16u + 3u + 4u);
}

TEST_F(WriterTest, RefusesTwinsAndWrongSizes) {
  const auto twin = tensor_of("a", DType::kU8, {1}, "x");
  const fs::path path = folder_ / "out.safetensors";
  EXPECT_THAT(error_of([&] {
                write_safetensors(path, {twin, twin});
              }),
              HasSubstr("tensor a: given twice"));
  EXPECT_THROW(write_safetensors(path, {tensor_of("a", DType::kU8, {2}, "x")}), InternalError);
  EXPECT_TRUE(fs::is_empty(folder_));
}

class StoreTest : public FolderTest {
 protected:
  void write(const std::string& name, const std::string& tensor, const std::string& data) {
    write_safetensors(folder_ / name, {tensor_of(tensor, DType::kU8,
                                                 {static_cast<std::int64_t>(data.size())}, data),
                                       tensor_of("extra", DType::kU8, {1}, "e")});
  }
  std::string error() {
    return error_of([&] { TensorStore::open(folder_); });
  }
};

TEST_F(StoreTest, ReadsShardsByTheirIndex) {
  write("one.safetensors", "a", "1");
  write("two.safetensors", "b", "22");
  write_file(
      folder_ / "model.safetensors.index.json",
      R"({"metadata":{"total_size":5},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  TensorStore store = TensorStore::open(folder_);
  EXPECT_THAT(store.tensors(), SizeIs(2));
  EXPECT_THAT(values_of<char>(store.find("b")->data), ElementsAre('2', '2'));
  EXPECT_EQ(store.find("b")->file, (folder_ / "two.safetensors").string());
  EXPECT_EQ(read_file(folder_ / "two.safetensors").substr(store.find("b")->file_offset.value(), 2),
            "22");
  EXPECT_THAT(store.files(), ElementsAre(folder_ / "one.safetensors", folder_ / "two.safetensors"));
  const TensorStore moved = std::move(store);
  EXPECT_NE(moved.find("a"), nullptr);
  write("model.safetensors", "whole", "3");
  EXPECT_NE(TensorStore::open(folder_).find("whole"), nullptr) << "the whole file comes first";
}

TEST_F(StoreTest, ErrorsNameWhatIsMissing) {
  EXPECT_THAT(
      error(),
      HasSubstr("no weights found, expected model.safetensors, model.safetensors.index.json"));
  EXPECT_THAT(error_of([&] { TensorStore::open(folder_ / "none"); }), HasSubstr("not a directory"));
  EXPECT_THAT(error_of([&] { TensorStore::open_file(folder_ / "model.gguf"); }),
              HasSubstr(".safetensors or .bin"));
  write("one.safetensors", "a", "1");
  const fs::path index = folder_ / "model.safetensors.index.json";
  write_file(index, R"({"weight_map":{"c":"one.safetensors"}})");
  EXPECT_THAT(error(), HasSubstr("tensor c: not found in one.safetensors"));
  write_file(index, R"({"weight_map":{"a":"gone.safetensors"}})");
  EXPECT_THROW(TensorStore::open(folder_), IoError);
}

TEST(ShardIndex, NamesNoFileOutsideItsFolder) {
  for (const char* file :
       {"\"../x.safetensors\"", "\"/x.safetensors\"", "\"a/x.safetensors\"", "\"x.bin\"",
        "\".safetensors\"", "\"a\\\\x.safetensors\"", "3", "\"a\\u0000.safetensors\""}) {
    const std::string text = fmt::format(R"({{"weight_map":{{"a":{}}}}})", file);
    EXPECT_THAT(error_of([&] { parse_shard_index(text, ".safetensors", "i"); }),
                HasSubstr("tensor a: expected a file name"))
        << file;
  }
  for (const char* text : {"[]", "{}", R"({"weight_map":{}})", R"({"weight_map":[]})"}) {
    EXPECT_THAT(error_of([&] { parse_shard_index(text, ".bin", "i"); }), HasSubstr("weight_map"))
        << text;
  }
}

// Torch checkpoints.

TEST(PytorchBin, ReadsWhatTorchWrote) {
  for (const char* name : {"formats/tensors_p2.bin", "formats/tensors_p4.bin"}) {
    const TensorStore store = TensorStore::open_file(golden(name));
    EXPECT_THAT(store.tensors(), SizeIs(15)) << name;
    EXPECT_THAT(store.find("f32")->shape, ElementsAre(3, 4));
    EXPECT_THAT(values_of<float>(store.find("f32")->data),
                ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11));
    EXPECT_THAT(store.find("transposed")->shape, ElementsAre(4, 3));
    EXPECT_THAT(values_of<float>(store.find("transposed")->data),
                ElementsAre(0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11));
    EXPECT_THAT(values_of<float>(store.find("slice")->data), ElementsAre(5, 6, 9, 10));
    EXPECT_THAT(values_of<float>(store.find("row")->data), ElementsAre(4, 5, 6, 7));
    EXPECT_EQ(values_of<std::uint16_t>(store.find("bf16")->data)[1], 0x3f80);
    EXPECT_EQ(values_of<std::uint16_t>(store.find("f16")->data)[1], 0x3c00);
    EXPECT_EQ(values_of<double>(store.find("f64")->data)[11], 11);
    EXPECT_THAT(values_of<std::int64_t>(store.find("i64")->data), ElementsAre(0, 1, 2, 3));
    EXPECT_THAT(values_of<std::int32_t>(store.find("i32")->data), ElementsAre(0, 1, 2, 3));
    EXPECT_THAT(values_of<std::int16_t>(store.find("i16")->data), ElementsAre(0, 1, 2, 3));
    EXPECT_THAT(values_of<std::int8_t>(store.find("i8")->data), ElementsAre(-2, -1, 0, 1));
    EXPECT_EQ(store.find("u8")->dtype, DType::kU8);
    EXPECT_EQ(store.find("flag")->dtype, DType::kBool);
    EXPECT_THAT(values_of<float>(store.find("scalar")->data), ElementsAre(2.5f));
    EXPECT_THAT(store.find("empty")->shape, ElementsAre(0, 3));
  }
}

std::string torch_error(const std::string& file) {
  OwnedTensors copies;
  return error_of([&] { parse_pytorch_bin(as_bytes(file), "f", copies); });
}

std::string torch_golden(const std::string& name) { return read_file(golden("formats/" + name)); }

TEST(PytorchBin, RefusesByName) {
  EXPECT_THAT(torch_error(torch_golden("old_format.bin")), HasSubstr("before 1.6"));
  EXPECT_THAT(torch_error("nothing"), HasSubstr("not a torch checkpoint"));
  EXPECT_THAT(torch_error(torch_golden("expanded.bin")), HasSubstr("tensor a: expanded tensor"));
  EXPECT_THAT(torch_error(torch_golden("not_a_tensor.bin")),
              HasSubstr("tensor a: expected a tensor"));
  EXPECT_THAT(torch_error(torch_golden("list.bin")), HasSubstr("expected a dictionary"));
  EXPECT_THAT(torch_error(torch_golden("object.bin")),
              HasSubstr("pickle global torch.optim.sgd.SGD"));
  EXPECT_THAT(torch_error(torch_golden("complex.bin")),
              HasSubstr("pickle global torch.ComplexFloatStorage"));
}

// The file with every occurrence of `from` replaced by `to` (same length, so that all offsets
// stay).
std::string with(std::string file, const std::string& from, const std::string& to) {
  EXPECT_EQ(from.size(), to.size());
  EXPECT_NE(file.find(from), file.npos);
  for (std::size_t at = 0; (at = file.find(from, at)) != file.npos; at += to.size())
    file.replace(at, to.size(), to);
  return file;
}

TEST(PytorchBin, RefusesDamage) {
  const std::string file = torch_golden("tensors_p2.bin");
  EXPECT_THAT(torch_error(with(file, "little", "big   ")), HasSubstr("byte order"));
  EXPECT_THAT(torch_error(with(file, "data.pkl", "data.pxl")), HasSubstr("without data.pkl"));
  EXPECT_THAT(torch_error(with(file, "/data/1", "/data/q")), HasSubstr("/data/1 is missing"));
  EXPECT_THAT(torch_error(with(file, "/data/1", "/../x/1")), HasSubstr("invalid name"));
  EXPECT_THAT(torch_error(with(file, "/data/1", "/data/2")), HasSubstr("occurs twice"));
  EXPECT_THAT(torch_error(with(file, "FloatStorage", "FloatXtorage")),
              HasSubstr("torch.FloatXtorage"));
  EXPECT_THAT(torch_error(with(file, "X\x03\0\0\0cpuq\x07K\x0c"s, "X\x03\0\0\0cpuq\x07K\x0d"s)),
              HasSubstr("expected 13 elements of F32, got 48 bytes"));
  EXPECT_THAT(torch_error(file.substr(0, file.size() - 1)), HasSubstr("zip end record not found"));
  for (std::size_t size = 0; size < file.size(); size += 97)
    EXPECT_NE(torch_error(file.substr(0, size)), "no error");
}

std::string pickle_error(const std::string& text) {
  return error_of([&] { parse_pickle(as_bytes(text), "p"); });
}

TEST(Pickle, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(pickle_error("\x80\x02"
                           "cos\nsystem\n(X\x02\0\0\0lstR."s),
              HasSubstr("pickle global os.system does not belong"));
  EXPECT_THAT(pickle_error("\x80\x04\x8c\x02os\x8c\x06system\x93."), HasSubstr("os.system"));
  EXPECT_THAT(pickle_error("(S'x'\nios\nsystem\n."), HasSubstr("opcode STRING (0x53) at byte 1"));
  EXPECT_THAT(pickle_error("(ios\nsystem\n."), HasSubstr("opcode INST"));
  EXPECT_THAT(pickle_error("\x80\x01."), HasSubstr("protocol, expected 2 to 5, got 1"));
  EXPECT_THAT(pickle_error("\x80\x02"
                           "ccollections\nOrderedDict\n(K\x01tR."),
              HasSubstr("unexpected arguments"));
  EXPECT_THAT(pickle_error("ctorch._utils\n_rebuild_tensor_v2\n(NNNNNNNNtR."),
              HasSubstr("unexpected arguments"));
  EXPECT_THAT(pickle_error("NNR."), HasSubstr("call of no function"));
}

TEST(Pickle, RefusesDamage) {
  EXPECT_EQ(pickle_error("\x80\x02}."), "no error");
  for (const auto& [text, reason] :
       std::vector<std::pair<std::string, std::string>>{{"", "cut off"},
                                                        {"}", "cut off"},
                                                        {"X\xff\xff\xff\xffhi.", "cut off"},
                                                        {".", "expected one value"},
                                                        {"NN.", "expected one value"},
                                                        {"(N.", "expected one value"},
                                                        {"t.", "no mark"},
                                                        {"N(\x85.", "stack too short"},
                                                        {"0.", "stack too short"},
                                                        {"q\x01.", "stack too short"},
                                                        {"h\x01.", "unknown memo"},
                                                        {"}Na.", "cannot hold"},
                                                        {"}(Nu.", "without a value"},
                                                        {"NNb.", "no dictionary"},
                                                        {"X\x01\0\0\0\xff."s, "not UTF-8"},
                                                        {"\x8a\x09"
                                                         "123456789.",
                                                         "more than 64 bits"},
                                                        {"NN\x93.", "expected a name"},
                                                        {"cab", "cut off"}}) {
    EXPECT_THAT(pickle_error(text), HasSubstr(reason)) << testing::PrintToString(text);
  }
}

TEST(Pickle, ReadsIntegers) {
  const std::string text = "(K\x05M\x01\x02J\xff\xff\xff\xff\x8a\x02\x00\x80t."s;
  const Pickle pickle = parse_pickle(as_bytes(text), "p");
  std::vector<std::int64_t> numbers;
  for (const std::uint32_t child : pickle[pickle.root].children)
    numbers.push_back(pickle[child].number);
  EXPECT_THAT(numbers, ElementsAre(5, 513, -1, -32768));
}

// Lines.

std::string gzip(const std::string& text) {
  std::string out(text.size() + 100, '\0');
  z_stream stream = {};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

std::vector<std::string> lines_of(const std::string& content, std::uint64_t limit = 1 << 20) {
  LineReader reader = LineReader::from_memory(as_bytes(content), "f", limit);
  std::vector<std::string> lines;
  for (std::string line; reader.next(line);) {
    lines.push_back(line);
    EXPECT_EQ(reader.line_number(), static_cast<std::int64_t>(lines.size()));
  }
  return lines;
}

TEST(LineReader, SameLinesPlainAndCompressed) {
  std::string text = "one\r\n\ntwo\n";
  for (int i = 0; i < 20000; ++i) text += fmt::format("line {}\n", i * 7919);
  text += "last";
  const std::vector<std::string> lines = lines_of(text);
  ASSERT_THAT(lines, SizeIs(20004));
  EXPECT_EQ(lines[0], "one");
  EXPECT_EQ(lines[1], "");
  EXPECT_EQ(lines.back(), "last");
  const std::size_t half = text.size() / 2;
  EXPECT_EQ(lines_of(gzip(text)), lines);
  EXPECT_EQ(lines_of(gzip(text.substr(0, half)) + gzip("") + gzip(text.substr(half))), lines);
  EXPECT_EQ(lines_of(zstd(text)), lines);
  EXPECT_EQ(lines_of(zstd(text.substr(0, half)) + "\x50\x2a\x4d\x18\x02\0\0\0xy"s +
                     zstd(text.substr(half))),
            lines);
  EXPECT_THAT(lines_of(""), SizeIs(0));
  EXPECT_THAT(lines_of("\n"), ElementsAre(""));
}

TEST(LineReader, DamageAndLimits) {
  const std::string text(5000, 'x');
  const auto error = [](const std::string& content) {
    return error_of([&] { lines_of(content, 6000); });
  };
  for (const std::string& packed : {gzip(text), zstd(text)}) {
    EXPECT_EQ(error(packed), "no error");
    for (std::size_t size = 5; size < packed.size(); ++size) {
      EXPECT_THAT(error(packed.substr(0, size)), HasSubstr("f: truncated")) << size;
    }
    std::string damaged = packed;
    for (std::size_t i = packed.size() / 2; i < packed.size(); ++i) damaged[i] = '\xff';
    EXPECT_THAT(error(damaged), HasSubstr("f: damaged"));
  }
  EXPECT_THAT(error_of([&] { lines_of("short\n" + text + "\n", 4999); }),
              HasSubstr("f:2: line too long, expected at most 4999 bytes"));
  EXPECT_EQ(lines_of(text, 5000)[0], text);
}

class FileTest : public FolderTest {};

TEST_F(FileTest, ReadsFilesAndKnowsItsPlace) {
  const std::string path = (folder_ / "rows.jsonl.gz").string();
  write_file(path, gzip("a\nb\n"));
  LineReader reader(path);
  EXPECT_EQ(reader.name(), path);
  std::string line;
  EXPECT_TRUE(reader.next(line) && reader.next(line));
  EXPECT_EQ(line, "b");
  EXPECT_FALSE(reader.next(line));
  EXPECT_EQ(reader.fraction_read(), 1.0);
  EXPECT_EQ(read_text_file(path), "a\nb\n");
  EXPECT_THAT(error_of([&] { read_text_file(path, 3); }),
              HasSubstr("expected at most 3 bytes after decompression"));
  EXPECT_THAT(error_of([&] { LineReader((folder_ / "none").string()); }), HasSubstr("cannot open"));
  EXPECT_THAT(error_of([&] { LineReader reading(folder_.string()); }), HasSubstr("cannot read"));
}

}  // namespace
}  // namespace laurel::formats
