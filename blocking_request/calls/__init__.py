"""One call: drives a prepared call to its response, and runs the code of the caller that follows it."""
