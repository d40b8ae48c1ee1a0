"""What is your name? A form class, a session and messages: Flask with Flask-WTF."""

import os
from secrets import token_hex

from flask import Flask, flash, redirect, render_template, session, url_for
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import StringField, SubmitField
from wtforms.validators import DataRequired, Length

from seeother.apps.tour.effects import record

app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY", token_hex())


class NameForm(FlaskForm):
    name = StringField("What is your name?", validators=[DataRequired(), Length(max=40)])
    submit = SubmitField("Submit")


@app.route("/hello", methods=["GET", "POST"])
def hello() -> ResponseReturnValue:
    form = NameForm()
    if form.validate_on_submit():
        if session.get("name") not in (None, form.name.data):
            flash("You have changed your name!", "info")
        flash(f"Nice to meet you, {form.name.data}.", "success")
        session["name"] = form.name.data
        record(f"greeted {form.name.data}")
        return redirect(url_for("hello"))
    return render_template("hello/hello.html", form=form, name=session.get("name"))


@app.route("/hello/elsewhere")
def elsewhere() -> ResponseReturnValue:
    return render_template("hello/elsewhere.html", name=session.get("name"))


if __name__ == "__main__":
    app.run(port=8000)
