"""The ledger in Django's admin, to look at.

Django imports this module where `django.contrib.admin` is installed, and nowhere else. Who has the
permission `seeother.view_submission` sees which submissions there are and how they ended; nobody
adds, changes or deletes one. A doubt is ended by `manage.py seeother_doubts`, where somebody who
found out says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from ..stores.inspect import survey
from .models import Submission
from .operators import operators_store

if TYPE_CHECKING:
    Admin = admin.ModelAdmin[Submission]
else:
    Admin = admin.ModelAdmin


@admin.register(Submission)
class SubmissionAdmin(Admin):
    """Read-only."""

    actions = None
    list_display = ("name", "state", "fence", "issued", "settled")
    list_filter = ("state",)
    search_fields = ("name__startswith",)
    fields = ("name", "state", "fence", "issued", "settled")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Submission]:
        """The rows; the default manager has none."""
        del request
        found: QuerySet[Submission] = Submission.rows.all()
        return found

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The list, under how much there is of the rest."""
        found = survey(operators_store())
        waiting = f"{found.waiting} with a message that waits"
        counts = f"Receipts: {found.receipts} ({waiting}). Sessions: {found.sessions}."
        context = {"subtitle": counts, "title": "Ledger", **(extra_context or {})}
        return super().changelist_view(request, context)

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Only a form that is sent makes one."""
        del request, obj
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """What was recorded is what was answered."""
        del request, obj
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """A submission whose row is gone would run again."""
        del request, obj
        return False
