"""Three pages, and where a form may lead: 302 and 303 go on by GET, 307 sends the form again."""

import os
from secrets import token_hex

from flask import Flask, abort, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from seeother.apps.tour.effects import record
from seeother.apps.tour.lessons import lesson

app = Flask(__name__)
app.secret_key = os.environ.get("SECRET_KEY", token_hex())


@app.route("/first")
def first() -> ResponseReturnValue:
    return render_template("pages/first.html")


@app.route("/second", methods=["GET", "POST"])
def second() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("pages/second.html", message=session.pop("message", ""))
    choice, code = request.form["choice"], request.form.get("code", "303")
    if choice not in ("no", "yes") or code not in ("302", "303", "307"):
        abort(400)
    if choice == "yes" and code == "307":
        return redirect(url_for("third"), 307)
    record(f"chose {choice}")
    if choice == "yes":
        return redirect(url_for("third"), int(code))
    session["message"] = "Welcome Back!"
    return redirect(url_for("second"))


@app.route("/third", methods=["GET", "POST"])
def third() -> ResponseReturnValue:
    if request.method == "POST":  # after 307
        record("the form came to the third page")
    return render_template("pages/third.html")


@app.route("/questions", methods=["GET", "POST"])
def questions() -> ResponseReturnValue:
    if request.method == "POST":
        session["answers"] = [answer[:200] for answer in request.form.getlist("answer")]
        record("answered the questions")
        return redirect(url_for("questions"))
    asked, answers = lesson("pages").questions, session.get("answers", [])
    return render_template("pages/questions.html", questions=asked, answers=answers)


if __name__ == "__main__":
    app.run(port=8000)
