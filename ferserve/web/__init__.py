"""The page and its API for web apps: an ASGI application, and a server of it. Needs the extra ``web``."""

from ferserve.web.application import app
from ferserve.web.server import WebServer
from ferserve.web.upstream import Upstream

__all__ = ["Upstream", "WebServer", "app"]
