// Whether two files hold the same image.
#ifndef MERCURE_RECEIVE_SAME_IMAGE_H
#define MERCURE_RECEIVE_SAME_IMAGE_H

#include <string>

namespace mercure::receive {

// Compares transfer syntax and data set of two open DICOM files, byte by byte; the rest of the meta header does not count. A file
// that cannot be read is the same as no other. `left` is of ours, so the place of its data set and its transfer syntax are given by
// its meta header.
bool same_image(int left, int right);

// Compares the transfer syntaxes alone.
bool same_transfer_syntax(int left, int right);

}  // namespace mercure::receive

#endif
