"""What two protections cost: the rate with each of them beside the rate without it.

Both rates come from the same writers on the same database; the broker is started again
between the rounds. Without TLS the same bytes travel on a bare connection. Without the
post-quantum half nothing of ML-KEM and ML-DSA is computed on either side.
"""

from bench import writes
from bench.rows import Row
from bench.stage import Stage

WRITERS = 16


async def run(stage: Stage) -> list[Row]:
    """Compare the rates, which take turns."""
    async with stage.workshop() as workshop:
        writers = await writes.make_writers(workshop, min(WRITERS, max(stage.scale.writers)))
    rates: dict[str, list[float]] = {"": [], "tls": [], "pq": []}
    for _ in range(stage.scale.rounds):
        for without, found in rates.items():
            await stage.stop()
            await stage.start(*filter(None, (without,)))
            url = stage.url.replace("https://", "http://") if without == "tls" else ""
            done = await writes.write(stage, writers, WRITERS, url)
            found.append(done.recorded / done.seconds)
    await stage.stop()
    await stage.start()
    return [
        writes.compared("a", "TLS 1.3 on beside off", rates[""], rates["tls"], 0.75),
        writes.compared("a", "post-quantum on beside off", rates[""], rates["pq"], 0.80),
    ]
