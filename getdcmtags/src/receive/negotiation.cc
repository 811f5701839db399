#include "receive/negotiation.h"

#include <dcmtk/dcmnet/dul.h>
#include <dcmtk/dcmnet/lst.h>

#include <algorithm>
#include <vector>

#include "receive/sop_classes.h"
#include "receive/transfer_syntaxes.h"

namespace mercure::receive {

namespace {

constexpr char kDicomApplicationContext[] = "1.2.840.10008.3.1.1.1";  // PS3.7 annex A.2.1

bool contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

bool is_accepted(const Config& config, const std::string& abstract_syntax) {
  if (abstract_syntax == kVerification) return true;
  if (config.sop_classes.empty()) return !abstract_syntax.empty() && !is_other_service(abstract_syntax);
  return contains(config.sop_classes, abstract_syntax);
}

// DCMTK's own view of a context (T_ASC_PresentationContext) has room for 50 transfer syntaxes; its list has all.
template <typename Node, typename Visit>
void for_each_in(LST_HEAD* list, Visit visit) {
  if (list == nullptr || LST_Head(&list) == nullptr) return;
  for (void* node = LST_Position(&list, LST_Head(&list)); node != nullptr; node = LST_Next(&list)) {
    visit(*static_cast<Node*>(node));
  }
}

// Where only the senders of the configuration may come in, why this is none of them.
std::string why_unlisted(const Config& config, const Sender& sender) {
  if (sender.calling_aet.empty()) return "the calling AE title is blank, and so none that is listed";
  const bool is_title_listed = std::any_of(config.senders.begin(), config.senders.end(), [&](const KnownSender& one) {
    return contains(one.ae_titles, sender.calling_aet);
  });
  return is_title_listed ? "the calling AE title is not listed with this address" : "the calling AE title is not listed";
}

std::vector<std::string> transfer_syntaxes_of(const DUL_PRESENTATIONCONTEXT& context) {
  std::vector<std::string> proposed;
  for_each_in<DUL_TRANSFERSYNTAX>(context.proposedTransferSyntax, [&](const DUL_TRANSFERSYNTAX& syntax) {
    if (syntax.transferSyntax[0] != '\0') proposed.emplace_back(syntax.transferSyntax);
  });
  return proposed;
}

}  // namespace

std::optional<Rejection> rejection_of(const Config& config, const Sender& sender, const KnownSender* known,
                                      const std::string& application_context) {
  const auto permanent = [](T_ASC_RejectParametersReason reason, std::string text) {
    return Rejection{ASC_RESULT_REJECTEDPERMANENT, ASC_SOURCE_SERVICEUSER, reason, std::move(text)};
  };
  if (application_context != kDicomApplicationContext) {
    return permanent(ASC_REASON_SU_APPCONTEXTNAMENOTSUPPORTED, "the application context is not that of DICOM");
  }
  if (!config.called_aets.empty() && sender.called_aet != config.ae_title && !contains(config.called_aets, sender.called_aet)) {
    return permanent(ASC_REASON_SU_CALLEDAETITLENOTRECOGNIZED, sender.called_aet.empty()
                                                                   ? "the called AE title is blank, and so none of ours"
                                                                   : "the called AE title is not one of ours");
  }
  if (known == nullptr) {
    if (config.access != Access::listed) return std::nullopt;
    return permanent(ASC_REASON_SU_CALLINGAETITLENOTRECOGNIZED, why_unlisted(config, sender));
  }
  if (known->is_disabled) {
    return permanent(ASC_REASON_SU_CALLINGAETITLENOTRECOGNIZED, "the sender " + known->name + " is disabled in the configuration");
  }
  if (!known->called_aets.empty() && !contains(known->called_aets, sender.called_aet)) {
    return permanent(ASC_REASON_SU_CALLEDAETITLENOTRECOGNIZED,
                     "the called AE title is none by which the sender " + known->name + " may call");
  }
  return std::nullopt;
}

Syntaxes syntaxes_for(const Config& config, const KnownSender* known, bool could_not_send) {
  if (known != nullptr && known->transfer_syntaxes) return *known->transfer_syntaxes;
  const bool is_learned = could_not_send && config.transfer_syntaxes == Syntaxes::as_held;
  return is_learned ? Syntaxes::uncompressed_mixed : config.transfer_syntaxes;
}

Negotiated negotiate(const Config& config, Syntaxes syntaxes, T_ASC_Parameters& parameters) {
  struct Decision {
    std::string abstract_syntax;
    std::vector<std::string> proposed;
    DUL_SC_ROLE role;
  };
  // Copied first: DCMTK's lists have one position each, which entering a decision moves. Of an id that is proposed twice, the
  // first counts.
  std::map<std::uint8_t, Decision> decisions;
  for_each_in<DUL_PRESENTATIONCONTEXT>(
      parameters.DULparams.requestedPresentationContext, [&](const DUL_PRESENTATIONCONTEXT& context) {
        decisions.try_emplace(context.presentationContextID, Decision{context.abstractSyntax, transfer_syntaxes_of(context), context.proposedSCRole});
      });

  Negotiated negotiated;
  const auto refuse = [&](Refusal::What what, const Decision& decision) {
    const std::string syntax = decision.proposed.empty() ? std::string() : decision.proposed.front();
    auto& refused = negotiated.refused;
    const bool is_known = std::any_of(refused.begin(), refused.end(), [&](const RefusedContext& known) {
      return known.what == what && known.abstract_syntax == decision.abstract_syntax;
    });
    if (!is_known) refused.push_back({what, decision.abstract_syntax, syntax});
  };
  // Where no compression is wanted, a context of compressed syntaxes alone is for a class that no other context offers otherwise.
  const auto is_given_up = [&](const Decision& decision) {
    if (syntaxes != Syntaxes::uncompressed || !has_compressed(decision.proposed) || has_uncompressed(decision.proposed)) return false;
    return std::any_of(decisions.begin(), decisions.end(), [&](const auto& other) {
      return other.second.abstract_syntax == decision.abstract_syntax && has_uncompressed(other.second.proposed);
    });
  };
  for (const auto& [id, decision] : decisions) {
    if (!is_accepted(config, decision.abstract_syntax)) {
      ASC_refusePresentationContext(&parameters, id, ASC_P_ABSTRACTSYNTAXNOTSUPPORTED);
      refuse(Refusal::What::abstract_syntax, decision);
    } else if (decision.proposed.empty() || is_given_up(decision)) {
      ASC_refusePresentationContext(&parameters, id, ASC_P_TRANSFERSYNTAXESNOTSUPPORTED);
      refuse(Refusal::What::transfer_syntaxes, decision);
    } else {
      const bool is_mixed = has_compressed(decision.proposed) && has_uncompressed(decision.proposed);
      const bool is_held = syntaxes == Syntaxes::as_held || (syntaxes == Syntaxes::uncompressed_mixed && !is_mixed);
      const std::string& syntax = is_held ? preferred_transfer_syntax(decision.proposed) : uncompressed_transfer_syntax(decision.proposed);
      if (ASC_acceptPresentationContext(&parameters, id, syntax.c_str()).good()) {
        negotiated.accepted[id] = {decision.abstract_syntax, syntax, is_mixed && is_held};
      }
      // The receiver is an SCP only: a peer that proposes to be one gets the default role (PS3.7 annex D.3.3.4).
      if (decision.role == DUL_SC_ROLE_SCP || decision.role == DUL_SC_ROLE_SCUSCP) refuse(Refusal::What::role, decision);
    }
  }
  return negotiated;
}

}  // namespace mercure::receive
