package load_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestValidateNamesEveryProblemAtOnce(t *testing.T) {
	err := (&load.PostgresLoaderProps{
		BatchSize:             10_001,
		BatchWindow:           awscdk.Duration_Minutes(jsii.Number(6)),
		ParallelizationFactor: 11,
		RetryAttempts:         -1,
		MaxRecordAge:          awscdk.Duration_Seconds(jsii.Number(59)),
	}).Validate()
	assert.EqualError(t, err, `source is required: pass the stream to load from
database is required: pass the database to load into
batch size must be 1 to 10000, got 10001
batch window must be 0 to 300 whole seconds, got 360
parallelization factor must be 1 to 10, got 11
retry attempts must be 1 to 10000, got -1
max record age must be 60 to 604800 whole seconds, got 59`)
}

func TestValidateAcceptsTheEdges(t *testing.T) {
	g, _ := newStacks()
	assert.NoError(t, (&load.PostgresLoaderProps{
		Source:                g.core.Stream,
		Database:              g.db,
		BatchSize:             10_000,
		BatchWindow:           awscdk.Duration_Seconds(jsii.Number(0)),
		ParallelizationFactor: 10,
		RetryAttempts:         10_000,
		MaxRecordAge:          awscdk.Duration_Days(jsii.Number(7)),
	}).Validate())
}

func TestTheConstructorPanicsWithWhatValidateSays(t *testing.T) {
	message := cdktest.Panics(t, func() { load.NewPostgresLoader(cdktest.NewStack(), "Loader", nil) })
	assert.Equal(t, `load: Loader: source is required: pass the stream to load from
database is required: pass the database to load into`, message)
}

func TestPropsAreNotChanged(t *testing.T) {
	g, stack := newStacks()
	props := load.PostgresLoaderProps{Source: g.core.Stream, Database: g.db}
	given := props
	load.NewPostgresLoader(stack, "Loader", &given)
	assert.Equal(t, props, given)
}
