"""The engines: each sends one request and gives one response."""
