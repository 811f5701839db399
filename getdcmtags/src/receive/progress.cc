#include "receive/progress.h"

namespace mercure::receive {

static_assert(std::atomic<Progress::Phase>::is_always_lock_free && std::atomic<std::uint64_t>::is_always_lock_free,
              "a lock would not survive the death of one side");

void Progress::refuse(const std::string& reason, const std::string& kind) {
  refusal.set(reason);
  refusal_kind.set(kind);
  was_refused = true;
}

void Progress::refuse(const RefusedContext& context) {
  const std::uint64_t place = refused_contexts;
  if (place == kMostContexts) return;
  contexts[place].what = context.what;
  contexts[place].abstract_syntax.set(context.abstract_syntax);
  contexts[place].transfer_syntax.set(context.transfer_syntax);
  refused_contexts = place + 1;
}

}  // namespace mercure::receive
