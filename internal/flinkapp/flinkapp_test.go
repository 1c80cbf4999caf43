package flinkapp

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func archive(t *testing.T, a Application) []byte {
	t.Helper()
	var got bytes.Buffer
	n, err := a.WriteTo(&got)
	require.NoError(t, err)
	require.EqualValues(t, got.Len(), n)
	return got.Bytes()
}

func TestTheSameFilesGiveTheSameBytesWhereverAndWheneverTheyWereWritten(t *testing.T) {
	a, b := write(t, "a.sql", "SELECT 1;"), write(t, "a.sql", "SELECT 1;")
	require.NoError(t, os.Chtimes(b, time.Unix(0, 0), time.Unix(0, 0)))
	require.NoError(t, os.Chmod(b, 0o755))
	assert.Equal(t, archive(t, Application{SQL: []string{a}}), archive(t, Application{SQL: []string{b}}))
	assert.NotEqual(t, archive(t, Application{SQL: []string{a}}), archive(t, Application{SQL: []string{write(t, "a.sql", "SELECT 2;")}}))
}

func TestTheArchiveHasTheProgramTheFilesInTheirOrderAndTheConnector(t *testing.T) {
	content := archive(t, Application{SQL: []string{write(t, "z.sql", "z"), write(t, "a.sql", "a")}, Connector: write(t, "any.jar", "jar")})
	read, err := zip.NewReader(bytes.NewReader(content), int64(len(content)))
	require.NoError(t, err)
	var names []string
	for _, file := range read.File {
		names = append(names, file.Name)
		assert.True(t, epoch.Equal(file.Modified), file.Name)
	}
	assert.Equal(t, []string{"main.py", "sql/001_z.sql", "sql/002_a.sql", "lib/connector.jar"}, names)
}

func TestAFileThatIsMissingIsSaid(t *testing.T) {
	_, err := Application{SQL: []string{"nowhere.sql"}}.WriteTo(&bytes.Buffer{})
	assert.ErrorContains(t, err, "opening a file of the application: open nowhere.sql")
	_, err = Application{Connector: "nowhere.jar"}.WriteTo(&bytes.Buffer{})
	assert.ErrorContains(t, err, "nowhere.jar")
}

func TestTablesAreThoseThatStatementsDeclareAndNoComment(t *testing.T) {
	assert.Equal(t, []string{"events", "windows", "other"}, Tables("-- CREATE TABLE no (\n"+
		"CREATE TABLE events (a INT); /* CREATE TABLE nor\n this */ create temporary table if not exists `windows` (b INT);\n"+
		"CREATE VIEW v AS SELECT 1;\nCREATE\n TABLE other (c INT)"))
}
