"""A Flask shop with a database of its own, whose effects are rows."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import flash, get_flashed_messages, redirect, request, session
from flask_sqlalchemy import SQLAlchemy

from seeother.flask import SeeOther
from tests.adapters.flask_site import new_app

FORM = '<form method="post"><input name="name"></form>'
View = Callable[[], Any]


class Shop:
    """An app with one table, a form, and a view that is said by the test."""

    def __init__(self, folder: Path, *, uri: str = "sqlite:///shop.db", **config: Any) -> None:
        self.app = new_app(folder, SQLALCHEMY_DATABASE_URI=uri, **config)
        if not uri.startswith("sqlite"):
            self.app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {}
        self.db = SQLAlchemy(self.app)
        self.so = SeeOther(self.app)
        self.path = folder / "shop.db"
        db = self.db

        class Order(db.Model):  # type: ignore[name-defined,misc]
            """A row is an effect."""

            id = db.Column(db.Integer, primary_key=True)
            name = db.Column(db.String, nullable=False)

        self.Order = Order
        with self.app.app_context():
            db.create_all()

    def add(self, name: str | None = None) -> None:
        """One effect, not committed."""
        self.db.session.add(self.Order(name=name or request.form["name"]))

    def view(self, post: View, *, once: bool = True) -> None:
        """A page with a form and its messages; a POST runs this."""

        def index() -> Any:
            return post() if request.method == "POST" else f"{get_flashed_messages()}{FORM}"

        run = self.so.once(self.db)(index) if once else index
        self.app.add_url_rule("/", view_func=run, methods=["GET", "POST"], endpoint="index")

    def names(self) -> list[str]:
        """What happened."""
        return [str(row[0]) for row in self.rows('SELECT name FROM "order" ORDER BY id')]

    def rows(self, sql: str) -> list[Any]:
        """What stands in the database, as another process sees it."""
        with sqlite3.connect(self.path) as connection:
            return connection.execute(sql).fetchall()

    def ledger(self) -> list[str]:
        """The states of the ledger's rows."""
        return [row[0] for row in self.rows("SELECT state FROM so_ledger")]


def order(shop: Shop) -> View:
    """The view of a shop as people write it."""

    def post() -> Any:
        shop.add()
        shop.db.session.commit()
        session["last"] = request.form["name"]
        flash(f"Ordered {request.form['name']}.")
        return redirect("/")

    return post
