package cost

import (
	"math"
	"strings"
)

func (e *estimate) ingest() {
	if e.line.APIs == 0 {
		return
	}
	requests := e.Events / e.Batch
	e.add("ingest", "requests to API Gateway", "apigateway.requests", requests/1e6)
	e.add("ingest", "answers, to the internet", "data.out", (requests*answerBytes+(e.Events-requests)*answerEventBytes)/gib)
	if e.line.Traced {
		first := min(requests, seconds)
		e.add("ingest", "traces", "xray.traces", (first+(requests-first)*tracedShare)/1e6)
	}
	e.add("ingest", "web ACLs", "waf.acl", float64(e.line.WebACLs))
	e.add("ingest", "rules of web ACLs", "waf.rule", float64(e.line.WebACLRules))
	e.add("ingest", "requests that WAF inspects", "waf.requests", float64(min(1, e.line.WebACLs))*requests/1e6)
	e.add("ingest", "access log", "logs.in", requests*accessLogBytes/gib)
	e.add("ingest", "access log, kept", "logs.storage", requests*accessLogBytes/gib)
	if rate := requests / seconds; e.line.RequestsPerSecond > 0 && rate > e.line.RequestsPerSecond {
		e.note("%s requests a second are more than the %s that the API lets in: raise its limit, or send batches", count(rate), count(e.line.RequestsPerSecond))
	}
}

// stream is the line's stream and those beside it; it returns the shards that its readers share.
func (e *estimate) stream() (shared float64) {
	readers := float64(len(e.line.Loaders))
	for _, d := range e.line.Deliveries {
		if !d.Direct {
			readers++
		}
	}
	for _, s := range e.line.Streams {
		main := len(e.line.Streams) == 1 || strings.Contains(s.Name, "/CoreStream")
		var events float64
		if main {
			events = e.Events
		} else {
			e.note("what is put into %s is not known: its hours alone are counted", s.Name)
		}
		n := e.hours(s, events, readers)
		if main {
			shared = n
		}
	}
	return shared
}

// hours is one stream with that many events and readers; it returns its shards.
func (e *estimate) hours(s Stream, events, readers float64) float64 {
	stored := events * up(e.Bytes, kinesisUnit) / gib
	read := events * e.Bytes / gib
	extended, long := max(0, min(s.RetentionHours, 7*24)-24), max(0, s.RetentionHours-7*24)
	needed := math.Ceil(shards(events/seconds, e.Bytes, max(0, readers-s.Consumers)))
	e.add("stream", "kept after a week", "kinesis.longterm", stored*long/hours)
	if s.Shards == 0 {
		e.add("stream", "an on-demand stream", "kinesis.ondemand.hour", hours)
		e.add("stream", "data in", "kinesis.ondemand.in", stored)
		e.add("stream", "data out to readers that share", "kinesis.ondemand.out", read*max(0, readers-s.Consumers))
		e.add("stream", "data out by enhanced fan-out", "kinesis.ondemand.fanout", read*s.Consumers)
		e.add("stream", "kept after a day", "kinesis.ondemand.extended", stored*extended/hours)
		n := max(onDemandShards, needed)
		e.add("stream", "metrics of shards", "cloudwatch.metric", s.ShardMetrics*n)
		return n
	}
	e.add("stream", "shards", "kinesis.shard.hour", s.Shards*hours)
	e.add("stream", "metrics of shards", "cloudwatch.metric", s.ShardMetrics*s.Shards)
	e.add("stream", "PUT payload units", "kinesis.shard.put", events*up(e.Bytes, putUnit)/putUnit/1e6)
	if extended > 0 {
		e.add("stream", "shards that keep after a day", "kinesis.shard.extended", s.Shards*hours)
	}
	e.add("stream", "data out by enhanced fan-out", "kinesis.shard.fanout", read*s.Consumers)
	e.add("stream", "consumers with enhanced fan-out", "kinesis.shard.consumer", s.Consumers*s.Shards*hours)
	if needed > s.Shards {
		e.note("%g shards are fewer than the %g that the load takes", s.Shards, needed)
	}
	return s.Shards
}

// shards are those that so many events a second fill, written and read.
func shards(events, bytes, readers float64) float64 {
	return max(events*bytes/shardBytes, events/shardRecords, readers*events*bytes/shardRead)
}

