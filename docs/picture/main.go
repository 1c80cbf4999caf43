// Command picture draws the data's way from synthesized templates:
//
//	go run ./docs/picture -o docs/images/data-flow.svg test/snapshot/testdata/prod-*.template.json
//
// Every number in the picture is read from the templates, and every arrow is a
// reference in them. A resource or a reference that is missing is an error, so
// that the picture cannot show what is not deployed.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
)

func main() {
	out := flag.String("o", "", "file to write the SVG to")
	flag.Parse()
	if err := run(*out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func run(out string, templates []string) error {
	if out == "" || len(templates) == 0 {
		return errors.New("say what to write and what to read: -o FILE.svg TEMPLATE.json…")
	}
	picture, err := render(templates)
	if err != nil {
		return err
	}
	return os.WriteFile(out, picture, 0o644)
}

// render returns the picture of the stacks whose templates are in files.
func render(files []string) ([]byte, error) {
	m, err := load(files)
	if err != nil {
		return nil, err
	}
	l, err := readLine(m)
	if err != nil {
		return nil, err
	}
	var svg bytes.Buffer
	if err := draw(&svg, l); err != nil {
		return nil, err
	}
	return svg.Bytes(), nil
}
