package delivery

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsathena"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// athena makes the workgroup, whose settings a query cannot change, and the queries.
func (c *Catalog) athena(scope constructs.Construct, p *FirehoseToS3Props, partitions []partition, lake *LakeBucket) {
	c.Results = p.Table.Results
	if c.Results == nil {
		props := &LakeBucketProps{Key: c.f.Key, ExpireAfter: days(ResultsDays), RemovalPolicy: p.RemovalPolicy}
		if lake != nil {
			props.AccessLogs = lake.AccessLogs
		}
		c.Results = NewLakeBucket(scope, "Results", props).Bucket
	}
	encryption := &awsathena.CfnWorkGroup_EncryptionConfigurationProperty{EncryptionOption: jsii.String("SSE_S3")}
	if key := keyOf(c.Results, c.f.Key); key != nil {
		encryption.EncryptionOption, encryption.KmsKey = jsii.String("SSE_KMS"), key.KeyArn()
	}
	c.WorkGroup = awsathena.NewCfnWorkGroup(scope, jsii.String("WorkGroup"), &awsathena.CfnWorkGroupProps{
		// Names of workgroups are not scoped by a stack either: the database's is unique.
		Name:        jsii.String(c.DatabaseName),
		Description: jsii.String("Queries of the lake " + *c.f.Node().Path()),
		// Otherwise Athena refuses to delete a workgroup in which a query has ever been run.
		RecursiveDeleteOption: jsii.Bool(true),
		WorkGroupConfiguration: &awsathena.CfnWorkGroup_WorkGroupConfigurationProperty{
			EnforceWorkGroupConfiguration:   jsii.Bool(true),
			PublishCloudWatchMetricsEnabled: jsii.Bool(true),
			BytesScannedCutoffPerQuery:      p.Table.ScanLimit.ToBytes(nil),
			EngineVersion:                   &awsathena.CfnWorkGroup_EngineVersionProperty{SelectedEngineVersion: jsii.String("Athena engine version 3")},
			ResultConfiguration: &awsathena.CfnWorkGroup_ResultConfigurationProperty{
				OutputLocation:          c.Results.S3UrlForObject(jsii.String("")),
				EncryptionConfiguration: encryption,
			},
		},
	})
	c.WorkGroup.ApplyRemovalPolicy(p.RemovalPolicy, nil) // analysts keep queries of their own in it
	for _, q := range c.queries(p, partitions) {
		query := awsathena.NewCfnNamedQuery(scope, jsii.String(q.id), &awsathena.CfnNamedQueryProps{
			Database:    &c.DatabaseName,
			Name:        jsii.String(c.TableName + ": " + q.name),
			Description: &q.description,
			QueryString: &q.sql,
			WorkGroup:   c.WorkGroup.Name(),
		})
		query.Node().AddDependency(c.WorkGroup, c.Database)
	}
}

// namedQuery is one that an analyst finds in the console.
type namedQuery struct{ id, name, description, sql string }

// queries are the view, and two about today where the partitions say when today is. Where a partition
// key is injected there is the view alone: every query must say which key it wants.
func (c *Catalog) queries(p *FirehoseToS3Props, partitions []partition) []namedQuery {
	identity := quoted(metadataName(p.Parquet)) + ".id"
	// Copies of an event have one identity and, since keys come from the event itself, one
	// set of partition keys: with those named here, a filter on a key reaches below the view.
	same, injected := []string{identity}, false
	for _, c := range partitions {
		if c.pattern == "" {
			same = append(same, quoted(c.name))
			injected = injected || len(p.Table.Values[c.name]) == 0
		}
	}
	once := func(where string) string {
		return fmt.Sprintf("SELECT %s\nFROM (\n  SELECT *, row_number() OVER (PARTITION BY %s ORDER BY %s.arrived_at) AS millrace_copy\n  FROM %s%s\n)\nWHERE millrace_copy = 1 OR %s IS NULL",
			c.shown(p, partitions), strings.Join(same, ", "), quoted(metadataName(p.Parquet)), c.spelled(c.TableName), where, identity)
	}
	queries := []namedQuery{{
		"OnceView", "create the view " + c.ViewName,
		"Run once: from then on the view shows each event once, however often it was delivered.",
		fmt.Sprintf("CREATE OR REPLACE VIEW %s AS\n%s", c.spelled(c.ViewName), once("")),
	}}
	today := today(partitions, p.TimeZone)
	if injected || today == "" {
		return queries
	}
	return append(queries, namedQuery{
		"Today", "today's events, each once",
		"The copies of an event that arrived on other days are not looked for.",
		once("\n  WHERE "+today) + "\nLIMIT 100",
	}, namedQuery{
		"Copies", "lines and events of today",
		"How many lines were delivered today, and of how many events.",
		fmt.Sprintf("SELECT count(*) AS lines, count(DISTINCT %s) AS events\nFROM %s\nWHERE %s", identity, c.spelled(c.TableName), today),
	})
}

