package release

// accept says which rules of the scanners the pipeline breaks, and why.
func (r *Pipeline) accept() {
	r.acceptNotifier()
}
