#include "laurel/formats/pytorch_bin.h"

#include "laurel/base/error.h"

namespace laurel::formats {

std::vector<TensorView> parse_pytorch_bin(std::span<const std::byte>, std::string_view where,
                                          OwnedTensors&) {
  throw UserError("{}: not a zip archive of tensors", where);
}

}  // namespace laurel::formats
