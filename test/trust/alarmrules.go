package trust

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

func alarmRules() []Rule {
	return []Rule{
		{"every alarm watches one thing, by the dimensions that its metric has", each(dimensions, alarmType)},
		{"no alarm compares a sum of minutes with a limit per second", each(perSecond, alarmType)},
		{"no alarm waits for a metric that hides partial failure", each(partial, alarmType)},
		{"no two alarms watch the same", duplicates},
		{"every alarm tells a topic of itself and of its end", each(told, alarmType, compositeType)},
		{"every alarm that is named is there", each(named, compositeType, dashboardType)},
		{"every part of the line has its alarms", each(watched, streamType, videoType, deliveryType, instanceType, functionType, mappingType, stageType)},
		{"consumers, shards and partition keys are watched where there are any", each(finer, streamType, consumerType, deliveryType)},
	}
}

// metric is one that an alarm looks at.
type metric struct {
	namespace, name, stat string
	period                float64
	dimensions            []any
}

func metrics(r Resource) []metric {
	if name := text(r.Get("MetricName")); name != "" {
		stat := text(r.Get("Statistic")) + text(r.Get("ExtendedStatistic"))
		return []metric{{text(r.Get("Namespace")), name, stat, cfn.Number(r.Get("Period")), list(r.Get("Dimensions"))}}
	}
	var all []metric
	for _, m := range list(r.Get("Metrics")) {
		if s := cfn.At(m, "MetricStat"); s != nil {
			of := cfn.At(s, "Metric")
			all = append(all, metric{text(cfn.At(of, "Namespace")), text(cfn.At(of, "MetricName")), text(cfn.At(s, "Stat")), cfn.Number(cfn.At(s, "Period")), list(cfn.At(of, "Dimensions"))})
		}
	}
	return all
}

// dimensionSets are the sets of dimensions by which each namespace publishes, as its
// documentation lists them, with the type that the value of each names.
func dimensionSets(namespace string) []map[string]string {
	return map[string][]map[string]string{
		"AWS/Kinesis":      {{"StreamName": streamType}, {"StreamName": streamType, "ShardId": ""}, {"StreamName": streamType, "ConsumerName": ""}},
		"AWS/Firehose":     {{"DeliveryStreamName": deliveryType}},
		"AWS/CodePipeline": {{"PipelineName": ""}},
		"AWS/Lambda":       {{"FunctionName": functionType}, {"FunctionName": functionType, "Resource": ""}, {"EventSourceMappingUUID": mappingType}},
		"AWS/RDS":          {{"DBInstanceIdentifier": instanceType}, {"ProxyName": "AWS::RDS::DBProxy"}},
		"AWS/ApiGateway": {
			{"ApiName": "AWS::ApiGateway::RestApi", "Stage": stageType},
			{"ApiName": "AWS::ApiGateway::RestApi", "Stage": stageType, "Method": "", "Resource": ""},
		},
		"AWS/KinesisAnalytics": {{"Application": "AWS::KinesisAnalyticsV2::Application"}},
		"AWS/SQS":              {{"QueueName": queueType}, {"QueueName": ""}}, // "" of what an importer brings
		"AWS/KinesisVideo":     {{"StreamName": videoType}},
		"Millrace/Loader":      {{"FunctionName": functionType}},
		"Millrace/Windows":     {{"FunctionName": functionType}},
		"Millrace/Transformer": {{"DeliveryStreamName": deliveryType}},
	}[namespace]
}

// insights is a query over all shards of one stream, which no dimension of a metric could name.
var insights = regexp.MustCompile(`^SELECT SUM\(\w+\) FROM SCHEMA\("AWS/Kinesis", StreamName, ShardId\) WHERE StreamName = '\$\{\w+\}' GROUP BY ShardId`)

// queries says whether the alarm looks at a query of Metrics Insights alone, and at one stream.
func (a *App) queries(r Resource) bool {
	all := list(r.Get("Metrics"))
	return len(all) == 1 && insights.MatchString(a.render(r.Stack, cfn.At(all[0], "Expression")))
}

