"""Messages of the protocol, in both directions: the only package that knows both protobuf and our types."""
