"""Who may ask, and what a browser may do with the page."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Mount
from websockets.exceptions import InvalidStatus

import ferserve.web
from ferserve.config import ServerConfig
from ferserve.engine import Engine
from ferserve.errors import ConfigError, FerserveError
from ferserve.scheduling.caller import Caller
from ferserve.web import WebServer
from ferserve.web.refusals import STATUS_BY_KIND
from ferserve.wire import status as wire
from tests import builders
from tests.serving.tokens import TokenFile
from tests.web.serving import Socket, ask, classify, frame, running

JPEG = builders.jpeg(builders.astronaut())


class WrongTokenError(FerserveError):
    kind = "unauthenticated"


def keeper(request: HTTPConnection, token: str) -> Caller:
    """Lets in whoever knows the token."""
    if token != "sesame":
        raise WrongTokenError("token must be a valid one, got another; ask for one")
    return Caller("ali", authenticated=True)


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "http://127.0.0.1:1", "file://"])
def test_scripts_of_other_sites_may_not_call(page: str, origin: str) -> None:
    answer = classify(page, JPEG, origin=origin)
    assert answer.error == (403, "foreign_origin")
    assert "access-control-allow-origin" not in answer.headers
    with pytest.raises(InvalidStatus) as refused:
        Socket(page, origin=origin)
    assert refused.value.response.status_code == 403
    assert classify(page, JPEG, origin=page.rstrip("/")).status == 200


def test_sites_that_are_named_may_call(engine: Engine) -> None:
    app, other = "https://app.example", "https://other.example"
    with running(WebServer(engine, ServerConfig(web_origins=f"{app}, https://b.example"), 0)) as page:
        answer = classify(page, JPEG, origin=app)
        assert (answer.status, answer.headers["access-control-allow-origin"]) == (200, app)
        assert "Origin" in answer.headers["vary"]
        asked = ask(page, "OPTIONS", "v1/classify", origin=app, access_control_request_method="POST")
        assert (asked.status, asked.headers["access-control-allow-origin"]) == (204, app)
        assert classify(page, JPEG, origin=other).status == 403
        with Socket(page, {}, origin=app) as socket:
            assert socket.next()["type"] == "started"


@pytest.mark.parametrize(
    "origins", ["*", "app.example", "https://app.example/path", "https://a.example https://b.example"]
)
def test_an_origin_must_be_one(origins: str) -> None:
    with pytest.raises(ConfigError, match=r"server\.web_origins must be origins such as"):
        ServerConfig(web_origins=origins)


def test_another_site_cannot_lend_its_name_to_a_page_on_this_machine(page: str) -> None:
    port = page.rpartition(":")[2].rstrip("/")
    assert ask(page, "GET", "v1/info", host=f"evil.example:{port}").error == (403, "foreign_host")
    for name in ("localhost", "LOCALHOST", "[::1]", "127.0.0.1"):
        assert ask(page, "GET", "v1/info", host=f"{name}:{port}").status == 200


def test_a_page_may_run_and_show_its_own_files_only(page: str) -> None:
    headers = ask(page, "GET", "").headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert ask(page, "GET", "static/main.js").headers["content-type"].startswith("text/javascript")


def test_only_what_is_there_is_served(page: str) -> None:
    for path in ("static/../app.py", "static/%2e%2e/app.py", "nothing", "v1/demo", "v1"):
        assert ask(page, "GET", path).status == 404
    assert ask(page, "GET", "v1/classify").status == 405


def test_a_token_is_asked_for(engine: Engine) -> None:
    with running(WebServer(engine, ServerConfig(), 0, authenticate=keeper)) as page:
        assert classify(page, JPEG).error == (401, "unauthenticated")
        assert classify(page, JPEG, authorization="Bearer wrong").error == (401, "unauthenticated")
        assert ask(page, "GET", "v1/models").status == 401
        assert classify(page, JPEG, authorization="Bearer sesame").status == 200
        assert ask(page, "GET", "").status == ask(page, "GET", "v1/info").status == 200
        with Socket(page, {"token": "wrong"}) as socket:
            assert socket.next()["error"]["code"] == "unauthenticated"
        with Socket(page, {"token": "sesame"}) as socket:
            assert socket.next()["type"] == "started"


def test_the_tokens_of_the_grpc_port_count_here_too(engine: Engine, tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path / "tokens.json")
    ali, bea = tokens.add("ali"), tokens.add("bea")
    with running(WebServer(engine, ServerConfig(token_file=tokens.path), 0)) as page:
        assert classify(page, JPEG).error == (401, "unauthenticated")
        assert classify(page, JPEG, authorization=f"Bearer {ali[:-1]}").error == (401, "unauthenticated")
        assert classify(page, JPEG, authorization=f"Bearer {ali}").status == 200
        with Socket(page, {"token": ali}) as first, Socket(page, {"token": bea}) as second:
            for socket in (first, second):
                assert socket.next()["type"] == "started"
            tokens.revoke("ali")
            first.send(frame(1, JPEG))
            assert first.next()["error"]["code"] == "unauthenticated"
            second.send(frame(1, JPEG))
            assert second.next()["faces"]
        assert classify(page, JPEG, authorization=f"Bearer {ali}").status == 401


def test_every_kind_of_error_has_a_status() -> None:
    own_faults = {"internal", "remote", "config", "model_spec", "model_pull", "model_load", "source_lost", "table"}
    assert set(STATUS_BY_KIND) >= set(wire.STATUS_BY_KIND) - own_faults
    assert not own_faults & set(STATUS_BY_KIND)


def test_another_application_can_hold_the_page(engine: Engine) -> None:
    class Mounted(WebServer):
        """The page below a path."""

        def __init__(self) -> None:
            super().__init__(engine, ServerConfig(), 0)
            inner = ferserve.web.app(engine)
            self._server.config.loaded_app = Starlette(routes=[Mount("/faces", inner)])

    with running(Mounted()) as address:
        for path in ("", "static/main.js", "v1/info"):
            assert ask(address, "GET", f"faces/{path}").status == 200
        assert classify(address + "", JPEG).status == 404
        assert ask(address, "POST", "faces/v1/classify", JPEG).json["faces"]