// shown are all columns but the counter of copies.
func (c *Catalog) shown(p *FirehoseToS3Props, partitions []partition) string {
	var names []string
	for _, column := range columns(p) {
		names = append(names, quoted(*column.Name))
	}
	for _, c := range partitions {
		names = append(names, quoted(c.name))
	}
	return strings.Join(names, ", ")
}

func (c *Catalog) spelled(table string) string { return quoted(c.DatabaseName) + "." + quoted(table) }

func quoted(name string) string { return `"` + name + `"` }

// today is a condition on the partitions of the day that has begun, or nothing
// where none is of a time. It keeps a query from scanning everything.
func today(partitions []partition, zone string) string {
	now := "current_timestamp"
	if zone != "" {
		now += " AT TIME ZONE '" + zone + "'"
	}
	function := map[string]string{"yyyy": "year", "MM": "month", "dd": "day"}
	var conditions []string
	for _, c := range partitions {
		switch {
		case c.pattern == "" || c.pattern == "HH":
		case function[c.pattern] != "":
			conditions = append(conditions, fmt.Sprintf("%s = %s(%s)", quoted(c.name), function[c.pattern], now))
		default:
			conditions = append(conditions, fmt.Sprintf("%s >= format_datetime(date_trunc('day', %s), '%s')", quoted(c.name), now, c.pattern))
		}
	}
	return strings.Join(conditions, " AND ")
}

// GrantQuery lets grantee query the table in the workgroup, and create the view.
// It panics when Athena is skipped.
func (c *Catalog) GrantQuery(grantee awsiam.IGrantable) {
	if c.WorkGroup == nil {
		panic(fmt.Errorf("delivery: %s: there is no workgroup to query in: athena is skipped", *c.f.Node().Path()))
	}
	grant := func(resources []string, actions ...string) {
		awsiam.Grant_AddToPrincipal(&awsiam.GrantOnPrincipalOptions{Grantee: grantee, Actions: jsii.Strings(actions...), ResourceArns: jsii.Strings(resources...)})
	}
	workGroup := *awscdk.Stack_Of(c.f).FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("athena"), Resource: jsii.String("workgroup"), ResourceName: c.WorkGroup.Name(),
	})
	grant([]string{workGroup}, "athena:StartQueryExecution", "athena:StopQueryExecution", "athena:GetQueryExecution", "athena:GetQueryResults",
		"athena:GetWorkGroup", "athena:ListNamedQueries", "athena:GetNamedQuery", "athena:BatchGetNamedQuery")
	grant(c.arns(c.TableName, c.ViewName), "glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:GetPartitions")
	grant(c.arns(c.ViewName), "glue:CreateTable", "glue:UpdateTable")
	c.f.Bucket.GrantRead(grantee, c.location+"*")
	c.Results.GrantReadWrite(grantee, nil)
	if c.f.Key != nil {
		c.f.Key.Grant(grantee, jsii.String("kms:Decrypt"), jsii.String("kms:GenerateDataKey"))
	}
}
