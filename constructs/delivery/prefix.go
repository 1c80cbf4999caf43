package delivery

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
)

// errorOutputType is the expression that Firehose replaces by the kind of failure.
const errorOutputType = "!{firehose:error-output-type}"

// maxPrefix is the length of either prefix before its expressions are replaced.
// https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html
const maxPrefix = 1_024

// expression is anything that begins like one: with a namespace and a value when
// it is well formed, and with an empty namespace when it is not.
var expression = regexp.MustCompile(`!\{(?:([a-zA-Z]+):([^{}]+)\})?`)

// validatePrefixes checks both prefixes against Firehose's rules, which
// CloudFormation would report only while it deploys.
// https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
func validatePrefixes(prefix, errorPrefix string) error {
	errs := append(validateExpressions("prefix", prefix), validateExpressions("error prefix", errorPrefix)...)
	if strings.Contains(prefix, errorOutputType) {
		errs = append(errs, fmt.Errorf("prefix must not have %s: it is for the error prefix", errorOutputType))
	}
	has := strings.Contains(prefix, "!{") || strings.Contains(errorPrefix, "!{")
	if has && !strings.Contains(errorPrefix, errorOutputType) && !*awscdk.Token_IsUnresolved(errorPrefix) {
		errs = append(errs, fmt.Errorf("error prefix must have %s when either prefix has expressions, got %q", errorOutputType, errorPrefix))
	}
	return errors.Join(errs...)
}

func validateExpressions(subject, prefix string) (errs []error) {
	if len(prefix) > maxPrefix {
		errs = append(errs, fmt.Errorf("%s must be at most %d characters, got %d", subject, maxPrefix, len(prefix)))
	}
	for _, match := range expression.FindAllStringSubmatch(prefix, -1) {
		whole, namespace, value := match[0], match[1], match[2]
		switch {
		case namespace == "timestamp",
			namespace == "firehose" && (value == "random-string" || value == "error-output-type"):
		case namespace == "firehose":
			errs = append(errs, fmt.Errorf("%s has %s: of firehose there are random-string and error-output-type", subject, whole))
		case namespace == "partitionKeyFromQuery", namespace == "partitionKeyFromLambda":
			errs = append(errs, fmt.Errorf("%s has %s: partition keys need dynamic partitioning, which this delivery does not use", subject, whole))
		case namespace == "":
			errs = append(errs, fmt.Errorf("%s has an expression that is not of the form !{namespace:value}, got %q", subject, prefix))
		default:
			errs = append(errs, fmt.Errorf("%s has %s: the namespaces are timestamp and firehose", subject, whole))
		}
	}
	return errs
}