func dimensions(a *App, r Resource, say func(string, ...any)) {
	if len(metrics(r)) == 0 && !a.queries(r) {
		say("it looks at no metric")
	}
	for _, m := range metrics(r) {
		got := map[string]any{}
		for _, d := range m.dimensions {
			got[text(cfn.At(d, "Name"))] = cfn.At(d, "Value")
		}
		if len(got) == 0 && filtered(a, m) {
			continue
		}
		if !slices.ContainsFunc(dimensionSets(m.namespace), func(set map[string]string) bool {
			if len(set) != len(got) {
				return false
			}
			for name, kind := range set {
				if got[name] == nil || kind != "" && !a.names(r.Stack, got[name], kind) {
					return false
				}
			}
			return true
		}) {
			said, _ := json.Marshal(got)
			say("%s %s is not published by %s", m.namespace, m.name, said)
		}
	}
}

// told asks for a topic in both lists, since an alarm without an action is one that nobody hears.
func told(a *App, r Resource, say func(string, ...any)) {
	if ofRollout(r) { // it tells CodeDeploy, which goes back
		return
	}
	for _, list := range []string{"AlarmActions", "OKActions"} {
		if !slices.ContainsFunc(a.references(r.Stack, r.Get(list)), func(to Resource) bool { return to.Type == topicType }) {
			say("its %s tell no topic", list)
		}
	}
	if r.Get("ActionsEnabled") == false {
		say("its actions are off")
	}
}

// attributesOf are the logical ids whose attributes value takes.
func attributesOf(value any) (ids []string) {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			ids = append(ids, attributesOf(element)...)
		}
	case map[string]any:
		if attribute := list(v["Fn::GetAtt"]); len(attribute) > 0 {
			return []string{text(attribute[0])}
		}
		for _, element := range v {
			ids = append(ids, attributesOf(element)...)
		}
	}
	return ids
}

// alarmNamed is an alarm's name in its ARN.
var alarmNamed = regexp.MustCompile(`:alarm:([\w-]+)`)

// named asks that a composite alarm or a dashboard names alarms that are there: those of
// other stacks are named by text, which no reference holds.
func named(a *App, r Resource, say func(string, ...any)) {
	for _, id := range attributesOf(r.Body["Properties"]) {
		if _, there := a.find(r.Stack, id); !there {
			say("there is no resource %s", id)
		}
	}
	for _, text := range texts(r.Body["Properties"]) {
		for _, match := range alarmNamed.FindAllStringSubmatch(text, -1) {
			if !slices.ContainsFunc(a.Resources(alarmType), func(alarm Resource) bool { return alarm.Get("AlarmName") == match[1] }) {
				say("there is no alarm %s", match[1])
			}
		}
	}
}

// filtered says whether a filter of the app's publishes the metric, without dimensions: its name is its own.
func filtered(a *App, m metric) bool {
	return slices.ContainsFunc(a.Resources("AWS::Logs::MetricFilter"), func(f Resource) bool {
		return slices.ContainsFunc(list(f.Get("MetricTransformations")), func(t any) bool {
			return cfn.At(t, "MetricName") == m.name && cfn.At(t, "MetricNamespace") == m.namespace && cfn.At(t, "Dimensions") == nil
		})
	})
}

// names says whether value is the name of a resource of the type: what Ref gives, or
// its Name property's text; not its ARN.
func (a *App) names(stack string, value any, kind string) bool {
	if literal := text(value); literal != "" {
		return slices.ContainsFunc(a.Resources(kind), func(r Resource) bool { return r.Get("Name") == literal })
	}
	if name := text(cfn.At(value, "Fn::ImportValue")); name != "" {
		from, exported := a.export(name)
		return a.names(from, exported, kind)
	}
	if attribute := list(cfn.At(value, "Fn::GetAtt")); len(attribute) == 2 && attribute[1] == "Arn" {
		return false
	}
	of := a.references(stack, value)
	return len(of) == 1 && of[0].Type == kind && cfn.At(value, "Fn::Join") == nil && cfn.At(value, "Fn::Sub") == nil
}

