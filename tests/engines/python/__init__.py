"""The engine that performs a request in the calling thread, module by module."""
