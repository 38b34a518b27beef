"""The conformance kit: named scenarios that every adapter has to pass.

The adapter is the real one, made by the registry from its table, and talks over real
sockets to a counterpart that speaks its wire form and misbehaves on purpose. How this
provider says what in bytes is known to its *double* (:mod:`.wording`):

- `rest` and `simulator`: derived from the table itself (:mod:`.declared`);
- an adapter of ours that is written in Python: a module beside this one, such as
  :mod:`.stripe`, and its line in :data:`.doubles.OURS`;
- an adapter `package.module:Class`: ``package.module.double`` or ``package.double``.

Such a module has a function ``double(table)``, and ``prepared(raw)`` where the table
has to be changed before the adapter takes it (:func:`.doubles.prepared`).

``payment-service provider check NAME`` runs the scenarios and reports; the fixture
``provider_scenario`` of :mod:`.plugin` runs them in pytest. No secret of the real
environment is used: each ``${NAME}`` is made up.
"""
