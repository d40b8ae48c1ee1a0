"""A guessing game: Django in one file, with the headings of the files that it usually is."""

import os
from pathlib import Path
from secrets import token_hex

from django import forms
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views import View

from seeother.apps.tour.effects import record

# settings.py
SECRET_KEY = os.environ.get("SECRET_KEY", token_hex())
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
ROOT_URLCONF = __name__
BACKEND = "django.template.backends.django.DjangoTemplates"
TEMPLATES = [{"BACKEND": BACKEND, "DIRS": [Path(__file__).parent / "templates"]}]
INSTALLED_APPS = ["django.contrib.sessions"]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "guess.db"}}


# forms.py
class GuessForm(forms.Form):
    guess = forms.IntegerField(
        widget=forms.TextInput({"inputmode": "numeric"}),  # keeps what is no number
        error_messages={"invalid": "Please type a whole number"},
    )


# views.py
def judge(guess: int) -> str:
    record(f"guessed {guess}")
    if guess == 42:
        return "Congratulations!"
    return "Your guess was too low" if guess < 42 else "Your guess was too high"


class AwesomeView(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        message = request.session.get("message", "")
        if message:
            del request.session["message"]
        return render(request, "guess/awesome.html", {"message": message})

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            request.session["message"] = judge(int(request.POST.get("guess", "")))
        except ValueError:
            request.session["message"] = "Please type a whole number"
        return redirect(request.path)


class GuessFormView(View):
    def get(self, request: HttpRequest, form: GuessForm | None = None) -> HttpResponse:
        message = request.session.pop("message", "")
        return render(request, "guess/form.html", {"form": form or GuessForm(), "message": message})

    def post(self, request: HttpRequest) -> HttpResponse:
        form = GuessForm(request.POST)
        if not form.is_valid():
            return self.get(request, form)
        request.session["message"] = judge(form.cleaned_data["guess"])
        return redirect(request.path)


# urls.py
urlpatterns = [
    path("getpost/awesome", AwesomeView.as_view(), name="awesome"),
    path("getpost/form", GuessFormView.as_view(), name="form"),
]

# manage.py
if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = __name__
    execute_from_command_line(["guess", "migrate", "--verbosity=0"])
    execute_from_command_line(["guess", "runserver", "8000", "--noreload"])
