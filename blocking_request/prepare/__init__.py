"""Preparing a call: from the caller's arguments, the attributes and the settings to a Request and its options."""
