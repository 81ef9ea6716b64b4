"""The whole HTTP surface: every path of the interface, and the pages beside it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from api import (
    dashboard,
    errors,
    events,
    explain,
    history,
    jobs,
    offers,
    overview,
    queues,
    subscriptions,
    workers,
)
from api.auth import Authenticator
from api.call import Handler, Runner
from api.policies import classification, distribution, exception
from api.surface import Surface

if TYPE_CHECKING:
    from engine.settings import Settings

Health = Callable[[], Awaitable[tuple[bool, dict[str, Any]]]]

ROUTES: dict[str, Handler] = {
    "GET /routing/jobs": jobs.page,
    "PATCH /routing/jobs/{}": jobs.upsert,
    "GET /routing/jobs/{}": jobs.get,
    "DELETE /routing/jobs/{}": jobs.delete,
    "GET /routing/jobs/{}/position": jobs.position,
    "POST /routing/jobs/{}:cancel": jobs.cancel,
    "POST /routing/jobs/{}:reclassify": jobs.reclassify,
    "POST /routing/jobs/{}/assignments/{}:complete": offers.complete,
    "POST /routing/jobs/{}/assignments/{}:close": offers.close,
    "POST /routing/jobs/{}/assignments/{}:unassign": offers.unassign,
    "GET /routing/workers": workers.page,
    "PATCH /routing/workers/{}": workers.upsert,
    "GET /routing/workers/{}": workers.get,
    "DELETE /routing/workers/{}": workers.delete,
    "POST /routing/workers/{}/offers/{}:accept": offers.accept,
    "POST /routing/workers/{}/offers/{}:decline": offers.decline,
    "GET /routing/queues": queues.page,
    "PATCH /routing/queues/{}": queues.upsert,
    "GET /routing/queues/{}": queues.get,
    "DELETE /routing/queues/{}": queues.delete,
    "GET /routing/queues/{}/statistics": queues.statistics,
    "GET /routing/classificationPolicies": classification.page,
    "PATCH /routing/classificationPolicies/{}": classification.upsert,
    "GET /routing/classificationPolicies/{}": classification.get,
    "DELETE /routing/classificationPolicies/{}": classification.delete,
    "GET /routing/distributionPolicies": distribution.page,
    "PATCH /routing/distributionPolicies/{}": distribution.upsert,
    "GET /routing/distributionPolicies/{}": distribution.get,
    "DELETE /routing/distributionPolicies/{}": distribution.delete,
    "GET /routing/exceptionPolicies": exception.page,
    "PATCH /routing/exceptionPolicies/{}": exception.upsert,
    "GET /routing/exceptionPolicies/{}": exception.get,
    "DELETE /routing/exceptionPolicies/{}": exception.delete,
    "GET /ext/v1/events": events.page,
    "GET /ext/v1/subscriptions": subscriptions.page,
    "PATCH /ext/v1/subscriptions/{}": subscriptions.upsert,
    "GET /ext/v1/subscriptions/{}": subscriptions.get,
    "DELETE /ext/v1/subscriptions/{}": subscriptions.delete,
    "GET /ext/v1/queues": overview.queues,
    "GET /ext/v1/workers": overview.workers,
    "GET /ext/v1/jobs/{}:explain": explain.job,
    "GET /ext/v1/jobs/{}/history": history.job,
    "GET /ext/v1/workers/{}/history": history.worker,
}


def create_app(
    store: Runner, settings: Settings, health: Health, clock: Callable[[], float] = time.time
) -> ASGIApp:
    """The application: the interface by its own dispatch, everything else by Starlette."""

    async def live(request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        ok, report = await health()
        return JSONResponse(report, 200 if ok else 503)

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        known = {404: errors.NotFound, 405: errors.MethodNotAllowed}
        answer = known.get(error.status_code, errors.ApiError)(error.detail)
        return Response(
            errors.body(answer, request.url.path),
            error.status_code,
            error.headers,
            media_type="application/json",
        )

    authenticator = Authenticator(settings, clock)
    pages = Starlette(
        routes=[
            Route("/health/live", live),
            Route("/health/ready", ready),
            *dashboard.routes(authenticator),
        ],
        exception_handlers={HTTPException: http_error},
    )
    return Surface(pages, ROUTES, store, settings, authenticator, clock)
