// Package alarm reads deployed alarms.
package alarm

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// Section is the anchor of its section in docs/runbook.md, in which an alarm's description
// ends (constructs/observe); "" if it has none.
func Section(description *string) string {
	_, anchor, _ := strings.Cut(aws.ToString(description), "#")
	return anchor
}

// Breaches says whether value is beyond threshold. known is false for a comparison with a
// range, which has no one threshold.
func Breaches(comparison types.ComparisonOperator, value, threshold float64) (breaches, known bool) {
	switch comparison {
	case types.ComparisonOperatorGreaterThanThreshold:
		return value > threshold, true
	case types.ComparisonOperatorGreaterThanOrEqualToThreshold:
		return value >= threshold, true
	case types.ComparisonOperatorLessThanThreshold:
		return value < threshold, true
	case types.ComparisonOperatorLessThanOrEqualToThreshold:
		return value <= threshold, true
	}
	return false, false
}
