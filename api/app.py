"""The whole HTTP surface: every path of the interface, and the pages beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from api import (
    event_stream,
    events,
    explain,
    history,
    jobs,
    next_offer,
    offers,
    overview,
    preview,
    queues,
    subscriptions,
    workers,
)
from api.admission.doors import doors
from api.auth import Authenticator
from api.call import Handler, Runner
from api.pages import dashboard, docs, validation
from api.pages.site import Health, create_pages, paths
from api.policies import classification, distribution, exception
from api.serving.observed import Observed
from api.serving.request_log import RequestLog
from api.surface import Surface
from api.viewing import Viewing

if TYPE_CHECKING:
    from api.pages.metrics import Gather
    from api.serving.tracing import Tracing
    from engine.feed import Feeds
    from engine.metrics import Metrics
    from engine.settings import Settings

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
    "GET /ext/v1/events/stream": event_stream.stream,
    "GET /ext/v1/workers/{}/offers/next": next_offer.wait,
    "GET /ext/v1/subscriptions": subscriptions.page,
    "PATCH /ext/v1/subscriptions/{}": subscriptions.upsert,
    "GET /ext/v1/subscriptions/{}": subscriptions.get,
    "DELETE /ext/v1/subscriptions/{}": subscriptions.delete,
    "POST /ext/v1/subscriptions/{}:validate": subscriptions.validate,
    "POST /ext/v1/subscriptions/{}:rotateSecret": subscriptions.rotate_secret,
    "POST /ext/v1/subscriptions/{}:replay": subscriptions.replay,
    "GET /ext/v1/subscriptions/{}/deadLetters": subscriptions.dead_letters,
    "GET /ext/v1/queues": overview.queues,
    "GET /ext/v1/workers": overview.workers,
    "GET /ext/v1/jobs/{}:explain": explain.job,
    "GET /ext/v1/workers/{}:explain": explain.worker,
    "POST /ext/v1/jobs:preview": preview.job,
    "GET /ext/v1/jobs/{}/history": history.job,
    "GET /ext/v1/workers/{}/history": history.worker,
}


def create_app(
    store: Runner,
    settings: Settings,
    health: Health,
    feeds: Feeds,
    clock: Callable[[], float] = time.time,
    metrics: Metrics | None = None,
    tracing: Tracing | None = None,
    gather: Gather | None = None,
) -> ASGIApp:
    """The application: the interface by its own dispatch, everything else by Starlette.

    ``gather`` adds to the metrics of this process those of others beside it.
    """
    authenticator = Authenticator(settings, clock)
    routes = [
        *docs.routes(ROUTES),
        *dashboard.routes(authenticator),
        *validation.routes(store, settings.tenants),
    ]
    if metrics is not None:
        routes.append(metrics_route(metrics, settings, authenticator.viewing, gather))
    pages = create_pages(health, authenticator.viewing, settings.tenants.values(), routes)
    app = Surface(
        pages, ROUTES, store, feeds, settings, authenticator, doors(store, settings, metrics), clock
    )
    return Observed(app, paths(pages), request_log(settings), metrics, tracing)


def create_metrics_app(settings: Settings, health: Health, metrics: Metrics) -> ASGIApp:
    """The pages of a worker: its health and what it has measured."""
    viewing = Viewing(time.time)
    routes = [metrics_route(metrics, settings, viewing)]
    pages = create_pages(health, viewing, settings.tenants.values(), routes)
    return Observed(pages, paths(pages), request_log(settings), metrics)


def request_log(settings: Settings) -> RequestLog:
    """The log of requests that settings ask for."""
    return RequestLog(settings.access_log, settings.slow_request_ms)


def metrics_route(
    metrics: Metrics, settings: Settings, viewing: Viewing, gather: Gather | None = None
) -> BaseRoute:
    """The page of the metrics."""
    # only what is wanted is imported
    from api.pages import metrics as metrics_page

    return metrics_page.route(metrics, viewing, settings.tenants.values(), gather)
