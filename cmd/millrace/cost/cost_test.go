package cost

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/internal/cfn"
	"github.com/millrace-cdk/millrace/internal/prices"
	"github.com/millrace-cdk/millrace/test/snapshot"
)

const templates = "../../../test/snapshot/testdata"

func environments() []string { return []string{"local", "dev", "staging", "prod", "recovery"} }

func estimated(t *testing.T, line Line, load Load) Report {
	t.Helper()
	report, err := Estimate(line, load, prices.Listed())
	require.NoError(t, err)
	return report
}

// quantities are the report's by price, of which each is used once in it.
func quantities(t *testing.T, r Report) map[string]float64 {
	t.Helper()
	all := map[string]float64{}
	for _, c := range r.Lines {
		require.NotContains(t, all, c.Price)
		all[c.Price] = c.Quantity
	}
	return all
}

// 2^20 events of 1 KiB are 1 GiB, which makes what follows small enough to be checked by hand.
var gibibyte = Load{Events: mib, Bytes: kib, Batch: 1}

func TestAnOnDemandStreamIsPaidByTheHourTheGBInAndTheGBToEachReader(t *testing.T) {
	line := Line{Streams: []Stream{{Name: "a", RetentionHours: 168, Consumers: 1}}, Loaders: []Loader{{BatchSize: 1024, MiB: 1024}, {BatchSize: 1024, MiB: 1024}}}
	got := map[string]float64{}
	for _, c := range estimated(t, line, gibibyte).Lines {
		if c.Stage == "stream" {
			got[c.Price] = c.Quantity
		}
	}
	assert.Equal(t, map[string]float64{
		"kinesis.ondemand.hour": 730, "kinesis.ondemand.in": 1, "kinesis.ondemand.out": 1, "kinesis.ondemand.fanout": 1,
		"kinesis.ondemand.extended": 144.0 / 730,
	}, got)
}

func TestAProvisionedStreamIsPaidByShardAndPayloadUnit(t *testing.T) {
	line := Line{Streams: []Stream{{Name: "a", Shards: 2, RetentionHours: 24 * 10}}}
	got := quantities(t, estimated(t, line, Load{Events: 1e6, Bytes: 26 * kib, Batch: 1}))
	delete(got, "kms.requests")
	assert.Equal(t, map[string]float64{
		"kinesis.shard.hour": 1460, "kinesis.shard.put": 2, "kinesis.shard.extended": 1460, "kinesis.longterm": 26e6 / mib * 72 / 730,
	}, got)
}

func TestKinesisRoundsARecordUpToOneKBAndFirehoseToFive(t *testing.T) {
	line := Line{Streams: []Stream{{Name: "a", RetentionHours: 24}}, Deliveries: []Delivery{{BufferMiB: 64, BufferSeconds: 300, Converts: true}}}
	for bytes, want := range map[float64][2]float64{1: {1, 5}, 1024: {1, 5}, 1025: {2, 5}, 5120: {5, 5}, 5121: {6, 10}} {
		got := quantities(t, estimated(t, line, Load{Events: mib, Bytes: bytes, Batch: 1}))
		assert.Equal(t, want, [2]float64{got["kinesis.ondemand.in"], got["firehose.in"]}, "%g bytes", bytes)
		assert.InDelta(t, got["firehose.in"], got["firehose.conversion"], 0)
	}
}

func TestObjectsAreThoseThatTheBufferGives(t *testing.T) {
	d := Delivery{BufferMiB: 64, BufferSeconds: 300}
	for _, test := range []struct {
		partitioned bool
		events      float64
		want        float64 // thousands
	}{
		{false, 100, 0.1},                     // fewer events than intervals
		{false, mib, 8.76},                    // one each 300 s
		{true, mib, 87.6},                     // of each of ten partitions
		{false, 1e9, 1e9 * 1124 / mib / 64e3}, // by size
	} {
		d.Partitions = test.partitioned
		got := quantities(t, estimated(t, Line{Deliveries: []Delivery{d}}, Load{Events: test.events, Bytes: kib, Batch: 1}))
		assert.InEpsilon(t, test.want, got["s3.put"], 1e-9)
		assert.Equal(t, test.partitioned, got["firehose.objects"] > 0)
	}
}

