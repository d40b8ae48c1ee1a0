"""Orders."""

from django.db import models


class Order(models.Model):
    tea: "models.CharField[str, str]" = models.CharField(max_length=80)

    class Meta:
        db_table = "orders"

    def __str__(self) -> str:
        return self.tea
