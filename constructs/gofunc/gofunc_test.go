package gofunc_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/gofunc"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestMain(m *testing.M) { cdktest.Main(m) }

func smallest() *gofunc.GoFunctionProps {
	return &gofunc.GoFunctionProps{Package: "example.com/tiny/cmd"}
}

func vpc(stack awscdk.Stack) awsec2.IVpc {
	return awsec2.NewVpc(stack, jsii.String("Vpc"), &awsec2.VpcProps{
		RestrictDefaultSecurityGroup: jsii.Bool(false),
		NatGateways:                  jsii.Number(0),
		SubnetConfiguration: &[]*awsec2.SubnetConfiguration{{
			Name:       jsii.String("Isolated"),
			SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED,
		}},
	})
}

// realApp returns an app that does compile functions, and where its assembly goes.
func realApp(t *testing.T) awscdk.App {
	t.Helper()
	// The go command keeps its own cache: without it every test would compile the runtime.
	goCache, err := exec.Command("go", "env", "GOCACHE").Output()
	require.NoError(t, err)
	t.Setenv("GOCACHE", strings.TrimSpace(string(goCache)))
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	return awscdk.NewApp(&awscdk.AppProps{Outdir: jsii.String(t.TempDir()), AnalyticsReporting: jsii.Bool(false)})
}

func tinyModule(t *testing.T, source string) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(folder, "cmd"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "go.mod"), []byte("module example.com/tiny\n\ngo 1.26\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "cmd", "main.go"), []byte(source), 0o644))
	return folder
}

func TestTheSmallestFunctionIsAnArm64Bootstrap(t *testing.T) {
	stack := cdktest.NewStack()
	gofunc.NewGoFunction(stack, "Fn", smallest())

	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Runtime":       "provided.al2023",
		"Handler":       "bootstrap",
		"Architectures": []any{"arm64"},
		"MemorySize":    gofunc.DefaultMemoryMiB,
		"Timeout":       gofunc.DefaultTimeout,
		"TracingConfig": assertions.Match_Absent(),
		"LoggingConfig": map[string]any{"LogFormat": "JSON", "LogGroup": map[string]any{"Ref": assertions.Match_StringLikeRegexp(jsii.String("^FnLogGroup"))}},
	})
}

func TestTheLogGroupIsKeptForAMonthByDefault(t *testing.T) {
	stack := cdktest.NewStack()
	gofunc.NewGoFunction(stack, "Fn", smallest())

	cdktest.Template(stack).HasResource(jsii.String("AWS::Logs::LogGroup"), map[string]any{
		"Properties":     map[string]any{"RetentionInDays": 30},
		"DeletionPolicy": "Retain",
	})
}

func TestTheRoleMayWriteItsOwnLogAndNothingElse(t *testing.T) {
	stack := cdktest.NewStack()
	gofunc.NewGoFunction(stack, "Fn", smallest())

	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::IAM::Role"), map[string]any{"ManagedPolicyArns": assertions.Match_Absent()})
	template.ResourceCountIs(jsii.String("AWS::IAM::Policy"), jsii.Number(1))
	template.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
		"PolicyDocument": map[string]any{"Statement": []any{map[string]any{
			"Effect":   "Allow",
			"Action":   []any{"logs:CreateLogStream", "logs:PutLogEvents"},
			"Resource": map[string]any{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^FnLogGroup")), "Arn"}},
		}}},
	})
}

func TestInAVpcLambdaMayMakeInterfacesAndTheFunctionsCodeMayNot(t *testing.T) {
	stack := cdktest.NewStack()
	gofunc.NewGoFunction(stack, "Fn", &gofunc.GoFunctionProps{
		Package:    "example.com/tiny/cmd",
		Vpc:        vpc(stack),
		VpcSubnets: &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED},
	})

	template := cdktest.Template(stack)
	interfaces := []any{
		"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
		"ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses",
	}
	template.HasResourceProperties(jsii.String("AWS::IAM::Role"), map[string]any{"ManagedPolicyArns": assertions.Match_Absent()})
	template.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
		"PolicyDocument": map[string]any{"Statement": assertions.Match_ArrayWith(&[]any{
			map[string]any{"Effect": "Allow", "Action": interfaces, "Resource": "*"},
		})},
	})
	template.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
		"PolicyDocument": map[string]any{"Statement": []any{map[string]any{
			"Effect":   "Deny",
			"Action":   interfaces,
			"Resource": "*",
			"Condition": map[string]any{"ArnEquals": map[string]any{
				"lambda:SourceFunctionArn": map[string]any{"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^FnFunction")), "Arn"}},
			}},
		}}},
	})
	template.HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"VpcConfig": map[string]any{"SubnetIds": assertions.Match_AnyValue(), "SecurityGroupIds": assertions.Match_AnyValue()},
	})
}

