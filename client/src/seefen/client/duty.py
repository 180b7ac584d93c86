"""What a node's officers on duty have beside alerts and cases, as ``client.duty``.

``cards`` whom to call, ``codelists`` the node adopted, ``handover`` of the watch,
``action_days``, ``emergencies`` for an officer who was not assigned, and ``assigning`` by
the roster.
"""

from seefen.client.actiondays import ActionDays
from seefen.client.assigning import Assigning
from seefen.client.cards import Cards
from seefen.client.casework import Casework
from seefen.client.codelists import Codelists
from seefen.client.emergencies import Asking, Granting
from seefen.client.engine import Engine
from seefen.client.handover import HandingOver
from seefen.client.house import House
from seefen.client.messaging import Messaging
from seefen.client.pushes import Pushes
from seefen.client.reading import Reader
from seefen.client.requests import Requests


class Duty:
    """The parts, each with its own methods."""

    def __init__(
        self,
        engine: Engine,
        casework: Casework,
        messaging: Messaging,
        reader: Reader,
        house: House,
        requests: Requests,
        pushes: Pushes,
    ) -> None:
        find = casework.find_object
        self.cards = Cards(engine, casework, messaging)
        self.handover = HandingOver(engine, house, requests, messaging, find)
        self.codelists = Codelists(engine, house, find)
        self.action_days = ActionDays(engine, casework, messaging, find)
        self.emergencies = Asking(engine, casework, reader, house)
        granting = Granting(engine, casework, messaging, house)
        self.assigning = Assigning(engine, casework, house, pushes, granting)
