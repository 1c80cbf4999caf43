package objectives

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/internal/cfn"
	"github.com/millrace-cdk/millrace/test/mdtable"
)

var update = flag.Bool("update", false, "rewrite the generated parts of docs/disaster-recovery.md")

const (
	document  = "../disaster-recovery.md"
	templates = "../../test/snapshot/testdata"
)

// parts are the generated parts of the document.
func parts(t *testing.T) map[string]string {
	t.Helper()
	prod, err := Read(templates, "prod")
	require.NoError(t, err)
	var objectives, ties [][]string
	for _, o := range Objectives(prod, Assumed()) {
		objectives = append(objectives, o.Row())
	}
	on, err := Ties(templates, "prod", "recovery")
	require.NoError(t, err)
	for _, tie := range on {
		ties = append(ties, []string{"`" + tie.Resource + "`", tie.Type, tie.Reason})
	}
	return map[string]string{
		"objectives":  mdtable.Table("| Failure | Lost for good, at most (RPO) | Back after, at most (RTO) | Because |", objectives),
		"assumptions": mdtable.Table("| Assumption | Value | From |", Assumed().Rows()),
		"ties":        mdtable.Table("| Resource of prod | Type | It |", ties),
	}
}

func TestTheDocumentIsWhatTheTemplatesOfProdGive(t *testing.T) {
	mdtable.Hold(t, document, parts(t), "go test ./docs/objectives -update", *update)
}

func TestEachFailureHasItsSectionAndEachSectionItsFailure(t *testing.T) {
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	_, sections, found := strings.Cut(string(text), "\n## What to do\n")
	require.True(t, found)
	sections, _, _ = strings.Cut(sections, "\n## ")
	var headings, failures []string
	for _, match := range regexp.MustCompile(`(?m)^### (.*)$`).FindAllStringSubmatch(sections, -1) {
		headings = append(headings, match[1])
	}
	for _, o := range Objectives(Values{}, Assumed()) {
		failures = append(failures, o.Failure)
	}
	assert.Equal(t, failures, headings)
}

func TestDrillsHaveTheirPlace(t *testing.T) {
	text, err := os.ReadFile(document)
	require.NoError(t, err)
	assert.Regexp(t, `(?s)\n<!-- drills -->\n.*<!-- /drills -->\n`, string(text))
}

func TestTheSecondRegionDependsOnNothingInTheFirst(t *testing.T) {
	ties, err := Ties(templates, "recovery", "prod")
	assert.NoError(t, err)
	assert.Empty(t, ties)
}

// flat is a value of a template as one text, with <ID> for what is known at deployment.
func flat(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case object:
		if join := cfn.List(v["Fn::Join"]); len(join) == 2 {
			var parts []string
			for _, part := range cfn.List(join[1]) {
				parts = append(parts, flat(part))
			}
			return strings.Join(parts, fmt.Sprint(join[0]))
		}
		return fmt.Sprintf("<%v>", v["Ref"])
	}
	return ""
}

func TestWhatProdCopiesToIsThere(t *testing.T) {
	there, err := cfn.Resources(templates, "recovery")
	require.NoError(t, err)
	names := map[string]bool{}
	for _, resource := range there {
		for property, before := range map[string]string{
			"BucketName": "arn:aws:s3:::", "BackupVaultName": "arn:aws:backup:eu-central-1:<AWS::AccountId>:backup-vault:", "AliasName": "arn:aws:kms:eu-central-1:<AWS::AccountId>:",
		} {
			if name := cfn.At(resource, "Properties", property); name != nil {
				names[before+flat(name)] = true
			}
		}
	}

	here, err := cfn.Resources(templates, "prod")
	require.NoError(t, err)
	var wanted []string
	for _, resource := range here {
		p := resource["Properties"]
		for _, rule := range cfn.List(cfn.At(p, "ReplicationConfiguration", "Rules")) {
			wanted = append(wanted, flat(cfn.At(rule, "Destination", "Bucket")), flat(cfn.At(rule, "Destination", "EncryptionConfiguration", "ReplicaKmsKeyID")))
		}
		for _, rule := range cfn.List(cfn.At(p, "BackupPlan", "BackupPlanRule")) {
			for _, to := range cfn.List(cfn.At(rule, "CopyActions")) {
				wanted = append(wanted, flat(cfn.At(to, "DestinationBackupVaultArn")))
			}
		}
		if key := cfn.At(p, "AutomaticBackupReplicationKmsKeyId"); key != nil {
			wanted = append(wanted, flat(key))
		}
	}
	require.Len(t, wanted, 2*2+2+1, "two buckets with a key each, two plans, the database")
	for _, name := range wanted {
		assert.True(t, names[name], "prod copies to %s, which recovery has not: %v", name, names)
	}
}

