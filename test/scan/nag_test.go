package scan

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/cloudformationinclude"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/test/cdktest"
)

// nagRule begins a message of cdk-nag: RULE: or RULE[FINDING]:
var nagRule = regexp.MustCompile(`^((?:AwsSolutions|CdkNagValidationFailure)[\w-]*(?:\[.*\])?): `)

// nag is what cdk-nag's AwsSolutions finds. The templates are included in stacks
// of one app, so that an example, whose constructs are out of reach, is scanned as an environment is.
//
//nolint:staticcheck // a stack's Messages still have the type whose successor is announced
func nag(t *testing.T, templates []template) []finding {
	t.Helper()
	app := cdktest.NewApp()
	for _, one := range templates {
		file := filepath.Join(t.TempDir(), "template.json")
		require.NoError(t, os.WriteFile(file, one.text, 0o644))
		stack := awscdk.NewStack(app, jsii.String(one.stack), &awscdk.StackProps{
			Synthesizer: awscdk.NewLegacyStackSynthesizer(), // adds nothing to what is included
		})
		cloudformationinclude.NewCfnInclude(stack, jsii.String("Template"), &cloudformationinclude.CfnIncludeProps{TemplateFile: &file})
	}
	awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{Reports: jsii.Bool(false)}), nil)

	var all []finding
	for _, stack := range *app.Synth(nil).Stacks() {
		for _, message := range *stack.Messages() {
			text, _ := message.Entry.Data.(string)
			if rule := nagRule.FindStringSubmatch(text); rule != nil {
				all = append(all, finding{*stack.StackName(), path.Base(*message.Id), rule[1]})
			}
		}
	}
	return all
}
