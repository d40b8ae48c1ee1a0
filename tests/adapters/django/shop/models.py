"""Orders."""

from django.db import models


class Order(models.Model):
    """Something that must not be stored twice."""

    name: models.CharField[str, str] = models.CharField(max_length=40)

    def __str__(self) -> str:
        return self.name
