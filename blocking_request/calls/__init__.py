"""One call: from the arguments of the caller to the response."""
