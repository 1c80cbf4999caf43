package spec_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/spec"
)

func TestEncodedSpecDecodesToTheSame(t *testing.T) {
	want := spec.Migrator{
		Database:  spec.Database{Host: "db.example", Port: "5433", Name: "millrace", CABundle: "-----BEGIN CERTIFICATE-----\n"},
		SecretARN: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:x",
	}
	text, err := spec.Encode(want)
	require.NoError(t, err)

	var got spec.Migrator
	require.NoError(t, spec.Decode(text, &got))
	assert.Equal(t, want, got)
}

func TestDecodeNamesTheVariableAndTheTrouble(t *testing.T) {
	for name, text := range map[string]string{
		"nothing set":     "",
		"not JSON":        "{",
		"unknown member":  `{"database":{},"chairs":[]}`,
		"of another type": `{"database":7}`,
	} {
		t.Run(name, func(t *testing.T) {
			err := spec.Decode(text, &spec.Loader{})
			assert.ErrorContains(t, err, spec.Variable)
		})
	}
}
