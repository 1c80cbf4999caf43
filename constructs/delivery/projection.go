package delivery

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsglue"
	"github.com/aws/jsii-runtime-go"
)

var (
	partitionName = regexp.MustCompile(`([a-z][a-z0-9_]*)=!\{([a-zA-Z]+):([^{}]+)\}/`)
	dateParts     = regexp.MustCompile(`^yyyy(?:[-_.]?MM(?:[-_.]?dd(?:[-_.]?HH)?)?)?$`)
)

// partition is a column that a folder of the prefix gives.
type partition struct {
	name    string
	pattern string // of a time; empty for a partition key
}

// layout takes a prefix apart: where the table lies, and its partitions.
func (t *Table) layout(prefix string) (location string, partitions []partition, err error) {
	location = literal(prefix)
	if at := partitionName.FindStringIndex(prefix); at != nil {
		location = prefix[:at[0]]
	}
	rest := strings.TrimPrefix(prefix, location)
	for rest != "" {
		match := partitionName.FindStringSubmatchIndex(rest)
		if match == nil || match[0] != 0 {
			break
		}
		name, namespace, value := rest[match[2]:match[3]], rest[match[4]:match[5]], rest[match[6]:match[7]]
		c := partition{name: name}
		if namespace == "timestamp" {
			c.pattern = value
			if !slices.Contains([]string{"MM", "dd", "HH"}, value) && !dateParts.MatchString(value) {
				return location, partitions, fmt.Errorf("table partition %s must be of yyyy, MM, dd and HH, alone or together in this order, got %q", name, value)
			}
		}
		partitions = append(partitions, c)
		rest = rest[match[1]:]
	}
	if rest != "" || strings.Contains(location, "!{") || !strings.HasSuffix(prefix, "/") {
		err = fmt.Errorf("table needs a prefix whose folders are name=!{…}/ from the first expression to its end, got %q", prefix)
	}
	return location, partitions, err
}

func partitionColumns(partitions []partition) *[]*awsglue.CfnTable_ColumnProperty {
	keys := []*awsglue.CfnTable_ColumnProperty{}
	for _, c := range partitions {
		keys = append(keys, &awsglue.CfnTable_ColumnProperty{Name: &c.name, Type: jsii.String(c.hiveType())})
	}
	return &keys
}

// hiveType is int for a part of a time that stands alone.
func (c partition) hiveType() string {
	if len(c.pattern) == 4 || len(c.pattern) == 2 {
		return "int"
	}
	return "string"
}

// projection has Athena work the partitions out by itself.
// https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
func projection(p *FirehoseToS3Props, partitions []partition) map[string]string {
	first := p.Table.FirstYear
	parameters := map[string]string{"EXTERNAL": "TRUE", "classification": "json"}
	if p.Parquet != nil {
		parameters["classification"] = "parquet"
	}
	if len(partitions) > 0 {
		parameters["projection.enabled"] = "true"
	}
	for _, c := range partitions {
		set := func(name, value string) { parameters["projection."+c.name+"."+name] = value }
		integer := func(from, to, digits int) {
			set("type", "integer")
			set("range", fmt.Sprintf("%d,%d", from, to))
			set("digits", fmt.Sprint(digits))
		}
		values := p.Table.Values[c.name]
		switch {
		case c.pattern == "" && len(values) > 0:
			set("type", "enum")
			set("values", strings.Join(values, ","))
		case c.pattern == "":
			set("type", "injected")
		case c.pattern == "yyyy":
			integer(first, first+TableYears-1, 4)
		case c.pattern == "MM":
			integer(1, 12, 2)
		case c.pattern == "dd":
			integer(1, 31, 2)
		case c.pattern == "HH":
			integer(0, 23, 2)
		default:
			set("type", "date")
			set("format", c.pattern)
			set("range", c.firstOf(first)+","+now(p.TimeZone))
			set("interval", "1")
			set("interval.unit", c.unit())
		}
	}
	return parameters
}

// now is the end of a range of dates. NOW is UTC, and east of it is a day ahead.
func now(zone string) string {
	if zone == "" || zone == "UTC" {
		return "NOW"
	}
	return "NOW+1DAYS"
}

func (c partition) firstOf(year int) string {
	return strings.NewReplacer("yyyy", fmt.Sprint(year), "MM", "01", "dd", "01", "HH", "00").Replace(c.pattern)
}

func (c partition) unit() string {
	switch {
	case strings.Contains(c.pattern, "HH"):
		return "HOURS"
	case strings.Contains(c.pattern, "dd"):
		return "DAYS"
	}
	return "MONTHS"
}
