package stacks

import (
	"cmp"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/constructs/rollout"
)

// The rows of the README's table of environments.
var readmeRows = []struct {
	name  string
	value func(Environment) string
}{
	{"Stream", func(e Environment) string {
		mode := "on demand"
		if e.Stream.Shards > 0 {
			mode = fmt.Sprintf("%d shards", e.Stream.Shards)
		}
		return fmt.Sprintf("%s, %d h", mode, e.Stream.RetentionHours)
	}},
	{"API", func(e Environment) string {
		auth := "IAM"
		if e.API.Auth == ingest.AuthAPIKey {
			auth = "API key"
		}
		return fmt.Sprintf("%s, %d requests/s", auth, e.API.RateLimit)
	}},
	{"An object of the lake", func(e Environment) string {
		return fmt.Sprintf("%d s or %d MiB", e.Delivery.BufferSeconds, e.Delivery.BufferMiB)
	}},
	{"The lake as Parquet", func(e Environment) string {
		if len(e.Delivery.Parquet) == 0 {
			return "no"
		}
		return fmt.Sprintf("%d columns, by type and hour", len(e.Delivery.Parquet))
	}},
	{"Database", func(e Environment) string {
		zones := "one zone"
		if e.Database.MultiAz {
			zones = "two zones"
		}
		return fmt.Sprintf("%s, %d GiB, %s", e.Database.InstanceType, e.Database.StorageGiB, zones)
	}},
	{"Backups", func(e Environment) string { return fmt.Sprintf("%d d", e.Database.BackupDays) }},
	{"AWS Backup", func(e Environment) string {
		what := "no"
		if e.Recovery.BackupDays > 0 {
			what = fmt.Sprintf("%d d", e.Recovery.BackupDays)
		} else if e.Recovery.Receiving {
			what = "what prod copies"
		}
		if e.Recovery.LockDays > 0 {
			what += fmt.Sprintf(", locked for %d d", e.Recovery.LockDays)
		}
		return what
	}},
	{"Copies go to", func(e Environment) string {
		if e.Recovery.CopyTo == "" {
			return "nowhere"
		}
		return e.Recovery.CopyTo + ", " + e.Recovery.CopyRegion
	}},
	{"A new version of a function gets", func(e Environment) string {
		switch o := e.Rollout; {
		case o.SkipCodeDeploy:
			return "all, by `millrace rollout`"
		case o.AllAtOnce:
			return "all at once"
		default:
			return fmt.Sprintf("%d %% for %d min", cmp.Or(o.Percent, rollout.DefaultPercent), cmp.Or(o.Minutes, rollout.DefaultMinutes))
		}
	}},
	{"Logs", func(e Environment) string {
		return strings.ReplaceAll(strings.ToLower(string(e.LogRetention)), "_", " ")
	}},
	{"Data when the stacks are deleted", func(e Environment) string {
		if e.Disposable {
			return "goes with them, once the buckets are emptied"
		}
		return "stays; Foundation is protected"
	}},
}

func TestTheReadmesTableOfEnvironmentsIsWhatTheCodeSays(t *testing.T) {
	var table strings.Builder
	for _, row := range readmeRows {
		fmt.Fprintf(&table, "| %s |", row.name)
		for _, name := range EnvironmentNames() {
			env, err := EnvironmentNamed(name, nothing)
			require.NoError(t, err)
			fmt.Fprintf(&table, " %s |", row.value(env))
		}
		table.WriteString("\n")
	}
	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	assert.Contains(t, string(readme), table.String())
}
