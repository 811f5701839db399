// What compression has already cost an image: decoded, it must say so (PS3.3 section C.7.6.1.1.5).
#ifndef MERCURE_CONVERT_LOSS_H
#define MERCURE_CONVERT_LOSS_H

#include <string_view>

#include "convert/compressed_syntax.h"

namespace mercure::convert {

// Whether frames of this syntax that begin with these bytes are known to be lossy.
bool is_lossy(const CompressedSyntax& syntax, std::string_view first_bytes);

// The value of LossyImageCompressionMethod (0028,2114).
std::string_view method_of_loss(const CompressedSyntax& syntax);

}  // namespace mercure::convert

#endif
