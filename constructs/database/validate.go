package database

import (
	"cmp"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsrds"
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

// identifier: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Limits.html#RDS_Limits.Constraints
var identifier = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

var databaseName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,62}$`)

// Validate reports every problem of the props in one error.
func (p *PrivateRdsProps) Validate() error {
	if p == nil {
		return nil
	}
	return errors.Join(
		p.validateNetwork(),
		between("allocated storage", p.AllocatedStorageGiB, minStorageGiB, maxStorageGiB, "GiB"),
		p.validateGrowth(),
		between("port", p.Port, minPort, maxPort, ""),
		between("max connections", p.MaxConnections, leastConnections, maxMaxConnections, ""),
		p.validateParameters(),
		whole("backup retention", p.BackupRetention, maxBackupDays, "days", awscdk.Duration.ToDays),
		validateWindows(p.BackupWindow, p.MaintenanceWindow),
		p.validateName(),
		p.validateIdentifier(),
		p.validateObservation(),
		p.Proxy.Validate(),
		p.validateRotation(),
		validateCABundle(p.CABundle),
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

func (p *PrivateRdsProps) validateIdentifier() error {
	const longest = 63
	if p.Identifier == "" || len(p.Identifier) <= longest && identifier.MatchString(p.Identifier) {
		return nil
	}
	return fmt.Errorf("identifier must be lower-case letters, digits and single hyphens, a letter first, %d at most, got %q", longest, p.Identifier)
}

func (p *PrivateRdsProps) validateGrowth() error {
	least := cmp.Or(p.AllocatedStorageGiB, DefaultAllocatedStorageGiB)
	return between("max allocated storage", p.MaxAllocatedStorageGiB, least, maxStorageGiB, "GiB")
}

func (p *PrivateRdsProps) validateParameters() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(p.Parameters)) {
		switch _, taken := fixed()[name]; {
		case taken:
			errs = append(errs, fmt.Errorf("parameter %s is %s, and cannot be changed", name, fixed()[name]))
		case name == "max_connections":
			errs = append(errs, errors.New("parameter max_connections is given by max connections"))
		}
	}
	return errors.Join(errs...)
}

func (p *PrivateRdsProps) validateObservation() error {
	var errs []error
	switch p.Insights {
	case "", awsrds.DatabaseInsightsMode_STANDARD, awsrds.DatabaseInsightsMode_ADVANCED:
	default:
		errs = append(errs, fmt.Errorf("insights must be STANDARD or ADVANCED, got %s", p.Insights))
	}
	if p.SkipInsights && p.Insights != "" {
		errs = append(errs, errors.New("insights is given and skipped: give one"))
	}
	if p.SkipMonitoring && p.MonitoringInterval != nil {
		errs = append(errs, errors.New("monitoring interval is given and monitoring is skipped: give one"))
	}
	if p.MonitoringInterval != nil && !slices.Contains(monitoringIntervals(), *p.MonitoringInterval.ToSeconds(nil)) {
		errs = append(errs, fmt.Errorf("monitoring interval must be one of %v seconds, got %g", monitoringIntervals(), *p.MonitoringInterval.ToSeconds(nil)))
	}
	if p.SkipAlarms && len(p.AlarmActions) > 0 {
		errs = append(errs, errors.New("alarm actions are given and alarms are skipped: give one"))
	}
	return errors.Join(errs...)
}

// monitoringIntervals are what RDS takes, in seconds.
func monitoringIntervals() []float64 { return []float64{1, 5, 10, 15, 30, 60} }

func (p *PrivateRdsProps) validateRotation() error {
	if p.SkipRotation && p.RotationInterval != nil {
		return errors.New("rotation interval is given and rotation is skipped: give one")
	}
	return whole("rotation interval", p.RotationInterval, maxRotationDays, "days", awscdk.Duration.ToDays)
}

func validateCABundle(bundle string) error {
	if bundle == "" {
		return nil
	}
	if !x509.NewCertPool().AppendCertsFromPEM([]byte(bundle)) {
		return errors.New("ca bundle must be certificates in PEM, found none")
	}
	// A private key in an environment variable would be no way to keep it.
	for block, rest := pem.Decode([]byte(bundle)); block != nil; block, rest = pem.Decode(rest) {
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

// whole checks a duration whose nil stands for its default.
func whole(subject string, got awscdk.Duration, highest int, unit string, in func(awscdk.Duration, *awscdk.TimeConversionOptions) *float64) error {
	if got == nil || *got.IsUnresolved() {
		return nil
	}
	n := *in(got, &awscdk.TimeConversionOptions{Integral: jsii.Bool(false)})
	if n >= 1 && n <= float64(highest) && n == float64(int(n)) {
		return nil
	}
	return fmt.Errorf("%s must be 1 to %d whole %s, got %g", subject, highest, unit, n)
}