func TestAStreamHasTheShardsThatItsWritersAndItsReadersTake(t *testing.T) {
	assert.InDelta(t, 10, shards(10_000, 500, 0), 1e-9, "by records")
	assert.InDelta(t, 20, shards(10_000, 2_000, 1), 1e-9, "by bytes written")
	assert.InDelta(t, 40, shards(10_000, 2_000, 4), 1e-9, "by bytes read")
	line := Line{Streams: []Stream{{Name: "a", Shards: 9, RetentionHours: 24}}}
	assert.Equal(t, []string{"9 shards are fewer than the 10 that the load takes"}, estimated(t, line, PerSecond(10_000, 500, 1)).Notes)
}

func TestAFunctionIsPaidByItsCallsAndByWhatItsMemoryTakesOfTime(t *testing.T) {
	// 390,000 events in batches of 500: 780 calls of 0.02 s, and 12.8 s of a vCPU, of which 512 MiB have 0.289.
	line := Line{Loaders: []Loader{{BatchSize: 500, WindowSeconds: 1e9, Parallel: 1, MiB: 512}}}
	got := quantities(t, estimated(t, line, Load{Events: 390_000, Bytes: 1024, Batch: 1}))
	assert.InDelta(t, 0.00078, got["lambda.requests"], 1e-9)
	assert.InDelta(t, 0.5*(780*0.02+12.8*1769/512), got["lambda.arm64"], 1e-6)
	line.Loaders[0].X86 = true
	assert.Contains(t, quantities(t, estimated(t, line, gibibyte)), "lambda.x86_64")
}

func TestADatabaseIsPaidByItsZonesAndGrowsToItsMaximum(t *testing.T) {
	line := Line{Databases: []Database{{Class: "db.t4g.small", Zones: 2, GiB: 20, MostGiB: 100, OtherRegion: true}}}
	small := quantities(t, estimated(t, line, gibibyte))
	assert.InDelta(t, 1460, small["rds.db.t4g.small"], 1e-9)
	assert.InDelta(t, 40, small["rds.gp3"], 1e-9)
	assert.InDelta(t, 1.59765625, small["rds.backup"], 1e-9) // (1,024 * 1.5 + 100) / 1,024
	full := estimated(t, line, Load{Events: 100 * mib, Bytes: kib, Batch: 1})
	assert.InDelta(t, 200, quantities(t, full)["rds.gp3"], 1e-9)
	require.Len(t, full.Notes, 1)
	assert.Contains(t, full.Notes[0], "a month's rows take 160 GiB and the database has 100 at most: it is full after 19.0 days")
}

func TestARequestIsPaidOnceHoweverManyEventsItHas(t *testing.T) {
	line := Line{APIs: 1, WebACLs: 1, WebACLRules: 5, Traced: true, RequestsPerSecond: 1}
	for batch, want := range map[float64]float64{1: 26.28, 100: 0.2628} {
		got := quantities(t, withoutLogs(estimated(t, line, PerSecond(10, 100, batch))))
		assert.InDelta(t, want, got["apigateway.requests"], 1e-9)
		assert.InDelta(t, want, got["waf.requests"], 1e-9)
		assert.InDelta(t, 5, got["waf.rule"], 1e-9)
		assert.InDelta(t, map[float64]float64{1: 2.628 + 23.652*0.05, 100: 0.2628}[batch], got["xray.traces"], 1e-9)
	}
	assert.Contains(t, estimated(t, line, PerSecond(10, 100, 1)).Notes[0], "10 requests a second are more than the 1 that the API lets in")
	assert.Empty(t, estimated(t, line, PerSecond(10, 100, 100)).Notes)
}

func withoutLogs(r Report) Report {
	var kept []Cost
	for _, c := range r.Lines {
		if !strings.HasPrefix(c.Price, "logs.") {
			kept = append(kept, c)
		}
	}
	r.Lines = kept
	return r
}

