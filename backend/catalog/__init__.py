"""The truth: products, their pictures, the ledger of due work, and jobs. Home of SQLAlchemy and Alembic.

`open_engine` and `migrate` prepare a database; `SqlCatalog`, `SqlLedger`, `SqlJobs`, `SqlReceipts` and
`SqlFetchMemory` are the ports on it.
"""
