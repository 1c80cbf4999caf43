package firehose

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/glue"
	gluetypes "github.com/aws/aws-sdk-go-v2/service/glue/types"
	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type fakeGlue struct {
	columns [][2]string // name, type
	err     error
	errs    int // how often err is answered, 0: always
	calls   int
}

func (f *fakeGlue) GetTable(_ context.Context, input *glue.GetTableInput, _ ...func(*glue.Options)) (*glue.GetTableOutput, error) {
	f.calls++
	if f.err != nil && (f.errs == 0 || f.calls <= f.errs) {
		return nil, f.err
	}
	table := &gluetypes.Table{Name: input.Name, StorageDescriptor: &gluetypes.StorageDescriptor{}}
	for _, c := range f.columns {
		table.StorageDescriptor.Columns = append(table.StorageDescriptor.Columns, gluetypes.Column{Name: &c[0], Type: &c[1]})
	}
	return &glue.GetTableOutput{Table: table}, nil
}

func parquetConfiguration(edit func(*types.OpenXJsonSerDe, *types.ParquetSerDe)) *types.DataFormatConversionConfiguration {
	in, out := &types.OpenXJsonSerDe{}, &types.ParquetSerDe{}
	if edit != nil {
		edit(in, out)
	}
	return &types.DataFormatConversionConfiguration{
		SchemaConfiguration: &types.SchemaConfiguration{
			DatabaseName: aws.String("lake"), TableName: aws.String("events"), Region: aws.String("eu-west-1"), VersionId: aws.String("LATEST"),
		},
		InputFormatConfiguration:  &types.InputFormatConfiguration{Deserializer: &types.Deserializer{OpenXJsonSerDe: in}},
		OutputFormatConfiguration: &types.OutputFormatConfiguration{Serializer: &types.Serializer{ParquetSerDe: out}},
	}
}

// converting is a stream to Parquet by a table of these columns.
func converting(t *testing.T, edit func(*types.OpenXJsonSerDe, *types.ParquetSerDe), columns ...[2]string) (*stream, *fakeS3) {
	t.Helper()
	d, store := testStream(t, nil, func(s *settings) {
		var err error
		s.conversion, err = newConversion(parquetConfiguration(edit))
		require.NoError(t, err)
		s.extension = ".parquet"
	})
	d.glue = &fakeGlue{columns: columns}
	return d, store
}

// table reads a Parquet file as rows of texts by the columns' paths; null is "-".
func table(t *testing.T, body string) []map[string]string {
	t.Helper()
	file, err := parquet.OpenFile(bytes.NewReader([]byte(body)), int64(len(body)))
	require.NoError(t, err)
	paths := file.Schema().Columns()
	reader := parquet.NewReader(file)
	rows := make([]parquet.Row, file.NumRows())
	n, err := reader.ReadRows(rows)
	if !errors.Is(err, io.EOF) {
		require.NoError(t, err)
	}
	require.EqualValues(t, file.NumRows(), n)
	var found []map[string]string
	for _, row := range rows {
		values := map[string]string{}
		for _, v := range row {
			path := ""
			for _, part := range paths[v.Column()] {
				path += "/" + part
			}
			text := v.String()
			if v.IsNull() {
				text = "-"
			}
			values[path[1:]] += text + ";"
		}
		found = append(found, values)
	}
	return found
}

func TestRecordsAreConvertedToParquetByTheTablesColumns(t *testing.T) {
	d, store := converting(t, nil, [2]string{"Id", "string"}, [2]string{"n", "int"}, [2]string{"mag", "double"}, [2]string{"ok", "boolean"})
	run(t, d, testRecord(1, `{"ID":"a","n":1,"mag":1.5,"ok":true,"other":[]}`+"\n"), testRecord(2, `{"id":"b","n":null}{"id":"c"}`))
	require.Len(t, store.objects, 1)
	assert.Regexp(t, `^lake/2018/08/07/09/lake-1-.*\.parquet$`, store.objects[0].key)
	assert.Equal(t, []map[string]string{
		{"id": "a;", "n": "1;", "mag": "1.5;", "ok": "true;"},
		{"id": "b;", "n": "-;", "mag": "-;", "ok": "-;"},
		{"id": "c;", "n": "-;", "mag": "-;", "ok": "-;"},
	}, table(t, store.objects[0].body))
}

