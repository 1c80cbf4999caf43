package guard

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/test/mdtable"
)

func TestAPatternMatchesAsInAPolicy(t *testing.T) {
	for pattern, texts := range map[string][]string{
		"*": {"", "s3:GetObject"}, "s3:*": {"s3:GetObject"}, "s3:Get*": {"s3:GetObject"}, "a*b*c": {"abc", "a1b2c", "abbc"}, "abc": {"abc"},
	} {
		for _, text := range texts {
			assert.True(t, matches(pattern, text), "%s %s", pattern, text)
		}
	}
	for pattern, texts := range map[string][]string{
		"s3:Get*": {"s3:PutObject", "s3:Ge"}, "a*b*c": {"ac", "abd", "acb"}, "abc": {"ab", "abcd"}, "*b": {"a"},
	} {
		for _, text := range texts {
			assert.False(t, matches(pattern, text), "%s %s", pattern, text)
		}
	}
}

func TestARightCoversWhatIsNarrower(t *testing.T) {
	had := []right{{"AWS:${Role}", "s3:Get*", "arn:a/*", ""}, {"AWS:${Role}", "kms:Decrypt", "k", "if"}}
	for _, r := range []right{
		{"AWS:${Role}", "s3:getobject", "arn:a/b", ""}, {"AWS:${Role}", "s3:GetObject", "arn:a/b", "any"}, {"AWS:${Role}", "kms:Decrypt", "k", "if"},
	} {
		assert.True(t, covers(had, r), r)
	}
	for _, r := range []right{
		{"AWS:${Other}", "s3:GetObject", "arn:a/b", ""},
		{"AWS:${Role}", "s3:PutObject", "arn:a/b", ""},
		{"AWS:${Role}", "s3:GetObject", "arn:b", ""},
		{"AWS:${Role}", "kms:Decrypt", "k", ""},
		{"AWS:${Role}", "kms:Decrypt", "k", "other"},
	} {
		assert.False(t, covers(had, r), r)
	}
}

func TestARuleIncludesWhatIsNarrower(t *testing.T) {
	had := rule{"ingress", "g", "tcp", "400", "500", "10.0.0.0/8"}
	narrower := []rule{{"ingress", "g", "tcp", "443", "443", "10.1.0.0/16"}, had}
	wider := []rule{
		{"egress", "g", "tcp", "443", "443", "10.1.0.0/16"},
		{"ingress", "h", "tcp", "443", "443", "10.1.0.0/16"},
		{"ingress", "g", "udp", "443", "443", "10.1.0.0/16"},
		{"ingress", "g", "tcp", "443", "501", "10.1.0.0/16"},
		{"ingress", "g", "tcp", "443", "443", "0.0.0.0/0"},
		{"ingress", "g", "-1", "", "", "10.1.0.0/16"},
		{"ingress", "g", "tcp", "443", "443", "${Other.GroupId}"},
	}
	for _, r := range narrower {
		assert.True(t, had.includes(r), r)
	}
	for _, r := range wider {
		assert.False(t, had.includes(r), r)
	}
	assert.True(t, rule{"ingress", "g", "-1", "", "", "10.0.0.0/8"}.includes(narrower[0]), "all protocols")
	assert.True(t, rule{Direction: "egress", Protocol: "-1", Peer: "127.0.0.1/32"}.nowhere())
}

func TestAPathIsCutWhereItChanges(t *testing.T) {
	for _, try := range []struct {
		from, to, before, after string
		inside                  bool
	}{
		{"S/Core/Stream/Resource", "S/Core/Events/Resource", "S/Core/Stream", "S/Core/Events", true},
		{"S/Core/Stream/Resource", "S/Heart/Stream/Resource", "S/Core", "S/Heart", false},
		{"S/Core/Stream", "S/Core/Stream", "S/Core/Stream", "S/Core/Stream", false},
		{"S/Core/Stream", "T/Core/Stream", "S", "T", false},
	} {
		before, after, inside := changed(try.from, try.to)
		assert.Equal(t, []any{try.before, try.after, try.inside}, []any{before, after, inside}, try.from)
	}
}

