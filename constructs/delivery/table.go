package delivery

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
)

// Table makes the lake a table of AWS Glue, which Athena queries. Its partitions
// are projected from Prefix (https://docs.aws.amazon.com/athena/latest/ug/partition-projection.html):
// new data is seen as soon as it lies there, with no crawler and no ALTER TABLE.
//
// So Prefix must end in folders of Hive's style, name=!{…}/, of which each is a
// column: a time of yyyy, MM, dd and HH, alone or together (!{timestamp:yyyy-MM-dd-HH}), or a partition key.
type Table struct {
	// Columns are what the table shows of an event. With Parquet they are all that is
	// stored of it: give a Backup if the rest may be needed. The member with
	// our metadata is a column of its own, [MetadataColumn]. Required.
	Columns []Column
	// Database is the name of the Glue database that is made for the table: lower-case letters, digits and _.
	//
	// Default: made of the construct's path, so that it is the only one of its name.
	Database string
	// Name is the table's name, of the same characters. The view that shows each event once is called NAME_once.
	//
	// Default: [DefaultTable].
	Name string
	// FirstYear is the first whose partitions Athena looks for. It looks for those of [TableYears] years.
	//
	// Default: [DefaultFirstYear].
	FirstYear int
	// Values are all values of a partition key, by its column. A key without values
	// is injected: every query must then say which one it wants (WHERE type = '…').
	//
	// Default: every partition key is injected.
	Values map[string][]string
	// SkipAthena leaves out the workgroup and the queries.
	//
	// Default: false.
	SkipAthena bool
	// Results is the bucket of what queries return.
	//
	// Default: a new [LakeBucket] with the lake's key, whose objects expire after [ResultsDays] days.
	Results awss3.IBucket
	// ScanLimit ends a query of the workgroup that has scanned more, at least 10 MB. Athena is paid for by what it scans.
	//
	// Default: [DefaultScanLimit] GiB.
	ScanLimit awscdk.Size
}

// Column is a column of a [Table].
type Column struct {
	// Name is the column's name: lower-case letters, digits and _. Required.
	Name string
	// Type is one of Hive's: string, boolean, tinyint, smallint, int, bigint, float, double, decimal(p,s), date,
	// timestamp, binary, array<…>, map<…,…> or struct<name:…,…>. Required.
	//
	// A time in RFC 3339 is best a string: from_iso8601_timestamp reads it.
	Type string
	// Member is the event's member that it takes, of whatever case.
	//
	// Default: Name.
	Member string
	// Comment is shown beside the column.
	//
	// Default: none.
	Comment string
}

// Parquet converts events to Apache Parquet. A record that does not fit the
// columns goes to the error prefix.
// https://docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html
type Parquet struct {
	// Compression inside the files: SNAPPY, GZIP or UNCOMPRESSED.
	//
	// Default: SNAPPY.
	Compression string
	// TimestampFormats are Joda-Time patterns, or millis, of columns of type timestamp. With them
	// Firehose reads events by Hive's JSON SerDe, which cannot rename members: the
	// metadata's column is then called _millrace.
	//
	// Default: none; events are read by the OpenX JSON SerDe.
	TimestampFormats []string
}

// Defaults of [Table], and what it is made with.
const (
	DefaultTable     = "events"
	DefaultFirstYear = 2026
	DefaultScanLimit = 100 // GiB
	TableYears       = 20
	ResultsDays      = 30

	// MetadataColumn is the column of the member _millrace: struct<id:string,arrived_at:string>.
	// Its name has no underscore in front, which Athena would want in quotes.
	MetadataColumn = "millrace"

	metadataMember = "_millrace"
	metadataType   = "struct<id:string,arrived_at:string>"
	minScanLimit   = 10_000_000 // bytes: https://docs.aws.amazon.com/athena/latest/APIReference/API_WorkGroupConfiguration.html
)

