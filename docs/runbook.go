// Package docs is the documents; its tests hold what they say to what is there.
package docs

import _ "embed"

//go:embed runbook.md
var runbook string

// Runbook is runbook.md as it was when the program was built.
func Runbook() string { return runbook }
