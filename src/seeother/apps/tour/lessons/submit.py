"""One form by GET, one by POST, a redirect, and a session that remembers: Flask."""

import os
from secrets import token_hex

from flask import Flask, abort, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from seeother.apps.tour.effects import record

app = Flask(__name__)
# The key signs the session cookie: whoever knows it can write any session. It is long, random, and
# comes from outside; this one is made up anew, and every session ends, when the program starts.
app.secret_key = os.environ.get("SECRET_KEY", token_hex())


@app.route("/submit", methods=["GET", "POST"])
def submit() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("submit/submit.html", name=session.get("username"))
    username = request.form["username"] or abort(400)  # a missing field is a 400 as well
    session["username"] = username
    record(f"submitted by {username}")
    return redirect(url_for("thankyou"))


@app.route("/thankyou")
def thankyou() -> ResponseReturnValue:
    username = request.args.get("username", session.get("username"))
    if username == "":
        abort(400)
    return render_template("submit/thankyou.html", username=username)


@app.route("/submit/forget", methods=["GET", "POST"])
def forget() -> ResponseReturnValue:
    if request.method == "GET":  # which changes nothing
        return render_template("submit/forget.html", name=session.get("username"))
    record(f"forgot {session.get('username', 'nobody')}")
    session.clear()
    return redirect(url_for("submit"))


@app.errorhandler(400)
def missing(_error: Exception) -> ResponseReturnValue:
    return render_template("submit/missing.html"), 400


if __name__ == "__main__":
    app.run(port=8000)
