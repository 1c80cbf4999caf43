package main

import (
	_ "embed"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/template"
)

// The layout, in the picture's units: GitHub shows about 80 % of them as pixels.
const (
	cardWidth  = 224
	cardHeight = 152
	gap        = 60
	margin     = 24
	padding    = 14
	factSize   = 14
	// glyph is the mean width of a letter, in parts of its size. It is a generous
	// one, since which face a reader's system has is not known here.
	glyph = 0.5
)

//go:embed data-flow.svg.tmpl
var source string

// box is a stage at its place.
type box struct {
	stage
	X, Y int
}

// Fact is where the card's nth line stands, from 0.
func (b box) Fact(n int) int { return b.Y + 76 + n*20 }

func (b box) check() error {
	var errs []error
	lines := b.Facts
	if b.Trouble != "" {
		lines = append(lines[:len(lines):len(lines)], "   "+b.Trouble)
	}
	if bottom := b.Fact(len(lines) - 1); bottom > b.Y+cardHeight {
		errs = append(errs, fmt.Errorf("the card of %s holds no %d lines", b.Construct, len(lines)))
	}
	for _, text := range lines {
		if float64(len(text))*factSize*glyph > cardWidth-2*padding {
			errs = append(errs, fmt.Errorf("the card of %s is too narrow for %q", b.Construct, text))
		}
	}
	return errors.Join(errs...)
}

// draw writes l as SVG.
func draw(w io.Writer, l *line) error {
	column := func(n int) int { return margin + n*(cardWidth+gap) }
	const upper, middle, lower = 30, 133, 236
	boxes := []box{
		{l.api, column(0), middle},
		{l.stream, column(1), middle},
		{l.delivery, column(2), upper},
		{l.lake, column(3), upper},
		{l.loader, column(2), lower},
		{l.database, column(3), lower},
	}
	var errs []error
	for _, b := range boxes {
		errs = append(errs, b.check())
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	t, err := template.New("picture").Funcs(template.FuncMap{"escape": escape, "add": add}).Parse(source)
	if err != nil {
		return fmt.Errorf("parsing the picture's template: %w", err)
	}
	return t.Execute(w, map[string]any{
		"Width": column(4) - gap + margin, "CardWidth": cardWidth, "CardHeight": cardHeight,
		"Boxes": boxes, "Network": l.network, "Description": describe(l),
	})
}

// describe says in words what the picture shows, for who does not see it.
func describe(l *line) string {
	stages := []stage{l.api, l.stream, l.delivery, l.lake, l.loader, l.database}
	said := make([]string, len(stages))
	for i, s := range stages {
		said[i] = fmt.Sprintf("%s (%s): %s.", s.Construct, s.Service, strings.Join(append(s.Facts[:len(s.Facts):len(s.Facts)], s.Trouble), ", "))
		said[i] = strings.ReplaceAll(said[i], ", .", ".")
	}
	return "A client posts to IngestApi, which writes to StreamingCore. FirehoseToS3 reads the stream and writes LakeBucket; " +
		"PostgresLoader reads it too and writes PrivateRds. " + strings.Join(said, " ")
}

func escape(text string) (string, error) {
	var b strings.Builder
	err := xml.EscapeText(&b, []byte(text))
	return b.String(), err
}

func add(numbers ...int) (sum int) {
	for _, n := range numbers {
		sum += n
	}
	return sum
}
