"""The stream of a practice's news for a page that is open (server-sent events). It names nobody and counts as no visit."""

from __future__ import annotations

from aiohttp import web

from daemon.console.asked import Ask
from daemon.console.news import NoRoom
from daemon.console.roles import May
from daemon.console.rules import Access, get

STREAM, RETRY_MILLISECONDS = "text/event-stream", 5000


async def news(ask: Ask) -> web.StreamResponse:
    """Open until the session ends, the browser goes, or the process stops. Without room there is none, and the page works without."""
    assert ask.visitor is not None
    if ask.request.method == "HEAD":
        return web.Response(content_type=STREAM)
    try:
        stream = ask.console.news.join(ask.id, ask.visitor.session)
    except NoRoom:
        return web.Response(status=204)  # a browser asks no more
    response = web.StreamResponse(headers={"X-Accel-Buffering": "no"})
    response.content_type = STREAM
    try:
        await response.prepare(ask.request)
        await response.write(f"retry: {RETRY_MILLISECONDS}\n\n".encode())
        async for text in stream.texts():
            await response.write(text)
    except ConnectionError:  # the page was closed
        pass
    finally:
        ask.console.news.leave(stream)
    return response


ROUTES = (get("/p/{practice}/news", news, Access(May.SEE)),)
