#pragma once

namespace laurel {

// "0.1.0", as project() in CMakeLists.txt says.
const char* version();

}  // namespace laurel
