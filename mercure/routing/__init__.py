"""Routing: complete series are taken, decided upon by the rules, and made into tasks."""
