package reach

// What may stand in a security group, by what a way in through it looks like.
var (
	// hosts run what somebody may have got into, so it matters whether they are reachable themselves.
	hosts = kinds("AWS::EC2::Instance", "AWS::EC2::NetworkInterface", "AWS::EC2::LaunchTemplate",
		"AWS::AutoScaling::LaunchConfiguration", "AWS::ECS::Service", "AWS::EKS::Cluster", "AWS::DMS::ReplicationInstance")
	balancers = kinds("AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::ElasticLoadBalancing::LoadBalancer")
	functions = kinds("AWS::Lambda::Function", "AWS::Serverless::Function")
	// closed can begin no connection, or belong to the database itself.
	closed = kinds("AWS::EC2::VPCEndpoint", instanceKind, clusterKind, "AWS::RDS::DBProxyEndpoint",
		"AWS::Serverless::Application") // AWS's rotation of the secret
	// doors are made to let somebody in.
	doors = map[string]string{
		"AWS::EC2::ClientVpnEndpoint":       "lets in the clients of a VPN",
		"AWS::EC2::InstanceConnectEndpoint": "lets in by AWS's public endpoint",
		"AWS::EC2::VerifiedAccessEndpoint":  "lets in from the internet",
	}
)

func kinds(names ...string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// member looks at what may reach the database by its group or its address.
func (f *finder) member(r *resource, trail []Step) {
	switch {
	case closed[r.kind]:
	case functions[r.kind]:
		f.function(r, trail)
	case balancers[r.kind]:
		f.balancer(r, trail)
	case hosts[r.kind]:
		f.host(r, trail)
	case doors[r.kind] != "":
		f.leak(trail, r.name(), "%s", doors[r.kind])
	case r.kind == "AWS::RDS::DBProxy":
		// Of another database too: whom it lets in may be its own answer.
		f.groups(f.of(r, "VpcSecurityGroupIds"), r)
	default:
		f.leak(trail, r.name(), "a %s of which it is not known who reaches it", r.kind)
	}
}

// function looks at who may call a function without a name. Its network lets
// nobody in: Lambda's interfaces take no connections.
// https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
func (f *finder) function(r *resource, trail []Step) {
	called := outward(trail, r.name(), "the function")
	for _, url := range f.that("AWS::Lambda::Url", "TargetFunctionArn", r) {
		if url.properties["AuthType"] != "AWS_IAM" {
			f.leak(called, url.name(), "lets anyone call the function by a URL")
		}
	}
	if config, ok := r.properties["FunctionUrlConfig"].(map[string]any); ok && config["AuthType"] != "AWS_IAM" {
		f.leak(called, r.name(), "lets anyone call it by a URL")
	}
	for _, permission := range f.that("AWS::Lambda::Permission", "FunctionName", r) {
		p := permission.properties
		if p["Principal"] == "*" && p["PrincipalOrgID"] == nil && p["SourceAccount"] == nil && p["FunctionUrlAuthType"] != "AWS_IAM" {
			f.leak(called, permission.name(), "lets anyone call the function")
		}
	}
}

// balancer looks at who reaches a load balancer.
func (f *finder) balancer(r *resource, trail []Step) {
	if !internal(r) {
		f.leak(trail, r.name(), "a load balancer with public addresses")
	}
	for _, service := range f.that("AWS::EC2::VPCEndpointService", "NetworkLoadBalancerArns", r) {
		f.leak(outward(trail, r.name(), "the load balancer"), service.name(), "offers the load balancer to other accounts")
	}
}

// host looks at the addresses and subnets of something that programs run on.
func (f *finder) host(r *resource, trail []Step) {
	if r.kind == "AWS::DMS::ReplicationInstance" && f.mayBe(r, "PubliclyAccessible", true) {
		f.leak(trail, r.name(), "a replication instance with a public address")
	}
	if asks(r.properties, "AssociatePublicIpAddress") || asks(r.properties, "AssignPublicIp") {
		f.leak(trail, r.name(), "asks for a public address")
	}
	for _, kind := range []string{"AWS::EC2::EIP", "AWS::EC2::EIPAssociation"} {
		for _, address := range f.ofKind(kind) {
			if f.mentions(address, r) {
				f.leak(outward(trail, r.name(), "the host"), address.name(), "gives the host a public address")
			}
		}
	}
	// A launch template's subnets are those of the group that launches by it.
	for _, holder := range f.resources {
		if holder != r && (holder.kind != "AWS::AutoScaling::AutoScalingGroup" || !f.mentions(holder, r)) {
			continue
		}
		for _, subnet := range f.ofKind("AWS::EC2::Subnet") {
			if f.mentions(holder, subnet) {
				f.subnet(subnet, outward(trail, r.name(), "the host"))
			}
		}
	}
}

// asks says whether a member of that name, at any depth, may be true or ENABLED.
func asks(value any, name string) bool {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			if asks(item, name) {
				return true
			}
		}
	case map[string]any:
		for key, item := range v {
			if key == name && item != false && item != "false" && item != "DISABLED" || asks(item, name) {
				return true
			}
		}
	}
	return false
}
