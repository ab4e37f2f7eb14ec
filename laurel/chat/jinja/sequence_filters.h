// Filters over several values. builtins.cc lists them by name.
#pragma once

#include "laurel/chat/jinja/builtins.h"

namespace laurel::chat::jinja {

Value filter_batch(Runtime& runtime, const Arguments& arguments);
Value filter_dictsort(Runtime& runtime, const Arguments& arguments);
Value filter_first(Runtime& runtime, const Arguments& arguments);
Value filter_groupby(Runtime& runtime, const Arguments& arguments);
Value filter_items(Runtime& runtime, const Arguments& arguments);
Value filter_join(Runtime& runtime, const Arguments& arguments);
Value filter_last(Runtime& runtime, const Arguments& arguments);
Value filter_length(Runtime& runtime, const Arguments& arguments);
Value filter_list(Runtime& runtime, const Arguments& arguments);
Value filter_map(Runtime& runtime, const Arguments& arguments);
Value filter_max(Runtime& runtime, const Arguments& arguments);
Value filter_min(Runtime& runtime, const Arguments& arguments);
Value filter_reject(Runtime& runtime, const Arguments& arguments);
Value filter_rejectattr(Runtime& runtime, const Arguments& arguments);
Value filter_reverse(Runtime& runtime, const Arguments& arguments);
Value filter_select(Runtime& runtime, const Arguments& arguments);
Value filter_selectattr(Runtime& runtime, const Arguments& arguments);
Value filter_sort(Runtime& runtime, const Arguments& arguments);
Value filter_sum(Runtime& runtime, const Arguments& arguments);
Value filter_unique(Runtime& runtime, const Arguments& arguments);

}  // namespace laurel::chat::jinja
