package firehose

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	gluetypes "github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
)

// tableAPI is the one call of Glue that conversion takes.
type tableAPI interface {
	GetTable(context.Context, *glue.GetTableInput, ...func(*glue.Options)) (*glue.GetTableOutput, error)
}

// conversion is how JSON becomes Parquet (developer guide, record-format-conversion).
type conversion struct {
	table         catalogTable
	caseSensitive bool
	underscores   bool              // for dots in names
	names         map[string]string // of members, by column, where they differ
	codec         compress.Codec
	dictionary    bool
	pageBytes     int // 0: the library's default
}

// newConversion reads a configuration; nil: records stay as they are.
func newConversion(c *types.DataFormatConversionConfiguration) (*conversion, error) {
	if c == nil || (c.Enabled != nil && !*c.Enabled) {
		return nil, nil //nolint:nilnil // no conversion is no error
	}
	if c.SchemaConfiguration == nil || c.InputFormatConfiguration == nil || c.InputFormatConfiguration.Deserializer == nil ||
		c.OutputFormatConfiguration == nil || c.OutputFormatConfiguration.Serializer == nil {
		return nil, errors.New("data format conversion must have a schema, a deserializer and a serializer")
	}
	made := &conversion{codec: &parquet.Snappy}
	var errs [2]error
	schema, in := c.SchemaConfiguration, c.InputFormatConfiguration.Deserializer
	made.table = catalogTable{
		CatalogID: aws.ToString(schema.CatalogId), DatabaseName: aws.ToString(schema.DatabaseName), TableName: aws.ToString(schema.TableName),
		Region: aws.ToString(schema.Region), VersionID: aws.ToString(schema.VersionId),
	}
	if open := in.OpenXJsonSerDe; open != nil {
		made.caseSensitive = open.CaseInsensitive != nil && !*open.CaseInsensitive
		made.underscores = aws.ToBool(open.ConvertDotsInJsonKeysToUnderscores)
		made.names = open.ColumnToJsonKeyMappings
	}
	if hive := in.HiveJsonSerDe; hive != nil && len(hive.TimestampFormats) > 0 {
		errs[0] = fmt.Errorf("timestamp formats of the Hive JSON SerDe are not supported, got %q", hive.TimestampFormats)
	}
	errs[1] = made.readSerializer(c.OutputFormatConfiguration.Serializer)
	return made, errors.Join(errs[:]...)
}

func (c *conversion) readSerializer(s *types.Serializer) error {
	if s.ParquetSerDe == nil {
		return errors.New("serializer must be Parquet, got another")
	}
	switch s.ParquetSerDe.Compression {
	case types.ParquetCompressionGzip:
		c.codec = &parquet.Gzip
	case types.ParquetCompressionUncompressed:
		c.codec = &parquet.Uncompressed
	case types.ParquetCompressionSnappy, "":
	default:
		return fmt.Errorf("compression of Parquet must be SNAPPY, GZIP or UNCOMPRESSED, got %s", s.ParquetSerDe.Compression)
	}
	c.dictionary = aws.ToBool(s.ParquetSerDe.EnableDictionaryCompression)
	c.pageBytes = int(aws.ToInt32(s.ParquetSerDe.PageSizeBytes))
	return nil
}

// conversionError is what a record could not be converted for. The codes and
// messages are those of the developer guide's monitoring-with-cloudwatch-logs.
type conversionError struct{ code, message string }

func (e *conversionError) Error() string { return e.message }

var (
	errEmpty     = &conversionError{"DataFormatConversion.MalformedData", "The record was empty or contained only whitespace."}
	errPrimitive = &conversionError{"DataFormatConversion.MalformedData", "The input JSON contained a primitive at the top level. The top level must be an object or array."}
	errArray     = &conversionError{"DataFormatConversion.MalformedData", "Data does not match the schema. An array of JSON documents is not a valid input."}
	errMalformed = &conversionError{"DataFormatConversion.ParseError", "Encountered malformed JSON."}
	errNoTable   = &conversionError{"DataFormatConversion.EntityNotFound", "The specified table/database could not be found. Please ensure that the table/database exists and that the values provided in the schema configuration are correct, especially with regards to casing."}
)

