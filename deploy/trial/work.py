"""What the command line cannot do: sign, and count what is on record. Called by check.sh as Kenpin's user."""

import sys

from kenpin.config import read_settings
from kenpin.contracts.people import Proof
from kenpin.contracts.review import Meaning, QueueFilter
from kenpin.wiring import open_kenpin

kenpin = open_kenpin(read_settings())
ann = kenpin.people.sign_in("ann", "four unrelated words here")
if sys.argv[1] == "sign":
    inspection = kenpin.traces.ids()[-1]
    seen = kenpin.reviews.dossier(ann, inspection)
    kenpin.reviews.sign(ann, inspection, meaning=Meaning.APPROVED, head=seen.head, content_sha256=seen.content_sha256 or "",
                        proof=Proof(method="password", secret="four unrelated words here"))
for key in sorted(kenpin.traces.ids()):
    seen = kenpin.reviews.dossier(ann, key)
    print(key, seen.state, len(seen.trace.turns) if seen.trace else 0, seen.content_sha256)
print(len(kenpin.stored_cases.all()), "cases", sorted({case.id for case in kenpin.stored_cases.all()})[-1])
