"""The truth: products, their pictures, the ledger of due work, and jobs. Home of SQLAlchemy and Alembic.

`open_engine` and `migrate` prepare a database; `SqlCatalog`, `SqlLedger` and `SqlJobs` are the ports on it.
"""
