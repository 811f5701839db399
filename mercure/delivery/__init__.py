"""How tasks reach their targets: one policy of queues, slots, attempts, retries and breakers for all kinds."""