func TestRecoveryIsPaidByEachCopy(t *testing.T) {
	line := Line{
		Deliveries: []Delivery{{Bucket: "Lake", BufferMiB: 64, BufferSeconds: 300}}, Buckets: map[string]Bucket{"Lake": {Replicated: true, TimeControl: true}},
		Backups: []Backup{{Buckets: []string{"Lake"}, Copies: 1}},
	}
	lake := 1124.0 / 1024 / 4
	got := map[string]float64{}
	for _, c := range estimated(t, line, gibibyte).Lines {
		if c.Stage == "recovery" {
			got[c.Price] += c.Quantity
		}
	}
	assert.InDelta(t, lake, got["s3.storage"], 1e-9)
	assert.InDelta(t, lake, got["s3.replicationtime"], 1e-9)
	assert.InDelta(t, 2*lake, got["backup.s3"], 1e-9)
	assert.InDelta(t, 2*lake, got["data.region"], 1e-9, "the replica, and the copy of the recovery point")
}

func TestSumsAreOfWhatIsAbove(t *testing.T) {
	for _, environment := range environments() {
		line, err := Read(templates, environment)
		require.NoError(t, err)
		r := estimated(t, line, PerSecond(100, 1024, 1))
		var lines, stages float64
		for _, c := range r.Lines {
			assert.Contains(t, Stages(), c.Stage)
			lines += c.USD
		}
		for _, s := range r.Stages {
			stages += s.USD
		}
		assert.InEpsilon(t, r.USD, lines, 1e-9)
		assert.InEpsilon(t, r.USD, stages, 1e-9)
		assert.InEpsilon(t, r.USD, r.PerMillion*r.Events/1e6, 1e-9)
		assert.Less(t, r.NotConfirmed, r.USD)
	}
}

func TestMoreNeverCostsLess(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, environment := range environments() {
		line, err := Read(templates, environment)
		require.NoError(t, err)
		for range 300 {
			load := PerSecond(random.ExpFloat64()*1000+1e-6, float64(1+random.IntN(20_000)), float64(1+random.IntN(499)))
			usd := estimated(t, line, load).USD
			for what, other := range map[string]Load{
				"events": {load.Events * (1 + random.Float64()), load.Bytes, load.Batch},
				"bytes":  {load.Events, load.Bytes + float64(random.IntN(10_000)), load.Batch},
				"batch":  {load.Events, load.Bytes, max(1, load.Batch-float64(random.IntN(100)))}, // fewer in each: more requests
			} {
				more := estimated(t, line, other).USD
				assert.GreaterOrEqual(t, more, usd*(1-1e-12), "%s: %+v costs less than %+v", what, other, load)
			}
		}
	}
}

func TestDearerPricesCostMoreAndFreeOnesNothing(t *testing.T) {
	line, err := Read(templates, "prod")
	require.NoError(t, err)
	load := PerSecond(100, 1024, 1)
	before := estimated(t, line, load)
	for _, p := range prices.Listed().All() {
		table, err := prices.Listed().With([]byte(`[{"name": "` + p.Name + `", "tiers": [{"usd": 0}]}]`))
		require.NoError(t, err)
		after, err := Estimate(line, load, table)
		require.NoError(t, err)
		var of float64
		for _, c := range before.Lines {
			if c.Price == p.Name {
				of += c.USD
			}
		}
		assert.InDelta(t, before.USD-of, after.USD, 1e-6, p.Name)
	}
}

func TestEveryTypeThatIsPaidForIsComputedOrSaysWhyNot(t *testing.T) {
	for _, environment := range environments() {
		resources, err := cfn.Resources(templates, environment)
		require.NoError(t, err)
		for name, resource := range resources {
			kind := resource["Type"].(string)
			if !snapshot.Billed(kind) {
				continue
			}
			assert.True(t, Excluded()[kind] != "" || slices.Contains(Computed(), kind), "%s of %s is a %s: compute it, or say in Excluded why not", name, environment, kind)
		}
	}
	for _, kind := range Computed() {
		assert.True(t, snapshot.Billed(kind), kind)
		assert.Empty(t, Excluded()[kind], kind)
	}
	for kind := range Excluded() {
		assert.True(t, snapshot.Billed(kind), kind)
	}
}