func (e *estimate) delivery(d Delivery) {
	billed := e.Events * up(e.Bytes, firehoseUnit) / gib
	out := e.Events * (e.Bytes + metadataBytes) / gib
	e.add("delivery", "data in, to "+short(d.Bucket), "firehose.in", billed)
	rate, keys := transformed, 1.0
	if d.Converts {
		e.add("delivery", "conversion to Parquet", "firehose.conversion", billed)
	}
	if d.Partitions {
		rate, keys = partitioned, partitions
	}
	objects := max(out*gib/(d.BufferMiB*mib), min(e.Events, keys*seconds/max(1, d.BufferSeconds)))
	if d.Partitions {
		// Whether it is counted before or after compression is not documented: before is more.
		e.add("delivery", "partitioning", "firehose.partitioning", out)
		e.add("delivery", "objects of partitions", "firehose.objects", objects/1e3)
	}
	if d.FunctionMiB > 0 {
		calls := max(e.Events*e.Bytes/(d.FunctionBuffer*mib), min(e.Events, seconds/max(1, d.FunctionSeconds)))
		e.function("delivery", "transformer", calls, e.Events*e.Bytes/kib/rate, d.FunctionMiB, d.FunctionX86)
	}
	e.objects += objects
	if d.KeyedByObject {
		e.keyedObjects += objects
	}
	e.add("lake", "objects put into "+short(d.Bucket), "s3.put", objects/1e3)
	e.add("lake", "objects kept in "+short(d.Bucket), "s3.storage", out/compression)
	if b := e.line.Buckets[d.Bucket]; b.Replicated {
		e.add("recovery", "replicas put", "s3.put", objects/1e3)
		e.add("recovery", "replicas kept", "s3.storage", out/compression)
		e.add("recovery", "replicas sent to their region", "data.region", out/compression)
		if b.TimeControl {
			e.add("recovery", "replicas within 15 minutes", "s3.replicationtime", out/compression)
		}
	}
}

func (e *estimate) loader(l Loader, shards float64) {
	calls := max(e.Events/l.BatchSize, min(e.Events, shards*l.Parallel*seconds/max(1, l.WindowSeconds)))
	e.function("loader", "loader", calls, e.Events*e.Bytes/800/loaded, l.MiB, l.X86)
}

// function is as many calls of a function that together take so many seconds of one vCPU, of which it
// has as much as its memory gives it.
func (e *estimate) function(stage, what string, calls, cpu, memory float64, x86 bool) {
	e.calls += calls
	price := "lambda.arm64"
	if x86 {
		price = "lambda.x86_64"
	}
	e.add(stage, "calls of the "+what, "lambda.requests", calls/1e6)
	e.add(stage, "time of the "+what, price, memory/1024*(calls*roundTrip+cpu*cpuMiB/min(memory, cpuMiB)))
}

// database returns the GiB that a month's rows take, as far as the databases let them.
func (e *estimate) database() (used float64) {
	rows := e.Events * (e.Bytes*rowFactor + metadataBytes) / gib
	for _, d := range e.line.Databases {
		used = min(rows, d.MostGiB)
		e.add("database", d.Class, "rds."+d.Class, d.Zones*hours)
		e.add("database", "storage", "rds.gp3", d.Zones*max(d.GiB, used))
		if d.OtherRegion {
			e.add("recovery", "the database's backups in another region", "rds.backup", used)
			e.add("recovery", "the database's backups, sent there", "data.region", used)
		}
		if rows > d.MostGiB {
			e.note("a month's rows take %s GiB and the database has %s at most: it is full after %.1f days, and its cost here is that of a full one", count(rows), count(d.MostGiB), d.MostGiB/rows*hours/24)
		}
	}
	return used
}

func (e *estimate) backups(used float64) {
	lake := e.Events * (e.Bytes + metadataBytes) / gib / compression
	for _, b := range e.line.Backups {
		buckets := float64(len(b.Buckets))
		e.add("recovery", "recovery points of databases", "rds.backup", used*b.Databases*(1+b.Copies))
		e.add("recovery", "recovery points of buckets", "backup.s3", lake*buckets*(1+b.Copies))
		e.add("recovery", "copies of recovery points, sent", "data.region", (used*b.Databases+lake*buckets)*b.Copies)
	}
}

func (e *estimate) operation(shards float64) {
	e.add("operation", "alarms", "cloudwatch.alarm", float64(e.line.AlarmMetrics))
	e.add("operation", "composite alarms", "cloudwatch.composite", float64(e.line.Composites))
	e.add("operation", "dashboards", "cloudwatch.dashboard", float64(e.line.Dashboards))
	e.add("operation", "logs of functions", "logs.in", e.calls*functionLogBytes/gib)
	e.add("operation", "logs of functions, kept", "logs.storage", e.calls*functionLogBytes/gib)
	e.add("operation", "keys", "kms.key", float64(e.line.Keys))
	users := float64(1 + len(e.line.Deliveries) + len(e.line.Loaders))
	requests := e.keyedObjects + (e.objects-e.keyedObjects)*bucketKeyShare
	if len(e.line.Streams) > 0 {
		requests += min(e.Events*users, shards*users*seconds/keyLifetime)
	}
	e.add("operation", "requests to KMS", "kms.requests", requests/1e4)
	e.add("operation", "secrets", "secretsmanager.secret", float64(e.line.Secrets))
	e.add("operation", "interface endpoints", "vpc.endpoint.hour", float64(e.line.EndpointZones)*hours)
}

// short is a logical id without the hash of 8 digits that CDK appends.
func short(logicalID string) string { return logicalID[:max(0, len(logicalID)-8)] }

func up(n, unit float64) float64 { return math.Ceil(n/unit) * unit }
