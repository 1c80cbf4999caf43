package reach_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/database/reach"
)

const snapshots = "../../../test/snapshot/testdata"

// The stacks of prod, as the exports between them have them.
const (
	ground = "Millrace-prod-Foundation"
	upper  = "Millrace-prod-Pipeline"
)

func environment(t *testing.T, name string) map[string]reach.Template {
	t.Helper()
	templates := map[string]reach.Template{}
	for _, stack := range []string{"Foundation", "Pipeline"} {
		text, err := os.ReadFile(filepath.Join(snapshots, name+"-"+strings.ToLower(stack)+".template.json"))
		require.NoError(t, err)
		var template reach.Template
		require.NoError(t, json.Unmarshal(text, &template))
		templates["Millrace-"+name+"-"+stack] = template
	}
	return templates
}

func TestNothingLeadsToTheDatabaseOfAnyEnvironment(t *testing.T) {
	for _, name := range []string{"local", "dev", "staging", "prod"} {
		paths, err := reach.Paths(environment(t, name))
		require.NoError(t, err)
		assert.Empty(t, paths, name)
	}
}

// app is prod's templates, and what a leak is made with.
type app struct {
	t         *testing.T
	templates map[string]reach.Template
}

func (a app) section(stack, section string) map[string]any {
	members, ok := a.templates[stack][section].(map[string]any)
	if !ok {
		members = map[string]any{}
		a.templates[stack][section] = members
	}
	return members
}

// find returns the logical id of the only resource of kind whose id begins with prefix.
func (a app) find(stack, kind, prefix string) string {
	a.t.Helper()
	var found []string
	for id, resource := range a.section(stack, "Resources") {
		if resource.(map[string]any)["Type"] == kind && strings.HasPrefix(id, prefix) {
			found = append(found, id)
		}
	}
	require.Len(a.t, found, 1, "%s %s*", kind, prefix)
	return found[0]
}

// set changes properties of a resource of the ground; nil removes one.
func (a app) set(id string, properties map[string]any) {
	a.t.Helper()
	resource, ok := a.section(ground, "Resources")[id].(map[string]any)
	require.True(a.t, ok, id)
	all := resource["Properties"].(map[string]any)
	maps.Copy(all, properties)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
}

func (a app) add(stack, id, kind string, properties map[string]any) {
	a.section(stack, "Resources")[id] = map[string]any{"Type": kind, "Properties": properties}
}

func (a app) database() string { return a.find(ground, "AWS::RDS::DBInstance", "") }
func (a app) subnet() string   { return a.find(ground, "AWS::EC2::Subnet", "DatabaseVpcIsolated1") }
func (a app) group() string {
	return a.find(ground, "AWS::EC2::SecurityGroup", "DatabaseSecurityGroup")
}
func (a app) loader() string { return a.find(upper, "AWS::EC2::SecurityGroup", "LoaderLoader") }
func (a app) vpc() map[string]any {
	return attribute(a.find(ground, "AWS::EC2::VPC", ""), "VpcId")
}

func (a app) route(target string, value any) {
	table := a.find(ground, "AWS::EC2::RouteTable", "DatabaseVpcIsolated1")
	a.add(ground, "Route", "AWS::EC2::Route", map[string]any{
		"RouteTableId": attribute(table, "RouteTableId"), "DestinationCidrBlock": "0.0.0.0/0", target: value,
	})
}

// admit lets source into the database's group, from the other stack.
func (a app) admit(source map[string]any) {
	properties := map[string]any{"GroupId": a.from(ground, a.group(), "GroupId"), "IpProtocol": "tcp", "FromPort": 5433, "ToPort": 5433}
	maps.Copy(properties, source)
	a.add(upper, "Rule", "AWS::EC2::SecurityGroupIngress", properties)
}

// from is how another stack refers to an attribute of one of stack's.
func (a app) from(stack, id, name string) map[string]any {
	export := stack + ":Test" + id + name
	a.section(stack, "Outputs")["Test"+id+name] = map[string]any{"Value": attribute(id, name), "Export": map[string]any{"Name": export}}
	return map[string]any{"Fn::ImportValue": export}
}

func ref(id string) map[string]any { return map[string]any{"Ref": id} }

