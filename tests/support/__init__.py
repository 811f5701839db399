"""What tests share: real servers, real DICOM data, processes that always end. Nothing here is a stand-in."""
