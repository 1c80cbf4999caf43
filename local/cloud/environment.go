package cloud

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/millrace-cdk/millrace/internal/wholefile"
)

// Environment is what .millrace/local.env says: how to reach a deployed
// environment. The tags are the names of the variables.
type Environment struct {
	// APIURL is the REST API's stage; events go to APIURL/events and APIURL/events/batch.
	APIURL string `env:"API_URL"`
	// APIKey is the value for the header x-api-key.
	APIKey string `env:"API_KEY"`
	// StreamName is the Kinesis data stream's name.
	StreamName string `env:"STREAM_NAME"`
	// LakeBucket is the lake's bucket.
	LakeBucket string `env:"LAKE_BUCKET"`
	// DatabaseURL connects to the database as its master, by verified TLS.
	DatabaseURL string `env:"DATABASE_URL"`
	// EndpointURL is where every AWS API is served.
	EndpointURL string `env:"AWS_ENDPOINT_URL"`
	// Region and the two halves of the access key are what AWS clients need beside it.
	Region          string `env:"AWS_REGION"`
	AccessKeyID     string `env:"AWS_ACCESS_KEY_ID"`
	SecretAccessKey string `env:"AWS_SECRET_ACCESS_KEY"`
	// DatabasePort and DatabaseCA (a path) are what the app needs to synthesize this environment again.
	DatabasePort string `env:"MILLRACE_LOCAL_DATABASE_PORT"`
	DatabaseCA   string `env:"MILLRACE_LOCAL_DATABASE_CA"`
}

// ReadEnvironment reads .millrace/local.env below the repository's root, as
// [Up] wrote it.
func ReadEnvironment(root string) (*Environment, error) {
	path := stateFolder(root).path("local.env")
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s: run `make up`", path)
	}
	if err != nil {
		return nil, err
	}
	values := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(content)); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok {
			values[name] = unquote(value)
		}
	}
	e := new(Environment)
	for variable, field := range e.variables() {
		field.SetString(values[variable])
	}
	return e, nil
}

// AWS is the configuration for AWS clients.
func (e *Environment) AWS() aws.Config { return config(e.EndpointURL) }

// Environ is the environment of a child that works with what is deployed: this
// process's, without what leads to a real account, and all of local.env.
func (e *Environment) Environ() []string {
	var variables []string
	for variable, field := range e.variables() {
		variables = append(variables, variable+"="+field.String())
	}
	return environ(e.EndpointURL, variables...)
}

func (e *Environment) write(dir folder) error {
	var text strings.Builder
	for variable, field := range e.variables() {
		fmt.Fprintf(&text, "%s=%s\n", variable, quote(field.String()))
	}
	return wholefile.Write(dir.path("local.env"), []byte(text.String()), 0o600)
}

// variables yields each variable's name and field, in the struct's order.
func (e *Environment) variables() func(yield func(string, reflect.Value) bool) {
	value := reflect.ValueOf(e).Elem()
	return func(yield func(string, reflect.Value) bool) {
		for i := range value.NumField() {
			if !yield(value.Type().Field(i).Tag.Get("env"), value.Field(i)) {
				return
			}
		}
	}
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_./:@%+-]+$`)

// quote writes value as one word of a POSIX shell.
func quote(value string) string {
	if plain.MatchString(value) {
		return value
	}
	return "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
}

// unquote reads what quote wrote.
func unquote(word string) string {
	if !strings.HasPrefix(word, "'") {
		return word
	}
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(word, "'"), "'"), `'\''`, "'")
}
