// Reading pytorch_model.bin: the zip archive that torch.save writes, without torch and without
// executing anything.
#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <string_view>
#include <vector>

#include "laurel/formats/tensor_store.h"

namespace laurel::formats {

// Bytes of tensors that had to be copied. Adding to it moves none of the earlier ones.
using OwnedTensors = std::deque<std::vector<std::byte>>;

// The tensors of a file held in memory, in the order of its dictionary. Views point into `file`,
// except those of tensors that are not contiguous there (slices, transposes), which are copied to
// `copies`. `where` names the file in error texts. Throws UserError for anything but a dictionary
// of tensors.
std::vector<TensorView> parse_pytorch_bin(std::span<const std::byte> file, std::string_view where,
                                          OwnedTensors& copies);

}  // namespace laurel::formats