func TestValuesAreReadAsTheOpenXSerDeReadsThem(t *testing.T) {
	for _, test := range []struct{ typ, value, want string }{
		{"string", `12.50`, "12.50"},
		{"string", `{"a": [1]}`, `{"a":[1]}`},
		{"varchar(10)", `"a\nb"`, "a\nb"},
		{"int", `"12"`, "12"},
		{"tinyint", `-128`, "-128"},
		{"bigint", `9007199254740993`, "9007199254740993"},
		{"boolean", `"TRUE"`, "true"},
		{"float", `"1.5"`, "1.5"},
		{"date", `"1970-01-11"`, "10"},
	} {
		d, store := converting(t, nil, [2]string{"v", test.typ})
		run(t, d, testRecord(1, `{"v":`+test.value+`}`))
		require.Len(t, store.objects, 1, test.typ)
		assert.Equal(t, []map[string]string{{"v": test.want + ";"}}, table(t, store.objects[0].body), "%s of %s", test.typ, test.value)
	}
}

func TestTimestampsAreReadInEveryFormOfTheDeveloperGuide(t *testing.T) {
	at := time.Date(2018, 2, 7, 15, 13, 1, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2018-02-07T15:13:01.39256Z": at.Add(392_560 * time.Microsecond),
		"2018-2-7 15:13:01":          at,
		"1518016381":                 at,
		"1518016381123":              at.Add(123 * time.Millisecond),
		"1518016381.123":             at.Add(123 * time.Millisecond),
	} {
		got, ok := hiveTime(text)
		assert.True(t, ok, text)
		assert.True(t, want.Equal(got), "%s: got %s", text, got)
	}
	_, ok := hiveTime("7.2.2018")
	assert.False(t, ok)
	day := uint32(2_440_588)
	assert.EqualValues(t, [3]uint32{1_000_000, 0, day}, int96(time.Unix(0, 1_000_000)))
	assert.EqualValues(t, [3]uint32{0, 0, day - 1}, int96(time.Unix(-24*60*60, 0)))
}

func TestNestedColumnsKeepTheirNesting(t *testing.T) {
	d, store := converting(t, nil, [2]string{"a", "array<struct<x:int,y:array<string>>>"}, [2]string{"m", "map<string,int>"}, [2]string{"s", "struct<b:string,a:int>"})
	run(t, d,
		testRecord(1, `{"a":[{"x":1,"y":["p","q"]},{"Y":[]},null],"m":{"k":1,"l":null},"s":{"A":5}}`),
		testRecord(2, `{"a":[],"m":{},"s":null}`))
	require.Len(t, store.objects, 1)
	assert.Equal(t, []map[string]string{
		{
			"a/list/element/x": "1;-;-;", "a/list/element/y/list/element": "p;q;-;-;",
			"m/key_value/key": "k;l;", "m/key_value/value": "1;-;", "s/a": "5;", "s/b": "-;",
		},
		{
			"a/list/element/x": "-;", "a/list/element/y/list/element": "-;",
			"m/key_value/key": "-;", "m/key_value/value": "-;", "s/a": "-;", "s/b": "-;",
		},
	}, table(t, store.objects[0].body))
}

func TestDecimalsAreRoundedToTheirScaleAndMustFitTheirPrecision(t *testing.T) {
	typ, err := parseHiveType("decimal(5,2)")
	require.NoError(t, err)
	for text, want := range map[string][]byte{"1.005": {0, 0, 101}, "-1": {255, 255, 156}, "1e2": {0, 39, 16}} {
		value, ok := typ.scalar(text)
		require.True(t, ok, text)
		assert.Equal(t, want, value.ByteArray(), text)
	}
	for _, text := range []string{"1000", "1e999999999", "x", "1/3"} {
		_, ok := typ.scalar(text)
		assert.False(t, ok, text)
	}
}

