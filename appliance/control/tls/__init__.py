"""TLS: the certificates that are known, and a key and a certificate for this router."""
