"""The shop in Flask with seeother, in mode joined."""

from pathlib import Path

from flask import Flask, flash, redirect, render_template_string, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect

from seeother.flask import SeeOther
from tests.versus.apps import trouble

app = Flask(__name__)
app.config["SECRET_KEY"] = "a key for a shop that sells nothing"
app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{Path('shop.db').absolute()}"
db = SQLAlchemy(app)
CSRFProtect(app)
so = SeeOther(app)

FORM = """<!doctype html><title>Tea</title>
<form method="post" action="{{ url_for('order') }}">
<input type="hidden" name="csrf_token" value="{{ csrf_token() }}">
<input name="tea"><textarea name="note"></textarea><button>Order</button></form>"""
DONE = """<!doctype html><title>Thank you</title>
{% for said in get_flashed_messages() %}<p role="status">{{ said }}</p>{% endfor %}
<p>Your last order: {{ session.get("last") }}</p>"""


class Order(db.Model):  # type: ignore[name-defined,misc]
    __tablename__ = "orders"
    id = db.Column(db.Integer, primary_key=True)
    tea = db.Column(db.String, nullable=False)


@app.get("/")
def form() -> str:
    """The page with the form."""
    return render_template_string(FORM)


@app.post("/order")
@so.once(db)
def order() -> ResponseReturnValue:
    """Store an order, leave a message, lead on."""
    tea, note = request.form["tea"], request.form["note"]
    trouble.at("before", request.headers)
    trouble.work(request.headers)
    db.session.add(Order(tea=tea))
    db.session.commit()
    trouble.at("after", request.headers)
    session["last"] = tea
    flash(f"Thank you for ordering {tea}. {note}")
    return redirect(url_for("done"))


@app.get("/done")
def done() -> str:
    """The page behind the redirect."""
    return render_template_string(DONE)


@app.get("/look/<tea>")
def look(tea: str) -> str:
    """A page that writes into the session."""
    session[f"seen {tea}"] = True
    trouble.at("looking", request.headers)
    trouble.work(request.headers)
    return tea


@app.get("/seen")
def seen() -> ResponseReturnValue:
    """What the session holds."""
    return dict(session)


application = trouble.wsgi(app)

if __name__ == "__main__":
    with app.app_context():
        db.create_all()
