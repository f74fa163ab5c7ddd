"""One call: its clocks and options."""
