"""Alerts: from what is seen of the router to what people are told."""
