// Compares pairs of templates by the CDK's own library, which has the CloudFormation
// resource specification: which property's change replaces a resource, which properties are
// policies, which are rules of security groups. It only tells; guard.go judges.
//
// In:  [{name, base, head}], a stack's two templates ({} where there is none).
// Out: [{name, resources, base, head, text}], in that order.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';

// From where it is run, the repository, and not from where this file is.
const require = createRequire(join(process.cwd(), 'package.json'));
const { fullDiff, formatDifferences } = require('@aws-cdk/cloudformation-diff');

const targets = ({ values, not }) => ({ values, not: not ?? false });

// access is everything that a template allows or denies: all of it is new to an empty one.
function access(template) {
  const { iamChanges, securityGroupChanges } = fullDiff({}, template);
  return {
    statements: iamChanges.statements.additions.map(({ effect, principals, actions, resources, condition }) => ({
      effect: String(effect),
      principals: targets(principals),
      actions: targets(actions),
      resources: targets(resources),
      condition: condition === undefined ? '' : JSON.stringify(condition),
    })),
    managed: iamChanges.managedPolicies.additions.map(({ identityArn, managedPolicyArn }) => ({ identity: identityArn, policy: managedPolicyArn })),
    rules: ['ingress', 'egress'].flatMap((direction) => securityGroupChanges[direction].additions.map((rule) => ({
      direction,
      group: rule.groupId,
      protocol: rule.ipProtocol,
      from: String(rule.fromPort ?? ''),
      to: String(rule.toPort ?? ''),
      peer: rule.peer?.ip ?? rule.peer?.securityGroupId ?? rule.peer?.prefixListId ?? '',
    }))),
  };
}

function resources(diff) {
  const all = [];
  diff.resources.forEachDifference((id, change) => all.push({
    id,
    impact: change.changeImpact,
    properties: Object.entries(change.propertyUpdates).map(([name, { oldValue, newValue, changeImpact }]) => ({
      name, from: oldValue, to: newValue, impact: changeImpact ?? '',
    })),
  }));
  return all;
}

function text(diff, paths) {
  if (diff.isEmpty) return '';
  const stream = new PassThrough();
  formatDifferences(stream, diff, paths);
  return String(stream.read() ?? '');
}

const pairs = JSON.parse(readFileSync(0, 'utf8'));
process.stdout.write(JSON.stringify(pairs.map(({ name, base, head, paths }) => {
  const diff = fullDiff(base, head);
  return { name, resources: resources(diff), base: access(base), head: access(head), text: text(diff, paths) };
})));
