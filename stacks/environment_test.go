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
	assert.EqualError(t, err, `env must be one of local, dev, staging, prod, recovery or pipeline, got "production": say -c env=dev`)
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
	for name, disposable := range map[string]bool{"local": true, "dev": true, "staging": false, "prod": false, "recovery": false} {
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
	for name, waf := range map[string]bool{"local": false, "dev": false, "staging": true, "prod": true, "recovery": true} {
		env, err := EnvironmentNamed(name, nothing)
		require.NoError(t, err)
		assert.Equal(t, waf, env.API.Waf, name)
	}
}

func TestOnlyTheEmulatorGoesWithoutSomeAlarms(t *testing.T) {
	for _, name := range EnvironmentNames() {
		env, err := EnvironmentNamed(name, nothing)
		require.NoError(t, err)
		assert.Equal(t, name == "local", env.Operation.SkipMathAlarms, name)
		assert.Equal(t, name == "local", env.Operation.SkipSymptoms, name)
	}
}

func TestProdIsCopiedToAnEnvironmentOfAnotherRegion(t *testing.T) {
	prod, err := EnvironmentNamed("prod", nothing)
	require.NoError(t, err)
	second, err := EnvironmentNamed(prod.Recovery.CopyTo, nothing)
	require.NoError(t, err)
	assert.Equal(t, prod.Recovery.CopyRegion, second.Region)
	assert.NotEqual(t, prod.Region, second.Region)
	assert.True(t, second.Recovery.Receiving)
	assert.Equal(t, prod.Delivery, second.Delivery, "a copy needs the bucket that it goes to")
	assert.Equal(t, prod.Database.StorageGiB, second.Database.StorageGiB, "what is replayed must fit")
}

func TestProdsStreamWaitsAWeek(t *testing.T) {
	for name, least := range map[string]int{"prod": 7 * 24, "recovery": 7 * 24} {
		env, err := EnvironmentNamed(name, nothing)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, env.Stream.RetentionHours, least, name)
	}
}

func TestOnlyWhatIsKeptIsBackedUp(t *testing.T) {
	for name, days := range map[string]int{"local": 0, "dev": 0, "staging": 7, "prod": 35, "recovery": 0} {
		env, err := EnvironmentNamed(name, nothing)
		require.NoError(t, err)
		assert.Equal(t, days, env.Recovery.BackupDays, name)
	}
}

func TestValidateNamesWhatIsWrongWithTheRecovery(t *testing.T) {
	env, err := EnvironmentNamed("prod", nothing)
	require.NoError(t, err)
	env.Name = "a-name-of-more-than-15"
	env.Recovery = Recovery{BackupDays: 36, LockDays: 37, CopyRegion: env.Region, Vaults: []string{"vault"}, Receiving: true}
	err = env.Validate()
	for _, subject := range []string{
		"Recovery.BackupDays must be 0 to 35 days, got 36", "Recovery.LockDays must be 0 to 35 days, for which recovery points are kept, got 37", "CopyTo and CopyRegion must be given together",
		"Recovery.CopyRegion must be another region than eu-west-1", "Recovery.Vaults must be ARNs", "Name must be up to 15 characters",
	} {
		assert.ErrorContains(t, err, subject)
	}
	env.Recovery = Recovery{CopyTo: "a-name-of-more-than-15", CopyRegion: "Frankfurt", Vaults: []string{"arn:aws:backup:eu-west-1:111122223333:backup-vault:x"}}
	err = env.Validate()
	for _, subject := range []string{"Recovery.CopyRegion must be an AWS region", "Recovery.Vaults must be empty without BackupDays", "Recovery.CopyTo must be up to 15 characters"} {
		assert.ErrorContains(t, err, subject)
	}
}
