package objectives

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

// Tie is a resource of one environment that names another environment or its region.
type Tie struct{ Resource, Type, Reason string }

// reasons are why resources name the environment that their copies go to, by type. Another type has none.
func reasons() map[string]string {
	return map[string]string{
		"AWS::Backup::BackupPlan": "copies each recovery point to the vault there",
		"AWS::IAM::Policy":        "lets S3 write replicas there and encrypt them",
		"AWS::RDS::DBInstance":    "has RDS copy its backups there",
		"AWS::S3::Bucket":         "replicates its objects to the bucket there",
	}
}

// Ties are the resources of from, in the order of their names, that name to or its region: by a zone, an
// ARN, a name, or an export of its stacks. One without a reason is an error too.
func Ties(folder, from, to string) ([]Tie, error) {
	there, err := cfn.Resources(folder, to)
	if err != nil {
		return nil, err
	}
	region, err := region(there)
	if err != nil {
		return nil, fmt.Errorf("reading the region of %s: %w", to, err)
	}
	here, err := cfn.Resources(folder, from)
	if err != nil {
		return nil, err
	}
	var ties []Tie
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(here)) {
		text, err := json.Marshal(here[name])
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		if !slices.ContainsFunc([]string{region, "illrace-" + to}, func(word string) bool { return strings.Contains(string(text), word) }) {
			continue
		}
		tie := Tie{Resource: name, Type: fmt.Sprint(here[name]["Type"])}
		if tie.Reason = reasons()[tie.Type]; tie.Reason == "" {
			errs = append(errs, fmt.Errorf("%s (%s) of %s depends on %s without a reason", name, tie.Type, from, to))
		}
		ties = append(ties, tie)
	}
	return ties, errors.Join(errs...)
}

// region is where the environment's subnets are.
func region(resources map[string]object) (string, error) {
	for _, resource := range resources {
		if zone, ok := cfn.At(resource, "Properties", "AvailabilityZone").(string); ok && zone != "" {
			return zone[:len(zone)-1], nil
		}
	}
	return "", errors.New("no template names a zone")
}
