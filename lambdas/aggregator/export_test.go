package aggregator

// SetMaxState lowers the bound of the state, so that few keys fill it.
func (a *Aggregator) SetMaxState(bytes int) { a.rules.maxState = bytes }
