"""Serves the small app: `python tests/clients/serve.py flask FOLDER PORT`, from any folder."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.clients.site import serve

serve(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
