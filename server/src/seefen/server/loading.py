"""Loading what a job needs to be judged, a query for each kind of thing."""

from seefen.protocol.envelope import open_envelope
from seefen.protocol.statements import Manifest
from seefen.server.cases import rebuild_case
from seefen.server.rows import Reads
from seefen.server.view import Known, Needs


async def load(known: Known, needs: Needs, reads: Reads) -> None:
    """Load what is missing into what is known.

    What another commit has taught meanwhile is newer, and stays. Where it was taught and
    forgotten again, what was read is older than that, and whoever needs it reads once more:
    else a message could be judged by members of before, or an id be held for free that is taken.
    """
    for case in needs.cases:
        with known.reading() as reader:
            rows = await reads.case(case)
        if reader.has_now(case):
            known.learn_case(case, None if rows is None else rebuild_case(case, rows))
    if needs.devices:
        with known.reading() as reader:
            numbers = await reads.device_numbers(needs.devices)
        missing = known.missing(Needs(devices=needs.devices)).devices
        for device in filter(reader.has_now, missing):
            known.learn_device(device, numbers.get(device, 0))
    if needs.objects:
        with known.reading() as reader:
            objects = await reads.objects(needs.objects)
        for object_ in filter(reader.has_now, known.missing(Needs(objects=needs.objects)).objects):
            known.learn_object(object_, objects.get(object_))
    await _load_numbers(known, needs, reads)
    await _load_manifests(known, needs, reads)


async def _load_numbers(known: Known, needs: Needs, reads: Reads) -> None:
    for number in needs.numbers:
        with known.reading() as reader:
            taken = await reads.number_taken(*number)
        if reader.has_all_now(number):
            known.learn_number(*number, taken=taken)


async def _load_manifests(known: Known, needs: Needs, reads: Reads) -> None:
    for about in needs.manifests:
        with known.reading() as reader:
            row = await reads.last_manifest(*about)
        last = None if row is None else open_envelope(row.envelope, row.kind).statement
        if reader.has_all_now(about):
            known.learn_manifest(*about, last.upto if isinstance(last, Manifest) else 0)
