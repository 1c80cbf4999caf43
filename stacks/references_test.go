package stacks

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryFormOfADanglingReferenceIsFound(t *testing.T) {
	for name, reference := range map[string]string{
		"Ref":                    `{"Properties":{"A":[{"Ref":"Gone"}]}}`,
		"Fn::GetAtt":             `{"Properties":{"A":{"Fn::GetAtt":["Gone","Arn"]}}}`,
		"Fn::GetAtt as text":     `{"Properties":{"A":{"Fn::GetAtt":"Gone.Arn"}}}`,
		"Fn::Sub":                `{"Properties":{"A":{"Fn::Sub":"x-${Gone}"}}}`,
		"Fn::Sub of attribute":   `{"Properties":{"A":{"Fn::Sub":"x-${Gone.Arn}"}}}`,
		"Fn::Sub with variables": `{"Properties":{"A":{"Fn::Sub":["${Own}${Gone}",{"Own":"x"}]}}}`,
		"in a variable":          `{"Properties":{"A":{"Fn::Sub":["${Own}",{"Own":{"Ref":"Gone"}}]}}}`,
		"DependsOn":              `{"DependsOn":"Gone"}`,
		"DependsOn list":         `{"DependsOn":["Here","Gone"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, []string{"Here refers to Gone, which is not in the template"},
				danglingReferences(template(t, reference)))
		})
	}
}

func TestReferencesThatHoldAreNotReported(t *testing.T) {
	for name, reference := range map[string]string{
		"itself":    `{"Properties":{"A":{"Ref":"Here"}}}`,
		"parameter": `{"Properties":{"A":{"Ref":"Parameter"}}}`,
		"pseudo":    `{"Properties":{"A":{"Fn::Sub":"${AWS::Region}"}}}`,
		"literal":   `{"Properties":{"A":{"Fn::Sub":"${!Gone}"}}}`,
		"variable":  `{"Properties":{"A":{"Fn::Sub":["${Own}",{"Own":"x"}]}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			assert.Empty(t, danglingReferences(template(t, reference)))
		})
	}
}

func template(t *testing.T, here string) map[string]any {
	t.Helper()
	var parsed map[string]any
	require.NoError(t, json.Unmarshal([]byte(`{"Parameters":{"Parameter":{}},"Resources":{"Here":`+here+`}}`), &parsed))
	return parsed
}
