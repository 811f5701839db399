"""Tests of the receive path: real senders and scripted ones against a running ``mercure-storescp``."""
