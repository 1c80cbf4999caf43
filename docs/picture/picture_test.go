package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	foundation = "Small-Foundation.template.json"
	pipeline   = "Small-Pipeline.template.json"
)

// edited renders the small templates after change has edited their resources.
func edited(t *testing.T, change func(resources map[string]any)) (string, error) {
	t.Helper()
	parsed := map[string]map[string]any{}
	all := map[string]any{}
	for _, name := range []string{foundation, pipeline} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		var template map[string]any
		require.NoError(t, json.Unmarshal(text, &template))
		parsed[name] = template
		maps.Copy(all, template["Resources"].(map[string]any))
	}
	change(all)
	var files []string
	folder := t.TempDir()
	for name, template := range parsed {
		resources := template["Resources"].(map[string]any)
		maps.DeleteFunc(resources, func(id string, _ any) bool { return all[id] == nil })
		text, err := json.Marshal(template)
		require.NoError(t, err)
		files = append(files, filepath.Join(folder, name))
		require.NoError(t, os.WriteFile(files[len(files)-1], text, 0o600))
	}
	// The order of the shell's glob: imports are resolved by what was read before.
	if strings.HasSuffix(files[0], pipeline) {
		files[0], files[1] = files[1], files[0]
	}
	svg, err := render(files)
	return string(svg), err
}

func property(resources map[string]any, id string) map[string]any {
	return resources[id].(map[string]any)["Properties"].(map[string]any)
}

func TestThePictureInTheDocsIsWhatTheTemplatesSay(t *testing.T) {
	templates, err := filepath.Glob("../../test/snapshot/testdata/*prod*.template.json")
	require.NoError(t, err)
	require.NotEmpty(t, templates, "no golden templates of prod: run `make snapshots`")
	want, err := render(templates)
	require.NoError(t, err)
	got, err := os.ReadFile("../images/data-flow.svg")
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got), "the picture is out of date: run `make picture`")
}

func TestThePictureIsXMLWithWordsForWhoDoesNotSeeIt(t *testing.T) {
	svg, err := edited(t, func(map[string]any) {})
	require.NoError(t, err)
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		_, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	assert.Contains(t, svg, `<title id="title">`)
	assert.Contains(t, svg, "IngestApi (API Gateway): POST /events, POST /events/batch, IAM authorization, 1,000 requests/s.")
}

func TestFactsComeFromTheTemplates(t *testing.T) {
	svg, err := edited(t, func(resources map[string]any) {
		property(resources, "Stream")["ShardCount"] = 3
		property(resources, "Stream")["RetentionPeriodHours"] = 24
		property(resources, "PostEvent")["ApiKeyRequired"] = true
		property(resources, "PostBatch")["ApiKeyRequired"] = true
		property(resources, "Instance")["MultiAZ"] = false
		property(resources, "Instance")["DBInstanceClass"] = "db.t4g.small"
		property(resources, "Mapping")["BatchSize"] = 1234
	})
	require.NoError(t, err)
	for _, fact := range []string{">3 shards<", ">keeps events 24 hours<", ">API key<", ">t4g.small, one zone<", ">batches of 1,234<"} {
		assert.Contains(t, svg, fact)
	}
}

func TestAMissingResourceIsAnError(t *testing.T) {
	for id, want := range map[string]string{
		"Api":         "one AWS::ApiGateway::RestApi, the templates have 0",
		"Stream":      "one AWS::Kinesis::Stream, the templates have 0",
		"Delivery":    "one AWS::KinesisFirehose::DeliveryStream, the templates have 0",
		"Transformer": "refers to no AWS::Lambda::Function",
		"Bucket":      "refers to no AWS::S3::Bucket",
		"Loader":      "FunctionName of Small-Pipeline/Mapping refers to no AWS::Lambda::Function",
		"Failures":    "DestinationConfig.OnFailure.Destination of Small-Pipeline/Mapping refers to no AWS::S3::Bucket",
		"Mapping":     "one AWS::Lambda::EventSourceMapping, the templates have 0",
		"Instance":    "one AWS::RDS::DBInstance, the templates have 0",
	} {
		t.Run(id, func(t *testing.T) {
			_, err := edited(t, func(resources map[string]any) { delete(resources, id) })
			assert.ErrorContains(t, err, want)
		})
	}
}

func TestAnArrowThatIsNoReferenceIsAnError(t *testing.T) {
	for name, cut := range map[string]func(map[string]any){
		"RequestTemplates of Small-Pipeline/PostEvent does not refer to Small-Foundation/Stream": func(resources map[string]any) {
			property(resources, "PostEvent")["Integration"].(map[string]any)["RequestTemplates"] = "other"
		},
		"KinesisStreamARN of Small-Pipeline/Delivery does not refer to Small-Foundation/Stream": func(resources map[string]any) {
			delete(property(resources, "Delivery"), "KinesisStreamSourceConfiguration")
		},
		"EventSourceArn of Small-Pipeline/Mapping does not refer to Small-Foundation/Stream": func(resources map[string]any) {
			property(resources, "Mapping")["EventSourceArn"] = "arn:aws:kinesis:eu-west-1:111122223333:stream/other"
		},
		"Environment.Variables of Small-Pipeline/Loader does not refer to Small-Foundation/Instance": func(resources map[string]any) {
			delete(property(resources, "Loader"), "Environment")
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := edited(t, cut)
			assert.ErrorContains(t, err, name)
		})
	}
}

func TestAClaimThatDoesNotHoldIsAnError(t *testing.T) {
	for want, change := range map[string]func(map[string]any){
		"not publicly accessible": func(resources map[string]any) { property(resources, "Instance")["PubliclyAccessible"] = true },
		"no way to the internet": func(resources map[string]any) {
			resources["Failures"].(map[string]any)["Type"] = "AWS::EC2::InternetGateway"
		},
		"no Lambda function": func(resources map[string]any) {
			property(resources, "PostEvent")["Integration"].(map[string]any)["Type"] = "AWS_PROXY"
		},
	} {
		t.Run(want, func(t *testing.T) {
			_, err := edited(t, change)
			assert.ErrorContains(t, err, want)
		})
	}
}

func TestATextThatDoesNotFitItsCardIsAnError(t *testing.T) {
	_, err := edited(t, func(resources map[string]any) {
		property(resources, "Instance")["DBInstanceClass"] = "db.a-name-that-no-card-would-hold"
	})
	assert.ErrorContains(t, err, "the card of PrivateRds is too narrow")
}
