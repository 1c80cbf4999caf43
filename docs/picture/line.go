package main

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// line is what the picture says: the stages of the data's way.
type line struct {
	api, stream, delivery, lake, loader, database stage
	network                                       string // what the frame around the loader and the database says
}

// stage is one card of the picture.
type stage struct {
	Construct string   // of this repository
	Service   string   // of AWS
	Facts     []string // a line each
	Trouble   string   // where goes what cannot pass
	Stateful  bool     // it stands in the Foundation stack
}

func readLine(m *model) (*line, error) {
	r := &reader{model: m}
	stream := r.only("AWS::Kinesis::Stream")
	l := &line{
		stream:   r.stream(stream),
		api:      r.api(stream),
		delivery: r.delivery(stream),
	}
	l.lake = r.lake()
	l.loader = r.loader(stream)
	l.database = r.database()
	l.network = r.network()
	return l, errors.Join(r.problems...)
}

// reader collects what is missing, so that all of it is reported at once.
type reader struct {
	*model
	problems []error
}

// note keeps err and passes value on.
func note[T any](r *reader, value T, err error) T {
	if err != nil {
		r.problems = append(r.problems, err)
	}
	return value
}

// nothing stands for a resource that is missing; what is read from it is noted as missing too.
var nothing = &resource{stack: "?", id: "?"}

func (r *reader) only(kind string) *resource {
	found, err := r.model.only(kind)
	if err != nil {
		return note(r, nothing, err)
	}
	return found
}

func (r *reader) target(from *resource, kind string, path ...string) *resource {
	found, err := r.model.target(from, kind, path...)
	if err != nil {
		return note(r, nothing, err)
	}
	return found
}

func (r *reader) arrow(from, to *resource, path ...string) {
	note(r, 0, r.model.arrow(from, to, path...))
}

func (r *reader) text(from *resource, path ...string) string {
	text, err := from.text(path...)
	return note(r, text, err)
}

func (r *reader) number(from *resource, path ...string) int {
	n, err := from.number(path...)
	return note(r, n, err)
}

func (r *reader) fact(holds bool, from *resource, what string) string {
	if !holds {
		note(r, 0, fmt.Errorf("%s is not so: %s", from.key(), what))
	}
	return what
}

// card makes a stage of what main says, with the facts.
func card(construct, service string, main *resource, facts ...string) stage {
	return stage{
		Construct: construct, Service: service, Facts: facts,
		Stateful: strings.HasSuffix(strings.ToLower(main.stack), "-foundation"),
	}
}

func (r *reader) stream(stream *resource) stage {
	mode := "on demand"
	if stream.at("ShardCount") != nil {
		mode = plural(r.number(stream, "ShardCount"), "shard")
	}
	r.target(stream, "AWS::KMS::Key", "StreamEncryption", "KeyId")
	return card("StreamingCore", "Kinesis Data Streams", stream,
		mode,
		"keeps events "+duration(r.number(stream, "RetentionPeriodHours")*3600),
		"encrypted, its own KMS key")
}

func (r *reader) api(stream *resource) stage {
	api := r.only("AWS::ApiGateway::RestApi")
	var routes []string
	auth := ""
	for _, method := range r.ofType("AWS::ApiGateway::Method") {
		if method.at("Integration", "Type") == "MOCK" {
			continue // it answers by itself, as the health route does: no event comes in there
		}
		resource := r.target(method, "AWS::ApiGateway::Resource", "ResourceId")
		r.arrow(method, stream, "Integration", "RequestTemplates")
		r.fact(method.at("Integration", "Type") == "AWS", method, "a service integration, no Lambda function")
		routes = append(routes, r.text(method, "HttpMethod")+" "+r.path(resource))
		auth = "IAM authorization"
		if method.at("ApiKeyRequired") == true {
			auth = "API key"
		}
	}
	slices.Sort(routes)
	live := r.only("AWS::ApiGateway::Stage")
	c := card("IngestApi", "API Gateway", api, routes...)
	c.Facts = append(c.Facts, auth, fmt.Sprintf("%s requests/s", thousands(r.number(live, "MethodSettings", "ThrottlingRateLimit"))))
	return c
}

// path returns the URL path of an API's resource.
func (r *reader) path(resource *resource) string {
	if resource == nothing {
		return ""
	}
	parent := ""
	if found, err := r.model.target(resource, "AWS::ApiGateway::Resource", "ParentId"); err == nil {
		parent = r.path(found)
	}
	return parent + "/" + r.text(resource, "PathPart")
}

const destination = "ExtendedS3DestinationConfiguration"

// lines is the delivery of JSON lines. One of Parquet beside it is not drawn.
func (r *reader) lines() *resource {
	const kind = "AWS::KinesisFirehose::DeliveryStream"
	var found []*resource
	for _, delivery := range r.ofType(kind) {
		if delivery.at(destination, "DataFormatConversionConfiguration") == nil {
			found = append(found, delivery)
		}
	}
	if len(found) != 1 {
		return r.only(kind)
	}
	return found[0]
}