func TestABackupPlanThatKeepsLessIsFound(t *testing.T) {
	plan := func(rules ...any) Stack {
		return Stack{Template: map[string]any{"Resources": map[string]any{"Plan": map[string]any{
			"Type": "AWS::Backup::BackupPlan", "Properties": map[string]any{"BackupPlan": map[string]any{"BackupPlanRule": rules}},
		}}}}
	}
	daily := func(days float64) any {
		return map[string]any{"RuleName": "daily", "Lifecycle": map[string]any{"DeleteAfterDays": days}}
	}
	monthly := map[string]any{"RuleName": "monthly"}
	assert.Empty(t, shrunk("S", plan(daily(30)), plan(daily(30), monthly), nil))
	assert.Empty(t, shrunk("S", plan(daily(30)), plan(daily(60)), nil))
	found := shrunk("S", plan(daily(30), monthly), plan(daily(7)), nil)
	assert.Len(t, found, 2)
	assert.Equal(t, "30 -> 7", found[0].From+" -> "+found[0].To)
	assert.Equal(t, "BackupPlanRule.monthly", found[1].Property)
}

func TestFindingsOfSeveralEnvironmentsAreToldOnce(t *testing.T) {
	of := func(stack, to string) Finding {
		return Finding{Kind: Replaced, Stack: stack, Resource: stack + "/Core", LogicalID: stack, To: to, Instead: "keep " + stack}
	}
	told := alike([]Finding{
		of("Millrace-dev-Foundation", "a"), of("Millrace-prod-Foundation", "a"), of("Millrace-prod-Foundation", "b"), of("Other", "a"), of("Millrace-prod-Pipeline", "a"),
	})
	var resources []string
	for _, f := range told {
		resources = append(resources, f.Resource)
		assert.Equal(t, "keep "+f.Stack, f.Instead)
	}
	assert.Equal(t, []string{"Millrace-{dev,prod}-Foundation/Core", "Millrace-prod-Foundation/Core", "Other/Core", "Millrace-prod-Pipeline/Core"}, resources)
}

func TestANewPrincipalIsToldOnceAndAnExportByWhatItIs(t *testing.T) {
	stack := func(resources, outputs map[string]any) Stack {
		return Stack{Template: map[string]any{"Resources": resources, "Outputs": outputs}}
	}
	role := map[string]any{"Role": map[string]any{"Type": "AWS::IAM::Role"}}
	key := stack(map[string]any{"Key": map[string]any{"Type": "AWS::KMS::Key"}}, map[string]any{
		"O": map[string]any{"Value": map[string]any{"Fn::GetAtt": []any{"Key", "Arn"}}, "Export": map[string]any{"Name": "F:Key"}},
	})
	base := map[string]Stack{"F": key, "P": stack(map[string]any{}, nil)}
	head := map[string]Stack{"F": key, "P": stack(role, nil)}
	one := func(values ...string) targets { return targets{Values: values} }
	difference := Difference{Name: "P", Head: access{Statements: []statement{
		{"Allow", one("AWS:${Role}"), one("kms:Decrypt", "kms:Encrypt"), one(`{"Fn::ImportValue":"F:Key"}`), ""},
		{"Allow", one("AWS:${Role}"), one("s3:GetObject"), one("*"), ""},
	}}}
	found := Judge(base, head, []Difference{difference}, nil)
	assert.Len(t, found, 1)
	assert.Equal(t, "a new principal, 2 rights: kms:Decrypt, kms:Encrypt on ${Key.Arn}; s3:GetObject on *", found[0].To)
	assert.Empty(t, Judge(base, head, []Difference{difference}, []string{"iam-broadens"}))
}