// limitedPerSecond are metrics whose limits AWS states per second.
func limitedPerSecond(name string) bool {
	return slices.Contains([]string{
		"IncomingBytes", "IncomingRecords", "IncomingPutRequests", "GetRecords.Bytes", "PutRecord.Bytes", "PutRecords.Bytes",
		"GetRecords.Records", "DataReadFromKinesisStream.Bytes", "DataReadFromKinesisStream.Records",
	}, name)
}

func perSecond(_ *App, r Resource, say func(string, ...any)) {
	var expressions strings.Builder
	for _, m := range list(r.Get("Metrics")) {
		expressions.WriteString(text(cfn.At(m, "Expression")))
	}
	limits := slices.ContainsFunc(metrics(r), func(m metric) bool { return strings.Contains(m.name, "PerSecondLimit") })
	// A sum over a sum of the same time is a share.
	if of := metrics(r); len(of) > 1 && !slices.ContainsFunc(of, func(m metric) bool { return m.stat != "Sum" || m.period != of[0].period }) {
		return
	}
	for _, m := range metrics(r) {
		divides := strings.Contains(expressions.String(), "PERIOD(") || strings.Contains(expressions.String(), fmt.Sprintf("/%g", m.period))
		constant := expressions.Len() == 0 && cfn.Number(r.Get("Threshold")) > 0
		if m.stat == "Sum" && limitedPerSecond(m.name) && (limits || constant || strings.Contains(expressions.String(), "/")) && !divides {
			say("the sum of %s over %g s is not divided by them", m.name, m.period)
		}
	}
}

func partial(_ *App, r Resource, say func(string, ...any)) {
	for _, m := range metrics(r) {
		if m.name == "PutRecords.Success" {
			say("PutRecords.Success counts a call with one success: FailedRecords and ThrottledRecords count what is lost")
		}
	}
}

// duplicates finds alarms that look at the very same thing, as one does that was
// meant for another metric.
func duplicates(a *App) []Finding {
	var found []Finding
	seen := map[string]Resource{}
	for _, r := range a.Resources(alarmType) {
		said, _ := json.Marshal([]any{r.Stack, r.Get("Metrics"), r.Get("Namespace"), r.Get("MetricName"), r.Get("Statistic"), r.Get("ExtendedStatistic"), r.Get("Dimensions")})
		if first, ok := seen[string(said)]; ok {
			found = append(found, Finding{Resource: r, Text: "it watches what " + first.Name() + " watches"})
		}
		seen[string(said)] = r
	}
	return found
}

// ofRollout says whether the alarm is of a rollout, which takes the rollout back and tells nobody.
func ofRollout(alarm Resource) bool { return strings.Contains(alarm.ID, "Rollout") }

// delivered are the metrics by which a delivery to the destination is known to come, and in time.
func delivered(destination string) []string {
	return map[string][]string{
		"ExtendedS3DestinationConfiguration":                 {"DeliveryToS3.DataFreshness", "DeliveryToS3.Success"},
		"AmazonopensearchserviceDestinationConfiguration":    {"DeliveryToAmazonOpenSearchService.DataFreshness", "DeliveryToAmazonOpenSearchService.Success"},
		"AmazonOpenSearchServerlessDestinationConfiguration": {"DeliveryToAmazonOpenSearchServerless.DataFreshness", "DeliveryToAmazonOpenSearchServerless.Success"},
		"RedshiftDestinationConfiguration":                   {"DeliveryToS3.DataFreshness", "DeliveryToRedshift.Success"},
		"IcebergDestinationConfiguration":                    {"DeliveryToIceberg.DataFreshness", "DeliveryToIceberg.FailedRowCount"},
	}[destination]
}

