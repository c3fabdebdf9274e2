"""One module per change of the tables, in order. A module that was released is never edited: a new one follows it."""
