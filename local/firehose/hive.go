package firehose

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	gluetypes "github.com/aws/aws-sdk-go-v2/service/glue/types"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/parquet-go/parquet-go"
)

// schema is a Glue table as Parquet. Its columns are in alphabetical order:
// Athena reads Parquet by their names.
type schema struct {
	parquet *parquet.Schema
	columns []field
	leaves  int
}

// field is a column, or a member of a struct.
type field struct {
	name string
	typ  *hiveType
}

// hiveType is a column's type.
type hiveType struct {
	kind             string
	precision, scale int       // of a decimal
	key, element     *hiveType // of a map; of a map or an array
	fields           []field   // of a struct
	first, leaves    int       // its columns in a row of Parquet
}

// newSchema reads a table's columns. Its error says which cannot be converted.
func newSchema(table *gluetypes.Table, dictionary bool) (*schema, error) {
	if table == nil || table.StorageDescriptor == nil || len(table.StorageDescriptor.Columns) == 0 {
		return nil, &conversionError{"DataFormatConversion.InvalidSchema", "The table has no columns."}
	}
	s := &schema{}
	for _, column := range table.StorageDescriptor.Columns {
		typ, err := parseHiveType(strings.ToLower(aws.ToString(column.Type)))
		if err != nil {
			return nil, &conversionError{"DataFormatConversion.InvalidSchema", fmt.Sprintf("Column %s: %v.", aws.ToString(column.Name), err)}
		}
		s.columns = append(s.columns, field{strings.ToLower(aws.ToString(column.Name)), typ})
	}
	s.parquet = parquet.NewSchema("hive_schema", group(s.columns, dictionary))
	s.leaves = number(s.columns, 0)
	return s, nil
}

// group is fields as Parquet, which sorts them by their names: so are they, from now on.
func group(fields []field, dictionary bool) parquet.Group {
	slices.SortFunc(fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	group := parquet.Group{}
	for _, f := range fields {
		group[f.name] = parquet.Optional(f.typ.node(dictionary))
	}
	return group
}

// number counts through the columns of Parquet and returns the next.
func number(fields []field, next int) int {
	for _, f := range fields {
		next = f.typ.number(next)
	}
	return next
}

func (t *hiveType) number(next int) int {
	t.first = next
	switch t.kind {
	case "struct":
		next = number(t.fields, next)
	case "array":
		next = t.element.number(next)
	case "map":
		next = t.element.number(t.key.number(next))
	default:
		next++
	}
	t.leaves = next - t.first
	return next
}

// node is t as Parquet, as Hive writes it: timestamps are INT96, which AWS does not document for Firehose.
func (t *hiveType) node(dictionary bool) parquet.Node {
	switch t.kind {
	case "struct":
		return group(t.fields, dictionary)
	case "array":
		return parquet.List(parquet.Optional(t.element.node(dictionary)))
	case "map":
		return parquet.Map(t.key.node(dictionary), parquet.Optional(t.element.node(dictionary)))
	case "string":
		if dictionary {
			return parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
		}
		return parquet.String()
	case "decimal":
		return parquet.Decimal(t.scale, t.precision, parquet.FixedLenByteArrayType(t.bytes()))
	case "date":
		return parquet.Date()
	default:
		return parquet.Leaf(physical[t.kind])
	}
}

var physical = map[string]parquet.Type{
	"boolean": parquet.BooleanType, "tinyint": parquet.Int32Type, "smallint": parquet.Int32Type, "int": parquet.Int32Type,
	"bigint": parquet.Int64Type, "float": parquet.FloatType, "double": parquet.DoubleType, "timestamp": parquet.Int96Type,
}

// bytes is how many a decimal takes.
func (t *hiveType) bytes() int {
	return int(math.Ceil((float64(t.precision)*math.Log2(10) + 1) / 8))
}

// parseHiveType reads a type such as array<struct<a:int>>.
func parseHiveType(text string) (*hiveType, error) {
	text = strings.TrimSpace(text)
	name, arguments := text, ""
	if at := strings.IndexAny(text, "<("); at >= 0 && strings.ContainsAny(text[len(text)-1:], ">)") {
		name, arguments = text[:at], text[at+1:len(text)-1]
	}
	t := &hiveType{kind: name}
	var err error
	switch parts := splitArguments(arguments); {
	case name == "integer":
		t.kind = "int"
	case name == "string", name == "varchar", name == "char":
		t.kind = "string"
	case name == "date", physical[name] != nil:
	case name == "decimal" && arguments == "":
		t.precision = 10 // Hive's default
	case name == "decimal":
		if t.precision, err = strconv.Atoi(parts[0]); err == nil && len(parts) > 1 {
			t.scale, err = strconv.Atoi(parts[1])
		}
		if err != nil || t.precision < 1 || t.precision > 38 || t.scale < 0 || t.scale > t.precision {
			return nil, fmt.Errorf("type must be decimal(precision, scale), got %q", text)
		}
	case name == "array" && len(parts) == 1:
		t.element, err = parseHiveType(parts[0])
	case name == "map" && len(parts) == 2:
		if t.key, err = parseHiveType(parts[0]); err == nil {
			t.element, err = parseHiveType(parts[1])
		}
	case name == "struct" && arguments != "":
		for _, part := range parts {
			member, text, _ := strings.Cut(part, ":")
			var typ *hiveType
			if typ, err = parseHiveType(text); err != nil {
				return nil, err
			}
			t.fields = append(t.fields, field{strings.TrimSpace(member), typ})
		}
	default:
		return nil, fmt.Errorf("type must be one of Hive's that JSON can be converted to, got %q", text)
	}
	return t, err
}

// splitArguments splits at the commas that stand in no brackets.
func splitArguments(text string) (parts []string) {
	depth, start := 0, 0
	for i, c := range text {
		switch {
		case c == '<' || c == '(':
			depth++
		case c == '>' || c == ')':
			depth--
		case c == ',' && depth == 0:
			parts = append(parts, strings.TrimSpace(text[start:i]))
			start = i + 1
		}
	}
	return append(parts, strings.TrimSpace(text[start:]))
}
