"""seeother in Django.

    INSTALLED_APPS = ["seeother.django", ...]
    MIDDLEWARE = ["seeother.django.middleware.SeeOtherMiddleware", ...]      # first
    SESSION_ENGINE = "seeother.django.sessions"
    MESSAGE_STORAGE = "seeother.django.messages.FlashStorage"

and `manage.py migrate`. No view changes: forms get their token on the way out, each form that is
posted runs in one transaction together with its row in the ledger (mode **joined**: exactly once,
outcome included, over crashes), a redirect after it is 303, a message is shown once and in the tab
that caused it. `{% csrf_token %}` and CsrfViewMiddleware stay as they are. Views that take long are
for mode **fenced** (`seeother_fenced`, or SEEOTHER = {"mode": "fenced"}): exactly once as well, and
nothing is locked before their first write.

The modules in the order of a request: `middleware`, `incoming` (the request as the core sees it),
`exchange` (who runs the view), `transaction` and `store` (the ledger in the app's own database;
`late` and `pg_late` are mode fenced),
`visits`, `answers`; `sessions` and `messages` are what Django's settings name; `verbs` and `forms`
what views call, `templatetags` what templates call; `csrf`, `checks`, `login` and `settings` are
about the project as a whole; `models`, `admin`, `operators` and `management` are for who runs it.
"""

from .exempt import seeother_exempt as seeother_exempt
from .exempt import seeother_fenced as seeother_fenced
from .forms import SeeOtherFormMixin as SeeOtherFormMixin
from .verbs import repeat as repeat
from .verbs import see_other as see_other
from .verbs import visit_of as visit_of
