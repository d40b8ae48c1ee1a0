"""seeother in Flask.

    from flask import Flask, flash, redirect, session, url_for
    from seeother.flask import SeeOther

    app = Flask(__name__)
    app.secret_key = ...
    SeeOther(app)

Nothing else changes: `session`, `flash`, `get_flashed_messages`, `redirect`, Flask-WTF and the
templates stay as they are. Forms get their token on the way out, a double click is one submission,
a redirect after a POST is 303, a message is shown once and in the tab that caused it, and two
requests at once cannot lose each other's session writes.

What a POST is worth depends on where its row in the ledger lives:

* `@so.once(db)` on a view: **joined**, exactly once, outcome included, over crashes;
* the same with `SeeOther(app, mode="fenced")` or `@so.once(db, mode="fenced")`: **fenced**, exactly
  once, and nothing is locked before the view's first write: for views that take long;
* with Flask-SQLAlchemy on one SQLite file and nothing else said: **hooked**, the view's first
  commit happens at most once (`seeother.flask.hooked`);
* without it, or with several binds: **separate**, at most once, and after a crash an honest "in
  doubt".

The modules in the order of a request: `extension` (what stands around the app), `visits`,
`sessions` (`flask.session` and messages), `guard` (who runs a view), `effect` (`once`), `hooked`,
`verbs` (what views and templates call), `forms` (WTForms); `settings` is where it all begins.
`login` is about Flask-Login where it is there, `commands` is `flask seeother`.
"""

from .extension import SeeOther as SeeOther
from .forms import redisplay as redisplay
from .forms import restore as restore
from .sessions import SeeOtherSessionInterface as SeeOtherSessionInterface
from .verbs import repeat as repeat
from .verbs import see_other as see_other
from .verbs import visit_of as visit_of
