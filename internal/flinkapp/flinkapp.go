// Package flinkapp makes the archive of a PyFlink application that runs .sql files. The construct
// deploys it, and the laptop unpacks and runs it.
package flinkapp

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// Where things are in the archive.
const (
	Program   = "main.py"
	Connector = "lib/connector.jar"
)

//go:embed main.py
var program []byte

// epoch is the first time that an archive can have.
var epoch = time.Date(1980, time.January, 1, 0, 0, 0, 0, time.UTC)

// Application is what an archive is made of.
type Application struct {
	// SQL are the paths of the files, in the order in which they run.
	SQL []string
	// Connector is the path of a JAR file, "" for none.
	Connector string
}

// WriteTo writes the archive. Its bytes depend on the contents and on the order of the files alone: not on
// times, nor on this machine, nor on the compressor, as nothing is compressed.
func (a Application) WriteTo(w io.Writer) (int64, error) {
	counted := &counter{w: w}
	archive := zip.NewWriter(counted)
	if err := add(archive, Program, bytes.NewReader(program)); err != nil {
		return counted.n, err
	}
	for i, path := range a.SQL {
		if err := addFile(archive, fmt.Sprintf("sql/%03d_%s", i+1, filepath.Base(path)), path); err != nil {
			return counted.n, err
		}
	}
	if a.Connector != "" {
		if err := addFile(archive, Connector, a.Connector); err != nil {
			return counted.n, err
		}
	}
	if err := archive.Close(); err != nil {
		return counted.n, fmt.Errorf("closing the archive: %w", err)
	}
	return counted.n, nil
}

func addFile(archive *zip.Writer, name, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening a file of the application: %w", err)
	}
	defer func() { _ = file.Close() }() // it was only read
	return add(archive, name, file)
}

func add(archive *zip.Writer, name string, content io.Reader) error {
	header := &zip.FileHeader{Name: name, Method: zip.Store, Modified: epoch}
	header.SetMode(0o644)
	entry, err := archive.CreateHeader(header)
	if err != nil {
		return fmt.Errorf("adding %s to the archive: %w", name, err)
	}
	if _, err := io.Copy(entry, content); err != nil {
		return fmt.Errorf("writing %s to the archive: %w", name, err)
	}
	return nil
}

type counter struct {
	w io.Writer
	n int64
}

// Write counts what is written.
func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

var (
	comment = regexp.MustCompile(`(?s)--[^\n]*|/\*.*?\*/`)
	table   = regexp.MustCompile("(?i)\\bCREATE\\s+(?:TEMPORARY\\s+)?TABLE\\s+(?:IF\\s+NOT\\s+EXISTS\\s+)?`?(\\w+)`?")
)

// Tables are the names of the tables that a file's statements declare, in their order.
func Tables(sql string) (names []string) {
	for _, match := range table.FindAllStringSubmatch(comment.ReplaceAllString(sql, " "), -1) {
		names = append(names, match[1])
	}
	return names
}
