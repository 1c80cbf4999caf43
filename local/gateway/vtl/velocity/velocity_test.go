package velocity_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/gateway/vtl"
	"github.com/millrace-cdk/millrace/local/gateway/vtl/velocity"
)

func start(t *testing.T) *velocity.Engine {
	t.Helper()
	engine, err := velocity.New(t.Context())
	if errors.Is(err, velocity.ErrNoJava) {
		t.Skip(err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, engine.Close()) })
	return engine
}

// What AWS's reference says, in its order.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
func TestTheReferenceIsFollowed(t *testing.T) {
	engine := start(t)
	for template, want := range map[string]string{
		`$input.body`:                         `{ "s" : "it's", "n" : [1, {"a": null}] }`,
		`$input.json('$.n')`:                  `[1,{"a":null}]`,
		`$input.json('$.s')`:                  `"it's"`,
		`$input.json('$.none')`:               `""`,
		`$input.path('$.n').size()`:           `2`,
		`[$input.path('$.none')]`:             `[]`,
		`$input.params('id')`:                 `path`,
		`$input.params('q')`:                  `query`,
		`$input.params('X-KEY')`:              `header`,
		`[$input.params('none')]`:             `[]`,
		`$input.params().keySet()`:            `[path, querystring, header]`,
		`$input.params().header.get('x-key')`: `header`,
		`$util.escapeJavaScript("a'b/")`:      `a\'b\/`,
		`$util.parseJson('{"a":[1]}').a[0]`:   `1`,
		`$util.urlEncode("a b&")`:             `a+b%26`,
		`$util.urlDecode("a+b%26")`:           `a b&`,
		`$util.base64Encode("é")`:             `w6k=`,
		`$util.base64Decode("w6k=")`:          `é`,
		`$context.requestId $stageVariables.v "$context.identity.caller" $none`: `r s "" $none`,
	} {
		got, err := engine.Render(vtl.Request{
			Name: "t", Template: template, Body: []byte(`{ "s" : "it's", "n" : [1, {"a": null}] }`),
			Path: map[string]string{"id": "path"}, Query: map[string]string{"id": "no", "q": "query"}, Headers: map[string]string{"x-key": "header"},
			Context: map[string]any{"requestId": "r", "identity": map[string]any{}}, StageVariables: map[string]string{"v": "s"},
		})
		require.NoError(t, err)
		assert.Equal(t, want, got.Text, template)
	}
}

func TestOverridesAreSeen(t *testing.T) {
	got, err := start(t).Render(vtl.Request{Template: `#set($context.responseOverride.status = 429)
#set($context.responseOverride.header.Retry-After = "1")
#set($context.requestOverride.header.a = "b")
#set($context.requestOverride.querystring.c = 1)`})
	require.NoError(t, err)
	assert.Equal(t, 429, got.Status)
	assert.Equal(t, map[string]string{"Retry-After": "1"}, got.Headers)
	assert.Equal(t, map[string]string{"a": "b"}, got.Request.Headers)
	assert.Equal(t, map[string]string{"c": "1"}, got.Request.Query)
}

func TestWhatIsWrongIsTold(t *testing.T) {
	engine := start(t)
	var broken *vtl.TemplateError
	_, err := engine.Render(vtl.Request{Name: "POST /events", Template: `#set($x = )`})
	require.ErrorAs(t, err, &broken)
	assert.ErrorContains(t, err, "POST /events")

	var unreadable *vtl.BodyError
	// Jayway mends much of what is not JSON. What it does not read is 401 levels.
	deep := strings.Repeat("[", 401) + strings.Repeat("]", 401)
	_, err = engine.Render(vtl.Request{Template: `$input.path('$.a')`, Body: []byte(deep)})
	require.ErrorAs(t, err, &unreadable)

	got, err := engine.Render(vtl.Request{Template: `still here`})
	require.NoError(t, err)
	assert.Equal(t, "still here", got.Text)
}

func TestWithoutJavaThereIsAReasonToSkip(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := velocity.New(t.Context())
	require.ErrorIs(t, err, velocity.ErrNoJava)
	assert.ErrorContains(t, err, "executable file not found")
}
