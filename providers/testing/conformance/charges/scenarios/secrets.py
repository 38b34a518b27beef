"""What an adapter shows of what a customer pays with."""

from typing import Final

from providers.testing.conformance.charge_doubles.vocabulary import (
    ChargeCall,
    ChargeSaying,
)
from providers.testing.conformance.charges.stage import ChargeStage
from providers.testing.conformance.fake_server import (
    saying,
)
from providers.testing.conformance.harness import (
    a_deal,
)
from providers.testing.conformance.scenario import Scenes
from providers.testing.conformance.vocabulary import WORDS_FOR_PEOPLE, Reply

SCENES: Final = Scenes[ChargeStage]()
DONE: Final = ChargeSaying.DONE
DECLINED: Final = ChargeSaying.DECLINED


@SCENES.scene(
    "charge-secrets", "No answer shows a secret, or what is paid with, even if told."
)
async def secrets(stage: ChargeStage) -> None:
    method = stage.double.payment_method
    shown = [value for name, value in method.items() if name != "type"]
    stage.hide(f"{stage.provider!r} {stage.rehearsal.table!r}", "the adapter")
    for call in ChargeCall:
        for said in (DECLINED, DONE):
            for label, reply in stage.double.replies(call, said, a_deal()).items():
                words = " ".join(shown).encode()
                body = reply.body.replace(WORDS_FOR_PEOPLE.encode(), words)
                told = Reply(status=reply.status, body=body, headers=reply.headers)
                answer = await stage.ask(call, saying(told), label)
                hidden = not any(value in repr(answer) for value in shown)
                stage.must(hidden, f"{label}: it shows what is paid with")
