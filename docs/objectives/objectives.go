package objectives

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Assumptions are what the objectives rest on and no template says.
type Assumptions struct {
	// Decide is from the alarm to the decision of somebody who has read this document.
	Decide time.Duration
	// Deploy is a deploy of Pipeline, or its way back.
	Deploy time.Duration
	// Failover is RDS's change to the standby.
	Failover time.Duration
	// LogsUploaded is how often RDS uploads transaction logs, so how far its latest restorable time is behind.
	LogsUploaded time.Duration
	// Launch is from the request of a restore until an instance answers.
	Launch time.Duration
	// ReadMiBs is how fast a restored storage is read for the first time, which comes from S3, in MiB/s.
	ReadMiBs float64
	// ReplayRate is how many rows a second millrace replay lake stores.
	ReplayRate float64
	// ScaleOut is by when an on-demand stream has grown.
	ScaleOut time.Duration
	// CopyLag is how long RDS takes to copy a transaction log to another region.
	CopyLag time.Duration
}

// Assumed are the assumptions that the document states.
func Assumed() Assumptions {
	return Assumptions{
		Decide:       15 * time.Minute,
		Deploy:       20 * time.Minute,
		Failover:     2 * time.Minute,
		LogsUploaded: 5 * time.Minute,
		Launch:       30 * time.Minute,
		ReadMiBs:     100,
		ReplayRate:   5_000,
		ScaleOut:     15 * time.Minute,
		CopyLag:      30 * time.Minute,
	}
}

// Rows are a, each with where it comes from.
func (a Assumptions) Rows() [][]string {
	return [][]string{
		{"From the alarm to a decision", span(a.Decide), "assumed: somebody is on call and has this page open"},
		{"A deploy of Pipeline, or its way back", span(a.Deploy), "assumed: no deploy of it was ever measured on AWS"},
		{"RDS changes to the standby", span(a.Failover), "[documented](https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.MultiAZSingleStandby.html): typically 60 to 120 seconds"},
		{"RDS uploads transaction logs", "every " + span(a.LogsUploaded), "[documented](https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_PIT.html)"},
		{"RDS copies a transaction log to another region", span(a.CopyLag), "assumed: documented is only that the copy begins as soon as the log is there"},
		{"A restored instance answers", span(a.Launch), "assumed: AWS documents no time of restore"},
		{"A restored storage is read for the first time", fmt.Sprintf("%g MiB/s", a.ReadMiBs), "assumed: blocks come from S3 when they are first read, documented without a speed"},
		{"`millrace replay lake` stores", fmt.Sprintf("%g rows/s", a.ReplayRate), "its `--rate` unless told otherwise; the database may be slower"},
		{"An on-demand stream grows", span(a.ScaleOut), "[documented](https://docs.aws.amazon.com/streams/latest/dev/how-do-i-size-a-stream.html) as the time within which traffic may double at most without throttling"},
	}
}

// Everything is an objective that is none: nothing brings it back.
const Everything = time.Duration(math.MaxInt64)

// Objective is what a failure costs at most.
type Objective struct {
	// Failure is the name of its section.
	Failure string
	// Lost is the recovery point objective: of the events accepted last before the failure, how much is lost for good.
	Lost time.Duration
	// Back is the recovery time objective: from the alarm until all is as if nothing had been.
	Back time.Duration
	// Because names the values that both come from.
	Because string
}

// Row is the objective as the document has it.
func (o Objective) Row() []string {
	return []string{"[" + o.Failure + "](#" + anchor(o.Failure) + ")", lost(o.Lost), lost(o.Back), o.Because}
}

func anchor(heading string) string {
	return strings.ReplaceAll(strings.NewReplacer("'", "", ",", "").Replace(strings.ToLower(heading)), " ", "-")
}

// restore is how long it takes to have all of the database's storage back from a backup.
func (v Values) restore(a Assumptions) time.Duration {
	return a.Launch + times(v.StorageGiB*1024/a.ReadMiBs, time.Second)
}

