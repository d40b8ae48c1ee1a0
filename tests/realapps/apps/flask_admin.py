"""Flask-Admin on Flask, with Flask-Login and SQLAlchemy. Its form adds a row of a model."""

from __future__ import annotations

from typing import Final

from tests.realapps.app import PASSWORD, PLAYER, App, Effect, Task

SITE: Final = f"""
from flask import Flask, redirect, request
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from flask_admin.form import SecureForm
from flask_login import LoginManager, UserMixin, current_user, login_user
from flask_sqlalchemy import SQLAlchemy
from pathlib import Path

application = Flask(__name__)
application.config["SECRET_KEY"] = "a key of thirty-two bytes or more, for a test"
file = Path(__file__).with_name("notes.db")
application.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{{file}}"
db = SQLAlchemy(application)
logins = LoginManager(application)

class Note(db.Model):
    id = db.Column(db.Integer, primary_key=True)
    text = db.Column(db.String(200), nullable=False)

class User(UserMixin):
    id = "{PLAYER}"

class Notes(ModelView):
    form_base_class = SecureForm

    def is_accessible(self):
        return current_user.is_authenticated

@logins.user_loader
def load(_name):
    return User()

@application.route("/login", methods=["GET", "POST"])
def login():
    if request.method == "GET":
        return '<form method="post"><input name="name"><input name="password"></form>'
    if (request.form["name"], request.form["password"]) != ("{PLAYER}", "{PASSWORD}"):
        return "no", 403
    login_user(User())
    return redirect("/admin/note/")

Admin(application).add_view(Notes(Note, db))
"""

APP: Final = App(
    name="flask_admin",
    kind="wsgi",
    says="an admin panel, Flask and SQLAlchemy",
    needs=("Flask-Admin==2.2.1", "Flask-SQLAlchemy", "Flask-Login==0.6.3", "WTForms"),
    files={"site_of_app.py": SITE},
    create=(
        (
            "python",
            "-c",
            "import site_of_app as s; s.application.app_context().push(); s.db.create_all()",
        ),
    ),
    login=lambda person: person.sign_in("/login", "form", name=PLAYER, password=PASSWORD),
    task=Task("/admin/note/new/", "form.admin-form", {"text": "{}"}),
    effect=Effect("notes.db", "note", "text"),
)
