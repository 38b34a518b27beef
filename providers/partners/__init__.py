"""Partners of card links: checks and notices over HTTP, files to reconcile by."""

from providers.partners.reconciling import FileNote, nobody_reads
from providers.partners.rest import RestPartner, files_of

__all__ = ["FileNote", "RestPartner", "files_of", "nobody_reads"]
