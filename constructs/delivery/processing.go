package delivery

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/gofunc"
	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/spec"
	"github.com/millrace-cdk/millrace/spec/schema"
)

// transformerPackage is millrace's own transformer.
const transformerPackage = "github.com/millrace-cdk/millrace/lambdas/transformer/cmd"

// The processor's limits.
// https://docs.aws.amazon.com/firehose/latest/dev/limits.html
// https://docs.aws.amazon.com/firehose/latest/APIReference/API_ProcessorParameter.html
const (
	processorInterval      = 60 // seconds: Firehose's own default for the wait before the transformer
	minProcessorBufferSize = 0.2
	maxProcessorBufferSize = 3 // MiB
	maxRetries             = 300
)

// What becomes of a record in the transformer's answer.
const (
	answerBytes  = 6 * 1024 * 1024 // https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
	recordBytes  = 104             // its id, the result and the JSON around them
	keysBytes    = 27              // the JSON around its partition keys
	keyBytes     = 6 + 64          // around one, and a value that is longer than most
	base64Growth = 4.0 / 3
)

// ownTransformer says whether the function is millrace's.
func (p *DeliveryProps) ownTransformer() bool {
	return !p.SkipTransformer && p.Transformer == nil && p.TransformerPackage == ""
}

// partitionKeys are the names of the partition keys that the declared steps set.
func (p *DeliveryProps) partitionKeys() (names []string) {
	if p.Transform == nil {
		return nil
	}
	for _, step := range p.Transform.Steps {
		if step.Partition == nil {
			continue
		}
		for _, key := range step.Partition.Keys {
			if !slices.Contains(names, key.Name) {
				names = append(names, key.Name)
			}
		}
	}
	return names
}

