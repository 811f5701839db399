// What of a sender's proposal is accepted (PS3.8 section 9.3.2).
#ifndef MERCURE_RECEIVE_NEGOTIATION_H
#define MERCURE_RECEIVE_NEGOTIATION_H

#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmnet/assoc.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "receive/config.h"
#include "receive/progress.h"
#include "receive/sender.h"

namespace mercure::receive {

// Why an association is rejected: the reason on the wire and the one for people.
struct Rejection {
  T_ASC_RejectParametersResult result;
  T_ASC_RejectParametersSource source;
  T_ASC_RejectParametersReason reason;
  std::string text;
};

// Judges the sender by the names it uses, and by its entry in the configuration (`known`; null: it has none); nothing when it may come in.
std::optional<Rejection> rejection_of(const Config& config, const Sender& sender, const KnownSender* known,
                                      const std::string& application_context);

// Which transfer syntaxes are taken from a sender: as a person decided for it, else as was learned of it, else as for all.
Syntaxes syntaxes_for(const Config& config, const KnownSender* known, bool could_not_send);

struct AcceptedContext {
  std::string abstract_syntax;
  std::string transfer_syntax;
  bool is_from_mixed = false;  // a compressed one was taken where an uncompressed one was proposed, too
};

using AcceptedContexts = std::map<std::uint8_t, AcceptedContext>;

struct Negotiated {
  AcceptedContexts accepted;
  std::vector<RefusedContext> refused;  // each abstract syntax once for each reason
};

// Goes through the proposed presentation contexts, enters each decision into `parameters`, and returns what was decided.
Negotiated negotiate(const Config& config, Syntaxes syntaxes, T_ASC_Parameters& parameters);

}  // namespace mercure::receive

#endif
