"""A practice on each sandbox, a scripted Elation, and a practice with its keys, for the several files of this folder that test with them."""

from __future__ import annotations

from tests.integration.data_keys import driver, folder, owner  # noqa: F401 - fixtures
from tests.integration.elation import clinic  # noqa: F401 - a fixture
from tests.integration.elation_script import client, meters, session, vendor  # noqa: F401 - fixtures
from tests.integration.kareo_customer import both, world  # noqa: F401 - fixtures
from tests.integration.place import nobody, place, recorded, written  # noqa: F401 - fixtures
from tests.integration.visiting import visited, visited_file, visited_owner  # noqa: F401 - fixtures
