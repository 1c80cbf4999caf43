package release

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/iam"
	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

// CheckRoleProps say who checks, and as whom.
type CheckRoleProps struct {
	// RoleName is what [Check].Assumes ends in: the pipeline knows the role by its name. Required.
	RoleName string
	// By is the ARN of the role that may assume it: that of [Check].RoleName. Required.
	By string
	// Stacks are the names of the stacks of this account and region whose outputs it may read.
	//
	// Default: none.
	Stacks []string
}

// roleARN has the account as its first group.
var roleARN = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(\d{12}):role/[\w+=,.@/-]+$`)

// Validate reports every problem of the props in one error.
func (p *CheckRoleProps) Validate() error {
	if p == nil {
		p = &CheckRoleProps{}
	}
	var errs []error
	if p.RoleName == "" {
		errs = append(errs, errors.New("role name is required: the pipeline assumes the role by it"))
	}
	if !roleARN.MatchString(p.By) {
		errs = append(errs, fmt.Errorf("by must be the ARN of a role, got %q", p.By))
	}
	return errors.Join(errs...)
}

// CheckRole is what a [Check] becomes in a stage's account. It may read the outputs of
// stacks, and whatever else it is granted.
type CheckRole struct {
	constructs.Construct

	Role awsiam.Role
}

// NewCheckRole defines a CheckRole in scope. It panics on invalid props (see [CheckRoleProps.Validate]).
func NewCheckRole(scope constructs.Construct, id string, props *CheckRoleProps) *CheckRole {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("release: %s: %w", id, err))
	}
	c := new(CheckRole)
	constructs.NewConstruct_Override(c, scope, &id)
	c.Role = awsiam.NewRole(c, jsii.String("Role"), &awsiam.RoleProps{
		RoleName:    &props.RoleName,
		Description: jsii.String("Checks what was deployed"),
		// By a condition: IAM refuses a principal that is not there yet, and forgets one that was replaced.
		AssumedBy: awsiam.NewAccountPrincipal(&roleARN.FindStringSubmatch(props.By)[1]).WithConditions(&map[string]any{
			"ArnEquals": map[string]any{"aws:PrincipalArn": props.By},
		}),
	})
	c.readOutputs(props.Stacks)
	return c
}

func (c *CheckRole) readOutputs(stacks []string) {
	if len(stacks) == 0 {
		return
	}
	var arns []string
	for _, name := range stacks {
		arns = append(arns, *awscdk.Stack_Of(c).FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("cloudformation"), Resource: jsii.String("stack"), ResourceName: jsii.String(name + "/*"),
		}))
	}
	c.Role.AddToPolicy(iam.Statement(arns, "cloudformation:DescribeStacks"))
	suppress.Rules(suppress.Policy(c.Role), "A stack's ARN ends in an id that CloudFormation makes up",
		`AwsSolutions-IAM5[/^Resource::arn:.+:cloudformation:.+:stack\/.+\/\*$/]`)
}

// GrantReadObjects lets the role list bucket, and read the objects below prefix, which ends in a slash.
func (c *CheckRole) GrantReadObjects(bucket awss3.IBucket, prefix string) {
	c.Role.AddToPolicy(iam.Statement([]string{*bucket.BucketArn()}, "s3:ListBucket"))
	c.Role.AddToPolicy(iam.Statement([]string{*bucket.ArnForObjects(jsii.String(prefix + "*"))}, "s3:GetObject"))
	if key := bucket.EncryptionKey(); key != nil {
		c.Role.AddToPolicy(iam.Statement([]string{*key.KeyArn()}, "kms:Decrypt"))
	}
	suppress.Rules(suppress.Policy(c.Role), "A check reads objects whose names it learns by listing",
		`AwsSolutions-IAM5[/^Resource::.+\/`+strings.TrimSuffix(prefix, "/")+`\/\*$/]`)
}
