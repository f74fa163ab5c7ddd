"""The engine that performs a request in the calling thread, which is blocked anyway, on non-blocking sockets."""
