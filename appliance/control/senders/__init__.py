"""Senders: who sends and who may, proposals for the table `senders`, and what a person does about them."""
