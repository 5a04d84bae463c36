"""Answers: who asks, may they ask, and what the list says about one sale."""
