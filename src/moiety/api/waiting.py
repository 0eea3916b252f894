"""What goes in and comes out where others than the gate sign: devices' signatures, questions that wait, signatures."""

from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from moiety.foundation.errors import BadInput
from moiety.warrants.proofs import DeviceSlip, SignedSlip
from moiety.warrants.warrant import Scheme

FACES_MAX: Final = 1000
TIME_MAX: Final = 1 << 40

Hex32 = StringConstraints(pattern=r"^[0-9a-f]{64}$")
Hex64 = StringConstraints(pattern=r"^[0-9a-f]{128}$")
Text = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,8192}$"), Field(description="base64url, unpadded.")]


class BySigner(BaseModel):
    """A picture's form where others than the gate may sign; a device sends all of its five fields."""

    model_config = ConfigDict(extra="forbid")

    face: Annotated[int, Field(ge=0, lt=FACES_MAX, description="Which face, the biggest being 0.")] = 0
    device: Annotated[str, Hex32, Field(description="A device's raw Ed25519 public key, in hex.")] | None = None
    door: Annotated[str, StringConstraints(max_length=100)] | None = None
    time: Annotated[int, Field(ge=0, lt=TIME_MAX, description="Seconds since 1970 by the device's clock.")] | None = (
        None
    )
    nonce: Annotated[str, Hex32] | None = None
    signature: Annotated[str, Hex64, Field(description="Ed25519 over the slip's digest, in hex.")] | None = None

    @model_validator(mode="after")
    def _all_or_none(self) -> Self:
        fields = (self.device, self.door, self.time, self.nonce, self.signature)
        if any(one is None for one in fields) and any(one is not None for one in fields):
            raise ValueError
        return self

    def slip(self, image_sha256: bytes, case: str) -> SignedSlip | None:
        """Give what a device signed, if one did; its door is the case.

        Raises:
            BadInput: another case is given.

        """
        if self.device is None or self.door is None or self.time is None or not self.nonce or not self.signature:
            return None
        if case not in {"", self.door}:
            raise BadInput("The case of a device's question is its door.")
        slip = DeviceSlip(image_sha256, self.door, self.time, bytes.fromhex(self.nonce))
        return SignedSlip(slip, bytes.fromhex(self.device), bytes.fromhex(self.signature))


class QuestionSeen(BaseModel):
    """A question that waits for signatures, or its answer.

    `answer` is what the direct route would have given, with the status that it would have had; `problem` is why it was
    refused. Both are shown once, to whoever asked. `sign_at` is the page of the witness on which people sign.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    state: Literal["waiting", "answered", "refused", "expired"]
    act: str
    gallery_id: str
    gallery: str
    needs: str
    signed: int
    wanted: int
    expires_at: datetime
    sign_at: str
    status: int | None = None
    answer: dict[str, Any] | None = None
    problem: dict[str, Any] | None = None
    entries: Annotated[list[int] | None, Field(description="The ledger's entries of what was done.")] = None


class QuestionList(BaseModel):
    """The questions that the caller may see, oldest first; no answers."""

    model_config = ConfigDict(frozen=True)

    questions: list[QuestionSeen]


class PaperSeen(BaseModel):
    """One warrant to be signed: canonical bytes in base64url, and what its target is the digest of."""

    model_config = ConfigDict(frozen=True)

    warrant: str
    statement: str
    about: dict[str, Any]


class Material(BaseModel):
    """What is handed to the page on which people sign; it believes none of it and checks all of it."""

    model_config = ConfigDict(frozen=True)

    moiety: Literal["question/1"] = "question/1"
    id: str
    gallery_name: str
    needs: str
    signed: int
    wanted: int
    nonce: str
    papers: list[PaperSeen]
    picture: str | None


class SignatureGiven(BaseModel):
    """A signature for the paper of this number, as the signing page gives it."""

    model_config = ConfigDict(extra="forbid")

    moiety: Literal["signature/1"] = "signature/1"
    question: Annotated[str, StringConstraints(max_length=64)] | None = None
    paper: Annotated[int, Field(ge=0, lt=FACES_MAX)] = 0
    scheme: Scheme
    signer: Text
    value: Text
