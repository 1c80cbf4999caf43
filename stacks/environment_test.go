package stacks

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func nothing(string) string { return "" }

func TestEveryNamedEnvironmentIsValid(t *testing.T) {
	for _, name := range EnvironmentNames() {
		env, err := EnvironmentNamed(name, nothing)
		require.NoError(t, err)
		assert.NoError(t, env.Validate())
		assert.Equal(t, name, env.Name)
	}
}

func TestAnUnknownEnvironmentIsAnErrorThatNamesTheKnownOnes(t *testing.T) {
	_, err := EnvironmentNamed("production", nothing)
	assert.EqualError(t, err, `env must be one of local, dev, staging, prod or pipeline, got "production": say -c env=dev`)
}

func TestValidateNamesEveryProblemAtOnce(t *testing.T) {
	err := Environment{
		Name: "Prod!", Region: "Ireland", AvailabilityZones: []string{"eu-west-1a"}, Architecture: "mips",
		API:      API{Auth: 9, RateLimit: -1},
		Stream:   Stream{Shards: -1, RetentionHours: 23},
		Delivery: Delivery{BufferSeconds: 901, BufferMiB: 129},
		Database: Database{InstanceType: "db", StorageGiB: 1, BackupDays: 36, Port: 80},
		Omit:     []string{"AWS::EC2::VPC"},
	}.Validate()
	require.Error(t, err)
	for _, subject := range []string{
		"Name must", "Region must", "AvailabilityZones must be two", "AvailabilityZones must be zones of", "Architecture must",
		"LogRetention must", "API.Auth must", "API.RateLimit must", "API.BurstLimit must", "Stream.Shards must",
		"Stream.RetentionHours must be 24 to 8760 hours, got 23", "Delivery.BufferSeconds must", "Delivery.BufferMiB must",
		"Database.InstanceType must", "Database.StorageGiB must", "Database.BackupDays must", "Database.Port must", "Omit must",
	} {
		assert.ErrorContains(t, err, subject)
	}
}

func TestDataIsKeptEverywhereButInLocalAndDev(t *testing.T) {
	for name, disposable := range map[string]bool{"local": true, "dev": true, "staging": false, "prod": false} {
		env, err := EnvironmentNamed(name, nothing)
		require.NoError(t, err)
		assert.Equal(t, disposable, env.Disposable, name)
	}
}

func TestLocalTakesWhatUpStarted(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, []byte("PEM"), 0o600))
	env, err := EnvironmentNamed("local", func(name string) string {
		return map[string]string{LocalDatabasePort: "40001", LocalDatabaseCA: ca}[name]
	})
	require.NoError(t, err)
	assert.Equal(t, 40001, env.Database.Port)
	assert.Equal(t, "PEM", env.Database.CABundle)
}

func TestLocalNamesTheVariableThatIsWrong(t *testing.T) {
	for _, variable := range []string{LocalDatabasePort, LocalDatabaseCA} {
		_, err := EnvironmentNamed("local", func(name string) string {
			return map[string]string{variable: "/no/such"}[name]
		})
		assert.ErrorContains(t, err, variable)
	}
}

func TestParquetIsWrittenEverywhereButInDev(t *testing.T) {
	for _, name := range EnvironmentNames() {
		env, err := EnvironmentNamed(name, nothing)
		require.NoError(t, err)
		assert.Equal(t, name != "dev", len(env.Delivery.Parquet) > 0, name)
	}
}

func TestParquetIsGatheredForAsLongAndAsLargeAsFirehoseDemands(t *testing.T) {
	env, err := EnvironmentNamed("prod", nothing)
	require.NoError(t, err)
	env.Delivery.BufferSeconds, env.Delivery.BufferMiB = 59, 63
	err = env.Validate()
	assert.ErrorContains(t, err, "Delivery.BufferSeconds must be 60 to 900 seconds with Parquet, got 59")
	assert.ErrorContains(t, err, "Delivery.BufferMiB must be 64 to 128 MiB with Parquet, got 63")
}

func TestTheFirewallStandsInProdAndInItsRehearsal(t *testing.T) {
	for name, waf := range map[string]bool{"local": false, "dev": false, "staging": true, "prod": true} {
		env, err := EnvironmentNamed(name, nothing)
		require.NoError(t, err)
		assert.Equal(t, waf, env.API.Waf, name)
	}
}

func TestOnlyTheEmulatorGoesWithoutTheAPIsAlarms(t *testing.T) {
	for _, name := range EnvironmentNames() {
		env, err := EnvironmentNamed(name, nothing)
		require.NoError(t, err)
		assert.Equal(t, name == "local", env.API.SkipAlarms, name)
	}
}
