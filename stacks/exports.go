package stacks

// export makes exports of all that Pipeline's constructs take from Foundation,
// whether one of them does or not. CDK by itself makes an export for as long as
// something refers to it: with a consumer its export would go, which
// CloudFormation refuses while Pipeline as it is deployed still imports it, and
// Foundation is deployed first
// (https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-exports.html).
//
// Who lets a construct of Pipeline refer to something else adds it here;
// test/snapshot says what is missing.
func (f *Foundation) export() {
	core, db := f.Core, f.Database
	values := []*string{
		core.Stream.StreamArn(), core.Stream.StreamName(), core.Key.KeyArn(),
		f.Lake.Bucket.BucketArn(), f.Lake.Bucket.BucketName(), f.Lake.Key.KeyArn(),
		f.Parquet.Bucket.BucketArn(), f.Parquet.Bucket.BucketName(),
		db.Instance.InstanceResourceId(), db.DirectHost(), db.DirectPort(),
		db.Secret().SecretArn(), db.Key.KeyArn(), db.Vpc().VpcId(),
		f.Alerts.Pages.TopicArn(), f.Alerts.Tickets.TopicArn(),
	}
	values = append(values, *db.Vpc().SelectSubnets(db.Subnets()).SubnetIds...)
	for _, group := range append(*db.Connections().SecurityGroups(), *db.SecretsEndpoint.Connections().SecurityGroups()...) {
		values = append(values, group.SecurityGroupId())
	}
	for _, value := range values {
		f.Stack.ExportValue(value, nil)
	}
}
