"""SQLAdmin on Starlette: ASGI, async SQLAlchemy sessions. Its form adds a row of a model."""

from __future__ import annotations

from typing import Final

from tests.realapps.app import PASSWORD, PLAYER, App, Effect, Task

SITE: Final = f"""
from pathlib import Path
from sqladmin import Admin, ModelView
from sqladmin.authentication import AuthenticationBackend
from sqlalchemy import String, create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.applications import Starlette

engine = create_engine(f"sqlite:///{{Path(__file__).with_name('notes.db')}}")

class Base(DeclarativeBase):
    pass

class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(String(200))

class Login(AuthenticationBackend):
    async def login(self, request):
        form = await request.form()
        good = (form["username"], form["password"]) == ("{PLAYER}", "{PASSWORD}")
        request.session.update({{"user": "{PLAYER}"}} if good else {{}})
        return good

    async def logout(self, request):
        request.session.clear()
        return True

    async def authenticate(self, request):
        return "user" in request.session

class Notes(ModelView, model=Note):
    column_list = [Note.id, Note.text]

application = Starlette()
login = Login(secret_key="a key of thirty-two bytes or more, for a test")
Admin(application, engine, authentication_backend=login).add_view(Notes)
"""

APP: Final = App(
    name="sqladmin",
    kind="asgi",
    says="an admin panel, Starlette and SQLAlchemy",
    needs=("sqladmin==0.32.0", "itsdangerous", "WTForms==3.2.1", "greenlet"),
    files={"site_of_app.py": SITE},
    create=(("python", "-c", "import site_of_app as s; s.Base.metadata.create_all(s.engine)"),),
    login=lambda person: person.sign_in("/admin/login", "form", username=PLAYER, password=PASSWORD),
    task=Task("/admin/note/create", "form[method=POST]", {"text": "{}"}, "save"),
    effect=Effect("notes.db", "note", "text"),
)
