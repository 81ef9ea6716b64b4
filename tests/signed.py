"""A small client that signs its requests, as the official ones do, and shows all that is answered."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import time
from base64 import b64decode, b64encode
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

PREVIEW = "2024-01-18-preview"


def sign(
    method: str,
    target: str,
    body: bytes,
    *,
    host: str,
    key: bytes,
    now: float | None = None,
    signed_target: str | None = None,
) -> dict[str, str]:
    """The headers that an official client would add."""
    date = formatdate(time.time() if now is None else now, usegmt=True)
    content_hash = b64encode(hashlib.sha256(body).digest()).decode()
    text = f"{method}\n{signed_target or target}\n{date};{host};{content_hash}"
    signature = b64encode(hmac.digest(key, text.encode(), "sha256")).decode()
    scheme = "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256"
    return {
        "host": host,
        "x-ms-date": date,
        "x-ms-content-sha256": content_hash,
        "authorization": f"{scheme}&Signature={signature}",
    }


class Caller:
    """One connection to a router, opened anew after it was lost; not for several threads at once."""

    def __init__(self, url: str, key: str) -> None:
        self.host = urlsplit(url).netloc
        self.key = b64decode(key)
        self._connection = http.client.HTTPConnection(self.host, timeout=15)

    def __call__(self, method: str, path: str, body: Any = None, request_id: str = "") -> tuple[int, Any]:
        """Status and JSON of the answer. Raises OSError and HTTPException when there is none."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        target = f"{path}{'&' if '?' in path else '?'}api-version={PREVIEW}"
        headers = sign(method, target, raw, host=self.host, key=self.key)
        try:
            self._connection.request(method, target, raw, {**headers, "x-ms-client-request-id": request_id})
            response = self._connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        except BaseException:
            self.close()
            raise

    def connect(self) -> None:
        """Opens the connection, if it is not open."""
        if self._connection.sock is None:
            self._connection.connect()

    def send_only(self, method: str, path: str, request_id: str) -> None:
        """Sends a request and cuts the connection without waiting for the answer."""
        target = f"{path}?api-version={PREVIEW}"
        headers = sign(method, target, b"", host=self.host, key=self.key)
        self._connection.request(method, target, b"", {**headers, "x-ms-client-request-id": request_id})
        self.close()

    def close(self) -> None:
        self._connection.close()
