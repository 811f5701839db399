// Who sends: what events, tag lines and the log say of an association.
#ifndef MERCURE_RECEIVE_SENDER_H
#define MERCURE_RECEIVE_SENDER_H

#include <string>

namespace mercure::receive {

struct Sender {
  std::string association;  // id
  std::string address;      // numeric
  std::string calling_aet;
  std::string called_aet;
};

}  // namespace mercure::receive

#endif
