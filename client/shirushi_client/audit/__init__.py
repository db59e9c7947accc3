"""Auditing the members' logs: derived anew, compared with each other, and reconciled with a list of what was issued."""
