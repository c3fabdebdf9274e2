"""The door of the queue: what hears the bell and calls the use cases."""
