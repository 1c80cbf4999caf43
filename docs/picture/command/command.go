// Package command is what the commands have in common that draw pictures of templates.
package command

import (
	"errors"
	"flag"
	"fmt"
	"os"
)

// Main writes what render makes of the templates that the arguments name to the file of -o, an SVG.
func Main(name string, render func(templates []string) ([]byte, error)) {
	out := flag.String("o", "", "file to write the SVG to")
	flag.Parse()
	if err := run(*out, flag.Args(), render); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

func run(out string, templates []string, render func([]string) ([]byte, error)) error {
	if out == "" || len(templates) == 0 {
		return errors.New("say what to write and what to read: -o FILE.svg TEMPLATE.json…")
	}
	picture, err := render(templates)
	if err != nil {
		return err
	}
	return os.WriteFile(out, picture, 0o644)
}