func (p *DeliveryProps) validateProcessing() error {
	var errs []error
	say := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }

	if p.SkipTransformer && p.Transformer != nil {
		say("transformer is given and skipped: do one of the two")
	}
	if p.SkipTransformer && (p.Transform != nil || p.TransformerPackage != "") {
		say("transform and transformer package are for a transformer, which is skipped: do one of the two")
	}
	if p.Transformer != nil && (p.Transform != nil || p.TransformerPackage != "") {
		say("transformer is given, which transform and transformer package are not for: give one")
	}
	if p.Architecture != nil && p.Transformer != nil {
		say("architecture is for millrace's own transformer: set it on the transformer that is given")
	}
	if err := p.validateRollout(); err != nil {
		errs = append(errs, err)
	}
	if p.Transform != nil {
		if err := p.Transform.Validate(); err != nil {
			say("transform: %w", err)
		}
		if err := schema.Check(p.Transform.Schemas()...); err != nil {
			say("transform: %w", err)
		}
	}
	if p.Transform != nil && p.Transform.HashKeyARN != "" && p.HashKey == nil {
		say("hash key must be passed as the secret, which the function is let to read, and not as an ARN in transform")
	}
	if p.HashKey != nil && p.Transform == nil {
		say("hash key is for the hash steps of a transform, which is not given")
	}
	if *p.Retries < 0 || *p.Retries > maxRetries {
		say("retries must be 0 to %d, got %d", maxRetries, *p.Retries)
	}
	if p.EventBytes < 1 {
		say("event bytes must be positive, got %d", p.EventBytes)
	}
	if !*p.ProcessorBufferSize.IsUnresolved() {
		size := mebibytes(p.ProcessorBufferSize)
		if size < minProcessorBufferSize || size > maxProcessorBufferSize {
			say("processor buffer size must be %g to %d MiB, got %g", minProcessorBufferSize, maxProcessorBufferSize, size)
		} else if err := p.validateAnswer(size * 1024 * 1024); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// validateAnswer checks that the answer to a full buffer of events of the average
// size fits into what Lambda gives back. An answer has each event in base64, what
// the steps add to it, and its id; of small events there are more in a buffer, and they grow most.
func (p *DeliveryProps) validateAnswer(buffer float64) error {
	if !p.ownTransformer() {
		return nil // of a transformer of theirs it is not known what it answers
	}
	var t spec.Transformer
	if p.Transform != nil {
		t = *p.Transform
	}
	overhead := recordBytes + base64Growth*float64(t.Growth())
	if names := p.partitionKeys(); len(names) > 0 {
		overhead += keysBytes
		for _, name := range names {
			overhead += float64(len(name) + keyBytes)
		}
	}
	least := math.Ceil(buffer * overhead / (answerBytes - base64Growth*buffer))
	if float64(p.EventBytes) >= least {
		return nil
	}
	return fmt.Errorf("processor buffer size of %g MiB fits into an answer of 6 MB with events of %g bytes on average, since these steps add up to %d bytes to each, got event bytes %d: "+
		"make the buffer smaller, or say how large events are", buffer/1024/1024, least, t.Growth(), p.EventBytes)
}

// transformer is theirs, or ours, or none.
func (d *Delivery) transformer() awslambda.IFunction {
	p := d.props
	if p.SkipTransformer {
		return nil
	}
	stream.RecordsFitLambda(d.self, p.Source, "the transformer")
	if p.Transformer != nil {
		return p.Transformer
	}
	props := &gofunc.GoFunctionProps{
		Package:       transformerPackage,
		Description:   "Puts each event on one line, with its identity and arrival",
		Architecture:  p.Architecture,
		LogRetention:  p.LogRetention,
		RemovalPolicy: p.RemovalPolicy,
	}
	if p.TransformerPackage != "" {
		props.Package, props.Description = p.TransformerPackage, "Transforms what Firehose delivers"
	}
	if p.Transform != nil {
		text, err := spec.Encode(p.Transform)
		if err != nil { // Validate has encoded it before
			panic(fmt.Errorf("delivery: %s: %w", *d.self.Node().Path(), err))
		}
		props.Environment = map[string]string{spec.Variable: text}
	}
	function := gofunc.NewGoFunction(d.self, "Transformer", props)
	if p.HashKey != nil {
		p.HashKey.GrantRead(function.Role, nil)
	}
	acceptTransformer(function, len(props.Environment) > 0)
	d.rollOut(function.Function)
	return function.Function
}

// acceptTransformer says which rules of the scanners the transformer breaks, and why.
func acceptTransformer(f *gofunc.GoFunction, configured bool) {
	suppress.Rules(f.LogGroup, "CloudWatch Logs encrypts it with a key of its own; the transformer logs no records", "CKV_AWS_158")
	suppress.Rules(f.Function, "Firehose waits for its answer and tries again; a dead-letter queue is for events that nobody waits for", "CKV_AWS_116")
	suppress.Rules(f.Function, "A limit would turn a burst into records under the error prefix; Firehose invokes it as its shards and buffers allow", "CKV_AWS_115")
	suppress.Rules(f.Function, "It reaches nothing in a VPC", "CKV_AWS_117")
	if configured {
		suppress.Rules(f.Function, "Its environment is the declared steps, and the name of a secret but not its value", "CKV_AWS_173")
	}
}

// processing is what Firehose does to records before it delivers them. JQ finds
// partition keys, and is nil without them.
func (d *Delivery) processing(jq map[string]string) any {
	var processors []*awskinesisfirehose.CfnDeliveryStream_ProcessorProperty
	if d.Transformer != nil {
		processors = append(processors, processor("Lambda",
			"RoleArn", *d.Role.RoleArn(),
			"LambdaArn", *d.invoked(),
			"BufferIntervalInSeconds", number(d.props.processorWait()),
			"BufferSizeInMBs", number(mebibytes(d.props.ProcessorBufferSize)),
			"NumberOfRetries", strconv.Itoa(*d.props.Retries),
		))
	}
	if len(jq) > 0 {
		processors = append(processors, processor("MetadataExtraction",
			"MetadataExtractionQuery", query(jq),
			"JsonParsingEngine", "JQ-1.6",
		))
	}
	if len(processors) == 0 {
		return nil
	}
	return &awskinesisfirehose.CfnDeliveryStream_ProcessingConfigurationProperty{
		Enabled:    jsii.Bool(true),
		Processors: &processors,
	}
}

// processor has pairs of parameters' names and values.
func processor(kind string, pairs ...string) *awskinesisfirehose.CfnDeliveryStream_ProcessorProperty {
	var parameters []*awskinesisfirehose.CfnDeliveryStream_ProcessorParameterProperty
	for pair := range slices.Chunk(pairs, 2) {
		parameters = append(parameters, &awskinesisfirehose.CfnDeliveryStream_ProcessorParameterProperty{
			ParameterName: &pair[0], ParameterValue: &pair[1],
		})
	}
	return &awskinesisfirehose.CfnDeliveryStream_ProcessorProperty{Type: &kind, Parameters: &parameters}
}

// processorWait keeps the wait before the transformer, in seconds, from being longer than the one after it.
func (p *DeliveryProps) processorWait() float64 {
	if *p.BufferInterval.IsUnresolved() {
		return processorInterval
	}
	return math.Min(processorInterval, *p.BufferInterval.ToSeconds(nil))
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// seconds of a duration, or what stands in for one that is known only at deploy.
func seconds(duration awscdk.Duration, otherwise float64) float64 {
	if *duration.IsUnresolved() {
		return otherwise
	}
	return *duration.ToSeconds(nil)
}
