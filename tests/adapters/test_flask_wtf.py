"""Flask-WTF and WTForms on seeother, and five small apps as beginners write them, clicked twice."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import (
    Flask,
    flash,
    redirect,
    render_template_string,
    request,
    session,
    url_for,
)
from flask_wtf import CSRFProtect, FlaskForm
from wtforms import (
    BooleanField,
    FieldList,
    Form,
    FormField,
    IntegerField,
    PasswordField,
    StringField,
    SubmitField,
)
from wtforms.validators import DataRequired, Length

from seeother.flask import SeeOther, redisplay, repeat, restore
from tests.adapters.flask_site import new_app, twice, visiting

LAYOUT = """<title>{{ title }}</title>
{% for category, message in get_flashed_messages(with_categories=true) %}
<div role="status"><p class="flash {{ category }}"><span>{{ message }}</span></p></div>
{% endfor %}"""


class NameForm(FlaskForm):  # type: ignore[misc]
    """The form of every first chapter."""

    name = StringField("What is your name?", validators=[DataRequired()])
    submit = SubmitField("Submit")


class Count:
    """Effects as rows of a file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE effect (what TEXT)")

    def __call__(self, what: str) -> None:
        """Something happened."""
        with sqlite3.connect(self.path, timeout=30) as connection:
            connection.execute("INSERT INTO effect VALUES (?)", (what,))

    def all(self) -> list[str]:
        """What happened."""
        with sqlite3.connect(self.path) as connection:
            return [str(row[0]) for row in connection.execute("SELECT what FROM effect")]


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    """An app with SeeOther, and nothing else."""
    app = new_app(tmp_path)
    SeeOther(app)
    return app


@pytest.fixture
def count(tmp_path: Path) -> Count:
    """The effects."""
    return Count(tmp_path / "effects.db")


# Five apps ----------------------------------------------------------------------------------


def hello(app: Flask, count: Count) -> None:
    """A name in the session, a message, and Flask-WTF."""

    @app.route("/", methods=["GET", "POST"])
    def index() -> Any:
        form = NameForm()
        if form.validate_on_submit():
            old = session.get("name")
            if old is not None and old != form.name.data:
                flash("Looks like you have changed your name!")
            count(form.name.data)
            session["name"] = form.name.data
            return redirect(url_for("index"))
        return render_template_string(
            LAYOUT + "<h1>Hello, {{ name or 'Stranger' }}!</h1>"
            '<form method="post">{{ form.hidden_tag() }}{{ form.name() }}'
            "{% for e in form.name.errors %}<i>{{ e }}</i>{% endfor %}{{ form.submit() }}</form>",
            form=form,
            name=session.get("name"),
        )


def submit(app: Flask, count: Count) -> None:
    """A form on one page, thanks on another."""

    @app.get("/")
    def index() -> str:
        return '<form method="post" action="/submit"><input name="name"></form>'

    @app.post("/submit")
    def take() -> Any:
        session["username"] = request.form["name"]
        count(request.form["name"])
        return redirect(url_for("thankyou"))

    @app.get("/thankyou")
    def thankyou() -> str:
        return render_template_string("<h1>Thank you! {{ session['username'] }}</h1>")


def choices(code: int | None) -> Callable[[Flask, Count], None]:
    """Three pages; the second leads to the third, by GET or once more by POST."""

    def build(app: Flask, count: Count) -> None:
        @app.get("/")
        def first() -> str:
            return '<form method="post" action="/second"><input name="name"></form>'

        @app.post("/second")
        def second() -> Any:
            if code is None:
                return repeat("third")
            count(f"second {request.form['name']}")
            return redirect(url_for("third"), code)

        @app.route("/third", methods=["GET", "POST"])
        def third() -> Any:
            if request.method == "POST":
                count(f"third {request.form['name']}")
            return f"<h1>Third by {request.method}</h1>"

    return build


LESSONS = {
    "hello": (hello, ["Ann"], 303, "Hello, Ann!"),
    "submit": (submit, ["Ann"], 303, "Thank you! Ann"),
    "302": (choices(302), ["second Ann"], 303, "Third by GET"),
    "307": (choices(307), ["second Ann", "third Ann"], 307, "Third by POST"),
    "repeat": (choices(None), ["third Ann"], 307, "Third by POST"),
}


