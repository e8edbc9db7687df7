"""Messages of the protocol, in both directions: the only package that knows protobuf and our types."""
