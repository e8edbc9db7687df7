"""Produces the models that ferserve serves. Never imported by ``ferserve`` itself."""
