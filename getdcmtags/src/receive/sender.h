// The sender of an association, as events, tag lines and the log name it.
#ifndef MERCURE_RECEIVE_SENDER_H
#define MERCURE_RECEIVE_SENDER_H

#include <string>
#include <vector>

namespace mercure::receive {

struct Sender {
  std::string association;  // id
  std::string address;      // numeric
  std::string calling_aet;
  std::string called_aet;
  std::string router = {};  // the implementation version of a router of ours; empty for any other sender
  std::string certificate_subject = {};             // of the certificate that it showed, which was believed; empty: none
  std::vector<std::string> certificate_names = {};  // its subject alternative names
  std::string name = {};    // in the configuration when the association began, else AE title and address
};

}  // namespace mercure::receive

#endif
