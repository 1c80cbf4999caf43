package hook

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
)

// CodeDeploy is the one call of CodeDeploy that a hook makes.
type CodeDeploy interface {
	PutLifecycleEventHookExecutionStatus(context.Context, *codedeploy.PutLifecycleEventHookExecutionStatusInput, ...func(*codedeploy.Options)) (*codedeploy.PutLifecycleEventHookExecutionStatusOutput, error)
}

// Event is what CodeDeploy invokes a hook with.
// https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html
type Event struct {
	DeploymentID string `json:"DeploymentId"`
	ExecutionID  string `json:"LifecycleEventHookExecutionId"`
}

// Function is a hook as a Lambda function: it tells CodeDeploy what the check found.
type Function struct {
	Hook       *Hook
	CodeDeploy CodeDeploy
	Log        *slog.Logger
}

// Handle checks and tells. Its error says that CodeDeploy could not be told: it then waits
// for an hour, and takes the hook for failed.
func (f *Function) Handle(ctx context.Context, e Event) error {
	status := types.LifecycleEventStatusSucceeded
	if err := f.Hook.Check(ctx); err != nil {
		status = types.LifecycleEventStatusFailed
		f.Log.ErrorContext(ctx, "the version is refused", "deployment", e.DeploymentID, "target", f.Hook.Spec.Target, "error", err)
	}
	_, err := f.CodeDeploy.PutLifecycleEventHookExecutionStatus(ctx, &codedeploy.PutLifecycleEventHookExecutionStatusInput{
		DeploymentId: &e.DeploymentID, LifecycleEventHookExecutionId: &e.ExecutionID, Status: status,
	})
	if err != nil {
		return fmt.Errorf("telling CodeDeploy that the hook %s: %w", status, err)
	}
	return nil
}