func attribute(id, name string) map[string]any {
	return map[string]any{"Fn::GetAtt": []any{id, name}}
}

// leaks are the changes of prod's templates by each of which its database could
// be reached, with what the path must lead over, from the outside inwards.
var leaks = map[string]struct {
	change func(app)
	over   []string
}{
	"the instance is publicly accessible": {
		func(a app) { a.set(a.database(), map[string]any{"PubliclyAccessible": true}) },
		[]string{"DatabaseInstance", "PubliclyAccessible: "},
	},
	"the instance may become publicly accessible by a parameter": {
		func(a app) {
			a.section(ground, "Parameters")["Public"] = map[string]any{"Type": "String", "Default": "false"}
			a.set(a.database(), map[string]any{"PubliclyAccessible": ref("Public")})
		},
		[]string{"DatabaseInstance", "PubliclyAccessible: "},
	},
	"nobody says whether the instance is publicly accessible": {
		func(a app) { a.set(a.database(), map[string]any{"PubliclyAccessible": nil}) },
		[]string{"DatabaseInstance", "not said"},
	},
	"the instance stands in the default VPC": {
		func(a app) { a.set(a.database(), map[string]any{"DBSubnetGroupName": nil}) },
		[]string{"DatabaseInstance", "default VPC"},
	},
	"the instance has the default security group": {
		func(a app) { a.set(a.database(), map[string]any{"VPCSecurityGroups": nil}) },
		[]string{"DatabaseInstance", "no security group"},
	},
	"a read replica is publicly accessible": {
		func(a app) {
			a.add(upper, "Replica", "AWS::RDS::DBInstance", map[string]any{
				"SourceDBInstanceIdentifier": a.from(ground, a.database(), "DBInstanceArn"), "PubliclyAccessible": true,
				"VPCSecurityGroups": []any{a.from(ground, a.group(), "GroupId")},
			})
		},
		[]string{"Replica", "PubliclyAccessible: "},
	},
	"the cluster has the Data API": {
		func(a app) {
			a.add(ground, "Cluster", "AWS::RDS::DBCluster", map[string]any{
				"EnableHttpEndpoint": true, "DBSubnetGroupName": ref(a.find(ground, "AWS::RDS::DBSubnetGroup", "")),
				"VpcSecurityGroupIds": []any{attribute(a.group(), "GroupId")},
			})
		},
		[]string{"Cluster", "Data API"},
	},
	"a subnet leads to an internet gateway": {
		func(a app) {
			a.add(ground, "Gateway", "AWS::EC2::InternetGateway", nil)
			a.route("GatewayId", attribute("Gateway", "InternetGatewayId"))
		},
		[]string{"Gateway", "Route", "DatabaseVpcIsolated1RouteTable", "DatabaseVpcIsolated1Subnet", "SubnetGroup"},
	},
	"a subnet leads to the internet gateway of another stack, by a parameter of SSM": {
		func(a app) {
			a.add(upper, "Gateway", "AWS::EC2::InternetGateway", nil)
			a.add(upper, "GatewayName", "AWS::SSM::Parameter", map[string]any{"Name": "/gateway", "Value": ref("Gateway")})
			a.section(ground, "Parameters")["Gateway"] = map[string]any{"Type": "AWS::SSM::Parameter::Value<String>", "Default": "/gateway"}
			a.route("GatewayId", ref("Gateway"))
		},
		[]string{upper + "/Gateway", "Route"},
	},
	"a subnet leads to a NAT gateway": {
		func(a app) { a.route("NatGatewayId", "nat-0123456789abcdef0") },
		[]string{"nat-0123456789abcdef0", "Route"},
	},
	"a subnet leads to an egress-only gateway": {
		func(a app) {
			a.add(ground, "Egress", "AWS::EC2::EgressOnlyInternetGateway", map[string]any{"VpcId": a.vpc()})
			a.route("EgressOnlyInternetGatewayId", attribute("Egress", "Id"))
		},
		[]string{"Egress", "Route"},
	},
	"a subnet leads to a peered VPC": {
		func(a app) {
			a.add(upper, "Peering", "AWS::EC2::VPCPeeringConnection", map[string]any{"PeerVpcId": "vpc-0"})
			a.route("VpcPeeringConnectionId", map[string]any{"Fn::GetStackOutput": map[string]any{"StackName": upper, "OutputName": "Peering"}})
			a.section(upper, "Outputs")["Peering"] = map[string]any{"Value": ref("Peering")}
		},
		[]string{upper + "/Peering", "Route"},
	},
	"a subnet leads to a transit gateway": {
		func(a app) { a.route("TransitGatewayId", "tgw-0") },
		[]string{"tgw-0", "Route"},
	},
	"a subnet leads to a carrier gateway": {
		func(a app) { a.route("CarrierGatewayId", "cagw-0") },
		[]string{"cagw-0", "Route"},
	},
	"a subnet leads to an appliance": {
		func(a app) { a.route("NetworkInterfaceId", "eni-0") },
		[]string{"eni-0", "Route"},
	},
	"a subnet learns the routes of a VPN": {
		func(a app) {
			a.add(ground, "Propagation", "AWS::EC2::VPNGatewayRoutePropagation", map[string]any{
				"VpnGatewayId":  "vgw-0",
				"RouteTableIds": []any{ref(a.find(ground, "AWS::EC2::RouteTable", "DatabaseVpcIsolated2"))},
			})
		},
		[]string{"Propagation", "DatabaseVpcIsolated2RouteTable", "DatabaseVpcIsolated2Subnet"},
	},
	"a subnet is attached to a transit gateway": {
		func(a app) {
			a.add(upper, "Attachment", "AWS::EC2::TransitGatewayAttachment", map[string]any{
				"TransitGatewayId": "tgw-0", "SubnetIds": []any{a.from(ground, a.subnet(), "SubnetId")},
			})
		},
		[]string{"Attachment", "DatabaseVpcIsolated1Subnet"},
	},
	"a client VPN ends in a subnet": {
		func(a app) {
			a.add(ground, "Vpn", "AWS::EC2::ClientVpnTargetNetworkAssociation", map[string]any{"SubnetId": map[string]any{"Fn::Sub": "${" + a.subnet() + ".SubnetId}"}})
		},
		[]string{"Vpn", "DatabaseVpcIsolated1Subnet"},
	},
	"a subnet gives public addresses": {
		func(a app) { a.set(a.subnet(), map[string]any{"MapPublicIpOnLaunch": true}) },
		[]string{"DatabaseVpcIsolated1Subnet", "MapPublicIpOnLaunch"},
	},
	"a subnet is somebody else's": {
		func(a app) {
			a.section(ground, "Parameters")["Subnet"] = map[string]any{"Type": "AWS::EC2::Subnet::Id"}
			a.set(a.find(ground, "AWS::RDS::DBSubnetGroup", ""), map[string]any{"SubnetIds": []any{ref("Subnet")}})
		},
		[]string{"${Subnet}", "not in the templates", "SubnetGroup"},
	},
	"a subnet has somebody else's route table": {
		func(a app) {
			a.set(a.find(ground, "AWS::EC2::SubnetRouteTableAssociation", "DatabaseVpcIsolated1"), map[string]any{"RouteTableId": "rtb-0"})
		},
		[]string{"rtb-0", "not in the templates", "DatabaseVpcIsolated1Subnet"},
	},
	"a network ACL lets in the internet": {
		func(a app) {
			a.add(ground, "Acl", "AWS::EC2::NetworkAcl", map[string]any{"VpcId": a.vpc()})
			a.add(ground, "Entry", "AWS::EC2::NetworkAclEntry", map[string]any{"NetworkAclId": ref("Acl"), "RuleAction": "allow", "CidrBlock": "0.0.0.0/0"})
			a.add(ground, "Association", "AWS::EC2::SubnetNetworkAclAssociation", map[string]any{"NetworkAclId": ref("Acl"), "SubnetId": ref(a.subnet())})
		},
		[]string{"Entry", "Acl", "DatabaseVpcIsolated1Subnet"},
	},
	"the group lets in the internet": {
		func(a app) {
			a.set(a.group(), map[string]any{"SecurityGroupIngress": []any{map[string]any{"CidrIp": "0.0.0.0/0", "IpProtocol": "-1"}}})
		},
		[]string{"DatabaseSecurityGroup", "lets in 0.0.0.0/0"},
	},
	"a condition may let the internet into the group": {
		func(a app) {
			a.set(a.group(), map[string]any{"SecurityGroupIngress": map[string]any{"Fn::If": []any{
				"IsOpen", []any{map[string]any{"CidrIp": "0.0.0.0/0", "IpProtocol": "-1"}}, ref("AWS::NoValue"),
			}}})
		},
		[]string{"DatabaseSecurityGroup", "lets in 0.0.0.0/0"},
	},
	"another stack lets IPv6's internet into the group": {
		func(a app) { a.admit(map[string]any{"CidrIpv6": "::/0"}) },
		[]string{upper + "/Rule", "lets in ::/0", "DatabaseSecurityGroup"},
	},
	"the group lets in another network": {
		func(a app) { a.admit(map[string]any{"CidrIp": "10.1.0.0/16"}) },
		[]string{"Rule", "lets in 10.1.0.0/16", "DatabaseSecurityGroup"},
	},
	"the group lets in a prefix list": {
		func(a app) { a.admit(map[string]any{"SourcePrefixListId": "pl-0"}) },
		[]string{"Rule", "prefix list", "DatabaseSecurityGroup"},
	},
	"the group lets in a group of another account": {
		func(a app) {
			a.admit(map[string]any{"SourceSecurityGroupId": "sg-0", "SourceSecurityGroupOwnerId": "111122223333"})
		},
		[]string{"sg-0", "not in the templates", "Rule", "DatabaseSecurityGroup"},
	},
	"a group that is let in lets in the internet": {
		func(a app) {
			a.add(upper, "Second", "AWS::EC2::SecurityGroupIngress", map[string]any{"GroupId": ref(a.loader()), "CidrIp": "0.0.0.0/0", "IpProtocol": "-1"})
		},
		[]string{"Second", "lets in 0.0.0.0/0", "LoaderLoaderSecurityGroup", "DatabaseSecurityGroup"},
	},
	"a public load balancer stands in a group that is let in": {
		func(a app) {
			a.add(upper, "Balancer", "AWS::ElasticLoadBalancingV2::LoadBalancer", map[string]any{
				"Scheme": "internet-facing", "SecurityGroups": []any{attribute(a.loader(), "GroupId")},
			})
		},
		[]string{"Balancer", "LoaderLoaderSecurityGroup", "DatabaseSecurityGroup"},
	},
	"a host in a public subnet stands in a group that is let in": {
		func(a app) {
			a.add(upper, "Public", "AWS::EC2::Subnet", map[string]any{"VpcId": a.from(ground, a.find(ground, "AWS::EC2::VPC", ""), "VpcId"), "MapPublicIpOnLaunch": true})
			a.add(upper, "Host", "AWS::EC2::Instance", map[string]any{"SubnetId": ref("Public"), "SecurityGroupIds": []any{attribute(a.loader(), "GroupId")}})
		},
		[]string{"Public", "Host", "LoaderLoaderSecurityGroup", "DatabaseSecurityGroup"},
	},
	"a host with an elastic address stands in a group that is let in": {
		func(a app) {
			a.add(upper, "Host", "AWS::EC2::Instance", map[string]any{"SecurityGroupIds": []any{ref(a.loader())}})
			a.add(upper, "Address", "AWS::EC2::EIP", map[string]any{"InstanceId": ref("Host")})
		},
		[]string{"Address", "Host", "LoaderLoaderSecurityGroup", "DatabaseSecurityGroup"},
	},
	"a task asks for a public address in a group that is let in": {
		func(a app) {
			a.add(upper, "Service", "AWS::ECS::Service", map[string]any{"NetworkConfiguration": map[string]any{"AwsvpcConfiguration": map[string]any{
				"AssignPublicIp": "ENABLED", "SecurityGroups": []any{attribute(a.loader(), "GroupId")},
			}}})
		},
		[]string{"Service", "LoaderLoaderSecurityGroup"},
	},
	"an EC2 Instance Connect endpoint stands in a group that is let in": {
		func(a app) {
			a.add(upper, "Connect", "AWS::EC2::InstanceConnectEndpoint", map[string]any{"SecurityGroupIds": []any{attribute(a.loader(), "GroupId")}})
		},
		[]string{"Connect", "LoaderLoaderSecurityGroup"},
	},
	"something that the proof does not know stands in a group that is let in": {
		func(a app) {
			a.add(upper, "Desktop", "AWS::WorkSpaces::WorkspacesPool", map[string]any{"Groups": []any{ref(a.loader())}})
		},
		[]string{"Desktop", "not known who reaches it", "LoaderLoaderSecurityGroup"},
	},
	"anyone may call a client by a URL": {
		func(a app) {
			a.add(upper, "Url", "AWS::Lambda::Url", map[string]any{"AuthType": "NONE", "TargetFunctionArn": attribute(a.find(upper, "AWS::Lambda::Function", "LoaderFunction"), "Arn")})
		},
		[]string{"Url", "LoaderFunction", "LoaderLoaderSecurityGroup", "DatabaseSecurityGroup"},
	},
	"anyone may invoke a client": {
		func(a app) {
			a.add(upper, "Permission", "AWS::Lambda::Permission", map[string]any{"Principal": "*", "FunctionName": ref(a.find(upper, "AWS::Lambda::Function", "LoaderMigrator"))})
		},
		[]string{"Permission", "LoaderMigratorFunction", "LoaderMigratorSecurityGroup", "DatabaseSecurityGroup"},
	},
	"the whole VPC is let in, and a public load balancer stands there": {
		func(a app) {
			a.admit(map[string]any{"CidrIp": "10.0.0.0/16"})
			a.add(ground, "Balancer", "AWS::ElasticLoadBalancingV2::LoadBalancer", map[string]any{"Type": "network", "Subnets": []any{ref(a.subnet())}})
		},
		[]string{"Balancer", "Rule", "DatabaseSecurityGroup"},
	},
	"a target group of a public load balancer has the database's port": {
		func(a app) {
			a.add(ground, "Balancer", "AWS::ElasticLoadBalancingV2::LoadBalancer", nil)
			a.add(ground, "Targets", "AWS::ElasticLoadBalancingV2::TargetGroup", map[string]any{"TargetType": "ip", "Port": 5433, "Protocol": "TCP"})
			a.add(ground, "Listener", "AWS::ElasticLoadBalancingV2::Listener", map[string]any{
				"LoadBalancerArn": ref("Balancer"), "DefaultActions": []any{map[string]any{"TargetGroupArn": ref("Targets")}},
			})
		},
		[]string{"Balancer", "Targets"},
	},
	"an endpoint service offers the database's load balancer to other accounts": {
		func(a app) {
			a.add(ground, "Balancer", "AWS::ElasticLoadBalancingV2::LoadBalancer", map[string]any{"Scheme": "internal"})
			a.add(ground, "Targets", "AWS::ElasticLoadBalancingV2::TargetGroup", map[string]any{"TargetType": "ip", "Port": 5433, "Protocol": "TCP"})
			a.add(ground, "Listener", "AWS::ElasticLoadBalancingV2::Listener", map[string]any{
				"LoadBalancerArn": ref("Balancer"), "DefaultActions": []any{map[string]any{"TargetGroupArn": ref("Targets")}},
			})
			a.add(ground, "Service", "AWS::EC2::VPCEndpointService", map[string]any{"NetworkLoadBalancerArns": []any{ref("Balancer")}})
		},
		[]string{"Service", "Balancer", "Targets"},
	},
	"VPC Lattice offers the database": {
		func(a app) {
			a.add(upper, "Offer", "AWS::VpcLattice::ResourceConfiguration", map[string]any{"ResourceConfigurationDefinition": map[string]any{"ArnResource": a.from(ground, a.database(), "DBInstanceArn")}})
		},
		[]string{"Offer", "VPC Lattice"},
	},
	"a proxy's group lets in the internet": {
		func(a app) { a.proxy(map[string]any{"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp"}) },
		[]string{"ProxyGroup", "lets in 0.0.0.0/0", "Proxy"},
	},
	"a further endpoint of a proxy has a group that lets in the internet": {
		func(a app) {
			a.proxy()
			a.add(ground, "Open", "AWS::EC2::SecurityGroup", map[string]any{"SecurityGroupIngress": []any{map[string]any{"CidrIp": "0.0.0.0/0", "IpProtocol": "-1"}}})
			a.add(ground, "Endpoint", "AWS::RDS::DBProxyEndpoint", map[string]any{"DBProxyName": ref("Proxy"), "VpcSubnetIds": []any{ref(a.subnet())}, "VpcSecurityGroupIds": []any{ref("Open")}})
		},
		[]string{"Open", "lets in 0.0.0.0/0", "Endpoint"},
	},
	"a custom resource shares a snapshot": {
		func(a app) {
			a.add(ground, "Share", "Custom::AWS", map[string]any{"Create": `{"service":"RDS","action":"modifyDBSnapshotAttribute","parameters":{"ValuesToAdd":["all"]}}`})
		},
		[]string{"Share", "snapshot"},
	},
	"a role may share snapshots": {
		func(a app) {
			a.add(upper, "Rights", "AWS::IAM::Policy", map[string]any{"PolicyDocument": map[string]any{"Statement": []any{
				map[string]any{"Effect": "Allow", "Action": []any{"rds:Modify*"}, "Resource": "*"},
			}}})
		},
		[]string{"Rights", "rds:ModifyDBSnapshotAttribute"},
	},
	"anyone may use the key of the snapshots": {
		func(a app) {
			a.set(a.find(ground, "AWS::KMS::Key", "DatabaseKey"), map[string]any{"KeyPolicy": map[string]any{"Statement": []any{
				map[string]any{"Effect": "Allow", "Action": "kms:*", "Principal": map[string]any{"AWS": "*"}},
			}}})
		},
		[]string{"DatabaseKey", "decrypt"},
	},
	"anyone may read the secret": {
		func(a app) {
			a.set(a.find(ground, "AWS::SecretsManager::ResourcePolicy", ""), map[string]any{"ResourcePolicy": map[string]any{"Statement": []any{
				map[string]any{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Principal": "*"},
			}}})
		},
		[]string{"DatabaseSecret", "lets anyone read a secret"},
	},
	"anyone may copy the backups": {
		func(a app) {
			a.add(ground, "Vault", "AWS::Backup::BackupVault", map[string]any{"AccessPolicy": map[string]any{"Statement": []any{
				map[string]any{"Effect": "Allow", "Action": "backup:CopyFromBackupVault", "Principal": "*"},
			}}})
		},
		[]string{"Vault", "backups"},
	},
}

// proxy defines an RDS proxy of the database with a group that has these rules.
func (a app) proxy(rules ...any) {
	a.add(ground, "ProxyGroup", "AWS::EC2::SecurityGroup", map[string]any{"VpcId": a.vpc(), "SecurityGroupIngress": rules})
	a.add(ground, "Proxy", "AWS::RDS::DBProxy", map[string]any{"VpcSubnetIds": []any{ref(a.subnet())}, "VpcSecurityGroupIds": []any{ref("ProxyGroup")}})
	a.add(ground, "ProxyTargets", "AWS::RDS::DBProxyTargetGroup", map[string]any{"DBProxyName": ref("Proxy"), "DBInstanceIdentifiers": []any{ref(a.database())}})
}

func TestEachLeakIsFoundWithItsPath(t *testing.T) {
	require.GreaterOrEqual(t, len(leaks), 20)
	for _, name := range slices.Sorted(maps.Keys(leaks)) {
		t.Run(name, func(t *testing.T) {
			templates := environment(t, "prod")
			leaks[name].change(app{t, templates})
			paths, err := reach.Paths(templates)
			require.NoError(t, err)
			assert.Condition(t, func() bool {
				return slices.ContainsFunc(paths, func(p reach.Path) bool { return leadsOver(p, leaks[name].over) })
			}, "no path over %q, only %v", leaks[name].over, paths)
			for _, path := range paths {
				assert.ErrorContains(t, reach.Error(paths), path.String())
			}
		})
	}
}

// leadsOver says whether the path's text has the words in that order.
func leadsOver(p reach.Path, words []string) bool {
	text := p.String()
	for _, word := range words {
		_, rest, found := strings.Cut(text, word)
		if !found {
			return false
		}
		text = rest
	}
	return strings.HasSuffix(p.String(), p.Database)
}

// What looks like a leak and is none.
func TestWhatLetsNobodyInIsNoPath(t *testing.T) {
	for name, change := range map[string]func(app){
		"a local route": func(a app) { a.route("GatewayId", "local") },
		"a proxy that lets in the loader alone": func(a app) {
			a.proxy(map[string]any{"SourceSecurityGroupId": a.from(upper, a.loader(), "GroupId"), "IpProtocol": "tcp"})
			a.admit(map[string]any{"SourceSecurityGroupId": a.from(ground, "ProxyGroup", "GroupId")})
		},
		"an internet gateway that no subnet of the database leads to": func(a app) {
			a.add(ground, "Gateway", "AWS::EC2::InternetGateway", nil)
			a.add(ground, "Attachment", "AWS::EC2::VPCGatewayAttachment", map[string]any{"VpcId": a.vpc(), "InternetGatewayId": ref("Gateway")})
		},
		"a public load balancer in a group that is not let in": func(a app) {
			a.add(upper, "Group", "AWS::EC2::SecurityGroup", nil)
			a.add(upper, "Balancer", "AWS::ElasticLoadBalancingV2::LoadBalancer", map[string]any{"SecurityGroups": []any{ref("Group")}})
		},
		"a network ACL that lets in the VPC": func(a app) {
			a.add(ground, "Acl", "AWS::EC2::NetworkAcl", map[string]any{"VpcId": a.vpc()})
			a.add(ground, "Entry", "AWS::EC2::NetworkAclEntry", map[string]any{"NetworkAclId": ref("Acl"), "RuleAction": "allow", "CidrBlock": attribute(a.find(ground, "AWS::EC2::VPC", ""), "CidrBlock")})
			a.add(ground, "Association", "AWS::EC2::SubnetNetworkAclAssociation", map[string]any{"NetworkAclId": ref("Acl"), "SubnetId": ref(a.subnet())})
		},
		"a URL that takes IAM's signatures": func(a app) {
			a.add(upper, "Url", "AWS::Lambda::Url", map[string]any{"AuthType": "AWS_IAM", "TargetFunctionArn": attribute(a.find(upper, "AWS::Lambda::Function", "LoaderFunction"), "Arn")})
		},
		"a group that lets itself in": func(a app) {
			a.admit(map[string]any{"SourceSecurityGroupId": a.from(ground, a.group(), "GroupId")})
		},
		"a role that may make snapshots": func(a app) {
			a.add(upper, "Rights", "AWS::IAM::Policy", map[string]any{"PolicyDocument": map[string]any{"Statement": []any{
				map[string]any{"Effect": "Allow", "Action": "rds:CreateDBSnapshot", "Resource": "*"},
				map[string]any{"Effect": "Deny", "Action": "rds:*", "Resource": "*"},
			}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			templates := environment(t, "prod")
			change(app{t, templates})
			paths, err := reach.Paths(templates)
			require.NoError(t, err)
			assert.Empty(t, paths)
		})
	}
}

func TestANestedStackIsReadWithItsParent(t *testing.T) {
	templates := environment(t, "prod")
	a := app{t, templates}
	a.add(ground, "Nested", "AWS::CloudFormation::Stack", map[string]any{"Parameters": map[string]any{"Group": attribute(a.group(), "GroupId")}})
	_, err := reach.Paths(templates)
	require.ErrorContains(t, err, `its template must be given as "`+ground+`/Nested"`)

	templates[ground+"/Nested"] = reach.Template{
		"Parameters": map[string]any{"Group": map[string]any{"Type": "String"}},
		"Resources": map[string]any{"Rule": map[string]any{"Type": "AWS::EC2::SecurityGroupIngress", "Properties": map[string]any{
			"GroupId": ref("Group"), "CidrIp": "0.0.0.0/0",
		}}},
	}
	paths, err := reach.Paths(templates)
	require.NoError(t, err)
	require.Len(t, paths, 1)
	assert.Contains(t, paths[0].String(), ground+"/Nested/Rule (lets in 0.0.0.0/0) -> "+ground+"/"+a.group())
}

func TestNothingIsProvenWithoutADatabase(t *testing.T) {
	templates := environment(t, "prod")
	_, err := reach.Paths(map[string]reach.Template{upper: templates[upper]})
	assert.ErrorContains(t, err, "nothing to prove")
	_, err = reach.Paths(map[string]reach.Template{"Empty": {}})
	assert.ErrorContains(t, err, "template Empty has no resources")
	assert.NoError(t, reach.Error(nil))
}
