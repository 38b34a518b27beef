"""Erases orders, through the API: only there is it known who does it."""

from typing import Final

from payment_service.cli.api_client import ask, required_access
from payment_service.cli.arguments import check_reason
from payment_service.cli.errors import DONE, FOUND_WRONG
from payment_service.cli.printing import print_json, print_text

STAYS: Final = "what NATS still holds of it goes with the streams' own age"


def erase_order(order_id: str, *, reason: str, as_json: bool) -> int:
    """Take what is personal out of one final order."""
    check_reason(reason)
    path = ("orders", order_id, "erase")
    answer = ask(required_access(), "POST", *path, body={"reason": reason})
    if as_json:
        print_json(answer.body)
    else:
        told = answer.word("status").replace("_", " ")
        print_text(f"{order_id}: {told}; {STAYS}")
    return DONE


def erase_customer(customer_id: str, *, reason: str, as_json: bool) -> int:
    """Do so with every order of a customer; return 1 where some are left."""
    check_reason(reason)
    path = ("customers", customer_id, "erase")
    body = ask(required_access(), "POST", *path, body={"reason": reason}).body
    done, refused = body.get("erased"), body.get("refused")
    done = done if isinstance(done, list) else []
    refused = refused if isinstance(refused, list) else []
    if as_json:
        print_json(body)
    else:
        for each in refused:
            print_text(f"left: {each['queue_id']}: {each['because']}")
        print_text(f"{len(done)} orders erased, {len(refused)} left; {STAYS}")
    return FOUND_WRONG if refused else DONE