// watched asks for the alarms without which a part of the line fails unseen.
func watched(a *App, r Resource, say func(string, ...any)) {
	wanted := map[string][]string{
		streamType: {
			"GetRecords.IteratorAgeMilliseconds", "PutRecords.FailedRecords",
			"WriteProvisionedThroughputExceeded", "ReadProvisionedThroughputExceeded",
		},
		deliveryType: {"ExecuteProcessing.Success", "FailedRecords"},
		stageType:    {"4XXError", "5XXError", "Latency", "Count"},
		instanceType: {"CPUUtilization", "DatabaseConnections", "FreeStorageSpace", "FreeableMemory"},
		mappingType:  {"DroppedEventCount", "OnFailureDestinationDeliveredEventCount"},
	}[r.Type]
	for _, m := range a.Resources(mappingType) {
		switch {
		case r.Type != functionType || !slices.ContainsFunc(a.invoked(m), r.is):
			continue
		case windowed(m):
			wanted = []string{"Unusable", "Spilled", "TerminatedEarly"}
		default:
			wanted = []string{"Quarantined", "ArrivalToCommit", "SchemaBehind"}
		}
		wanted = append(wanted, "Errors", "Throttles", "IteratorAge", "Duration", "DestinationDeliveryFailures")
	}
	if r.Type == videoType {
		wanted = []string{"PutMedia.ErrorAckCount", "PutMedia.ConnectionErrors"}
	}
	if r.Type == deliveryType {
		name, _ := destination(r)
		wanted = append(wanted, delivered(name)...)
		if r.Get("KinesisStreamSourceConfiguration") == nil {
			wanted = append(wanted, "ThrottledRecords", "KMSKeyAccessDenied")
		} else {
			wanted = append(wanted, "ThrottledGetRecords")
		}
	}
	if r.Type == deliveryType && r.Get("ExtendedS3DestinationConfiguration", "DataFormatConversionConfiguration") != nil {
		wanted = append(wanted, "FailedConversion.Records")
	}
	if r.Type == deliveryType && len(objects(r)) > 1 {
		wanted = append(wanted, "BackupToS3.Success")
	}
	if r.Type == deliveryType && r.Get("ExtendedS3DestinationConfiguration", "DynamicPartitioningConfiguration") != nil {
		wanted = append(wanted, "PartitionCountExceeded")
	}
	for _, name := range wanted {
		if name == "Count" && a.Emulated { // the emulator rejects a template with an alarm on metric math
			continue
		}
		if !slices.ContainsFunc(a.Resources(alarmType), func(alarm Resource) bool {
			return !ofRollout(alarm) && slices.ContainsFunc(metrics(alarm), func(m metric) bool {
				return m.name == name && a.refers(alarm.Stack, m.dimensions, r)
			})
		}) {
			say("nobody hears of its %s", name)
		}
	}
}

// finer asks for the alarms on what a part has if it is told to, and whose metrics no dimension ties to its resource.
func finer(a *App, r Resource, say func(string, ...any)) {
	watches := func(alarm func(Resource) bool) bool { return slices.ContainsFunc(a.Resources(alarmType), alarm) }
	switch r.Type {
	case consumerType:
		if !watches(func(alarm Resource) bool {
			return slices.Contains(texts(alarm.Get("Dimensions")), text(r.Get("ConsumerName")))
		}) {
			say("nobody hears that it is behind")
		}
	case streamType:
		for _, name := range texts(r.Get("DesiredShardLevelMetrics")) {
			if !watches(func(alarm Resource) bool {
				return a.queries(alarm) && strings.Contains(strings.Join(texts(alarm.Get("Metrics")), ""), "SUM("+name+")")
			}) {
				say("%s of a shard is measured, and nobody hears of it", name)
			}
		}
	case deliveryType:
		_, to := destination(r)
		asked := slices.Contains(texts(cfn.At(to, "ProcessingConfiguration")), "MetadataExtraction") && cfn.At(to, "DynamicPartitioningConfiguration") != nil
		if asked && !watches(func(alarm Resource) bool {
			return slices.ContainsFunc(metrics(alarm), func(m metric) bool { return strings.HasPrefix(m.name, "FailedPartitionKeys") && filtered(a, m) })
		}) {
			say("nobody hears of records without a partition key")
		}
	}
}
