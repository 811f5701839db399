// When waiting for a peer ends. Receiver and sender have limits of their own behind it.
#ifndef MERCURE_DIMSE_WAIT_LIMIT_H
#define MERCURE_DIMSE_WAIT_LIMIT_H

namespace mercure::dimse {

class WaitLimit {
 public:
  virtual ~WaitLimit() = default;

  // Returns true when waiting must end now.
  virtual bool passed() = 0;

  // The time until the next limit, for poll(2).
  virtual int milliseconds_left() const = 0;

  // A descriptor that becomes readable when the limits change, such as at a request to stop. -1: there is none, or it is readable
  // already and would end each poll(2) at once.
  virtual int wake_descriptor() const = 0;

  // Bytes were sent.
  virtual void bytes_sent() {}

  // A whole PDU was received, or a message sent.
  virtual void pdu_done() {}
};

}  // namespace mercure::dimse

#endif
