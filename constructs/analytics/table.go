package analytics

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// Table says where a table is whose columns a .sql file declares. Its rows are JSON, one object a record of
// a stream or a line of an object, with times in ISO 8601.
//
// A table of the database is one of a stream that [load.PostgresLoader] reads: the application
// needs no way to the database then, and no credential, and a row that comes twice is stored once.
//
// [load.PostgresLoader]: https://pkg.go.dev/github.com/millrace-cdk/millrace/constructs/load
type Table struct {
	// Name is the table's in the .sql files, 1 to 44 letters, digits and underscores. Required.
	Name string
	// Stream is the stream that the table is. Required unless Bucket is given.
	Stream awskinesis.IStream
	// Bucket is the bucket that the table is a folder of, such as the lake's.
	//
	// Default: none; the table is a stream.
	Bucket awss3.IBucket
	// Prefix is the folder in Bucket, with a slash at its end. Required with Bucket.
	Prefix string
	// Writes is for a table that the application writes.
	//
	// Default: false; it reads the table.
	Writes bool
	// StrictJSON makes a record that does not fit the columns stop the application, which Flink then tries again for
	// ever. Otherwise it is left out: the lake and the loader's quarantine have it.
	//
	// Default: false.
	StrictJSON bool
	// Options are more options of the connector, or others in place of those that are made here:
	// https://nightlies.apache.org/flink/flink-docs-release-2.3/docs/connectors/table/overview/
	//
	// Default: none; a stream is read from its oldest record on.
	Options map[string]string
}

// tableName is shorter than SQL has it: "table." and it are the id of a property group, which has at most 50 characters.
// https://docs.aws.amazon.com/managed-flink/latest/apiv2/API_PropertyGroup.html
var tableName = regexp.MustCompile(`^[A-Za-z0-9_]{1,44}$`)

func (t Table) validate() error {
	var errs []error
	if !tableName.MatchString(t.Name) {
		errs = append(errs, fmt.Errorf("table name must be 1 to 44 letters, digits and underscores, got %q", t.Name))
	}
	if (t.Stream == nil) == (t.Bucket == nil) {
		errs = append(errs, fmt.Errorf("table %s must have a stream or a bucket: give one of the two", t.Name))
	}
	if (t.Bucket != nil) != (t.Prefix != "") || t.Bucket != nil && !strings.HasSuffix(t.Prefix, "/") {
		errs = append(errs, fmt.Errorf("table %s: prefix is the folder of a bucket, with a slash at its end, got %q", t.Name, t.Prefix))
	}
	return errors.Join(errs...)
}

// options are the table's WITH clause.
func (t Table) options(stack awscdk.Stack) map[string]*string {
	options := map[string]*string{
		"format":                         jsii.String("json"),
		"json.timestamp-format.standard": jsii.String("ISO-8601"),
	}
	if !t.Writes && !t.StrictJSON {
		options["json.ignore-parse-errors"] = jsii.String("true")
	}
	if t.Stream != nil {
		options["connector"] = jsii.String("kinesis")
		options["stream.arn"] = t.Stream.StreamArn()
		options["aws.region"] = stack.Region()
		if !t.Writes {
			options["source.init.position"] = jsii.String("TRIM_HORIZON")
		}
	} else {
		options["connector"] = jsii.String("filesystem")
		options["path"] = t.Bucket.S3UrlForObject(&t.Prefix)
	}
	more := make(map[string]*string, len(t.Options))
	for name, value := range t.Options {
		more[name] = jsii.String(value)
	}
	maps.Copy(options, more)
	return options
}

func (t Table) encryptionKey() awskms.IKey {
	if t.Stream != nil {
		return t.Stream.EncryptionKey()
	}
	return t.Bucket.EncryptionKey()
}
