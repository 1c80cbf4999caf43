package trust

import (
	"slices"
	"strings"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

func computeRules() []Rule {
	return []Rule{
		{"every function has its own role and log group", each(function, functionType)},
		{"functions of the database stand in its VPC, bounded", each(bounded, functionType)},
		{"event source mappings keep what fails, retry to an end, and fit the function", each(mapping, mappingType)},
		{"deliveries log their errors and keep what fails", each(delivers, deliveryType)},
		{"custom resources end before they are given up", each(custom, "Custom::MillraceMigration", "AWS::CloudFormation::CustomResource")},
		{"rollouts go back by what they are watched for", each(rollsBack, "AWS::CodeDeploy::DeploymentGroup")},
		{"no custom resource changes what a template can say", each(known)},
	}
}

func function(a *App, r Resource, say func(string, ...any)) {
	if len(a.references(r.Stack, r.Get("LoggingConfig", "LogGroup"))) != 1 {
		say("its log group is made when it first writes, and kept forever")
	}
	roles := a.references(r.Stack, r.Get("Role"))
	if len(roles) != 1 {
		say("its role is not of the app")
		return
	}
	for _, other := range a.Resources(functionType) {
		if !other.is(r) && a.refers(other.Stack, other.Get("Role"), roles[0]) {
			say("it shares its role with %s", other.Name())
		}
	}
}

// allowed are the resources on which a role of the function is allowed the action, by the stacks that say so.
func allowed(a *App, f Resource, action string) map[string][]any {
	all := map[string][]any{}
	for _, role := range a.references(f.Stack, f.Get("Role")) {
		for _, p := range a.Resources(identityType) {
			for _, s := range statements(p.Get("PolicyDocument")) {
				if s.Allow && slices.Contains(s.Actions, action) && a.refers(p.Stack, p.Get("Roles"), role) {
					all[p.Stack] = append(all[p.Stack], s.Resources...)
				}
			}
		}
	}
	return all
}

func bounded(a *App, r Resource, say func(string, ...any)) {
	connects := len(allowed(a, r, "rds-db:connect")) > 0
	password := false
	for stack, resources := range allowed(a, r, "secretsmanager:GetSecretValue") {
		password = password || slices.ContainsFunc(secretsOf(a, stack, resources), func(s Resource) bool { return ofDatabase(a, s) })
	}
	if !connects && !password {
		return
	}
	if len(list(r.Get("VpcConfig", "SubnetIds"))) < 2 || len(list(r.Get("VpcConfig", "SecurityGroupIds"))) == 0 {
		say("it is not in the database's VPC, in two zones")
	}
	if cfn.Number(r.Get("MemorySize")) < 256 {
		say("it has under 256 MB")
	}
	if !connects {
		return
	}
	connections := 0.0
	for _, p := range a.Resources(parametersType) {
		connections = max(connections, cfn.Number(p.Get("Parameters", "max_connections")))
	}
	if most := cfn.Number(r.Get("ReservedConcurrentExecutions")); most <= 0 || connections > 0 && most > connections/2 {
		say("%g may run at once, of %g connections", most, connections)
	}
}

func mapping(a *App, r Resource, say func(string, ...any)) {
	if len(a.references(r.Stack, r.Get("DestinationConfig", "OnFailure", "Destination"))) != 1 {
		say("what fails is gone")
	}
	if r.Get("BisectBatchOnFunctionError") != true {
		say("one bad record takes its batch along")
	}
	if !slices.Contains(texts(r.Get("FunctionResponseTypes")), "ReportBatchItemFailures") {
		say("it cannot say which record failed")
	}
	// Fewer than ten attempts are over before a database has failed over.
	if n := cfn.Number(r.Get("MaximumRetryAttempts")); n < 10 || n > 10000 {
		say("it tries %g times", n)
	}
	age := cfn.Number(r.Get("MaximumRecordAgeInSeconds"))
	if age < 60 {
		say("it tries forever: the age of a record is %g s at most", age)
	}
	for _, stream := range a.references(r.Stack, r.Get("EventSourceArn")) {
		if age >= 3600*cfn.Number(stream.Get("RetentionPeriodHours")) {
			say("a record expires before it is kept")
		}
		parallel := cfn.Number(r.Get("ParallelizationFactor"))
		if parallel == 0 {
			parallel = 1
		}
		if parallel < 1 || parallel > 10 {
			say("its parallelization factor is %g, of 1 to 10", parallel)
		}
		shards := max(cfn.Number(stream.Get("ShardCount")), 4) // an on-demand stream begins with four
		if stream.Get("StreamModeDetails", "StreamMode") == "PROVISIONED" {
			shards = cfn.Number(stream.Get("ShardCount"))
		}
		for _, f := range a.invoked(r) {
			if windowed(r) && f.Get("ReservedConcurrentExecutions") == nil {
				continue // a window has one invocation of a shard at a time, and nothing behind it that more could harm
			}
			if most := cfn.Number(f.Get("ReservedConcurrentExecutions")); shards*parallel > most {
				say("%g shards by %g at once are more than the function's %g", shards, parallel, most)
			}
		}
	}
}

// windowed says whether the mapping has tumbling windows.
func windowed(mapping Resource) bool { return cfn.Number(mapping.Get("TumblingWindowInSeconds")) > 0 }

// invoked are the functions that the mapping invokes, by their alias or without one.
func (a *App) invoked(mapping Resource) []Resource {
	var functions []Resource
	for _, of := range a.references(mapping.Stack, mapping.Get("FunctionName")) {
		if of.Type == "AWS::Lambda::Alias" {
			functions = append(functions, a.references(of.Stack, of.Get("FunctionName"))...)
		} else {
			functions = append(functions, of)
		}
	}
	return functions
}

func delivers(a *App, r Resource, say func(string, ...any)) {
	_, to := destination(r)
	for _, part := range append(objects(r), to) {
		if cfn.At(part, "CloudWatchLoggingOptions", "Enabled") != true {
			say("its errors are not logged")
		}
	}
	for _, part := range objects(r) {
		if text(cfn.At(part, "ErrorOutputPrefix")) == "" {
			say("what fails lies among what did not")
		}
		if len(a.references(r.Stack, objectKey(part))) == 0 {
			say("its objects have no key of the app's")
		}
	}
}

func rollsBack(a *App, r Resource, say func(string, ...any)) {
	for _, event := range []string{"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"} {
		if r.Get("AutoRollbackConfiguration", "Enabled") != true || !slices.Contains(texts(r.Get("AutoRollbackConfiguration", "Events")), event) {
			say("it stays where it is on %s", event)
		}
	}
	if r.Get("AlarmConfiguration", "Enabled") != true {
		say("it hears no alarm")
	}
	var heard []string
	for _, alarm := range a.references(r.Stack, r.Get("AlarmConfiguration", "Alarms")) {
		for _, m := range metrics(alarm) {
			heard = append(heard, m.name)
		}
	}
	for _, wanted := range [][]string{{"Errors"}, {"FailedRecords", "Quarantined"}, {"DeliveryToS3.DataFreshness", "IteratorAge"}} {
		if !slices.ContainsFunc(wanted, func(name string) bool { return slices.Contains(heard, name) }) {
			say("nothing rings for its %s", strings.Join(wanted, " or "))
		}
	}
}

func custom(a *App, r Resource, say func(string, ...any)) {
	timeout := cfn.Number(r.Get("ServiceTimeout"))
	for _, f := range a.references(r.Stack, r.Get("ServiceToken")) {
		if own := cfn.Number(f.Get("Timeout")); own == 0 || timeout <= own {
			say("its function runs %g s, and CloudFormation waits %g s", own, timeout)
		}
	}
}

// known are the custom resources that there are: one that runs SQL, which no template can.
func known(_ *App, r Resource, say func(string, ...any)) {
	if strings.HasPrefix(r.Type, "Custom::") && r.Type != "Custom::MillraceMigration" || r.Type == "AWS::CloudFormation::CustomResource" {
		say("it does by code what a template says")
	}
}