func TestRecordsThatDoNotFitTheSchemaGoToTheErrorPrefixInTheDocumentedShape(t *testing.T) {
	d, store := converting(t, nil, [2]string{"n", "int"})
	before := time.Now().UnixMilli()
	fits := testRecord(1, `{"n":1}`)
	var bad []record
	texts := map[string]string{
		`{"n":"many"}`: "DataFormatConversion.MalformedData", `{"n":[1]}`: "DataFormatConversion.MalformedData", `{"n":1.5}`: "DataFormatConversion.MalformedData",
		`{"n":1`: "DataFormatConversion.ParseError", `[{"n":1}]`: "DataFormatConversion.MalformedData", `7`: "DataFormatConversion.MalformedData",
		" ": "DataFormatConversion.MalformedData",
	}
	names := slices.Sorted(maps.Keys(texts))
	for i, text := range names {
		bad = append(bad, testRecord(i+2, text))
	}
	run(t, d, append(bad, fits)...)
	require.Len(t, store.objects, 2)
	assert.Len(t, table(t, store.objects[0].body), 1)
	assert.Regexp(t, `^errors/format-conversion-failed/2018/08/07/09/lake-1-`, store.objects[1].key)
	lines := failures(t, store.objects[1].body)
	require.Len(t, lines, len(names))
	for i, line := range lines {
		assert.Equal(t, texts[names[i]], line["lastErrorCode"], names[i])
	}
	first := lines[0]
	assert.GreaterOrEqual(t, first["attemptEndingTimestamp"], float64(before))
	delete(first, "attemptEndingTimestamp")
	assert.Equal(t, map[string]any{
		"attemptsMade": 1.0, "arrivalTimestamp": 1533632703125.0, "rawData": "IA==",
		"lastErrorCode": "DataFormatConversion.MalformedData", "lastErrorMessage": "The record was empty or contained only whitespace.",
		"sequenceNumber": "002", "subSequenceNumber": 0.0,
		"dataCatalogTable": map[string]any{
			"catalogId": "", "databaseName": "lake", "tableName": "events", "region": "eu-west-1", "versionId": "LATEST", "catalogArn": "",
		},
	}, first)
}

func TestTableThatIsNotThereOrNotUsableFailsTheRecordsAndLosesNone(t *testing.T) {
	for want, tables := range map[string]*fakeGlue{
		"DataFormatConversion.EntityNotFound": {err: &gluetypes.EntityNotFoundException{}},
		"DataFormatConversion.InvalidSchema":  {columns: [][2]string{{"v", "uniontype<int>"}}},
	} {
		d, store := converting(t, nil)
		d.glue = tables
		run(t, d, testRecord(1, `{"v":1}`))
		require.Len(t, store.objects, 1)
		assert.Equal(t, want, failures(t, store.objects[0].body)[0]["lastErrorCode"])
		assert.Empty(t, d.outgoing)
	}
}

func TestGlueThatDoesNotAnswerIsAskedAgain(t *testing.T) {
	d, store := converting(t, nil)
	tables := &fakeGlue{columns: [][2]string{{"v", "int"}}, err: errors.New("connection refused"), errs: 1}
	d.glue = tables
	run(t, d, testRecord(1, `{"v":1}`))
	require.Len(t, store.objects, 1)
	assert.Len(t, table(t, store.objects[0].body), 1)
}

func TestOptionsOfTheSerDesAreRegarded(t *testing.T) {
	d, store := converting(t, func(in *types.OpenXJsonSerDe, out *types.ParquetSerDe) {
		in.ConvertDotsInJsonKeysToUnderscores = aws.Bool(true)
		in.ColumnToJsonKeyMappings = map[string]string{"ts": "Timestamp"}
		out.Compression = types.ParquetCompressionGzip
		out.EnableDictionaryCompression = aws.Bool(true)
	}, [2]string{"a_b", "string"}, [2]string{"ts", "bigint"})
	run(t, d, testRecord(1, `{"a.b":"x","timestamp":5}`))
	require.Len(t, store.objects, 1)
	assert.Equal(t, []map[string]string{{"a_b": "x;", "ts": "5;"}}, table(t, store.objects[0].body))
	file, err := parquet.OpenFile(bytes.NewReader([]byte(store.objects[0].body)), int64(len(store.objects[0].body)))
	require.NoError(t, err)
	assert.Equal(t, "GZIP", file.Metadata().RowGroups[0].Columns[0].MetaData.Codec.String())
}

func TestTypesOutsideHivesAreRefused(t *testing.T) {
	for _, text := range []string{"", "text", "decimal(40,2)", "decimal(2,3)", "array<>", "array<int", "map<string>", "struct<a>", "binary"} {
		_, err := parseHiveType(text)
		assert.ErrorContains(t, err, "type must be", text)
	}
}