func TestConfigureHasTheLastWord(t *testing.T) {
	stack := cdktest.NewStack()
	props := smallest()
	props.Configure = func(p *awslambda.FunctionProps) {
		p.ReservedConcurrentExecutions = jsii.Number(3)
		p.MemorySize = jsii.Number(1024)
	}
	gofunc.NewGoFunction(stack, "Fn", props)

	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"ReservedConcurrentExecutions": 3,
		"MemorySize":                   1024,
	})
}

func TestGrantInvokeNamesTheFunction(t *testing.T) {
	stack := cdktest.NewStack()
	one := gofunc.NewGoFunction(stack, "One", smallest())
	two := gofunc.NewGoFunction(stack, "Two", smallest())
	one.GrantInvoke(two.Role)

	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
		"PolicyDocument": map[string]any{"Statement": assertions.Match_ArrayWith(&[]any{
			assertions.Match_ObjectLike(&map[string]any{"Action": "lambda:InvokeFunction"}),
		})},
		"Roles": []any{map[string]any{"Ref": assertions.Match_StringLikeRegexp(jsii.String("^TwoRole"))}},
	})
}

func TestAFunctionIsAScopeAndTwoStandInOneStack(t *testing.T) {
	stack := cdktest.NewStack()
	one := gofunc.NewGoFunction(stack, "One", smallest())
	gofunc.NewGoFunction(stack, "Two", smallest())
	awss3.NewBucket(one, jsii.String("Bucket"), nil)
	awscdk.Tags_Of(one).Add(jsii.String("team"), jsii.String("ingest"), nil)

	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::Lambda::Function"), jsii.Number(2))
	template.ResourceCountIs(jsii.String("AWS::Logs::LogGroup"), jsii.Number(2))
	tag := map[string]any{"Tags": []any{map[string]any{"Key": "team", "Value": "ingest"}}}
	template.ResourcePropertiesCountIs(jsii.String("AWS::Lambda::Function"), tag, jsii.Number(1))
	template.ResourcePropertiesCountIs(jsii.String("AWS::S3::Bucket"), tag, jsii.Number(1))
}

func TestThePropsAreNotChanged(t *testing.T) {
	stack := cdktest.NewStack()
	props := smallest()
	gofunc.NewGoFunction(stack, "Fn", props)
	assert.Equal(t, smallest(), props)
}

func TestWithoutBundlingNothingIsCompiled(t *testing.T) {
	stack := cdktest.NewStack()
	assert.NotPanics(t, func() {
		gofunc.NewGoFunction(stack, "Fn", &gofunc.GoFunctionProps{Package: "example.com/there/is/no/such/package"})
	})
}

func TestSynthCompilesThePackageIntoTheAssembly(t *testing.T) {
	app := realApp(t)
	stack := awscdk.NewStack(app, jsii.String("Test"), nil)
	gofunc.NewGoFunction(stack, "Fn", &gofunc.GoFunctionProps{
		Package: "example.com/tiny/cmd",
		Dir:     tinyModule(t, "package main\n\nfunc main() {}\n"),
	})
	assembly := app.Synth(nil)

	executables, err := filepath.Glob(filepath.Join(*assembly.Directory(), "asset.*", "bootstrap"))
	require.NoError(t, err)
	require.Len(t, executables, 1)
	content, err := os.ReadFile(executables[0])
	require.NoError(t, err)
	assert.Equal(t, "\x7fELF", string(content[:4]))
}

func TestAPackageThatDoesNotCompilePanicsInTheCompilersWords(t *testing.T) {
	stack := awscdk.NewStack(realApp(t), jsii.String("Test"), nil)
	message := cdktest.Panics(t, func() {
		gofunc.NewGoFunction(stack, "Fn", &gofunc.GoFunctionProps{
			Package: "./cmd",
			Dir:     tinyModule(t, "package main\n\nfunc main() { undefinedName() }\n"),
		})
	})
	assert.Contains(t, message, "gofunc: Test/Fn: building package ./cmd: running go build: exit status 1")
	assert.Contains(t, message, "main.go:3:15: undefined: undefinedName")
}
