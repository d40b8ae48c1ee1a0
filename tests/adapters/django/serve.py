"""The shop on a real server."""

from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from tests.adapters.django.project import configure, migrate


class Threaded(ThreadingMixIn, WSGIServer):
    """A thread for each request."""

    daemon_threads = True
    request_queue_size = 50


class Silent(WSGIRequestHandler):
    """A server that writes no log."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


def main(kind: str, database: str, port: str) -> None:
    """Serve until the process is ended."""
    configure(database)
    migrate()
    if kind == "asgi":
        import uvicorn
        from django.core.asgi import get_asgi_application

        uvicorn.run(get_asgi_application(), port=int(port), lifespan="off", log_level="warning")
        return
    from django.core.wsgi import get_wsgi_application

    application = get_wsgi_application()
    with make_server("127.0.0.1", int(port), application, Threaded, Silent) as server:
        server.serve_forever()