// Objectives are those of an environment with the values, in the order of the document.
func Objectives(v Values, a Assumptions) []Objective {
	return []Objective{
		v.badDeploy(a),
		{"A bad record", 0, v.RetriedFor, "it is put aside at once if it cannot be read, and after " + span(v.RetriedFor) + " of tries if the table does not take it; it is kept, and replayed"},
		v.operatorsDelete(a),
		{
			"A hot shard", 0, a.Decide + a.ScaleOut, "what is refused was never accepted, and its producer sends it again; a reader that is behind has " + span(v.StreamRetention) + " to catch up",
		},
		v.zone(a),
		v.region(a),
		v.account(a),
		{"A key that will be deleted", 0, a.Decide, "nothing reads while it waits, and for " + span(v.KeyWindow) + " its deletion can be taken back; after that, everything under it is lost"},
		v.corrupted(a),
	}
}

// badDeploy is good again after the way back and as much again, in which readers, which read twice
// what producers may write, have caught up.
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
func (v Values) badDeploy(a Assumptions) Objective {
	o := Objective{"A bad deploy", 0, a.Decide + 2*a.Deploy, "what nobody stores waits in the stream for " + span(v.StreamRetention) + "; a shard gives 2 MB/s and takes 1, so readers need as long again to catch up"}
	if o.Back > v.StreamRetention {
		o.Lost = o.Back - v.StreamRetention
	}
	return o
}

// operatorsDelete takes the longest of a deleted object, table or database.
func (v Values) operatorsDelete(a Assumptions) Objective {
	o := Objective{
		"An operator's delete", 0, a.Decide + v.restore(a),
		"objects keep their versions for " + span(v.VersionsKept) + "; rows are in the lake; stacks leave their data behind; the database is restored from up to " +
			span(v.BackupsKept) + " ago and its last minutes replayed",
	}
	if v.VersionsKept == 0 {
		o.Lost = Everything
	}
	return o
}

func (v Values) zone(a Assumptions) Objective {
	if v.TwoZones {
		return Objective{"A zone is lost", 0, a.Failover, "Kinesis, S3 and Lambda stand in three zones, the database has a standby that has every commit; the loader tries for " + span(v.RetriedFor)}
	}
	return Objective{"A zone is lost", 0, a.Decide + v.restore(a), "the database stands in one zone: it is restored in another, and the stream keeps " + span(v.StreamRetention) + " for it"}
}

// region counts what stands in neither the replica nor anywhere else.
func (v Values) region(a Assumptions) Objective {
	if v.ReplicatedWithin == 0 {
		return Objective{"The region is lost", Everything, Everything, "no object is in another region"}
	}
	because := fmt.Sprintf("an object is written after %s and replicated within %s; that much is in the lost stream too, which gives it back if the region is back within %s. "+
		"Back is the line; older rows follow from the replica, %s for each million", span(v.Buffer), span(v.ReplicatedWithin), span(v.StreamRetention), span(times(1e6/a.ReplayRate, time.Second)))
	if v.BackupsReplicated {
		because += ". What else the database held is restored to " + span(a.LogsUploaded+a.CopyLag) + " before"
	}
	return Objective{"The region is lost", v.Buffer + v.ReplicatedWithin, a.Decide + a.Deploy, because}
}

func (v Values) account(a Assumptions) Objective {
	const failure = "The account is lost"
	if !v.OtherAccount {
		return Objective{failure, Everything, Everything, "no recovery point is in another account: `Recovery.Vaults` is empty"}
	}
	return Objective{
		failure, v.PointsEvery, a.Decide + a.Deploy + v.restore(a),
		"the vault of another account has a recovery point a day, each there at the latest " + span(v.PointsEvery) + " after the one before began, for " + span(v.PointsKept),
	}
}

func (v Values) corrupted(a Assumptions) Objective {
	o := Objective{
		"The database is corrupted", 0, a.Decide + v.restore(a),
		fmt.Sprintf("restored to a second of the last %s but the latest %s; those are in the lake, and replayed", span(v.BackupsKept), span(a.LogsUploaded)),
	}
	if v.BackupsKept == 0 {
		o.Because = "no backup: all rows are replayed from the lake, " + span(times(1e6/a.ReplayRate, time.Second)) + " for each million"
	}
	return o
}

func lost(d time.Duration) string {
	switch d {
	case 0:
		return "none"
	case Everything:
		return "**everything**"
	}
	return span(d)
}

// span is d as one reads it, 12 h, 1 h 40 min, 35 d, and never less than it is.
func span(d time.Duration) string {
	if d > time.Hour {
		d += (time.Minute - d%time.Minute) % time.Minute
	}
	var parts []string
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{day, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if n := d / unit.of; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, unit.name))
			d -= n * unit.of
		}
	}
	return strings.Join(parts[:min(2, len(parts))], " ")
}