func TestACommentIsNeverLongerThanGitHubTakes(t *testing.T) {
	long := strings.Repeat("é+ a line of a difference\n", 10_000)
	comment := Comment{Base: Side{Name: "a"}, Head: Side{Name: "b"}, Differences: []Difference{{Name: "S", Text: long}, {Name: "T", Text: "short"}}, Summaries: long}
	text := comment.String()
	assert.LessOrEqual(t, len(text), MaxComment)
	assert.Contains(t, text, "short")
	assert.Contains(t, text, "(cut: run `make guard` for the rest)")
	for range 400 {
		comment.Findings = append(comment.Findings, Finding{Kind: Removed, Resource: "a", Instead: strings.Repeat("keep it ", 100)})
	}
	assert.LessOrEqual(t, len(comment.String()), MaxComment)
}

func TestTheDocumentHasEveryKind(t *testing.T) {
	var documented []string
	for _, row := range mdtable.Rows(t, "../../../docs/guard.md", "kinds") {
		documented = append(documented, row[0])
	}
	assert.ElementsMatch(t, []string{
		string(Replaced), string(MayBeReplaced), string(Removed), string(LogicalID), string(ConstructID),
		string(Shrinks), string(IAMBroadens), string(NetworkOpens), string(MigrationOrder),
	}, documented)
}

func TestTheDocumentHasEveryProtectedType(t *testing.T) {
	documented := map[string]string{}
	for _, row := range mdtable.Rows(t, "../../../docs/guard.md", "protected") {
		documented[row[0]] = row[1]
	}
	assert.Equal(t, instead, documented)
}

func TestAStackThatIsElsewhereIsAnotherOne(t *testing.T) {
	account, region := where("aws://111122223333/eu-west-1")
	assert.Equal(t, []string{"111122223333", "eu-west-1"}, []string{account, region})
	account, region = where("aws://unknown-account/unknown-region")
	assert.Empty(t, account+region)

	stack := func(name, account string) Stack {
		return Stack{Template: map[string]any{}, Name: name, Account: account, Region: "eu-west-1"}
	}
	assert.Empty(t, elsewhere("S", stack("S", ""), stack("S", "111122223333")), "the account is said at last")
	found := elsewhere("S", stack("S", "111122223333"), stack("T", "444455556666"))
	assert.Len(t, found, 2)
	assert.Equal(t, "StackName S -> T", found[0].Property+" "+found[0].From+" -> "+found[0].To)
	assert.Equal(t, "Account", found[1].Property)
	assert.Empty(t, elsewhere("S", stack("S", ""), Stack{}), "it is gone, which is told of what it held")
}

func TestAMappingThatTriesForEverMayNotTryLess(t *testing.T) {
	mapping := func(seconds any) Stack {
		return Stack{Template: map[string]any{"Resources": map[string]any{"M": map[string]any{
			"Type": "AWS::Lambda::EventSourceMapping", "Properties": map[string]any{"MaximumRecordAgeInSeconds": seconds},
		}}}}
	}
	assert.Len(t, shrunk("S", mapping(-1.0), mapping(60.0), nil), 1)
	assert.Empty(t, shrunk("S", mapping(60.0), mapping(-1.0), nil))
	assert.Empty(t, shrunk("S", mapping(nil), mapping(-1.0), nil))
}

func TestABackupRuleWhoseCopiesGoIsFound(t *testing.T) {
	plan := func(copies ...any) Stack {
		return Stack{Template: map[string]any{"Resources": map[string]any{"Plan": map[string]any{
			"Type": "AWS::Backup::BackupPlan", "Properties": map[string]any{"BackupPlan": map[string]any{"BackupPlanRule": []any{
				map[string]any{"RuleName": "daily", "CopyActions": copies},
			}}},
		}}}}
	}
	to := func(vault string, days float64) any {
		return map[string]any{"DestinationBackupVaultArn": vault, "Lifecycle": map[string]any{"DeleteAfterDays": days}}
	}
	assert.Empty(t, shrunk("S", plan(to("a", 7)), plan(to("a", 35), to("b", 1)), nil))
	found := shrunk("S", plan(to("a", 35), to("b", 35)), plan(to("a", 7)), nil)
	assert.Len(t, found, 2)
	assert.Equal(t, "35 in a -> 7", found[0].From+" -> "+found[0].To)
	assert.Equal(t, "b -> none", found[1].From+" -> "+found[1].To)
}
