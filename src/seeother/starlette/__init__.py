"""seeother in Starlette and FastAPI.

`SeeOtherMiddleware` stands around the app: forms get their token, `request.session` merges, a
redirect after a form is 303, and every form that is posted is a submission. `once` makes it joined.
"""

from .effect import once as once
from .forms import context as context
from .forms import invalid_form as invalid_form
from .middleware import SeeOtherMiddleware as SeeOtherMiddleware
from .middleware import SessionMiddleware as SessionMiddleware
from .verbs import flash as flash
from .verbs import flashes as flashes
from .verbs import repeat as repeat
from .verbs import see_other as see_other
from .verbs import visit_of as visit_of