var (
	glueName   = regexp.MustCompile(`^[a-z0-9_]{1,128}$`) // Glue takes more, Athena's workgroups do not
	columnName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,254}$`)
)

func (t *Table) withDefaults() *Table {
	if t == nil {
		return nil
	}
	q := *t
	if q.ScanLimit == nil {
		q.ScanLimit = awscdk.Size_Gibibytes(jsii.Number(DefaultScanLimit))
	}
	q.Name = cmp.Or(q.Name, DefaultTable)
	q.FirstYear = cmp.Or(q.FirstYear, DefaultFirstYear)
	return &q
}

func (t *Table) validate(p *FirehoseToS3Props) error {
	if t == nil {
		return nil
	}
	var errs []error
	say := func(format string, args ...any) { errs = append(errs, fmt.Errorf("table "+format, args...)) }
	if t.Database != "" && !glueName.MatchString(t.Database) {
		say("database must be lower-case letters, digits and _, got %q", t.Database)
	}
	if !glueName.MatchString(t.Name) {
		say("name must be lower-case letters, digits and _, got %q", t.Name)
	}
	if t.FirstYear < 1970 || t.FirstYear > 9999-TableYears {
		say("first year must be 1970 to %d, got %d", 9999-TableYears, t.FirstYear)
	}
	if p.Compression == ZIP || p.Compression == Snappy {
		say("is for compressions that Athena reads, which are %s, %s and %s, got %s", GZIP, HadoopSnappy, Uncompressed, p.Compression)
	}
	if size := t.ScanLimit; !*size.IsUnresolved() && *size.ToBytes(nil) < minScanLimit {
		say("scan limit must be at least %d bytes, got %g", minScanLimit, *size.ToBytes(nil))
	}
	if t.SkipAthena && t.Results != nil {
		say("results are of Athena, which is skipped: do one of the two")
	}
	_, partitions, err := t.layout(p.Prefix)
	if err != nil {
		errs = append(errs, err)
	}
	for name := range t.Values {
		if !slices.ContainsFunc(partitions, func(c partition) bool { return c.name == name && c.pattern == "" }) {
			say("values of %s are of no partition key that the prefix has", name)
		}
	}
	return errors.Join(append(errs, t.validateColumns(p, partitions))...)
}

func (t *Table) validateColumns(p *FirehoseToS3Props, partitions []partition) error {
	var errs []error
	if len(t.Columns) == 0 {
		errs = append(errs, errors.New("table columns are required: say what it shows of an event"))
	}
	seen := map[string]bool{metadataName(p.Parquet): true}
	for _, c := range partitions {
		seen[c.name] = true
	}
	for _, c := range t.Columns {
		if !columnName.MatchString(c.Name) {
			errs = append(errs, fmt.Errorf("table column must be named in lower-case letters, digits and _, got %q", c.Name))
		}
		if seen[c.Name] {
			errs = append(errs, fmt.Errorf("table column %s is there already: names of columns, of the prefix's folders and %s must differ", c.Name, metadataName(p.Parquet)))
		}
		seen[c.Name] = true
		if rest, ok := hiveType(c.Type); !ok || rest != "" {
			errs = append(errs, fmt.Errorf("table column %s: type must be one of Hive's, got %q", c.Name, c.Type))
		}
		if p.Parquet != nil && len(p.Parquet.TimestampFormats) > 0 && c.Member != "" && c.Member != c.Name {
			errs = append(errs, fmt.Errorf("table column %s: with timestamp formats a column is named as its member, got %q", c.Name, c.Member))
		}
	}
	return errors.Join(errs...)
}

func (p *Parquet) validate(props *FirehoseToS3Props) error {
	if p == nil {
		return nil
	}
	var errs []error
	if props.Table == nil {
		errs = append(errs, errors.New("parquet needs a table: its columns are the file's"))
	}
	if !slices.Contains([]string{"", "SNAPPY", "GZIP", "UNCOMPRESSED"}, p.Compression) {
		errs = append(errs, fmt.Errorf("parquet compression must be SNAPPY, GZIP or UNCOMPRESSED, got %q", p.Compression))
	}
	if props.FileExtension != "" && !strings.Contains(props.FileExtension, "parquet") {
		errs = append(errs, fmt.Errorf("file extension must say parquet, got %q", props.FileExtension))
	}
	return errors.Join(errs...)
}

// metadataName is the column of our metadata: Hive's SerDe cannot rename it.
func metadataName(p *Parquet) string {
	if p != nil && len(p.TimestampFormats) > 0 {
		return metadataMember
	}
	return MetadataColumn
}
