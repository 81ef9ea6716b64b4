"""The ASGI middleware that answers ``/routing/`` and ``/ext/``: from the raw request to the raw answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote

from starlette.types import ASGIApp, Receive, Scope, Send

from api import errors
from api.admission.doors import Door
from api.auth import Authenticator
from api.call import REQUEST_ID, Answer, Call, Handler, Runner
from api.dispatch import Dispatcher
from api.errors import ApiError, BadRequest, Header, Overloaded
from api.serving.body import read_body, too_large
from api.serving.exchange import EXCHANGE, Exchange
from api.serving.request import RequestInfo
from api.streaming import Disconnected, Streaming
from api.wire import queries
from engine.errors import Refused, Unavailable

if TYPE_CHECKING:
    from engine.feed import Feeds
    from engine.settings import Settings

log = logging.getLogger("jobrouter.api")

_PREFIXES = (b"/routing/", b"/ext/")
_ACS = b"/routing/"
_SINGLE = (b"host", b"x-ms-date", b"authorization")
_JSON: Header = (b"content-type", b"application/json; charset=utf-8")
_SUPPORTED: Header = (b"api-supported-versions", ", ".join(queries.VERSIONS).encode())
_ENDS = "the server ends; whether the request was executed is unknown"
_OP = b"x-jobrouter-op"
_BODILESS = b"%b: %b\r\n" % _SUPPORTED + b"trace-id: %b\r\n"
_LINES = _BODILESS + b"%b: %b\r\n" % _JSON + b"content-length: %d\r\n"
_PLAIN_QUERIES = {f"{queries.VERSION}={version}".encode(): version for version in queries.VERSIONS}


class Surface:
    """Reads, authenticates and dispatches requests of the interface; passes all others on."""

    def __init__(
        self,
        pages: ASGIApp,
        routes: Mapping[str, Handler],
        store: Runner,
        feeds: Feeds,
        settings: Settings,
        authenticator: Authenticator,
        doors: Mapping[str, Door],
        clock: Callable[[], float],
    ):
        self._pages = pages
        self._dispatch = Dispatcher(routes)
        self._store = store
        self._feeds = feeds
        self._authenticator = authenticator
        self._doors = doors
        self._clock = clock
        self._max_body = settings.max_body
        self._link_base = settings.public_base_url.rstrip("/")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        # once it stands nowhere else, nothing is left of a request for the garbage collector
        exchange: Exchange | None = scope.get("extensions", {}).pop(EXCHANGE, None)
        if scope["type"] != "http" or not (path := _raw_path(scope)).startswith(_PREFIXES):
            await self._pages(scope, receive, send)
            return
        request, answer = RequestInfo.of(scope), None
        try:
            answer = await self._answer(scope, request, path, receive, exchange)
            if exchange is not None and _at_once(exchange, request, answer):
                return
        except Overloaded as error:
            request.shed = True
            answer = _refusal(error, path)
        except ApiError as error:
            answer = _refusal(error, path)
        except (Refused, Unavailable) as error:
            answer = _refusal(errors.from_engine(error), path)
        except Disconnected:
            return
        except asyncio.CancelledError:
            # the process ends, and waits for this request no longer
            answer = _refusal(errors.from_engine(Unavailable(_ENDS)), path)
        except Exception:
            log.exception("%s %s failed", scope["method"], request.route)
            answer = _refusal(ApiError("The server failed to answer this request."), path)
        headers = [_SUPPORTED, (b"trace-id", _trace_id(request)), *_echo(request)]
        if isinstance(answer, Streaming):
            await self._stream(answer, headers, scope, receive, send)
            return
        status, body, extra = answer
        headers += extra
        if status != 204:
            headers += (_JSON, (b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _stream(
        self, answer: Streaming, headers: list[Header], scope: Scope, receive: Receive, send: Send
    ) -> None:
        try:
            await answer.deliver(headers, scope, receive, send)
        except Exception:
            log.exception("%s %s failed in mid-stream", scope["method"], RequestInfo.of(scope).route)

    async def _answer(
        self, scope: Scope, request: RequestInfo, path: bytes, receive: Receive, exchange: Exchange | None
    ) -> Answer | Streaming:
        headers = _headers(request.headers, scope["headers"])
        tenant = self._authenticator.tenant(headers.get(b"host", b""))
        request.tenant = tenant.name
        door = self._doors[tenant.name]
        if scope["method"] != "GET":
            door.look()
        allowance = door.allowance
        # whoever looks at a router does so when it is over its limit, too
        if allowance is not None and headers.get(b"authorization", b"").startswith(b"HMAC"):
            door.check(allowance)
        body = None if exchange is None else exchange.whole_body()
        if body is None:
            body = await self._body(headers, receive)
        elif len(body) > self._max_body:
            raise too_large(self._max_body)
        raw_query: bytes = scope["query_string"]
        target = path + b"?" + raw_query if raw_query else path
        peer = scope.get("client") or ("", 0)
        viewing = self._authenticator.check(scope["method"], target, headers, body, tenant, peer[0])
        found, ids = self._dispatch.find(scope["method"], path)
        request.route = found.route
        version = _PLAIN_QUERIES.get(raw_query, "")
        query = {} if version else _query(raw_query)
        if not version and path.startswith(_ACS):
            version = _version(query)
        root = f"jr:{{{tenant.name}}}"
        call = Call(
            self._store,
            self._feeds,
            root,
            self._clock,
            self._link_base,
            path,
            query,
            raw_query,
            version,
            headers,
            body,
            scope.get("scheme", "http"),
            receive,
            viewing,
        )
        lane = door.enter(found.route)
        try:
            if allowance is not None and not viewing:
                await door.take(allowance)
            answer = await found.handler(call, *ids)
        except BaseException:
            lane.leave()
            raise
        if isinstance(answer, Streaming):
            return answer.then(lane.leave)
        lane.leave()
        if call.op:
            status, content, extra = answer
            return status, content, (*extra, (_OP, b"%d" % call.op))
        return answer

    async def _body(self, headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        announced = headers.get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > self._max_body:
            raise too_large(self._max_body)
        return await read_body(receive, self._max_body)


def _raw_path(scope: Scope) -> bytes:
    raw: bytes | None = scope.get("raw_path")
    return quote(scope["path"]).encode() if raw is None else raw


def _headers(headers: dict[bytes, bytes], pairs: Sequence[Header]) -> dict[bytes, bytes]:
    """Headers by name, out of pairs; those that are signed may be given only once."""
    if len(headers) == len(pairs):
        return headers
    joined: dict[bytes, bytes] = {}
    for name, value in pairs:
        if name in joined and name in _SINGLE:
            raise BadRequest(f"The header '{name.decode()}' is given more than once.")
        joined[name] = joined[name] + b", " + value if name in joined else value
    return joined


def _query(raw: bytes) -> dict[str, str]:
    """Query parameters by lower-case name."""
    try:
        pairs = parse_qsl(
            raw.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=queries.MOST,
            separator="&",
        )
    except ValueError:
        raise BadRequest("The query is not well-formed.") from None
    return {name.lower(): value for name, value in pairs}


def _version(query: Mapping[str, str]) -> str:
    version = query.get(queries.VERSION)
    if version in queries.VERSIONS:
        return version
    known = " and ".join(queries.VERSIONS)
    if not version:
        text = f"The query parameter 'api-version' is missing; supported are {known}."
    else:
        text = f"The api-version '{version}' is not supported; supported are {known}."
    raise BadRequest(text, code="UnsupportedApiVersion")


def _at_once(exchange: Exchange, request: RequestInfo, answer: Answer | Streaming) -> bool:
    """Writes an answer in one piece; False when it must be sent by messages."""
    if isinstance(answer, Streaming):
        return False
    status, body, extra = answer
    lines = _BODILESS % _trace_id(request) if status == 204 else _LINES % (_trace_id(request), len(body))
    if not exchange.answer(status, lines, (*_echo(request), *extra), body):
        return False
    request.answered(status)
    return True


def _trace_id(request: RequestInfo) -> bytes:
    """The id of the trace, the client's own if it gives one."""
    trace = request.trace
    return f"{trace[:8]}-{trace[8:12]}-{trace[12:16]}-{trace[16:20]}-{trace[20:]}".encode()


def _echo(request: RequestInfo) -> Sequence[Header]:
    """The client's id of the request if it asks for that."""
    headers = request.headers
    wanted = headers.get(b"x-ms-return-client-request-id")
    if wanted and wanted.lower() == b"true" and REQUEST_ID in headers:
        return ((REQUEST_ID, headers[REQUEST_ID]),)
    return ()


def _refusal(error: ApiError, path: bytes) -> Answer:
    headers = [(b"x-ms-error-code", error.code.encode()), *error.headers]
    return error.status, errors.body(error, path.decode("latin-1")), headers
