package recovery

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
)

// ReplicatedBackups says where RDS keeps a second set of automated backups.
type ReplicatedBackups struct {
	// Region is the AWS region of the copies. Required.
	Region string
	// KeyArn is the ARN of the key there that encrypts them. Required where the instance is encrypted.
	KeyArn string
	// KeepFor is how long they stay, 1 to 35 whole days.
	//
	// Default: as long as the instance's own.
	KeepFor awscdk.Duration
}

// Validate reports every problem of the props in one error.
func (p *ReplicatedBackups) Validate() error {
	if p == nil {
		p = new(ReplicatedBackups)
	}
	var errs []error
	if p.Region == "" {
		errs = append(errs, errors.New("region is required: say where the copies go"))
	}
	if p.KeyArn != "" && !*awscdk.Token_IsUnresolved(p.KeyArn) && !strings.HasPrefix(p.KeyArn, "arn:") {
		errs = append(errs, fmt.Errorf("key ARN must be an ARN, got %q", p.KeyArn))
	}
	return errors.Join(append(errs, wholeDays("keep for", p.KeepFor, 1, DefaultKeepDays))...)
}

// ReplicateBackups has RDS copy the instance's snapshots and transaction logs to another
// region as soon as they are ready, from which it can be restored there at any second.
// How long a copy takes is not documented. It panics on invalid props.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ReplicateBackups.html
func ReplicateBackups(instance awsrds.DatabaseInstance, to *ReplicatedBackups) {
	if err := to.Validate(); err != nil {
		panic(fmt.Errorf("recovery: backups of %s: %w", *instance.Node().Path(), err))
	}
	resource := instance.Node().DefaultChild().(awsrds.CfnDBInstance)
	resource.SetAutomaticBackupReplicationRegion(&to.Region)
	if to.KeyArn != "" {
		resource.SetAutomaticBackupReplicationKmsKeyId(&to.KeyArn)
	}
	if to.KeepFor != nil {
		resource.SetAutomaticBackupReplicationRetentionPeriod(to.KeepFor.ToDays(nil))
	}
}
