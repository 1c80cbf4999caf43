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

	"github.com/millrace-cdk/millrace/docs/picture/command"
)

func main() { command.Main("picture", render) }

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
