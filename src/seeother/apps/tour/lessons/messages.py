"""A message board with nothing but Python: GET shows the list, POST adds to it and redirects."""

from html import escape
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs
from wsgiref.simple_server import make_server

from seeother.apps.tour.effects import record
from seeother.apps.tour.handler import bridge

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Messages</title>
</head>
<body>
<main>
<h1>Messages</h1>
<form method="post">
<label for="message">Your message</label>
<textarea id="message" name="message" rows="3" maxlength="500" required></textarea>
<button>Post it</button>
</form>
<pre>{messages}</pre>
</main>
</body>
</html>
"""
memory: list[str] = []


class MessageHandler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        shown = "\n".join(escape(message, quote=False) for message in memory)
        self.wfile.write(PAGE.format(messages=shown).encode())

    def do_POST(self) -> None:
        try:
            length = int(self.headers["Content-Length"])
            body = self.rfile.read(max(length, 0)).decode()  # UTF-8
            message = parse_qs(body, errors="strict")["message"][0][:500]
        except (KeyError, TypeError, ValueError):
            self.send_error(400, "Please send a form with a message")
            return
        memory.append(message)
        record(message)
        del memory[:-20]  # the last 20 will do
        self.send_response(303)
        self.send_header("Location", self.path)
        self.end_headers()


app = bridge(MessageHandler)

if __name__ == "__main__":
    print("http://localhost:8000/")
    make_server("localhost", 8000, app).serve_forever()
