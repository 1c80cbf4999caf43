package delivery

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsopensearchservice"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/iam"
	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

// Collection is one of OpenSearch Serverless.
type Collection struct {
	// Name, Arn and Endpoint (https://…) of the collection; of a CfnCollection they are
	// Name, AttrArn and AttrCollectionEndpoint. Required.
	Name, Arn, Endpoint string
}

// IndexRotation is how often Firehose begins a new index, whose name then ends in the time.
type IndexRotation string

// The rotations that Firehose knows.
// https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html#es-index-rotation
const (
	NoRotation IndexRotation = "NoRotation"
	OneHour    IndexRotation = "OneHour"
	OneDay     IndexRotation = "OneDay"
	OneWeek    IndexRotation = "OneWeek"
	OneMonth   IndexRotation = "OneMonth"
)

// FirehoseToOpenSearchProps says what is delivered, and to what index.
type FirehoseToOpenSearchProps struct {
	DeliveryProps
	// Domain of OpenSearch Service. Either Domain or Collection is required. Where the
	// domain has fine-grained access control, its Dashboards must map the construct's Role to a role that writes.
	Domain awsopensearchservice.IDomain
	// Collection of OpenSearch Serverless. A data access policy is made for it.
	Collection *Collection
	// Index is the index's name, in lower case. Required.
	Index string
	// Rotation is how often a new index is begun. A Collection has none.
	//
	// Default: [OneDay], of a Domain.
	Rotation IndexRotation
	// SkipDocumentID leaves documents' ids to OpenSearch, which makes writing cheaper: a
	// record that is sent again is then another document. A Collection is sent none in any case.
	//
	// Default: false; Firehose's ids, the same whenever it tries again. They are not the event's
	// identity: a record that is replayed is another document either way.
	SkipDocumentID bool
	// RetryDuration is how long Firehose tries again, 0 to 7,200 seconds. What is left is in Bucket then.
	//
	// Default: [DefaultRetryDuration] seconds.
	RetryDuration awscdk.Duration
	// BackupAll writes all documents to Bucket, and not only those that failed. It cannot be changed later.
	//
	// Default: false.
	BackupAll bool
	// Vpc is where Firehose makes network interfaces for a domain or collection that only a VPC
	// reaches. It cannot be changed later.
	//
	// Default: the endpoint is public.
	Vpc awsec2.IVpc
	// VpcSubnets chooses subnets of Vpc.
	//
	// Default: CDK's choice, the private subnets.
	VpcSubnets *awsec2.SubnetSelection
	// SecurityGroups are the interfaces', which the domain's must let in at port 443.
	// Required with Vpc.
	SecurityGroups []awsec2.ISecurityGroup
}

// DefaultDocumentBufferSize is in MiB, and AWS's own for OpenSearch.
const DefaultDocumentBufferSize = 5

// https://docs.aws.amazon.com/firehose/latest/dev/limits.html
func openSearchBuffers() buffers {
	return buffers{maxInterval: 900, minSize: 1, maxSize: 100}
}

