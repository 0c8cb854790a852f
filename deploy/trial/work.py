"""What the command line cannot do: sign, and tell what is on record. Called by check.sh as Kenpin's user."""

import sys

from kenpin.config import read_settings
from kenpin.contracts.people import Proof
from kenpin.contracts.review import Meaning
from kenpin.wiring import open_kenpin

PASSWORD = "four unrelated words here"  # noqa: S105 - of an account that check.sh makes and throws away
kenpin = open_kenpin(read_settings())
ann = kenpin.people.sign_in("ann", PASSWORD)
if sys.argv[1] == "sign":
    inspection = kenpin.traces.ids()[-1]
    seen = kenpin.reviews.dossier(ann, inspection)
    kenpin.reviews.sign(ann, inspection, meaning=Meaning.APPROVED, head=seen.head,
                        content_sha256=seen.content_sha256 or "", proof=Proof(method="password", secret=PASSWORD))
for key in sorted(kenpin.traces.ids()):
    seen = kenpin.reviews.dossier(ann, key)
    sys.stdout.write(f"{key} {seen.state} {len(seen.trace.turns)} {seen.content_sha256}\n")
cases = sorted(case.id for case in kenpin.stored_cases.all())
sys.stdout.write(f"{len(cases)} cases {cases}\n")
