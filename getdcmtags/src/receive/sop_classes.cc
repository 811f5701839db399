#include "receive/sop_classes.h"

#include <algorithm>
#include <iterator>

namespace mercure::receive {

namespace {

// PS3.6 table A-1: SOP classes and service classes that are not storage. Each stands for what is below it as well.
constexpr std::string_view kOtherServices[] = {
    "1.2.840.10008.1.3.10",               // Media Storage Directory: lives on media, is not sent
    "1.2.840.10008.1.9",                  // Basic Study Content Notification
    "1.2.840.10008.1.20",                 // Storage Commitment, push and pull
    "1.2.840.10008.1.40",                 // Procedural Event Logging
    "1.2.840.10008.1.42",                 // Substance Administration Logging
    "1.2.840.10008.3.1.2",                // patient, visit, study, results management; performed procedure steps
    "1.2.840.10008.5.1.1.1",              // Basic Film Session (print management from here on; .27, .29, .30 are storage)
    "1.2.840.10008.5.1.1.2",              // Basic Film Box
    "1.2.840.10008.5.1.1.4",              // image boxes
    "1.2.840.10008.5.1.1.9",              // grayscale print management
    "1.2.840.10008.5.1.1.14",             // Print Job
    "1.2.840.10008.5.1.1.15",             // Basic Annotation Box
    "1.2.840.10008.5.1.1.16",             // Printer and its configuration
    "1.2.840.10008.5.1.1.18",             // color print management
    "1.2.840.10008.5.1.1.22",             // VOI LUT Box
    "1.2.840.10008.5.1.1.23",             // Presentation LUT
    "1.2.840.10008.5.1.1.24",             // overlay boxes
    "1.2.840.10008.5.1.1.26",             // Print Queue Management
    "1.2.840.10008.5.1.1.31",             // Pull Print Request
    "1.2.840.10008.5.1.1.32",             // Pull Stored Print Management
    "1.2.840.10008.5.1.1.33",             // Media Creation Management
    "1.2.840.10008.5.1.1.40",             // Display System
    "1.2.840.10008.5.1.4.1.1.200.4",      // Protocol Approval query and retrieve
    "1.2.840.10008.5.1.4.1.1.200.5",
    "1.2.840.10008.5.1.4.1.1.200.6",
    "1.2.840.10008.5.1.4.1.1.201.2",      // Inventory query, retrieve and creation
    "1.2.840.10008.5.1.4.1.1.201.3",
    "1.2.840.10008.5.1.4.1.1.201.4",
    "1.2.840.10008.5.1.4.1.1.201.5",
    "1.2.840.10008.5.1.4.1.1.201.6",
    "1.2.840.10008.5.1.4.1.2",            // query and retrieve
    "1.2.840.10008.5.1.4.20",             // Defined Procedure Protocol query and retrieve
    "1.2.840.10008.5.1.4.31",             // Modality Worklist
    "1.2.840.10008.5.1.4.32",             // General Purpose Worklist
    "1.2.840.10008.5.1.4.33",             // Instance Availability Notification
    "1.2.840.10008.5.1.4.34.2",           // RT machine verification (.1, .7 and .10 are storage)
    "1.2.840.10008.5.1.4.34.3",
    "1.2.840.10008.5.1.4.34.4",           // Unified Procedure Step
    "1.2.840.10008.5.1.4.34.6",
    "1.2.840.10008.5.1.4.34.8",
    "1.2.840.10008.5.1.4.34.9",
    "1.2.840.10008.5.1.4.37",             // Relevant Patient Information
    "1.2.840.10008.5.1.4.38.2",           // Hanging Protocol query and retrieve
    "1.2.840.10008.5.1.4.38.3",
    "1.2.840.10008.5.1.4.38.4",
    "1.2.840.10008.5.1.4.39.2",           // Color Palette query and retrieve
    "1.2.840.10008.5.1.4.39.3",
    "1.2.840.10008.5.1.4.39.4",
    "1.2.840.10008.5.1.4.41",             // Product Characteristics
    "1.2.840.10008.5.1.4.42",             // Substance Approval
    "1.2.840.10008.5.1.4.43.2",           // implant templates query and retrieve
    "1.2.840.10008.5.1.4.43.3",
    "1.2.840.10008.5.1.4.43.4",
    "1.2.840.10008.5.1.4.44.2",
    "1.2.840.10008.5.1.4.44.3",
    "1.2.840.10008.5.1.4.44.4",
    "1.2.840.10008.5.1.4.45.2",
    "1.2.840.10008.5.1.4.45.3",
    "1.2.840.10008.5.1.4.45.4",
    "1.2.840.10008.10",                   // real-time communication
};

}  // namespace

bool is_other_service(std::string_view abstract_syntax) {
  return std::any_of(std::begin(kOtherServices), std::end(kOtherServices), [&](std::string_view service) {
    return abstract_syntax.starts_with(service) &&
           (abstract_syntax.size() == service.size() || abstract_syntax[service.size()] == '.');
  });
}

}  // namespace mercure::receive
