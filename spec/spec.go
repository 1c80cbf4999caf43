// Package spec holds what a construct declares and a Lambda function obeys:
// plain types that travel as one JSON value in one environment variable. It
// imports nothing of millrace, so that constructs/ and lambdas/ share these
// types and nothing else.
//
// Nothing in a spec is secret: a secret is named by its ARN and read at run time.
package spec

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Variable is the environment variable that carries a function's encoded spec.
const Variable = "MILLRACE_SPEC"

// LoaderRole is the Postgres role that the loader connects as, by IAM
// authentication. The migrations make it and give it its few rights.
const LoaderRole = "millrace_loader"

// Database is how a function reaches its Postgres.
type Database struct {
	// Host is the server's DNS name; its certificate must carry it.
	Host string `json:"host"`
	// Port is the server's TCP port, as text since CloudFormation hands it out as text.
	Port string `json:"port"`
	// Name is the database's name.
	Name string `json:"name"`
	// CABundle is the PEM text of the certificate authorities that may sign the server's certificate.
	//
	// Default: Amazon RDS's global bundle, which ships inside the function.
	CABundle string `json:"ca_bundle,omitempty"`
	// Proxied says that Host is an RDS Proxy, whose certificate is signed by
	// Amazon's public authorities and not by RDS's.
	//
	// Default: false.
	Proxied bool `json:"proxied,omitempty"`
}

// Loader is what the Postgres loader obeys.
type Loader struct {
	Database Database `json:"database"`
	// User is the Postgres role to connect as. Default: [LoaderRole].
	User string `json:"user,omitempty"`
	// Tables are filled beside the table events. Default: none.
	Tables []Table `json:"tables,omitempty"`
}

// Migrator is what the migrator obeys.
type Migrator struct {
	Database Database `json:"database"`
	// SecretARN names the Secrets Manager secret with the master's username and password.
	SecretARN string `json:"secret_arn"`
}

// Encode returns v as the text for [Variable].
func Encode(v any) (string, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encoding %T: %w", v, err)
	}
	return string(text), nil
}

// Decode fills v from the text of [Variable]. A member that v does not know is
// an error: a construct and a function of different releases must not
// misunderstand each other in silence.
func Decode(text string, v any) error {
	if text == "" {
		return fmt.Errorf("%s is empty: the construct that defines this function sets it", Variable)
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(v); err != nil {
		return fmt.Errorf("decoding %s as %T: %w", Variable, v, err)
	}
	return nil
}