func TestATieToTheOtherRegionIsFound(t *testing.T) {
	for name, resource := range map[string]string{
		"by its region":  `{"Type": "AWS::SQS::Queue", "Properties": {"A": "arn:aws:sqs:eu-west-1:111122223333:a"}}`,
		"by an export":   `{"Type": "AWS::SQS::Queue", "Properties": {"A": {"Fn::ImportValue": "Millrace-prod-Foundation:X"}}}`,
		"by a name":      `{"Type": "AWS::SQS::Queue", "Properties": {"A": {"Fn::Join": ["", ["millrace-prod-lake-", {"Ref": "AWS::AccountId"}]]}}}`,
		"with a reason":  `{"Type": "AWS::S3::Bucket", "Properties": {"A": "eu-west-1"}}`,
		"of no property": `{"Type": "AWS::SQS::Queue", "Metadata": {"A": "eu-west-1"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			write := func(file, resources string) {
				require.NoError(t, os.WriteFile(filepath.Join(folder, file+".template.json"), []byte(`{"Resources": {`+resources+`}}`), 0o644))
			}
			write("prod-x", `"Subnet": {"Type": "AWS::EC2::Subnet", "Properties": {"AvailabilityZone": "eu-west-1a"}}`)
			write("recovery-x", `"Free": {"Type": "AWS::SQS::Queue", "Properties": {"A": "eu-central-1"}}, "Tied": `+resource)
			ties, err := Ties(folder, "recovery", "prod")
			require.Len(t, ties, 1)
			assert.Equal(t, "x/Tied", ties[0].Resource)
			if ties[0].Reason == "" {
				assert.ErrorContains(t, err, "x/Tied (AWS::SQS::Queue) of recovery depends on prod without a reason")
			} else {
				assert.NoError(t, err)
			}
		})
	}
}

// objective returns that of the failure.
func objective(t *testing.T, v Values, failure string) Objective {
	t.Helper()
	for _, o := range Objectives(v, Assumed()) {
		if o.Failure == failure {
			return o
		}
	}
	require.Fail(t, "no such failure", failure)
	return Objective{}
}

func TestObjectivesFollowTheValues(t *testing.T) {
	prod, err := Read(templates, "prod")
	require.NoError(t, err)
	a := Assumed()
	for _, test := range []struct {
		what, failure string
		change        func(*Values)
		lost, back    time.Duration
	}{
		{"a longer buffer", "The region is lost", func(v *Values) { v.Buffer = 10 * time.Minute }, 25 * time.Minute, a.Decide + a.Deploy},
		{"no replication", "The region is lost", func(v *Values) { v.ReplicatedWithin = 0 }, Everything, Everything},
		{"one zone", "A zone is lost", func(v *Values) { v.TwoZones = false }, 0, a.Decide + a.Launch + times(prod.StorageGiB*1024/a.ReadMiBs, time.Second)},
		{"two zones", "A zone is lost", func(*Values) {}, 0, a.Failover},
		{"more storage", "The database is corrupted", func(v *Values) { v.StorageGiB = 1000 }, 0, a.Decide + a.Launch + 10240*time.Second},
		{"a stream that forgets", "A bad deploy", func(v *Values) { v.StreamRetention = 45 * time.Minute }, 10 * time.Minute, 55 * time.Minute},
		{"a day of tries", "A bad record", func(v *Values) { v.RetriedFor = day }, 0, day},
		{"no versions", "An operator's delete", func(v *Values) { v.VersionsKept = 0 }, Everything, a.Decide + a.Launch + times(prod.StorageGiB*1024/a.ReadMiBs, time.Second)},
		{"no other account", "The account is lost", func(v *Values) { v.OtherAccount = false }, Everything, Everything},
		{"another account", "The account is lost", func(v *Values) { v.OtherAccount = true }, 37 * time.Hour, a.Decide + a.Deploy + a.Launch + times(prod.StorageGiB*1024/a.ReadMiBs, time.Second)},
	} {
		v := prod
		test.change(&v)
		got := objective(t, v, test.failure)
		assert.Equal(t, test.lost, got.Lost, test.what)
		assert.Equal(t, test.back, got.Back, test.what)
	}
	prod.KeyWindow = 7 * day
	assert.Contains(t, objective(t, prod, "A key that will be deleted").Because, "for 7 d its deletion can be taken back")
	prod.BackupsKept = 0
	assert.Contains(t, objective(t, prod, "The database is corrupted").Because, "no backup")
}

// small is a template with one resource of each type that is read.
const small = `{"Resources": {
	"A": {"Type": "AWS::Kinesis::Stream", "Properties": {"RetentionPeriodHours": 48}},
	"B": {"Type": "AWS::KinesisFirehose::DeliveryStream", "Properties": {"ExtendedS3DestinationConfiguration": {"BufferingHints": {"IntervalInSeconds": 60}}}},
	"C": {"Type": "AWS::S3::Bucket", "Properties": {
		"LifecycleConfiguration": {"Rules": [{"NoncurrentVersionExpiration": {"NoncurrentDays": 3}}]},
		"ReplicationConfiguration": {"Rules": [{"Destination": {"ReplicationTime": {"Time": {"Minutes": 15}}}}]}}},
	"D": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {"MaximumRecordAgeInSeconds": 3600}},
	"E": {"Type": "AWS::RDS::DBInstance", "Properties": {"AllocatedStorage": "20", "BackupRetentionPeriod": 2, "MultiAZ": true, "AutomaticBackupReplicationRegion": "x"}},
	"F": {"Type": "AWS::Backup::BackupPlan", "Properties": {"BackupPlan": {"BackupPlanRule": [{
		"ScheduleExpression": "cron(0 5 * * ? *)", "StartWindowMinutes": 60, "CompletionWindowMinutes": 120, "Lifecycle": {"DeleteAfterDays": 9},
		"CopyActions": [{"DestinationBackupVaultArn": "arn:aws:backup:eu-central-1:444455556666:backup-vault:x"}]}]}}},
	"G": {"Type": "AWS::KMS::Key", "Properties": {"PendingWindowInDays": 7}}}}`

func values(t *testing.T, text string) (Values, error) {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "x-y.template.json"), []byte(text), 0o644))
	return Read(folder, "x")
}

func TestEachValueIsReadFromItsResource(t *testing.T) {
	got, err := values(t, small)
	require.NoError(t, err)
	assert.Equal(t, Values{
		StreamRetention: 48 * time.Hour, Buffer: time.Minute, VersionsKept: 3 * day, RetriedFor: time.Hour, BackupsKept: 2 * day, TwoZones: true,
		StorageGiB: 20, ReplicatedWithin: 15 * time.Minute, BackupsReplicated: true, PointsEvery: 27 * time.Hour, PointsKept: 9 * day,
		OtherAccount: true, KeyWindow: 7 * day,
	}, got)
}

func TestACopyInTheSameAccountIsNoneInAnother(t *testing.T) {
	of := func(account string) string {
		return strings.Replace(small, `"G":`, `"H": {"Type": "AWS::Backup::BackupSelection", "Properties": {"BackupSelection": {"Resources": [
			{"Fn::Join": ["", ["arn:aws:rds:eu-west-1:`+account+`:db:", {"Ref": "E"}]]}]}}}, "G":`, 1)
	}
	for account, other := range map[string]bool{"444455556666": false, "111122223333": true} {
		got, err := values(t, of(account))
		require.NoError(t, err)
		assert.Equal(t, other, got.OtherAccount, account)
	}
	got, err := values(t, strings.Replace(small, `"arn:aws:backup:eu-central-1:444455556666:backup-vault:x"`, `{"Fn::Join": ["", ["arn:aws:backup:x:", {"Ref": "AWS::AccountId"}, ":y"]]}`, 1))
	require.NoError(t, err)
	assert.False(t, got.OtherAccount)
}

func TestAKeyThatSaysNothingWaitsAsLongAsKMSDoes(t *testing.T) {
	got, err := values(t, strings.Replace(small, `{"PendingWindowInDays": 7}`, `{}`, 1))
	require.NoError(t, err)
	assert.Equal(t, 30*day, got.KeyWindow)
}

func TestTemplatesWithoutWhatAnObjectiveNeedsAreAnError(t *testing.T) {
	for kind, says := range map[string]string{
		"AWS::Kinesis::Stream": "not a stream", "AWS::KinesisFirehose::DeliveryStream": "not a delivery", "AWS::S3::Bucket": "not a bucket with versions",
		"AWS::Lambda::EventSourceMapping": "not an event source", "AWS::RDS::DBInstance": "not a database", "AWS::KMS::Key": "not a key",
	} {
		_, err := values(t, strings.Replace(small, kind, "AWS::Other::Thing", 1))
		assert.ErrorContains(t, err, says)
	}
	_, err := values(t, strings.Replace(small, "cron(0 5 * * ? *)", "rate(1 hour)", 1))
	assert.ErrorContains(t, err, `"rate(1 hour)" is not once a day`)
	_, err = Read(t.TempDir(), "nowhere")
	assert.ErrorContains(t, err, "finding the templates of nowhere")
}

func TestTimesReadAsOneSaysThem(t *testing.T) {
	for d, want := range map[time.Duration]string{
		12 * time.Hour: "12 h", 100 * time.Minute: "1 h 40 min", 35 * day: "35 d", 37 * time.Hour: "1 d 13 h", 90 * time.Second: "1 min 30 s", 2*time.Hour + time.Second: "2 h 1 min",
	} {
		assert.Equal(t, want, span(d), fmt.Sprint(d))
	}
}