func (r *reader) delivery(stream *resource) stage {
	delivery := r.lines()
	r.arrow(delivery, stream, "KinesisStreamSourceConfiguration", "KinesisStreamARN")
	transformer := r.invoked(delivery, destination, "ProcessingConfiguration", "Processors", "Parameters")
	return card("FirehoseToS3", "Data Firehose", delivery,
		"transformer: "+r.function(transformer),
		fmt.Sprintf("an object every %s", duration(r.number(delivery, destination, "BufferingHints", "IntervalInSeconds"))),
		fmt.Sprintf("or %d MiB, %s", r.number(delivery, destination, "BufferingHints", "SizeInMBs"), r.text(delivery, destination, "CompressionFormat")))
}

func (r *reader) lake() stage {
	delivery := r.lines()
	bucket := r.target(delivery, "AWS::S3::Bucket", destination, "BucketARN")
	r.target(bucket, "AWS::KMS::Key", "BucketEncryption", "ServerSideEncryptionConfiguration", "ServerSideEncryptionByDefault", "KMSMasterKeyID")
	prefix, _, _ := strings.Cut(r.text(delivery, destination, "Prefix"), "!")
	c := card("LakeBucket", "S3", bucket,
		"one line an event",
		"by date under "+path.Dir(prefix+"x")+"/",
		r.fact(bucket.at("PublicAccessBlockConfiguration", "BlockPublicAcls") == true, bucket, "own KMS key, not public"))
	errorPrefix, _, _ := strings.Cut(r.text(delivery, destination, "ErrorOutputPrefix"), "/")
	c.Trouble = "failed: " + errorPrefix + "/"
	return c
}

// mapping returns the loader's event source mapping and its function.
func (r *reader) mapping() (mapping, function *resource) {
	mapping = r.only("AWS::Lambda::EventSourceMapping")
	return mapping, r.invoked(mapping, "FunctionName")
}

// invoked is the function that from invokes, by its alias or without one.
func (r *reader) invoked(from *resource, path ...string) *resource {
	if alias, err := r.model.target(from, "AWS::Lambda::Alias", path...); err == nil {
		from, path = alias, []string{"FunctionName"}
	}
	return r.target(from, "AWS::Lambda::Function", path...)
}

func (r *reader) loader(stream *resource) stage {
	mapping, function := r.mapping()
	r.arrow(mapping, stream, "EventSourceArn")
	r.arrow(function, r.only("AWS::RDS::DBInstance"), "Environment", "Variables")
	r.target(mapping, "AWS::S3::Bucket", "DestinationConfig", "OnFailure", "Destination")
	c := card("PostgresLoader", "Lambda", function,
		r.function(function),
		"batches of "+thousands(r.number(mapping, "BatchSize")),
		r.fact(first(mapping.at("FunctionResponseTypes")) == "ReportBatchItemFailures", mapping, "retries from the failed one"))
	c.Trouble = "after the retries: S3"
	return c
}

// function says what a function of ours is: Go, on Lambda's runtime for any binary.
func (r *reader) function(function *resource) string {
	r.fact(function.at("Runtime") == "provided.al2023", function, "on the runtime provided.al2023")
	return "Go, " + r.text(function, "Architectures")
}

func (r *reader) database() stage {
	db := r.only("AWS::RDS::DBInstance")
	major, _, _ := strings.Cut(r.text(db, "EngineVersion"), ".")
	r.fact(db.at("Engine") == "postgres", db, "Postgres")
	r.fact(db.at("StorageEncrypted") == true, db, "encrypted")
	zones := "one zone"
	if db.at("MultiAZ") == true {
		zones = "two zones"
	}
	c := card("PrivateRds", "RDS for PostgreSQL", db,
		"PostgreSQL "+major+", encrypted",
		strings.TrimPrefix(r.text(db, "DBInstanceClass"), "db.")+", "+zones,
		fmt.Sprintf("backups %s", duration(r.number(db, "BackupRetentionPeriod")*24*3600)))
	c.Trouble = "refused: table quarantine"
	return c
}

// network says what the frame around the loader and the database stands for.
func (r *reader) network() string {
	db := r.only("AWS::RDS::DBInstance")
	_, function := r.mapping()
	r.fact(function.at("VpcConfig", "SubnetIds") != nil, function, "in a VPC")
	r.fact(db.at("PubliclyAccessible") == false, db, "not publicly accessible")
	for _, way := range []string{"AWS::EC2::InternetGateway", "AWS::EC2::NatGateway"} {
		for _, found := range r.ofType(way) {
			r.fact(false, found, "the VPC has no way to the internet")
		}
	}
	return "VPC without a way to the internet"
}

func duration(seconds int) string {
	for _, unit := range []struct {
		seconds int
		name    string
	}{{86_400, "day"}, {3_600, "hour"}, {60, "minute"}} {
		if n := seconds / unit.seconds; n > 1 && seconds%unit.seconds == 0 {
			return plural(n, unit.name)
		}
	}
	return plural(seconds, "second")
}

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return thousands(n) + " " + noun
}

func thousands(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