@pytest.mark.parametrize("lesson", LESSONS)
def test_a_double_click_is_one_effect(app: Flask, count: Count, lesson: str) -> None:
    """The lesson's app, unchanged but for one line: two clicks, one effect, one page at the end."""
    build, expected, status, heading = LESSONS[lesson]
    build(app, count)
    with visiting(app) as visitor:
        form = visitor.get("/").form
        sent = form.filled(name="Ann")
        answers = twice(visitor, visitor.get("/"), name="Ann") if status == 303 else []
        answers = answers or [visitor.post(sent, form.action) for _ in range(2)]
        assert {(a.status_code, a.headers["location"]) for a in answers} == {
            (status, answers[0].headers["location"])
        }
        if status == 303:
            pages = [visitor.follow(answer) for answer in answers]
        else:  # the browser sends the same form again, each time that it is told to
            location = answers[0].headers["location"]
            assert all(visitor.post(sent, location).status_code == 200 for _ in range(2))
            pages = []
        assert all(page.texts("h1") == [heading] for page in pages)
    assert count.all() == expected


def test_a_repeated_post_shows_its_page(app: Flask, count: Count) -> None:
    """The first POST that a 307 leads to gets the page itself; its duplicate hears it was done."""
    choices(307)(app, count)
    with visiting(app) as visitor:
        form = visitor.get("/").form
        sent = form.filled(name="Ann")
        location = visitor.post(sent, form.action).headers["location"]
        first, second = (visitor.post(sent, location) for _ in range(2))
    assert "Third by POST" in first.text and "already" in second.text
    assert count.all() == ["second Ann", "third Ann"]


def test_hello_goes_on_as_the_book_says(app: Flask, count: Count) -> None:
    """Name and message survive; an empty name is an error beside the field."""
    hello(app, count)
    with visiting(app) as visitor:
        page = visitor.get("/")
        for name in ("Ann", "Bob"):
            page = visitor.follow(visitor.submit(visitor.get("/"), name=name))
            assert page.texts("h1") == [f"Hello, {name}!"]
        assert page.said == ["Looks like you have changed your name!"]
        assert visitor.get("/").said == []
        wrong = visitor.submit(visitor.get("/"), name=" ")
        assert wrong.status_code == 200 and "This field is required." in wrong.text
    assert count.all() == ["Ann", "Bob"]


# Flask-WTF ----------------------------------------------------------------------------------


def test_csrf_protection_may_stay_on(app: Flask, count: Count) -> None:
    """CSRFProtect and its token work as before, and its token is no part of what was sent."""
    CSRFProtect(app)
    hello(app, count)
    with visiting(app) as visitor:
        first, second = visitor.get("/"), visitor.get("/")
        answers = [visitor.submit(first, name="Ann")]
        sent = first.form.filled(name="Ann", csrf_token=second.form.fields["csrf_token"])
        answers.append(visitor.post(sent, first.form.action))
        assert [a.status_code for a in answers] == [303, 303]
        assert answers[0].headers["location"] == answers[1].headers["location"]
        bare = visitor.post(second.form.filled(name="Eve", csrf_token="no"), "/?so")
        assert bare.status_code == 400
    assert count.all() == ["Ann"]


def test_an_exempt_view_takes_posts_from_anywhere(app: Flask, count: Count) -> None:
    """What `csrf.exempt` lets through is let through here; everything else is refused."""
    csrf = CSRFProtect(app)

    def hook() -> str:
        count("hook")
        return "ok"

    app.add_url_rule("/hook", view_func=csrf.exempt(hook), methods=["POST"])
    app.add_url_rule("/", view_func=lambda: "no", methods=["POST"], endpoint="index")
    away = {"Sec-Fetch-Site": "cross-site", "Origin": "https://pay.example"}
    client = app.test_client()
    sent = {"data": {"a": "b"}, "headers": away}
    answers = [client.post(path, **sent).status_code for path in ("/", "/hook")]
    assert (answers, count.all()) == ([403, 200], ["hook"])


