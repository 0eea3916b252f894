"""Every setting there is, in one table; docs/settings.md says the same, and a test holds them together."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from moiety.foundation.errors import BadInput


@dataclass(frozen=True, slots=True)
class Setting:
    """One environment variable."""

    name: str
    default: str
    meaning: str
    allowed: tuple[str, ...] = ()


SETTINGS = (
    Setting("MOIETY_DATA", "./moiety-data", "Folder of the installation that commands talk to (`--data`)."),
    Setting("MOIETY_KEYS", "", "Folder of the parts' keys; empty: `keys` in the data folder. Best on another disk."),
    Setting(
        "MOIETY_DATABASE",
        "",
        "The gate's database on a PostgreSQL server, `postgresql://…`; empty: a SQLite file in the data folder.",
    ),
    Setting("MOIETY_MODELS", "", "Folder of the installed models; empty: `moiety/models` in the user's cache folder."),
    Setting("MOIETY_MODEL", "faceplugin", "Name of the embedder, as `moiety models list` shows it."),
    Setting("MOIETY_RUNTIME", "openvino", "Inference engine.", ("openvino", "onnxruntime")),
    Setting("MOIETY_THREADS", "2", "Threads of the inference engine."),
    Setting("MOIETY_DETECTOR", "auto", "Face detector.", ("auto", "fast", "accurate")),
    Setting("MOIETY_LIVENESS", "off", "Liveness as advice.", ("off", "on")),
    Setting(
        "MOIETY_SCRUB_HOURS", "24", "Hours between two scrubs of each gallery, set at vault A; 0: never by itself."
    ),
    Setting(
        "MOIETY_REFRESH_HOURS",
        "168",
        "Hours between two refreshes of each gallery, set at vault A; 0: never by itself.",
    ),
    Setting("MOIETY_HOST", "127.0.0.1", "Address on which the gate listens."),
    Setting("MOIETY_PORT", "8080", "Port on which the gate listens (`--port`); 0: any free one."),
    Setting("MOIETY_HOSTS", "", "Further host names under which the gate may be called, separated by commas."),
    Setting("MOIETY_CANARIES", "2", "Made-up faces in each gallery, by which the vaults are tested; 0: none."),
    Setting("MOIETY_CANARY_MINUTES", "60", "Minutes between two questions for the made-up faces."),
    Setting(
        "MOIETY_DECOYS",
        "100",
        "Made-up people among so many real ones one, at least two and at most a hundred in a gallery of twenty or more,"
        " whom nobody has a reason to open; 0: none are planted by themselves.",
    ),
    Setting("MOIETY_COSIGN_MINUTES", "5", "Minutes between two signatures of the witness under the ledger; 0: none."),
    Setting("MOIETY_BACKUP_DAYS", "30", "After so many days a backup is destroyed by the next one."),
    Setting("MOIETY_BACKUP_SEEDS_DAYS", "7", "The same for vault B's seeds and personal keys."),
    Setting("MOIETY_WITNESS_HOST", "127.0.0.1", "Address on which the witness's signing page listens."),
    Setting("MOIETY_WITNESS_PORT", "", "Port of the signing page; empty: the gate's and one, or any where that is 0."),
    Setting("MOIETY_WITNESS_ORIGIN", "", "Where people find the signing page; empty: `http://localhost` and its port."),
    Setting(
        "MOIETY_GATE_ORIGINS", "", "Gates whose consoles may open the signing page; empty: the one on this machine."
    ),
    Setting("MOIETY_SESSION_HOURS", "8", "Hours after which a person's session at the gate ends; at most 12."),
    Setting("MOIETY_SESSION_IDLE_MINUTES", "15", "Minutes without a request after which it ends."),
    Setting("MOIETY_OIDC_ISSUER", "", "Issuer of the organisation's OpenID Connect provider; empty: there is none."),
    Setting("MOIETY_OIDC_CLIENT_ID", "", "The gate's client id there."),
    Setting("MOIETY_OIDC_SECRET_FILE", "", "File that holds the gate's client secret there, for the gate alone."),
    Setting(
        "MOIETY_OIDC",
        "needed",
        "Whether people sign in with their passkey alone when the provider has not said who they are.",
        ("needed", "optional"),
    ),
    Setting("MOIETY_MINT_STOCK_MB", "64", "Memory at vault B for one-time bits dealt ahead of searches; 0: none."),
    Setting(
        "MOIETY_TRACES",
        "",
        "Address of a collector of traces (OTLP over HTTP, such as `http://localhost:4318`); empty: no traces.",
    ),
    Setting(
        "MOIETY_RECORDS",
        "staffed",
        "Whether people are kept only with basis, controller and source; `staffed`: once somebody works here.",
        ("staffed", "needed", "optional"),
    ),
    Setting(
        "MOIETY_SECURITY_CONTACT",
        "",
        "Where strangers report holes (`mailto:…` or `https://…`), in security.txt; empty: the gate's own form.",
    ),
    Setting("MOIETY_SECURITY_POLICY", "", "Address of the policy for such reports, in security.txt; empty: none."),
    Setting("MOIETY_SECURITY_LANGUAGES", "en", "Languages in which reports are read, in security.txt."),
    Setting("MOIETY_REPORT_DAYS", "7", "After so many days a report without an answer counts in public."),
    Setting(
        "MOIETY_REPORT_KEEP_DAYS",
        "365",
        "So many days after the answer, or where there is none after it came, a report's texts are erased; at least 1.",
    ),
    Setting(
        "MOIETY_APPROVAL_KEEP_DAYS",
        "90",
        "So many days after an approval's end what it said is erased, and its digest stays; at least 1.",
    ),
    Setting(
        "MOIETY_OPERATOR_NAME_DAYS",
        "365",
        "So many days after somebody stopped working here their name is erased, and the id stays; at least 1.",
    ),
    Setting("MOIETY_DRILL_DAYS", "30", "After so many days without a report of drills one is overdue; 0: never."),
    Setting(
        "MOIETY_PERSON_FIELDS_HOUR",
        "60",
        "Fields that one person who works here may have shown in an hour, set at the gate and at vault B.",
    ),
    Setting("MOIETY_PERSON_FIELDS_MONTH", "500", "The same in thirty days, set at vault B."),
    Setting(
        "MOIETY_PERSON_LABELS_HOUR",
        "2000",
        "References that one person may see in an hour, masked ones of lists too, set at the gate and at vault B.",
    ),
    Setting("MOIETY_PERSON_LABELS_MONTH", "20000", "The same in thirty days, set at vault B."),
    Setting(
        "MOIETY_GALLERY_FIELDS_MONTH",
        "10000",
        "Fields of one gallery that all together may have shown in thirty days, set at vault B.",
    ),
    Setting("MOIETY_GALLERY_LABELS_MONTH", "1000000", "The same of references."),
    Setting(
        "MOIETY_REPEATS",
        "5",
        "So many looks at one person by one who works here tell another unit; 0: never.",
    ),
    Setting("MOIETY_REPEAT_DAYS", "7", "Days in which those looks are counted."),
    Setting(
        "MOIETY_ASSESSMENT",
        "staffed",
        "Whether a gallery answers only under an impact assessment with a day of review; `staffed`: as above.",
        ("staffed", "needed", "optional"),
    ),
    Setting("MOIETY_LOG", "info", "How much the parts log.", ("debug", "info", "warning", "error")),
)
_BY_NAME = {setting.name: setting for setting in SETTINGS}


def setting(name: str) -> str:
    """Read one setting from the environment, or its default.

    Raises:
        BadInput: the value is not one of those allowed.
        KeyError: there is no such setting in the table.

    """
    known = _BY_NAME[name]
    value = os.environ.get(name, "") or known.default
    if known.allowed and value not in known.allowed:
        raise BadInput(f"{name} must be one of: {', '.join(known.allowed)}.")
    return value


def number(name: str) -> int:
    """Read one setting as a whole number.

    Raises:
        BadInput: it is none.

    """
    try:
        return int(setting(name))
    except ValueError:
        raise BadInput(f"{name} must be a whole number.") from None


def folder(name: str) -> Path | None:
    """Read one setting as a path; None when it is empty."""
    value = setting(name)
    return Path(value).expanduser() if value else None
