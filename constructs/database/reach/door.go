package reach

import (
	"fmt"
	"strings"
)

// door looks at the database's own settings, its subnets and its groups.
func (f *finder) door() {
	d := f.database
	member := len(f.of(d, "DBClusterIdentifier")) > 0 // its network and its groups are the cluster's
	switch {
	case d.kind == clusterKind && f.mayBe(d, "EnableHttpEndpoint", false):
		f.leak(nil, d.name(), "EnableHttpEndpoint: the Data API answers at AWS's public endpoint")
	case d.kind == instanceKind && d.properties["PubliclyAccessible"] == nil:
		// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-rds-dbinstance.html
		f.leak(nil, d.name(), "PubliclyAccessible is not said: AWS decides by the subnets' gateway")
	}
	if f.mayBe(d, "PubliclyAccessible", false) {
		f.leak(nil, d.name(), "PubliclyAccessible: its name leads to a public address")
	}
	if member {
		return
	}
	source := d
	if origin := resourcesAmong(f.of(d, "SourceDBInstanceIdentifier")); len(origin) > 0 && d.properties["DBSubnetGroupName"] == nil {
		source = origin[0].resource // a replica stands where its source does
	}
	f.subnetGroup(source)
	groups := f.of(d, "VPCSecurityGroups")
	if d.kind == clusterKind {
		groups = f.of(d, "VpcSecurityGroupIds")
	}
	f.groups(groups, d)
}

func (f *finder) subnetGroup(d *resource) {
	groups := f.of(d, "DBSubnetGroupName")
	if len(groups) == 0 {
		f.leak(nil, d.name(), "DBSubnetGroupName is not said: AWS takes the default VPC, whose subnets are public")
	}
	for _, group := range groups {
		if group.resource == nil {
			f.leak(nil, group.text, "a subnet group that is not in the templates: its routes are not known")
			continue
		}
		trail := []Step{{group.resource.name(), "its subnet group"}}
		f.subnets(f.of(group.resource, "SubnetIds"), trail)
	}
}

// groups looks at the security groups of the database or of a proxy.
func (f *finder) groups(groups []target, owner *resource) {
	trail := f.before(owner)
	if len(groups) == 0 {
		f.leak(trail, owner.name(), "no security group is said: AWS takes the VPC's default one, and whom that lets in is not known")
	}
	for _, group := range groups {
		f.group(group, trail)
	}
}

// before is the trail of what stands before the database: none for the database itself.
func (f *finder) before(owner *resource) []Step {
	if owner == f.database {
		return nil
	}
	return []Step{{owner.name(), "leads to it"}}
}

// proxies looks at the RDS proxies of the database and their further endpoints,
// which may stand in other subnets and have other groups.
func (f *finder) proxies() {
	targets := append(f.that("AWS::RDS::DBProxyTargetGroup", "DBInstanceIdentifiers", f.database),
		f.that("AWS::RDS::DBProxyTargetGroup", "DBClusterIdentifiers", f.database)...)
	for _, group := range targets {
		for _, proxy := range f.of(group, "DBProxyName") {
			if proxy.resource == nil {
				f.leak(nil, proxy.text, "an RDS proxy that is not in the templates")
				continue
			}
			f.subnets(f.of(proxy.resource, "VpcSubnetIds"), f.before(proxy.resource))
			f.groups(f.of(proxy.resource, "VpcSecurityGroupIds"), proxy.resource)
			for _, endpoint := range f.that("AWS::RDS::DBProxyEndpoint", "DBProxyName", proxy.resource) {
				f.subnets(f.of(endpoint, "VpcSubnetIds"), f.before(endpoint))
				f.groups(f.of(endpoint, "VpcSecurityGroupIds"), endpoint)
			}
		}
	}
}

// targets looks at target groups that send to the database: by a reference, or by
// addresses of its network at its port, which no template can tie to it.
func (f *finder) targets() {
	for _, group := range f.ofKind("AWS::ElasticLoadBalancingV2::TargetGroup") {
		port := fmt.Sprint(f.database.properties["Port"])
		addresses := group.properties["TargetType"] == "ip" && fmt.Sprint(group.properties["Port"]) == port
		if !f.mentions(group, f.database) && !addresses {
			continue
		}
		trail := []Step{{group.name(), "sends to port " + port}}
		for _, balancer := range f.ofKind("AWS::ElasticLoadBalancingV2::LoadBalancer") {
			if f.forwards(balancer, group) {
				f.balancer(balancer, trail)
			}
		}
	}
}

// forwards says whether a listener of balancer, or a rule of one, leads to the target group.
func (f *finder) forwards(balancer, group *resource) bool {
	for _, listener := range f.that("AWS::ElasticLoadBalancingV2::Listener", "LoadBalancerArn", balancer) {
		rules := f.that("AWS::ElasticLoadBalancingV2::ListenerRule", "ListenerArn", listener)
		for _, r := range append(rules, listener) {
			if f.mentions(r, group) {
				return true
			}
		}
	}
	return false
}

// offers looks at what offers the database to other networks or services.
func (f *finder) offers() {
	for kind, why := range map[string]string{
		"AWS::VpcLattice::ResourceConfiguration": "offers it to other networks by VPC Lattice",
		"AWS::RDS::Integration":                  "copies it into another service",
		"AWS::DMS::Endpoint":                     "lets a replication copy it",
		"AWS::AppSync::DataSource":               "answers queries on it at AWS's public endpoint",
	} {
		for _, r := range f.ofKind(kind) {
			if f.mentions(r, f.database) {
				f.leak(nil, r.name(), "%s", why)
			}
		}
	}
}

// internal says whether a load balancer is known to have no public address.
func internal(balancer *resource) bool {
	scheme, _ := balancer.properties["Scheme"].(string)
	return strings.EqualFold(scheme, "internal")
}
