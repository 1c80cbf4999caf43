package ingest_test

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/test/cdktest"
	"github.com/millrace-cdk/millrace/test/mdtable"
)

// TestDocsIngestHasEveryError holds the page's tables to the code; test/e2e holds them to the deployed API.
func TestDocsIngestHasEveryError(t *testing.T) {
	page := filepath.Join("..", "..", "docs", "ingest.md")
	told := map[string]bool{} // "status code"
	for _, table := range []string{"errors", "elsewhere"} {
		for _, row := range mdtable.Rows(t, page, table) {
			for status := range strings.SplitSeq(strings.TrimSuffix(row[1], ", Retry-After"), ", ") {
				told[status+" "+row[2]] = true
				assert.Equal(t, row[2] == "throttled" || row[2] == "unavailable", strings.HasSuffix(row[1], "Retry-After"), row[0])
			}
		}
	}
	messages, said, inUse := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, row := range mdtable.Rows(t, page, "messages") {
		messages[row[0]+": "+row[1]] = true
	}
	stack := cdktest.NewStack()
	for _, auth := range []ingest.Auth{ingest.AuthIAM, ingest.AuthAPIKey, ingest.AuthCognito} {
		props := &ingest.IngestApiProps{Stream: theirStream(stack, "events"+strconv.Itoa(int(auth))), Auth: auth, Waf: &ingest.Waf{}}
		for _, f := range props.Failures() {
			inUse[f.Status+" "+f.Code] = true
			assert.Contains(t, told, f.Status+" "+f.Code, "docs/ingest.md does not tell of it")
			assert.Contains(t, messages, f.Code+": "+f.Message, "docs/ingest.md has another message")
			said[f.Code+": "+f.Message] = true
		}
	}
	for pair := range told {
		assert.Contains(t, inUse, pair, "docs/ingest.md tells of what is not answered")
	}
	for message := range messages {
		assert.Contains(t, said, message, "docs/ingest.md has a message that is not answered")
	}
}