// convert returns a buffer's records as a Parquet file, and fails those of them
// that do not fit the table. It returns nil if there is nothing to put: then
// none did, or ctx is done.
func (d *stream) convert(ctx context.Context, c *conversion, b *buffer) []byte {
	var schema *schema
	var unusable error // for every record
	found := false
	d.persist(ctx, func() (err error) {
		schema, unusable, err = d.schema(ctx, c)
		found = err == nil
		return err
	})
	if !found {
		return nil
	}
	table := c.table
	var rows []parquet.Row
	var kept, refused []record
	var reasons []error
	for _, r := range b.records {
		made, err := []parquet.Row(nil), unusable
		if err == nil {
			made, err = c.rows(schema, r.data)
		}
		if err != nil {
			refused, reasons = append(refused, r), append(reasons, err)
			continue
		}
		kept, rows = append(kept, r), append(rows, made...)
	}
	b.records = kept
	for i, r := range refused {
		reason := &conversionError{"DataFormatConversion.MalformedData", "Data does not match the schema. " + reasons[i].Error()}
		errors.As(reasons[i], &reason)
		d.fail(ctx, r, failure{code: reason.code, message: reason.message, attempts: 1, table: &table})
	}
	if len(kept) == 0 {
		d.emptied(b)
		return nil
	}
	file, err := c.file(schema, rows)
	if err != nil { // rows of this schema, into memory
		panic(fmt.Sprintf("firehose: writing Parquet: %v", err))
	}
	return file
}

// schema reads the table. An unusable one fails the records; err is to be tried again.
func (d *stream) schema(ctx context.Context, c *conversion) (made *schema, unusable, err error) {
	input := &glue.GetTableInput{DatabaseName: &c.table.DatabaseName, Name: &c.table.TableName}
	if c.table.CatalogID != "" {
		input.CatalogId = &c.table.CatalogID
	}
	output, err := d.glue.GetTable(ctx, input)
	if missing := new(gluetypes.EntityNotFoundException); errors.As(err, &missing) {
		return nil, errNoTable, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("getting the table %s.%s: %w", c.table.DatabaseName, c.table.TableName, err)
	}
	made, unusable = newSchema(output.Table, c.dictionary)
	return made, unusable, nil
}

// rows converts the JSON documents of a record, one or several after one another.
func (c *conversion) rows(s *schema, data []byte) ([]parquet.Row, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errEmpty
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	var rows []parquet.Row
	for {
		var document json.RawMessage
		switch err := decoder.Decode(&document); {
		case errors.Is(err, io.EOF):
			return rows, nil
		case err != nil:
			return nil, errMalformed
		case document[0] == '[':
			return nil, errArray
		case document[0] != '{':
			return nil, errPrimitive
		}
		row, err := s.row(document, c.name, c.names)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
}

// name is a member's name as the columns are looked up by.
func (c *conversion) name(name string) string {
	if c.underscores {
		name = strings.ReplaceAll(name, ".", "_")
	}
	if !c.caseSensitive {
		name = strings.ToLower(name)
	}
	return name
}

func (c *conversion) file(s *schema, rows []parquet.Row) ([]byte, error) {
	options := []parquet.WriterOption{s.parquet, parquet.Compression(c.codec), parquet.DataPageVersion(1)}
	if c.pageBytes > 0 {
		options = append(options, parquet.PageBufferSize(c.pageBytes))
	}
	var file bytes.Buffer
	writer := parquet.NewWriter(&file, options...)
	if _, err := writer.WriteRows(rows); err != nil {
		return nil, fmt.Errorf("writing %d rows: %w", len(rows), err)
	}
	if err := writer.Close(); err != nil {
		return nil, fmt.Errorf("closing the file: %w", err)
	}
	return file.Bytes(), nil
}