// indexName is what OpenSearch allows, with room for the rotation's ending in Firehose's 80 characters.
var indexName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,66}$`)

// Validate reports every problem of the props in one error.
func (p *FirehoseToOpenSearchProps) Validate() error {
	p = p.withDefaults()
	errs := []error{
		validatePrefixes(backupPrefix, p.ErrorPrefix, partitionKeys{}),
		p.validate(openSearchBuffers()),
		validateRetry("retry duration", p.RetryDuration),
	}
	say := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if (p.Domain == nil) == (p.Collection == nil) {
		say("either domain or collection is required: give one")
	}
	if c := p.Collection; c != nil && (c.Name == "" || c.Arn == "" || c.Endpoint == "") {
		say("collection must have a name, an arn and an endpoint, got %+v", *c)
	}
	if !indexName.MatchString(p.Index) && !*awscdk.Token_IsUnresolved(p.Index) {
		say("index must be up to 67 of a-z 0-9 _ . - and begin with one of the first two, got %q", p.Index)
	}
	if !slices.Contains([]IndexRotation{NoRotation, OneHour, OneDay, OneWeek, OneMonth}, p.Rotation) {
		say("rotation must be %s, %s, %s, %s or %s, got %q", NoRotation, OneHour, OneDay, OneWeek, OneMonth, p.Rotation)
	}
	if p.Collection != nil && p.Rotation != NoRotation {
		say("rotation is for a domain: a collection has none, got %s", p.Rotation)
	}
	if p.Transform != nil && p.Transform.CloudWatchLogs != nil {
		say("transform must not unpack CloudWatch Logs: a record would be several documents, and OpenSearch is sent one")
	}
	if names := p.partitionKeys(); len(names) > 0 {
		say("transform must not set partition keys, which only S3 is delivered by")
	}
	if p.Vpc == nil && (p.VpcSubnets != nil || len(p.SecurityGroups) > 0) {
		say("vpc subnets and security groups are given without a vpc: give the vpc too")
	}
	if p.Vpc != nil && len(p.SecurityGroups) == 0 {
		say("security groups are required with a vpc")
	}
	return errors.Join(errs...)
}

func (p *FirehoseToOpenSearchProps) withDefaults() *FirehoseToOpenSearchProps {
	q := FirehoseToOpenSearchProps{}
	if p != nil {
		q = *p
	}
	if q.BufferSize == nil {
		q.BufferSize = awscdk.Size_Mebibytes(jsii.Number(DefaultDocumentBufferSize))
	}
	q.DeliveryProps = *q.DeliveryProps.withDefaults()
	if q.Collection != nil {
		q.Rotation = cmp.Or(q.Rotation, NoRotation)
	}
	q.Rotation = cmp.Or(q.Rotation, OneDay)
	return &q
}

// FirehoseToOpenSearch delivers records as documents of an index.
type FirehoseToOpenSearch struct {
	constructs.Construct
	*Delivery
}

// NewFirehoseToOpenSearch defines a FirehoseToOpenSearch in scope. It panics on
// invalid props (see [FirehoseToOpenSearchProps.Validate]).
func NewFirehoseToOpenSearch(scope constructs.Construct, id string, props *FirehoseToOpenSearchProps) *FirehoseToOpenSearch {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("delivery: %s: %w", id, err))
	}
	p := props.withDefaults()

	f := &FirehoseToOpenSearch{Delivery: new(Delivery)}
	constructs.NewConstruct_Override(f, scope, &id)
	f.prepareBackup(f, &p.DeliveryProps)
	if p.Domain != nil {
		f.allowDomain(p)
		f.deliver("DeliveryStream", &awskinesisfirehose.CfnDeliveryStreamProps{AmazonopensearchserviceDestinationConfiguration: f.domain(p)})
		f.watch(watched{freshness: "DeliveryToAmazonOpenSearchService", success: "DeliveryToAmazonOpenSearchService"})
		return f
	}
	access := f.allowCollection(p)
	f.deliver("DeliveryStream", &awskinesisfirehose.CfnDeliveryStreamProps{AmazonOpenSearchServerlessDestinationConfiguration: f.collection(p)})
	f.Resource.Node().AddDependency(access)
	f.watch(watched{freshness: "DeliveryToAmazonOpenSearchServerless", success: "DeliveryToAmazonOpenSearchServerless"})
	return f
}

func (f *FirehoseToOpenSearch) domain(p *FirehoseToOpenSearchProps) any {
	id := "FIREHOSE_DEFAULT"
	if p.SkipDocumentID {
		id = "NO_DOCUMENT_ID"
	}
	return &awskinesisfirehose.CfnDeliveryStream_AmazonopensearchserviceDestinationConfigurationProperty{
		DomainArn:           p.Domain.DomainArn(),
		IndexName:           &p.Index,
		IndexRotationPeriod: jsii.String(string(p.Rotation)),
		DocumentIdOptions:   &awskinesisfirehose.CfnDeliveryStream_DocumentIdOptionsProperty{DefaultDocumentIdFormat: &id},
		BufferingHints: &awskinesisfirehose.CfnDeliveryStream_AmazonopensearchserviceBufferingHintsProperty{
			IntervalInSeconds: p.BufferInterval.ToSeconds(nil), SizeInMBs: p.BufferSize.ToMebibytes(nil),
		},
		RetryOptions:             &awskinesisfirehose.CfnDeliveryStream_AmazonopensearchserviceRetryOptionsProperty{DurationInSeconds: retry(p.RetryDuration, DefaultRetryDuration)},
		RoleArn:                  f.Role.RoleArn(),
		ProcessingConfiguration:  f.processing(nil),
		S3BackupMode:             p.backupMode(),
		S3Configuration:          f.backupObjects(),
		CloudWatchLoggingOptions: f.logTo("OpenSearchDestination"),
		VpcConfiguration:         f.network(p),
	}
}

func (f *FirehoseToOpenSearch) collection(p *FirehoseToOpenSearchProps) any {
	return &awskinesisfirehose.CfnDeliveryStream_AmazonOpenSearchServerlessDestinationConfigurationProperty{
		CollectionEndpoint: &p.Collection.Endpoint,
		IndexName:          &p.Index,
		BufferingHints: &awskinesisfirehose.CfnDeliveryStream_AmazonOpenSearchServerlessBufferingHintsProperty{
			IntervalInSeconds: p.BufferInterval.ToSeconds(nil), SizeInMBs: p.BufferSize.ToMebibytes(nil),
		},
		RetryOptions:             &awskinesisfirehose.CfnDeliveryStream_AmazonOpenSearchServerlessRetryOptionsProperty{DurationInSeconds: retry(p.RetryDuration, DefaultRetryDuration)},
		RoleArn:                  f.Role.RoleArn(),
		ProcessingConfiguration:  f.processing(nil),
		S3BackupMode:             p.backupMode(),
		S3Configuration:          f.backupObjects(),
		CloudWatchLoggingOptions: f.logTo("OpenSearchDestination"),
		VpcConfiguration:         f.network(p),
	}
}

func (p *FirehoseToOpenSearchProps) backupMode() *string {
	if p.BackupAll {
		return jsii.String("AllDocuments")
	}
	return jsii.String("FailedDocumentsOnly")
}

func (f *FirehoseToOpenSearch) network(p *FirehoseToOpenSearchProps) any {
	if p.Vpc == nil {
		return nil
	}
	groups := []*string{}
	for _, group := range p.SecurityGroups {
		groups = append(groups, group.SecurityGroupId())
	}
	// EC2 has no resource-level permission for the Describe actions, and Firehose's
	// documentation narrows none of the others.
	// https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-es-vpc
	iam.Allow(f.Role, "*", "ec2:DescribeVpcs", "ec2:DescribeVpcAttribute", "ec2:DescribeSubnets", "ec2:DescribeSecurityGroups",
		"ec2:DescribeNetworkInterfaces", "ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface")
	suppress.Rules(suppress.Policy(f.Role), "Firehose's guide narrows none of what it needs to make network interfaces in the VPC",
		"AwsSolutions-IAM5[Resource::*]", "CKV_AWS_109", "CKV_AWS_111",
		"Privilege-Resource[ec2:DescribeVpcAttribute]", "Privilege-Resource[ec2:CreateNetworkInterface]",
		"Privilege-Resource[ec2:CreateNetworkInterfacePermission]", "Privilege-Resource[ec2:DeleteNetworkInterface]")
	return &awskinesisfirehose.CfnDeliveryStream_VpcConfigurationProperty{
		RoleArn:          f.Role.RoleArn(),
		SubnetIds:        p.Vpc.SelectSubnets(p.VpcSubnets).SubnetIds,
		SecurityGroupIds: &groups,
	}
}
