package firehose_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/firehose"
)

// BenchmarkTwoHundredThousandEvents puts 200,000 events by PutRecords and waits until two delivery
// streams beside each other have delivered all of them, one through a processor, the other as Parquet in
// partitions. Run it with -benchtime 1x.
func BenchmarkTwoHundredThousandEvents(b *testing.B) {
	const count = 200_000
	for b.Loop() {
		d := deploy(b)
		d.table("numbers", [2]string{"n", "bigint"}, [2]string{"t", "string"})
		d.create("lake", d.process)
		d.create("parquet", toParquet("numbers"))
		d.startWith(firehose.Config{TimeScale: 20, State: b.TempDir(), Log: slog.New(slog.NewTextHandler(b.Output(), nil))})
		lines, _, _ := events(count)
		began := time.Now()
		d.put(lines...)
		b.ReportMetric(time.Since(began).Seconds(), "s-to-put")
		require.Eventually(b, func() bool { return len(d.lines("lake/")) == count }, 10*time.Minute, time.Second)
		b.ReportMetric(time.Since(began).Seconds(), "s-to-lake")
		require.Eventually(b, func() bool { return len(d.parquet("parquet/")) == count }, 10*time.Minute, time.Second)
		b.ReportMetric(time.Since(began).Seconds(), "s-to-parquet")
	}
}
