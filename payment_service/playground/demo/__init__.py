"""The demo: the whole service against a simulated world, and the proof afterwards."""

from payment_service.playground.demo.play import run_demo

__all__ = ["run_demo"]
