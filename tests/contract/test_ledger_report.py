"""The annual report is what the ledger holds: counts by purpose, hits by band, no name and no id."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from api_in_process import DAY, WHY, api_over, upload
from databases import BOTH
from moiety.foundation.ids import SubjectId

if TYPE_CHECKING:
    from pathlib import Path

DOORS = "/v1/galleries/doors"


@BOTH
async def test_req_52_the_annual_report_is_counted_from_the_ledger_and_names_nobody(tmp_path: Path) -> None:
    """A year's report is counted from the ledger: questions, hits by band, acts by purpose, and nobody's name."""
    async with api_over(tmp_path) as api, api.owner as owner:
        await owner.post("/v1/galleries", json={"name": "doors", "purpose": "doors of the east building"})
        ada, ben = api.site.sight.person(), api.site.sight.person()
        made = await owner.post(f"{DOORS}/subjects", data=WHY | {"reference": "Ada King"}, files=upload(api.photo(ada)))
        subject = SubjectId(made.json()["subject_id"])
        for face in (ada, ada, ben):
            await owner.post(f"{DOORS}/identify", data=WHY, files=upload(api.photo(face)))
        for face in (ada, ben):
            await owner.post(f"{DOORS}/subjects/{subject}/verify", data=WHY, files=upload(api.photo(face)))
        told = (await owner.get("/v1/ledger/report")).json()
        (doors,) = [one for one in told["purposes"] if one["purpose"] == "doors of the east building"]
        assert doors["questions"] == {"identify": 3, "verify": 2}
        assert doors["outcomes"] == {"identify": {"strong": 2, "none": 1}, "verify": {"strong": 1, "none": 1}}
        assert doors["hits"] == {"strong": 2}
        assert doors["acts"]["enrol"] == 1

        # It is what a reader of the ledger counts, and nothing beside it.
        entries = (await owner.get("/v1/ledger", params={"limit": 1000})).json()["entries"]
        assert (told["entries"], told["first"], told["last"]) == (len(entries), 1, len(entries))
        # An outcome is a band in one word and says which picture it was of; it holds no number about a face.
        told_of = [one["detail"] for one in entries if one["act"].endswith("-outcome")]
        assert {tuple(sorted(one)) for one in told_of} == {("band", "began", "input")}
        assert sum(sum(one["kinds"].values()) for one in told["purposes"]) == len(entries)
        text = json.dumps(told)
        assert not [word for word in ("Ada", "King", "a test", "sub_", "gal_", "owner") if word in text]

        # Another year has its own, and the page shows the same to whoever may read the ledger.
        api.site.clock.move(366 * DAY)
        assert (await owner.get("/v1/ledger/report")).json()["entries"] == 0
        page = await owner.get("/report", params={"year": told["year"]}, headers={"accept": "text/html"})
        assert page.status_code == 200
        assert "doors of the east building" in page.text
        assert (await owner.get("/v1/ledger/report", params={"year": 1999})).status_code == 422
        async with api.client(api.key("gallery:probe:identify")) as door:
            assert (await door.get("/v1/ledger/report")).status_code == 403
            assert (await door.get("/report")).status_code == 403
