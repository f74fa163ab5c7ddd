"""The python engine, module by module; it performs a request in the calling thread."""
