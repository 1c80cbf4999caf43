// Package hook checks a version of a function before it gets its first event,
// and again when it gets all of them: it sends samples through it and compares
// what comes out, byte for byte.
//
// CodeDeploy calls it as a Lambda function (https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html);
// on the laptop, where there is no CodeDeploy, local/rollout calls [Hook.Check].
package hook

import (
	"context"
	"errors"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/millrace-cdk/millrace/spec"
)

// Lambda is the one call of Lambda that a hook makes.
type Lambda interface {
	Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

// Hook checks the version that its spec names.
type Hook struct {
	Spec   spec.Hook
	Lambda Lambda
}

// Check returns nil if the version does with every sample what it should, and else
// all that it does otherwise. The samples are synthetic: nothing of anybody's data is in the error.
func (h *Hook) Check(ctx context.Context) error {
	payload, judge, err := h.ask()
	if err != nil {
		return err
	}
	answer, err := h.invoke(ctx, payload)
	if err != nil {
		return err
	}
	if err := judge(answer); err != nil {
		return fmt.Errorf("checking %s: %w", h.Spec.Target, err)
	}
	return nil
}

// ask returns what to send and how to judge what comes back.
func (h *Hook) ask() (payload []byte, judge func(answer []byte) error, err error) {
	if h.Spec.Version == "" || h.Spec.Target == "" {
		return nil, nil, errors.New("the hook's spec must name a target and a version")
	}
	samples := h.Spec.Samples
	if len(samples) == 0 {
		samples = Samples(h.Spec.Kind)
	}
	switch h.Spec.Kind {
	case spec.HookTransformer:
		payload, err = transformation(samples)
		judge = func(answer []byte) error { return judgeTransformation(samples, h.Spec.Keys, answer) }
	case spec.HookLoader:
		payload, err = rehearsal(samples)
		judge = func(answer []byte) error { return judgeRehearsal(samples, answer) }
	default:
		err = fmt.Errorf("the hook's spec must be of a %s or a %s, got %q", spec.HookTransformer, spec.HookLoader, h.Spec.Kind)
	}
	return payload, judge, err
}

func (h *Hook) invoke(ctx context.Context, payload []byte) ([]byte, error) {
	output, err := h.Lambda.Invoke(ctx, &lambda.InvokeInput{FunctionName: &h.Spec.Target, Payload: payload})
	if err != nil {
		return nil, fmt.Errorf("invoking %s: %w", h.Spec.Target, err)
	}
	if kind := aws.ToString(output.FunctionError); kind != "" {
		return nil, fmt.Errorf("invoking %s: function error %s: %s", h.Spec.Target, kind, shorten(output.Payload))
	}
	if version := aws.ToString(output.ExecutedVersion); version != h.Spec.Version {
		return nil, fmt.Errorf("invoking %s: version %s answered, and not %s", h.Spec.Target, version, h.Spec.Version)
	}
	return output.Payload, nil
}

// shorten keeps an error readable.
func shorten(text []byte) string {
	const most = 300
	if len(text) <= most {
		return string(text)
	}
	return string(text[:most]) + "…"
}
