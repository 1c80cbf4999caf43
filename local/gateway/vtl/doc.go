// Package vtl renders API Gateway's mapping templates as API Gateway would:
// Velocity, with $input, $util, $context and $stageVariables.
//
// The language is velocityjs's, run in one small Node process that an [Engine]
// starts, restarts when it dies and stops. A template is parsed once.
// Numbers are exact: whatever a body has (9007199254740993, 1e-7, 1.10), $input.json
// and $input.path give back as it was written.
//
// Where AWS documents no behaviour, or velocityjs differs from Apache Velocity:
//   - What $input, $context or $stageVariables do not have renders as nothing;
//     any other undefined reference stands as it was written.
//   - $input.json of a path that is not there is "" (two quotes);
//     $input.body and $input.json('$') of an empty body are {}.
//   - An empty string and 0 are false in #if, as in Velocity 2; in Velocity 1 they are true.
//     A template that means either should compare.
//   - Keys that look like small integers move to the front of a re-rendered object,
//     and of equal keys the last one is kept.
//   - A body whose values are nested deeper than 500 levels is one that cannot be read.
//   - A #foreach over more than 1,000 elements is an error.
//
// Reference: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
package vtl
