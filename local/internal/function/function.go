// Package function invokes a deployed Lambda function as AWS's own pollers do:
// synchronously, once, with Lambda's limits.
package function

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// PayloadLimit is the most bytes that a synchronous invocation may carry, as
// request and as response: 6 MB (Lambda quotas, "Invocation payload"). The
// emulator checks neither, so this package checks the response.
const PayloadLimit = 6 * 1024 * 1024

// API is the one call of Lambda that is used here.
type API interface {
	Invoke(context.Context, *lambda.InvokeInput, ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

// Result is what an invocation that reached the function came to.
type Result struct {
	// Payload is the function's response, or a description of its error.
	Payload []byte
	// FunctionError is empty, or says how the function failed: "Unhandled" or "Handled".
	FunctionError string
	// StatusCode and ExecutedVersion are as the Lambda API reports them.
	StatusCode      int32
	ExecutedVersion string
	// RequestID is the invocation's request id; empty when the API gave none.
	RequestID string
}

// Call invokes the function once. An error says that the function was not
// reached: throttled, unknown, unreachable. A function that was reached and
// failed is no error but a Result with a FunctionError.
func Call(ctx context.Context, api API, arn string, payload []byte) (Result, error) {
	// One attempt: how often to try is the poller's to count.
	once := func(o *lambda.Options) { o.Retryer = aws.NopRetryer{} }
	output, err := api.Invoke(ctx, &lambda.InvokeInput{FunctionName: &arn, Payload: payload}, once)
	if err != nil {
		return Result{}, fmt.Errorf("invoking %s: %w", arn, err)
	}
	requestID, _ := middleware.GetRequestIDMetadata(output.ResultMetadata)
	result := Result{
		Payload:         output.Payload,
		FunctionError:   aws.ToString(output.FunctionError),
		StatusCode:      output.StatusCode,
		ExecutedVersion: aws.ToString(output.ExecutedVersion),
		RequestID:       requestID,
	}
	if len(output.Payload) > PayloadLimit {
		result.FunctionError = "Unhandled"
		result.Payload = fmt.Appendf(nil,
			`{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (%d bytes)."}`, PayloadLimit)
	}
	return result, nil
}
