// Package recovery defines what a line is brought back from: backups in a vault
// that can be locked, and copies in another region and another account.
package recovery

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsbackup"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// DefaultRemovalPolicy is what becomes of vaults and keys that leave their stack.
const DefaultRemovalPolicy = awscdk.RemovalPolicy_RETAIN

// leastGrace is how long AWS Backup lets a lock be taken back before it stands for ever, in days.
// https://docs.aws.amazon.com/aws-backup/latest/devguide/vault-lock.html
const leastGrace = 3

var (
	// What AWS Backup takes for a vault's name:
	// https://docs.aws.amazon.com/aws-backup/latest/devguide/API_CreateBackupVault.html
	vaultName = regexp.MustCompile(`^[a-zA-Z0-9_-]{2,50}$`)
	account   = regexp.MustCompile(`^\d{12}$`)
)

// Lock keeps recovery points from being deleted before their time, whoever asks.
type Lock struct {
	// AtLeast is how long each recovery point stays, whole days. A backup that is to be kept for less fails. Required.
	AtLeast awscdk.Duration
	// AtMost is how long a recovery point may stay, whole days. One that is to be kept for more fails.
	//
	// Default: for ever.
	AtMost awscdk.Duration
	// ChangeableFor is how long the lock may still be changed or taken away, 3 days at least. After
	// that nobody can, AWS included: what is in the vault is paid for until it expires.
	//
	// Default: always (governance mode), by whom IAM allows backup:DeleteBackupVaultLockConfiguration.
	ChangeableFor awscdk.Duration
}

// VaultProps says how a Vault is called, encrypted and locked.
type VaultProps struct {
	// Name is the vault's, 2 to 50 letters, digits, hyphens and underscores. Plans of other
	// regions and accounts know it by this.
	//
	// Default: a name that CDK makes of the path.
	Name string
	// Key encrypts what is backed up; a copy from elsewhere is encrypted with it anew.
	//
	// Default: a new customer-managed key, rotated every year, with the vault's removal policy.
	Key awskms.IKey
	// Lock keeps recovery points from being deleted.
	//
	// Default: none.
	Lock *Lock
	// AcceptFrom are the accounts that may copy into the vault, twelve digits each. Both accounts
	// must be of one organization, which must have cross-account backup on:
	// https://docs.aws.amazon.com/aws-backup/latest/devguide/create-cross-account-backup.html
	//
	// Default: none but its own.
	AcceptFrom []string
	// RemovalPolicy says what becomes of the vault, and of its key unless Key is given, when they
	// leave the stack. CloudFormation deletes only an empty vault.
	//
	// Default: [DefaultRemovalPolicy].
	RemovalPolicy awscdk.RemovalPolicy
}

// Validate reports every problem of the props in one error.
func (p *VaultProps) Validate() error {
	if p == nil {
		return nil
	}
	var errs []error
	problem := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	problem(p.Name != "" && !*awscdk.Token_IsUnresolved(p.Name) && !vaultName.MatchString(p.Name),
		"name must be 2 to 50 letters, digits, '-' and '_', got %q", p.Name)
	for _, id := range p.AcceptFrom {
		problem(!*awscdk.Token_IsUnresolved(id) && !account.MatchString(id), "accept from must be accounts of twelve digits, got %q", id)
	}
	if p.Lock != nil {
		problem(p.Lock.AtLeast == nil, "lock: at least is required: say how long a recovery point must stay")
		errs = append(errs,
			wholeDays("lock: at least", p.Lock.AtLeast, 1, math.Inf(1)),
			wholeDays("lock: at most", p.Lock.AtMost, 1, math.Inf(1)),
			wholeDays("lock: changeable for", p.Lock.ChangeableFor, leastGrace, math.Inf(1)))
	}
	return errors.Join(errs...)
}

// wholeDays says what is wrong with d, which may be nil.
func wholeDays(subject string, d awscdk.Duration, least, most float64) error {
	if d == nil || *d.IsUnresolved() {
		return nil
	}
	got := *d.ToDays(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)})
	switch {
	case got >= least && got <= most && got == math.Trunc(got):
		return nil
	case math.IsInf(most, 1):
		return fmt.Errorf("%s must be at least %g whole days, got %g", subject, least, got)
	}
	return fmt.Errorf("%s must be %g to %g whole days, got %g", subject, least, most, got)
}

// Vault is where AWS Backup keeps recovery points, encrypted with a customer-managed key.
type Vault struct {
	constructs.Construct

	Vault awsbackup.BackupVault
	Key   awskms.IKey
}

// NewVault defines a Vault in scope; props may be nil. It panics on invalid
// props (see [VaultProps.Validate]).
func NewVault(scope constructs.Construct, id string, props *VaultProps) *Vault {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("recovery: %s: %w", id, err))
	}
	p := VaultProps{}
	if props != nil {
		p = *props
	}
	p.RemovalPolicy = cmp.Or(p.RemovalPolicy, DefaultRemovalPolicy)

	vault := new(Vault)
	constructs.NewConstruct_Override(vault, scope, &id)
	vault.Key = vault.key(&p)
	vault.Vault = vault.vault(&p)
	return vault
}

// Arn is the vault's ARN, as [Copy] takes it.
func (v *Vault) Arn() *string { return v.Vault.BackupVaultArn() }

func (v *Vault) key(p *VaultProps) awskms.IKey {
	if p.Key != nil {
		return p.Key
	}
	return awskms.NewKey(v, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String("Encrypts the backups of " + *v.Node().Path()),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     p.RemovalPolicy,
	})
}

func (v *Vault) vault(p *VaultProps) awsbackup.BackupVault {
	props := &awsbackup.BackupVaultProps{EncryptionKey: v.Key, RemovalPolicy: p.RemovalPolicy}
	if p.Name != "" {
		props.BackupVaultName = &p.Name
	}
	if p.Lock != nil {
		props.LockConfiguration = &awsbackup.LockConfiguration{
			MinRetention: p.Lock.AtLeast, MaxRetention: p.Lock.AtMost, ChangeableFor: p.Lock.ChangeableFor,
		}
	}
	vault := awsbackup.NewBackupVault(v, jsii.String("Vault"), props)
	for _, id := range p.AcceptFrom {
		vault.AddToAccessPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Principals: &[]awsiam.IPrincipal{awsiam.NewAccountPrincipal(id)},
			Actions:    jsii.Strings("backup:CopyIntoBackupVault"),
			Resources:  jsii.Strings("*"), // the only one that a vault's policy takes: the vault itself
		}))
	}
	return vault
}
