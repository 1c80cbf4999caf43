package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestThePictureIsOfTheDashboardAsDeployed(t *testing.T) {
	templates, err := filepath.Glob("../../../test/snapshot/testdata/prod-*.template.json")
	require.NoError(t, err)
	require.NotEmpty(t, templates)
	got, err := render(templates)
	require.NoError(t, err)
	want, err := os.ReadFile("../../images/dashboard.svg")
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got), "the picture is stale: run `make picture`")
}

func write(t *testing.T, text string) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.template.json")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return []string{path}
}

func TestAnAlarmThatNoTemplateHasIsAnError(t *testing.T) {
	_, err := render(write(t, `{"Resources": {"D": {"Type": "AWS::CloudWatch::Dashboard", "Properties": {"DashboardBody":
		"{\"widgets\": [{\"type\": \"alarm\", \"width\": 24, \"height\": 3, \"properties\": {\"alarms\": [\"arn:x:alarm:Gone\"]}}]}"}}}}`))
	assert.ErrorContains(t, err, "no template has the alarm arn:x:alarm:Gone")
}

func TestTemplatesWithoutADashboardAreAnError(t *testing.T) {
	_, err := render(write(t, `{"Resources": {}}`))
	assert.ErrorContains(t, err, "reading the dashboard's body")
}
