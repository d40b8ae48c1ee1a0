"""The app of these recipes: one form, one table, one message."""

import os

from flask import Flask, flash, get_flashed_messages, redirect, render_template_string, request
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import Mapped, mapped_column

from seeother.flask import SeeOther

PAGE = """<!doctype html><title>Shop</title>
{% for message in messages %}<p role="status">{{ message }}</p>{% endfor %}
<form method="post"><input name="item" aria-label="Item"><button>Order</button></form>"""

app = Flask("shop")
app.config.update(
    SECRET_KEY=os.environ["SHOP_SECRET"],
    SQLALCHEMY_DATABASE_URI=os.environ["SHOP_DATABASE"],
    SEEOTHER_HOSTS=tuple(os.environ["SHOP_HOSTS"].split()),  # whoever asks for another host: 400
    SEEOTHER_PROXY_HOPS=int(os.environ.get("SHOP_PROXIES", "0")),
)
db = SQLAlchemy(app)
so = SeeOther(app)


class Order(db.Model):
    """One order."""

    id: Mapped[int] = mapped_column(primary_key=True)
    item: Mapped[str]


with app.app_context():
    db.create_all()
    db.engine.dispose()  # workers are forked from here: they must not share a connection


@app.get("/")
def page():
    """Show the form, and what there is to say."""
    return render_template_string(PAGE, messages=get_flashed_messages())


@app.post("/")
@so.once(db)
def order():
    """Order one item; effect, record and message in one transaction (joined)."""
    db.session.add(Order(item=request.form["item"]))
    flash("Thank you.")
    return redirect("/")
