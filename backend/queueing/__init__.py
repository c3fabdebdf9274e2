"""Handing work over: home of Celery's names and of the broker. Only doorbells cross it; the ledger is the queue."""
