"""Where the views are."""

from django.conf.urls.i18n import i18n_patterns
from django.contrib import admin
from django.urls import path

from . import views

urlpatterns = [
    path("", views.order, name="order"),
    path("done/", views.done, name="done"),
    path("raising/", views.raising),
    path("hooking/", views.hooking),
    path("doomed/", views.doomed),
    path("alone/", views.alone),
    path("hook/", views.hook),
    path("stream/", views.stream),
    path("guess/", views.guess),
    path("verbs/", views.verbs),
    path("during/", views.during),
    path("slow/", views.slow),
    path("aslow/", views.aslow),
    path("upload/", views.upload),
    path("crash/", views.crash),
    path("falling/", views.falling),
    path("ordering/", views.Ordering.as_view()),
    path("plain/", views.Plain.as_view()),
    path("deleting/<int:pk>/", views.Deleting.as_view()),
    path("updating/<int:pk>/", views.Updating.as_view()),
    path("several/", views.Several.as_view()),
    path("elsewhere/", views.elsewhere),
    path("tagged/", views.tagged),
    path("atagged/", views.atagged),
    path("async/", views.aorder),
    path("admin/", admin.site.urls),
    *i18n_patterns(path("hook/", views.hook)),
]
