package delivery

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

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
func validatePrefixes(prefix, errorPrefix string, keys partitionKeys) error {
	errs := append(validateExpressions("prefix", prefix, &keys), validateExpressions("error prefix", errorPrefix, nil)...)
	if strings.Contains(prefix, errorOutputType) {
		errs = append(errs, fmt.Errorf("prefix must not have %s: it is for the error prefix", errorOutputType))
	}
	has := strings.Contains(prefix, "!{") || strings.Contains(errorPrefix, "!{")
	if has && !strings.Contains(errorPrefix, errorOutputType) && !*awscdk.Token_IsUnresolved(errorPrefix) {
		errs = append(errs, fmt.Errorf("error prefix must have %s when either prefix has expressions, got %q", errorOutputType, errorPrefix))
	}
	if !*awscdk.Token_IsUnresolved(prefix) {
		errs = append(errs, validateUse(prefix, keys)...)
	}
	return errors.Join(errs...)
}

// validateExpressions takes no keys for the error prefix, which cannot have any.
func validateExpressions(subject, prefix string, keys *partitionKeys) (errs []error) {
	if len(prefix) > maxPrefix {
		errs = append(errs, fmt.Errorf("%s must be at most %d characters, got %d", subject, maxPrefix, len(prefix)))
	}
	for _, match := range expression.FindAllStringSubmatch(prefix, -1) {
		whole, namespace, value := match[0], match[1], match[2]
		switch {
		case namespace == "timestamp":
			if err := validateTimestamp(value); err != nil {
				errs = append(errs, fmt.Errorf("%s has %s: %w", subject, whole, err))
			}
		case namespace == "firehose" && (value == "random-string" || value == "error-output-type"):
		case namespace == "firehose":
			errs = append(errs, fmt.Errorf("%s has %s: of firehose there are random-string and error-output-type", subject, whole))
		case namespace == "partitionKeyFromQuery", namespace == "partitionKeyFromLambda":
			errs = append(errs, keys.validate(subject, whole, namespace, value)...)
		case namespace == "":
			errs = append(errs, fmt.Errorf("%s has an expression that is not of the form !{namespace:value}, got %q", subject, prefix))
		default:
			errs = append(errs, fmt.Errorf("%s has %s: the namespaces are timestamp and firehose, and with partitioning partitionKeyFromLambda and partitionKeyFromQuery", subject, whole))
		}
	}
	return errs
}

func (k *partitionKeys) validate(subject, whole, namespace, name string) []error {
	switch {
	case k == nil:
		return []error{fmt.Errorf("%s has %s: partition keys are for the prefix", subject, whole)}
	case !k.on:
		return []error{fmt.Errorf("%s has %s: partition keys need dynamic partitioning, which this delivery does not use", subject, whole)}
	case namespace == "partitionKeyFromLambda" && !slices.Contains(k.lambda, name):
		return []error{fmt.Errorf("%s has %s: the transformer sets %s", subject, whole, listed(k.lambda))}
	case namespace == "partitionKeyFromQuery" && !slices.Contains(k.query, name):
		return []error{fmt.Errorf("%s has %s: JQ finds %s", subject, whole, listed(k.query))}
	}
	return nil
}

func listed(names []string) string {
	if len(names) == 0 {
		return "no keys"
	}
	return strings.Join(names, ", ")
}

// validateUse holds the prefix to every key that there is: Firehose refuses a JQ
// key that it does not use (aws-cdk has that rule from testing), and one of the transformer would be in vain.
func validateUse(prefix string, keys partitionKeys) (errs []error) {
	for _, kind := range []struct {
		namespace string
		names     []string
	}{{"partitionKeyFromLambda", keys.lambda}, {"partitionKeyFromQuery", keys.query}} {
		for _, name := range kind.names {
			if whole := "!{" + kind.namespace + ":" + name + "}"; !strings.Contains(prefix, whole) {
				errs = append(errs, fmt.Errorf("prefix must have %s, since there is such a key, got %q", whole, prefix))
			}
		}
	}
	return errs
}

// dateTimeLetters are the pattern letters of Java 8's DateTimeFormatter, which Firehose takes.
// https://docs.oracle.com/javase/8/docs/api/java/time/format/DateTimeFormatter.html
const dateTimeLetters = "GuyDMLdQqYwWEecFahKkHmsSAnNVzOXxZp"

// validateTimestamp checks a pattern of DateTimeFormatter: text stands in quotes, and a letter outside of them has a meaning.
func validateTimestamp(pattern string) error {
	quoted := false
	letters := map[rune]bool{}
	for _, r := range pattern {
		switch {
		case r == '\'':
			quoted = !quoted
		case quoted:
		case strings.ContainsRune(dateTimeLetters, r):
			letters[r] = true
		case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z':
			return fmt.Errorf("%c is not a letter of Java's DateTimeFormatter: put text into '…'", r)
		case r == '#':
			return errors.New("# is reserved in Java's DateTimeFormatter: put text into '…'")
		}
	}
	switch {
	case quoted:
		return errors.New("a quote is not closed")
	case letters['Y'] && !letters['w']:
		return errors.New("the letter Y is the year of a week, another one than y in the days around New Year: write y")
	}
	return nil
}

// timeZone is what Firehose takes: names of IANA's database, of letters, slashes and underscores.
// https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html
var timeZone = regexp.MustCompile(`^[A-Za-z_]+(/[A-Za-z_]+)+$`)

func validateTimeZone(zone string) error {
	if zone == "" || zone == "UTC" || *awscdk.Token_IsUnresolved(zone) {
		return nil
	}
	if _, err := time.LoadLocation(zone); err != nil || !timeZone.MatchString(zone) || strings.HasPrefix(zone, "Etc/") {
		return fmt.Errorf("time zone must be UTC or an IANA zone of a region and a city (Europe/Berlin), got %q", zone)
	}
	return nil
}

// fileExtension is what Firehose takes, which begins with a dot.
// https://docs.aws.amazon.com/firehose/latest/APIReference/API_ExtendedS3DestinationConfiguration.html
var fileExtension = regexp.MustCompile(`^\.[0-9a-z!\-_.*'()]{1,127}$`)

func validateFileExtension(extension string) error {
	if extension == "" || fileExtension.MatchString(extension) || *awscdk.Token_IsUnresolved(extension) {
		return nil
	}
	return fmt.Errorf("file extension must be a dot and up to 127 of 0-9 a-z ! - _ . * ' ( ), got %q", extension)
}
