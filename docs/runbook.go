// Package docs is the documents; its tests hold what they say to what is there.
package docs

import _ "embed"

//go:embed runbook.md
var atNight string

// Runbook is runbook.md as it was when the program was built.
func Runbook() string { return atNight }