func TestTheTemplatesOfProdAreReadWhole(t *testing.T) {
	line, err := Read(templates, "prod")
	require.NoError(t, err)
	require.Len(t, line.Databases, 1)
	assert.Equal(t, Database{Class: "db.m7g.large", Zones: 2, GiB: 100, MostGiB: 500, OtherRegion: true}, line.Databases[0])
	require.NotEmpty(t, line.Deliveries)
	for _, d := range line.Deliveries {
		assert.InDelta(t, 256, d.FunctionMiB, 0)
		assert.False(t, d.FunctionX86)
		assert.False(t, d.KeyedByObject, "its bucket has a bucket key")
		assert.True(t, line.Buckets[d.Bucket].Replicated && line.Buckets[d.Bucket].TimeControl, d.Bucket)
	}
	require.NotEmpty(t, line.Loaders)
	assert.Equal(t, Loader{BatchSize: 500, WindowSeconds: 1, Parallel: 1, MiB: 512}, line.Loaders[0])
	assert.Positive(t, line.AlarmMetrics)
	assert.Positive(t, line.EndpointZones)
	var databases, buckets int
	for _, b := range line.Backups {
		databases, buckets = databases+int(b.Databases), buckets+len(b.Buckets)
		assert.InDelta(t, 1, b.Copies, 0)
	}
	assert.Equal(t, []int{1, 2}, []int{databases, buckets})
}

func TestAnAlarmIsPaidByItsMetricsAndABandByThree(t *testing.T) {
	stat, sum, band := map[string]any{"MetricStat": map[string]any{}}, map[string]any{"Expression": "a + b"}, map[string]any{"Expression": "ANOMALY_DETECTION_BAND(m0, 3)"}
	assert.Equal(t, 1, metrics(map[string]any{"MetricName": "Errors"}))
	assert.Equal(t, 2, metrics(map[string]any{"Metrics": []any{sum, stat, stat}}))
	assert.Equal(t, 3, metrics(map[string]any{"Metrics": []any{band, stat}}))
}

func TestTemplatesOfTheCDKCLIAreReadToo(t *testing.T) {
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "Millrace-dev-Foundation.template.json"), []byte(`{"Resources": {"K": {"Type": "AWS::KMS::Key"}}}`), 0o600))
	line, err := Read(folder, "dev")
	require.NoError(t, err)
	assert.Equal(t, 1, line.Keys)
	_, err = Read(folder, "prod")
	assert.ErrorContains(t, err, "finding the templates of prod")
}

func TestWrongLoadsAndPricesThatAreMissingAreErrors(t *testing.T) {
	_, err := Estimate(Line{}, Load{Bytes: 11 * mib, Batch: 501}, prices.Listed())
	assert.ErrorContains(t, err, "events must be more than 0, got 0")
	assert.ErrorContains(t, err, "bytes must be 1 to 10485760, got 11534336")
	assert.ErrorContains(t, err, "a batch must have 1 to 500 events, got 501")
	_, err = Estimate(Line{Databases: []Database{{Class: "db.x1"}}}, gibibyte, prices.Listed())
	assert.ErrorContains(t, err, "there is no price rds.db.x1: add it to")
}

func TestTheReportOfProdNamesEveryStage(t *testing.T) {
	line, err := Read(templates, "prod")
	require.NoError(t, err)
	report := estimated(t, line, PerSecond(100, 1024, 1))
	report.Environment = "prod"
	var out strings.Builder
	require.NoError(t, report.Print(&out))
	for _, says := range []string{"prod: 262,800,000 events a month (100/s) of 1,024 bytes, 1 a request", "a million events", "List prices of us-east-1", "not"} {
		assert.Contains(t, out.String(), says)
	}
	for _, s := range report.Stages {
		assert.Regexp(t, `(?m)^`+s.Stage+` +\$`, out.String())
	}
	for amount, want := range map[float64]string{0: "$0", 0.004: "< $0.01", 0.5: "$0.50", 99.99: "$99.99", 1234.4: "$1,234", 1234567: "$1,234,567"} {
		assert.Equal(t, want, USD(amount))
	}
}
