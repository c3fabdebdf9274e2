"""The HTTP door: the only room that speaks Flask. Routes read, call one use case, and answer."""
