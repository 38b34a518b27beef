"""JSON schemas of OpenAPI and AsyncAPI: named as the field says, and without clutter.

The classes they are made of are called after what they are here, ``OrderShape`` beside
the domain's ``Order``; whoever generates code from a document meets the names below.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

Json = dict[str, Any]
REF: Final = "#/components/schemas/{model}"
_PREFIX: Final = REF.format(model="")

NAMES: Final[Mapping[str, str]] = {
    # What is sent.
    "Withdrawal": "WithdrawalRequest",
    "Entry": "CascadeEntry",
    "Checkout": "CheckoutRequest",
    "Item": "CheckoutItem",
    "Fee": "CheckoutFee",
    "PartnerLink": "PartnerLinkRequest",
    "PartnerUnlink": "PartnerUnlinkRequest",
    "LinkCard": "CardToLink",
    "LinkedCard": "CardReference",
    "WithdrawalCancel": "WithdrawalCancelRequest",
    "Unlinking": "UnlinkRequest",
    "Resolution": "ResolveTaskRequest",
    "Cancellation": "CancelRequest",
    "Closing": "CloseRequest",
    "Erasing": "EraseRequest",
    "Withdrawing": "WithdrawVoteRequest",
    "Assignment": "AssignCaseRequest",
    "Settlement": "SettleCaseRequest",
    "Replaying": "OptionalReason",
    "Pausing": "PauseProviderRequest",
    "KeyWish": "CreateKeyRequest",
    "Revoking": "RevokeKeyRequest",
    "ThresholdWish": "SetFourEyesRequest",
    # What is answered.
    "SubmissionAnswer": "Submission",
    "OrderShape": "Order",
    "ExplainedShape": "ExplainedOrder",
    "StoryShape": "ListedOrder",
    "OrdersShape": "OrderPage",
    "TaskShape": "Task",
    "AttemptShape": "AttemptExplanation",
    "ProofShape": "AttemptProof",
    "EventShape": "AuditEntry",
    "EventsShape": "AuditTrail",
    "ServiceEventsShape": "ServiceEventPage",
    "CaseShape": "Case",
    "CasesShape": "CasePage",
    "DeadLetterShape": "DeadLetter",
    "DeadLettersShape": "DeadLetterPage",
    "ProviderShape": "Provider",
    "ProvidersShape": "ProviderList",
    "ErasedShape": "CustomerErasure",
    "RefusedShape": "ErasureRefusal",
    "KeyShape": "ApiKey",
    "KeysShape": "ApiKeyPage",
    "KeyAnswer": "ApiKeyAnswer",
    "FourEyesShape": "FourEyes",
    "ThresholdShape": "FourEyesThreshold",
    "ThresholdAnswer": "FourEyesAnswer",
    "ProposalShape": "ProposedThreshold",
    "CustomerMessageShape": "CustomerMessage",
    "ErrorShape": "FieldError",
    "CandidateShape": "OrderCandidate",
    # Words.
    "Kind": "OrderKind",
    "State": "TaskState",
    "Reason": "DeadLetterReason",
    "Action": "CustomerAction",
    "LinkResult": "OrderResult",
}


def named(model: str) -> str:
    """Return the name under which the documents have a model."""
    return NAMES.get(model, model)


def ref(model: str) -> Json:
    """Return a reference to a model's schema."""
    return {"$ref": REF.format(model=named(model))}


def tidied(schemas: Mapping[str, Json]) -> dict[str, Json]:
    """Return the schemas of models, by their names in the documents.

    Titles that only repeat a field's name are left out, and so are defaults of null: a
    field that may be left out is left out. A union of closed vocabularies becomes one:
    code that is generated for it has one type in place of several.

    :raises ValueError: two are called the same.
    """
    made: dict[str, Json] = {named(name): tidy(its) for name, its in schemas.items()}
    if len(made) != len(schemas):
        raise ValueError("two schemas have one name")
    return {name: _merged(schema, made) for name, schema in made.items()}


def tidy(node: Json) -> Json:
    """Return a schema, or what holds some, as :func:`tidied` says."""
    told: Json = {}
    for key, value in node.items():
        match key, value:
            case ("title", _) | ("default", None):
                continue
            case ("properties", dict()):
                told[key] = {name: tidy(its) for name, its in value.items()}
            case ("$ref", str()):
                told |= ref(value.removeprefix(_PREFIX))
            case ("description", str()):
                told[key] = value.replace("``", "`")
            case ("default" | "examples" | "enum" | "const", _):
                told[key] = value
            case (_, dict()):
                told[key] = tidy(value)
            case (_, list()):
                told[key] = [tidy(e) if isinstance(e, dict) else e for e in value]
            case _:
                told[key] = value
    return told


def drop_unused(document: Json) -> None:
    """Take the schemas out of a document that nothing in it refers to."""
    schemas = document["components"]["schemas"]
    while unused := schemas.keys() - {*referred(document)}:
        for name in unused:
            del schemas[name]


def referred(node: object) -> Iterator[str]:
    """Give the name of every schema that is referred to, in a document or a part."""
    if isinstance(node, dict):
        found = node.get("$ref")
        if isinstance(found, str) and found.startswith(_PREFIX):
            yield found.removeprefix(_PREFIX)
        for child in node.values():
            yield from referred(child)
    elif isinstance(node, list):
        for child in node:
            yield from referred(child)


def _merged(node: Any, schemas: Mapping[str, Json]) -> Any:  # noqa: ANN401 - JSON
    """Return a schema, or a part of one, with its unions of words as one vocabulary."""
    if isinstance(node, list):
        return [_merged(each, schemas) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: _merged(value, schemas) for key, value in node.items()}
    parts = [_words(part, schemas) for part in made.get("anyOf", ())]
    if not parts or not all(parts):
        return made
    words = dict.fromkeys(word for part in parts for word in part)
    del made["anyOf"]
    return {**made, "type": "string", "enum": [*words]}


def _words(schema: Json, schemas: Mapping[str, Json]) -> list[str]:
    """Return the words of a closed vocabulary; none where it is something else."""
    found = schemas.get(schema.get("$ref", "").removeprefix(_PREFIX), schema)
    if found.get("type") != "string":
        return []
    return [*found.get("enum", [found["const"]] if "const" in found else [])]
