package database

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// What RDS accepts: https://docs.aws.amazon.com/AmazonRDS/latest/APIReference/API_CreateDBInstance.html
const (
	minStorageGiB = 20 // gp3
	maxStorageGiB = 65_536
	minPort       = 1_150
	maxPort       = 65_535
	maxBackupDays = 35
	minZones      = 2 // a DB subnet group's
	// Secrets Manager rotates at least once in 999 days.
	// https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html
	maxRotationDays = 999
)

var databaseName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,62}$`)

// Validate reports every problem of the props in one error.
func (p *PrivateRdsProps) Validate() error {
	if p == nil {
		return nil
	}
	return errors.Join(
		p.validateNetwork(),
		between("allocated storage", p.AllocatedStorageGiB, minStorageGiB, maxStorageGiB, "GiB"),
		between("port", p.Port, minPort, maxPort, ""),
		days("backup retention", p.BackupRetention, maxBackupDays),
		p.validateName(),
		p.validateRotation(),
		p.validateCABundle(),
		p.validateRemoval(),
	)
}

func (p *PrivateRdsProps) validateNetwork() error {
	var errs []error
	if p.Vpc == nil && p.VpcSubnets != nil {
		errs = append(errs, errors.New("vpc subnets are given without a vpc: give the vpc too"))
	}
	if p.Vpc != nil && len(p.AvailabilityZones) > 0 {
		errs = append(errs, errors.New("availability zones are of a new vpc, and a vpc is given: choose zones by vpc subnets"))
	}
	if p.Vpc != nil && p.SkipFlowLog {
		errs = append(errs, errors.New("skip flow log is of a new vpc, and a vpc is given: its flow log is its owner's"))
	}
	zones := slices.Compact(slices.Sorted(slices.Values(p.AvailabilityZones)))
	switch {
	case len(p.AvailabilityZones) == 0:
	case len(zones) != len(p.AvailabilityZones) || slices.Contains(zones, ""):
		errs = append(errs, fmt.Errorf("availability zones must be named, each once, got %q", p.AvailabilityZones))
	case len(zones) < minZones || len(zones) > maxZones:
		errs = append(errs, fmt.Errorf("availability zones must be %d to %d, got %q", minZones, maxZones, p.AvailabilityZones))
	}
	return errors.Join(errs...)
}

func (p *PrivateRdsProps) validateName() error {
	if p.DatabaseName == "" || databaseName.MatchString(p.DatabaseName) {
		return nil
	}
	return fmt.Errorf("database name must be a letter, then letters, digits and underscores, 63 at most, got %q", p.DatabaseName)
}

func (p *PrivateRdsProps) validateRotation() error {
	if p.SkipRotation && p.RotationInterval != nil {
		return errors.New("rotation interval is given and rotation is skipped: give one")
	}
	return days("rotation interval", p.RotationInterval, maxRotationDays)
}

func (p *PrivateRdsProps) validateCABundle() error {
	if p.CABundle == "" {
		return nil
	}
	if !x509.NewCertPool().AppendCertsFromPEM([]byte(p.CABundle)) {
		return errors.New("ca bundle must be certificates in PEM, found none")
	}
	// A private key in an environment variable would be no way to keep it.
	for block, rest := pem.Decode([]byte(p.CABundle)); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return fmt.Errorf("ca bundle must be certificates alone, found a block %q", block.Type)
		}
	}
	return nil
}

func (p *PrivateRdsProps) validateRemoval() error {
	switch p.RemovalPolicy {
	case "", awscdk.RemovalPolicy_DESTROY, awscdk.RemovalPolicy_SNAPSHOT, awscdk.RemovalPolicy_RETAIN:
		return nil
	}
	return fmt.Errorf("removal policy must be DESTROY, SNAPSHOT or RETAIN, got %s", p.RemovalPolicy)
}

// between checks a number whose zero stands for its default.
func between(subject string, got, lowest, highest int, unit string) error {
	if got == 0 || lowest <= got && got <= highest {
		return nil
	}
	if unit != "" {
		unit = " " + unit
	}
	return fmt.Errorf("%s must be %d to %d%s, got %d", subject, lowest, highest, unit, got)
}

// days checks a duration whose nil stands for its default.
func days(subject string, got awscdk.Duration, highest int) error {
	if got == nil || *got.IsUnresolved() {
		return nil
	}
	n := *got.ToDays(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)})
	if n >= 1 && n <= float64(highest) && n == float64(int(n)) {
		return nil
	}
	return fmt.Errorf("%s must be 1 to %d whole days, got %g", subject, highest, n)
}