class Address(Form):  # type: ignore[misc]
    """An enclosed form."""

    city = StringField(validators=[DataRequired("No city.")])


class Everything(FlaskForm):  # type: ignore[misc]
    """One field of each kind."""

    name = StringField(validators=[DataRequired("No name."), Length(max=3, message="Too long.")])
    age = IntegerField(validators=[DataRequired("No age.")])
    agrees = BooleanField()
    password = PasswordField()
    tags = FieldList(StringField(validators=[Length(max=3, message="Long tag.")]), min_entries=2)
    address = FormField(Address)


def everything(app: Flask, count: Count) -> None:
    """A form that is shown again over a redirect."""

    @app.route("/", methods=["GET", "POST"])
    def index() -> Any:
        form = restore(Everything)
        if form.validate_on_submit():
            count(form.name.data)
            return redirect("/")
        if request.method == "POST":
            return redisplay(form)
        page = "<i>{{ f.name }}: {{ f.errors | join(' ') }}</i>"
        return render_template_string(
            '<form method="post">{{ form.hidden_tag() }}{{ form.name() }}{{ form.age() }}'
            "{{ form.agrees() }}{{ form.password() }}{% for t in form.tags %}{{ t() }}{% endfor %}"
            "{{ form.address.city() }}</form>"
            "{% for f in [form.name, form.age, form.tags[0], form.tags[1], form.address.city] %}"
            + page
            + "{% endfor %}",
            form=form,
        )


WRONG = {"name": "Annabel", "age": "x", "tags-0": "ok", "tags-1": "much too long"}


def test_what_was_typed_comes_back(app: Flask, count: Count) -> None:
    """303, then the form as it was typed, each error beside its field; a reload keeps it."""
    everything(app, count)
    with visiting(app) as visitor:
        page = visitor.get("/")
        answer = visitor.submit(page, **WRONG, password="geheim")
        for _ in range(2):
            page = visitor.follow(answer)
            assert {name: page.form.fields[name] for name in WRONG} == WRONG
            assert page.form.fields["password"] == "" and "geheim" not in page.source
            assert page.texts("i") == [
                "name: Too long.",
                "age: No age.",
                "tags-0:",
                "tags-1: Long tag.",
                "address-city: No city.",
            ]
        fields = {"name": "Ann", "age": "7", "tags-1": "", "address-city": "Bern"}
        assert visitor.submit(page, **fields).headers["location"].startswith("/")
        assert visitor.get("/").form.fields["name"] == ""
    assert count.all() == ["Ann"]


def test_without_a_cookie_the_form_is_answered_in_place(app: Flask, count: Count) -> None:
    """Nothing can be kept for a browser without cookies: 422, with text and errors."""
    app.config["WTF_CSRF_ENABLED"] = False
    everything(app, count)
    with visiting(app) as visitor:
        visitor.keeps_cookies = False
        answer = visitor.submit(visitor.get("/"), **WRONG)
        assert answer.status_code == 422
        assert "\nAnnabel</textarea>" in answer.text and "Too long." in answer.text


class Plain(Form):  # type: ignore[misc]
    """A form of WTForms alone."""

    name = StringField(validators=[DataRequired("No name.")])


def test_plain_wtforms_will_do(app: Flask, count: Count) -> None:
    """`restore` reads the posted form for a class without Flask-WTF, and forms find their data."""

    @app.route("/", methods=["GET", "POST"])
    def index() -> Any:
        form = restore(Plain, data={"name": "preset"})
        if request.method == "POST":
            if not form.validate():
                return redisplay(form)
            count(form.name.data)
            return redirect("/")
        text = "{{ form.name() }}{{ form.name.errors | join }}"
        return render_template_string(f'<form method="post">{text}</form>', form=form)

    with visiting(app) as visitor:
        page = visitor.get("/")
        assert page.form.fields["name"] == "preset"
        wrong = visitor.follow(visitor.submit(page, name=""))
        assert "No name." in wrong.source and wrong.form.fields["name"] == ""
        visitor.submit(wrong, name="Ann")
    assert count.all() == ["Ann"]
